// A receiver of Fluent's Forward protocol: the package @fluent-org/logger, and a file in which what
// it got stands before it is acknowledged, one line of JSON an entry.
//
//   node forward_server.js '{"port": N, "out": FILE, "sharedKey": ..., "hostname": ..., "users": {},
//                            "key": PEM, "cert": PEM}'
"use strict";
const fs = require("fs");
const protocol = require("@fluent-org/logger/build/src/protocol");
const { FluentServer } = require("@fluent-org/logger");

const given = JSON.parse(process.argv[2]);
const out = fs.openSync(given.out, "a");

// The package acknowledges what it has read, and tells of it afterwards.
const parse = protocol.parseTransport;
protocol.parseTransport = message => {
  const { tag, entries, chunk } = parse(message);
  const at = performance.timeOrigin + performance.now(); // ms since 1970
  const lines = entries.map(([time, record]) => JSON.stringify(
    { at, tag, time: [time.epoch, time.nano], compressed: message[2].compressed, record }) + "\n");
  if (message[2].size !== entries.length)
    throw new Error("size is not the number of entries");
  fs.writeSync(out, lines.join(""));
  return { tag, entries: [], chunk };
};

const options = { listenOptions: { port: given.port, host: "127.0.0.1" } };
if (given.sharedKey)
  options.security = {
    serverHostname: given.hostname || "receiver", sharedKey: given.sharedKey,
    authorize: Boolean(given.users), userDict: given.users || {},
  };
if (given.cert)
  options.tlsOptions = { key: fs.readFileSync(given.key), cert: fs.readFileSync(given.cert) };
new FluentServer(options).listen().then(() => console.log("ready"));
