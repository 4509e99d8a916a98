"""Runs a command where the only name server is this process, on the loopback address of a network
namespace of its own; prints what was asked for.

    unshare --net --mount resolver.py COMMAND...
"""
import array
import fcntl
import socket
import struct
import subprocess
import sys
import tempfile
import threading

SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
NO_SUCH_NAME = 0x8183


def raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        request = array.array("B", struct.pack("16sH14x", b"lo", 0))
        fcntl.ioctl(s, SIOCGIFFLAGS, request)
        name, flags = struct.unpack("16sH14x", request)
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sH14x", name, flags | IFF_UP))


def mount(what, where):
    subprocess.run(["mount", "--bind", what, where], check=True)


def reply(kind, query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    print("asked by", kind, "for", ".".join(labels), flush=True)
    return query[:2] + struct.pack("!H", NO_SUCH_NAME) + query[4:6] + bytes(6) + query[12:at + 5]


def answer_datagrams(s):
    while True:
        query, who = s.recvfrom(4096)
        s.sendto(reply("udp", query), who)


def answer_streams(s):
    while True:
        peer, _ = s.accept()
        with peer:
            while len(head := peer.recv(2, socket.MSG_WAITALL)) == 2:
                query = peer.recv(*struct.unpack("!H", head), socket.MSG_WAITALL)
                answer = reply("tcp", query)
                peer.sendall(struct.pack("!H", len(answer)) + answer)


def main():
    raise_loopback()
    with tempfile.NamedTemporaryFile("w") as conf, tempfile.NamedTemporaryFile("w") as switch:
        print("nameserver 127.0.0.1\noptions attempts:1 timeout:1", file=conf, flush=True)
        print("hosts: files dns", file=switch, flush=True)
        mount(conf.name, "/etc/resolv.conf")
        mount(switch.name, "/etc/nsswitch.conf")
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        for s, answer in ((udp, answer_datagrams), (tcp, answer_streams)):
            s.bind(("127.0.0.1", 53))
            if s is tcp:
                s.listen()
            threading.Thread(target=answer, args=(s,), daemon=True).start()
        return subprocess.run(sys.argv[1:]).returncode


if __name__ == "__main__":
    sys.exit(main())
