"""docs/siem: what is there for receivers is parsed and, where it can be had, run by what it is for. Every name of a field,
a metric or a rule in it is one that there is."""

import collections
import configparser
import contextlib
import json
import re
import sqlite3
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

import jsonschema
import pytest
import siem_records
import yaml
from conftest import PROGRAM, ROOT, run
from receivers import RSYSLOGD, Certificates, free_port, is_open, until
from sigma.backends.elasticsearch import ESQLBackend, LuceneBackend
from sigma.backends.splunk import SplunkBackend
from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.processing.pipeline import ProcessingPipeline

SIEM = ROOT / "docs" / "siem"
SIGMA = sorted((SIEM / "sigma").glob("*.yml"))
SPREAD = SIEM / "sigma" / "modelwatch_spread.yml"
SINGLE = [path for path in SIGMA if path != SPREAD]
# Which of siem_records each Sigma rule is about.
EXPECTED = {
    "load_shell": {"shell", "fetching_shell"},
    "load_download": {"fetch", "fetching_shell"},
    "load_connection": {"connection", "look_up", "sent"},
    "load_persistence": {"kept"},
    "load_secret": {"secret"},
    "load_code": {"mapped", "compiled"},
    "load_tamper": {"tampered"},
    "evasion": {"past_a_sensor"},
    "not_prevented": {"let_go", "too_late"},
    "unproved": {"unproved"},
    "from_hub": {"from_hub"},
    "events_lost": {"lost", "evicted"},
    "daemon_stopping": {"stopping"},
    "spool_loss": {"evicted", "refused"},
}
# And of Wazuh, the level of each.
LEVELS = {
    3: {"imported"},
    5: {"stopping"},
    7: {"unwound", "refused"},
    8: {"too_much", "unproved"},
    10: {"lost", "evicted", "sent", "listening", "written", "mapped", "compiled", "from_hub"},
    12: {"tampered"},
    13: {"shell", "program", "fetch", "fetching_shell", "connection", "loopback", "look_up", "kept", "secret"},
    14: {"past_a_sensor"},
    15: {"let_go", "too_late"},
    0: {"there", "loaded"},
}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    return siem_records.render(tmp_path_factory.mktemp("rendered"))


@pytest.fixture(scope="module")
def fields(rendered):
    """By format and name of the record, its fields. Splunk's names for OCSF have {} after lists."""
    return {name: {record: siem_records.flat(json.loads(line), "{}" if name == "ocsf" else "")
                   for record, line in rendered[name].items()} for name in ("native", "ecs", "ocsf")}


@pytest.fixture(scope="module")
def known(fields):
    return {name: {field for record in records.values() for field in record} for name, records in fields.items()}


def with_parents(names):
    """Also the objects that these fields are in."""
    return {".".join(parts[:n]) for parts in (name.split(".") for name in names) for n in range(1, len(parts) + 1)}


def test_records_are_as_the_schema_has_them():
    kinds = {kind: json.loads((ROOT / "docs" / f"{kind}.schema.json").read_text())
             for kind in ("alert", "loss", "heartbeat", "inventory")}
    for record in siem_records.make().values():
        jsonschema.validate(record, kinds[re.fullmatch(r"modelwatch\.(\w+)/1", record["schema"]).group(1)])


# --- Sigma ------------------------------------------------------------------------------------------

def documents(path):
    return list(yaml.safe_load_all(path.read_text()))


def pipeline(name):
    return ProcessingPipeline() if name == "native" else ProcessingPipeline.from_yaml(
        (SIEM / "sigma" / "pipelines" / f"{name}.yml").read_text())


def convert(backend, path, form="native"):
    return backend(pipeline(form)).convert(SigmaCollection.from_yaml(path.read_text()))


def table(records):
    """A database of records: the columns are their fields."""
    database = sqlite3.connect(":memory:")
    names = sorted({name for record in records.values() for name in record} | {"timestamp", "record"})
    database.execute(f"CREATE TABLE logs ({','.join(f'`{name}`' for name in names)})")
    for record, values in records.items():
        row = values | {"record": record}
        row.setdefault("timestamp", siem_records.EXAMPLE["time"][:23])
        database.execute(f"INSERT INTO logs ({','.join(f'`{name}`' for name in row)}) "
                         f"VALUES ({','.join('?' * len(row))})", list(row.values()))
    database.row_factory = sqlite3.Row
    return database


@pytest.mark.parametrize("path", SIGMA, ids=lambda path: path.stem)
def test_sigma_schema(path):
    for document in documents(path):
        kind = "correlation" if "correlation" in document else "rule"
        schema = json.loads((ROOT / "tests" / "siem" / f"sigma-{kind}.schema.json").read_text())
        text = json.loads(json.dumps(document, default=str))
        jsonschema.validate(text, schema, cls=jsonschema.Draft202012Validator)


def test_sigma_ids():
    ids = [document["id"] for path in SIGMA for document in documents(path)]
    assert len(set(ids)) == len(ids) >= 14


@pytest.mark.parametrize("form", ("native", "ecs", "ocsf"))
@pytest.mark.parametrize("path", SINGLE, ids=lambda path: path.stem)
def test_sigma_finds(path, form, fields):
    """The rule, as a query that a database answers, finds what it is about and nothing else."""
    query, = convert(sqliteBackend, path, form)
    found = {row["record"] for row in table(fields[form]).execute(query)}
    assert found == EXPECTED[path.stem.removeprefix("modelwatch_")]


def test_sigma_expectations_are_whole():
    assert {path.stem.removeprefix("modelwatch_") for path in SINGLE} == set(EXPECTED)


@pytest.mark.parametrize("form", ("native", "ecs", "ocsf"))
def test_sigma_names_fields_that_there_are(form, known):
    """Those of the queries the database above knows."""
    for path in SINGLE:
        query, = convert(SplunkBackend, path, form)
        columns = query.split("| table ")[1].strip().split(",")
        assert not set(columns) - with_parents(known[form]), path


@pytest.mark.parametrize("backend", (SplunkBackend, LuceneBackend, ESQLBackend))
def test_sigma_becomes_queries(backend):
    for path in SIGMA:
        if backend is not LuceneBackend or path != SPREAD:
            assert all(convert(backend, path, "ecs"))


@pytest.mark.parametrize("form", ("native", "ecs", "ocsf"))
@pytest.mark.parametrize("hosts", (1, 2, 3, 4))
def test_sigma_spread(form, hosts, fields):
    """The same stream on three hosts, however often on each."""
    field = {"native": "host.name", "ecs": "host.name", "ocsf": "device.hostname"}[form]
    records = {f"{host} {n}": fields[form]["shell"] | {field: f"gpu-{host}"} for host in range(hosts) for n in range(3)}
    query, = convert(sqliteBackend, SPREAD, form)
    assert bool(list(table(records).execute(query))) == (hosts >= 3)


JOB = """
import os, pickle
class Made:
    def __reduce__(self):
        return os.system, ("true",)
pickle.loads(pickle.dumps(Made()))
"""


def test_an_alert_of_a_real_load(tmp_path):
    """From a load to what a receiver's query finds, with nothing of ours in between."""
    sinks = "".join(f"  - {{name: {form}, type: file, path: {tmp_path}/{form}, format: {form}}}\n" for form in ("ecs", "ocsf"))
    (tmp_path / "policy.yaml").write_text(f"version: 1\nsinks:\n{sinks}spool: {{path: {tmp_path}/spool/spool.db}}\n")
    done = run([sys.executable, "-c", JOB], tmp_path / "native", options=[f"--policy={tmp_path}/policy.yaml", "--quiet"])
    assert done.alerts, done.stderr
    for form in ("native", "ecs", "ocsf"):
        lines = siem_records.lines(tmp_path / form)
        records = {str(n): siem_records.flat(json.loads(line), "{}" if form == "ocsf" else "") for n, line in enumerate(lines)}
        for path in SINGLE:
            query, = convert(sqliteBackend, path, form)
            with contextlib.suppress(sqlite3.OperationalError):  # a field that this alert has not
                found = list(table(records).execute(query))
                assert bool(found) == (path.stem == "modelwatch_load_shell"), (path, form)
                continue
            assert path.stem != "modelwatch_load_shell"
    assert not [name for line in siem_records.lines(tmp_path / "ecs") for name in unmapped(json.loads(line), template())]


# --- Elastic ----------------------------------------------------------------------------------------

def template():
    return json.loads((SIEM / "elastic" / "index-template.json").read_text())["template"]["mappings"]


def fits(kind, value):
    if kind == "keyword":  # takes a number as its text
        return isinstance(value, (str, int))
    if kind in ("wildcard", "match_only_text", "date", "ip"):
        return isinstance(value, str)
    return isinstance(value, bool) if kind == "boolean" else isinstance(value, (int, float)) and not isinstance(value, bool)


def unmapped(value, mapping, path=""):
    """Fields of a document that the mapping has not, or has as another type."""
    if isinstance(value, list):
        return [name for member in value for name in unmapped(member, mapping, path)]
    kind = mapping.get("type", "object")
    if value is None or kind == "flattened" or mapping.get("enabled") is False or path == ".labels":
        return []
    if not isinstance(value, dict):
        return [] if fits(kind, value) else [f"{path}: {kind}"]
    properties = mapping.get("properties", {})
    return [name for key, member in value.items()
            for name in (unmapped(member, properties[key], f"{path}.{key}") if key in properties else [f"{path}.{key}"])]


def test_elastic_template_maps_every_field(rendered):
    for line in rendered["ecs"].values():
        assert not unmapped(json.loads(line), template())


def test_elastic_template_is_that_of_the_sink():
    text = (ROOT / "courier" / "http_body.c").read_text()
    index = re.search(r'"(logs-[^"]*)"', text).group(1)
    assert index == "logs-modelwatch.alerts-default"
    whole = json.loads((SIEM / "elastic" / "index-template.json").read_text())
    assert whole["index_patterns"] == ["logs-modelwatch.alerts-*"] and whole["data_stream"] == {}


def elastic_rules():
    return [json.loads(line) for line in (SIEM / "elastic" / "detection-rules.ndjson").read_text().splitlines()]


def named(query):
    """The fields that a query names: words with dots, and @timestamp, outside of quotes."""
    query = re.sub(r'"(?:[^"\\]|\\.)*"|logs-modelwatch\.alerts-\*', " ", query)
    return set(re.findall(r"@timestamp|\b[a-z_]\w*(?:\{\})?(?:\.\w+(?:\{\})?)+", query))


def test_elastic_rules(known):
    needed = {"rule_id", "name", "description", "risk_score", "severity", "type", "query", "from", "interval", "language"}
    types = {"query": "kuery", "threshold": "kuery", "esql": "esql"}
    rules = elastic_rules()
    assert len({rule["rule_id"] for rule in rules}) == len(rules) == 5
    for rule in rules:
        assert needed <= set(rule) and rule["enabled"] is False
        assert rule["language"] == types[rule["type"]] and ("index" in rule) == (rule["type"] != "esql")
        names = named(rule["query"]) | {mapping["field"] for key in ("severity_mapping", "risk_score_mapping")
                                        for mapping in rule.get(key, [])}
        names |= set(rule.get("threshold", {}).get("field", [])) | set(filter(None, [rule.get("rule_name_override")]))
        names |= {one["field"] for one in rule.get("threshold", {}).get("cardinality", [])}
        assert names and not names - known["ecs"], rule["name"]


def test_elastic_severities(rendered):
    """The severity that Elastic gives an alert is ours."""
    rule = elastic_rules()[0]
    given = {mapping["value"]: mapping["severity"] for mapping in rule["severity_mapping"]}
    for name, parts in siem_records.ALERTS.items():
        event = json.loads(rendered["ecs"][name])["event"]
        assert given[str(event["severity"])] == parts[1]


# --- Splunk -----------------------------------------------------------------------------------------

def conf(name):
    parser = configparser.RawConfigParser(strict=True, interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str
    parser.read_string(re.sub(r"\\\n", " ", (SIEM / "splunk" / name).read_text()))
    return {section: dict(parser[section]) for section in parser.sections()}


@pytest.mark.parametrize("form", ("native", "ocsf"))
def test_splunk_finds_the_time(form, rendered):
    stanza = conf("props.conf")[f"modelwatch:{form}"]
    for line in rendered[form].values():
        behind = line[re.search(stanza["TIME_PREFIX"], line).end():][:int(stanza["MAX_TIMESTAMP_LOOKAHEAD"])]
        seconds = siem_records.EXAMPLE["time"]
        if form == "native":
            assert stanza["TIME_FORMAT"] == "%Y-%m-%dT%H:%M:%S.%9N%Z"
            assert behind.startswith(seconds)
        else:
            assert stanza["TIME_FORMAT"] == "%s%3N"
            assert behind == str(json.loads(line)["time"]) and len(behind) == 13


def test_splunk_names_fields_that_there_are(known):
    for section, keys in conf("props.conf").items():
        form = section.split(":")[1]
        for key, value in keys.items():
            if key.startswith("FIELDALIAS-"):
                assert value.split(" AS ")[0] in known[form]
            elif key.startswith("EVAL-"):
                assert not set(re.findall(r"'([^']*)'", value)) - known[form]
    searches = conf("savedsearches.conf")
    assert len(searches) == 5
    for name, keys in searches.items():
        assert keys["disabled"] == "1" and keys["search"].startswith("`modelwatch`"), name
        assert not named(keys["search"]) - known["ocsf"], name
        assert not set(re.findall(r"\b([a-z_]+_id)\b", keys["search"])) - known["ocsf"], name


def test_splunk_reads_whole_records(rendered):
    longest = max(len(line) for form in ("native", "ocsf") for line in rendered[form].values())
    limits = conf("limits.conf")
    assert longest < int(limits["spath"]["extraction_cutoff"]) and longest < int(limits["kv"]["maxchars"])
    assert "modelwatch_finding" in conf("eventtypes.conf") and "eventtype=modelwatch_finding" in conf("tags.conf")


# --- Wazuh ------------------------------------------------------------------------------------------

class Wazuh:
    """Its rules, tried as its manager does: the children of what matched, the highest level first."""

    def __init__(self, path):
        self.children = collections.defaultdict(list)
        for rule in ElementTree.parse(path).getroot().iter("rule"):
            parents = rule.findtext("if_sid")
            for parent in parents.split(",") if parents else [""]:
                self.children[parent.strip()].append(rule)

    @staticmethod
    def matches(rule, record):
        values = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in record.items()}
        return all(re.search(field.text, values.get(field.get("name"), "")) for field in rule.iter("field"))

    def match(self, record, parent=""):
        for rule in sorted(self.children[parent], key=lambda rule: -int(rule.get("level"))):
            if self.matches(rule, record):
                return self.match(record, rule.get("id")) or rule
        return None


def test_wazuh(fields, known):
    path = SIEM / "wazuh" / "modelwatch_rules.xml"
    rules = list(ElementTree.parse(path).getroot().iter("rule"))
    ids = [int(rule.get("id")) for rule in rules]
    assert len(set(ids)) == len(ids) and all(100000 <= number <= 120000 for number in ids)
    for rule in rules:
        used = {field.get("name") for field in rule.iter("field")} | set(
            re.findall(r"\$\(([^)]*)\)", rule.findtext("description")))
        assert not used - known["native"]
    levels = collections.defaultdict(set)
    for name, record in fields["native"].items():
        levels[int(Wazuh(path).match(record).get("level"))].add(name)
    assert levels == LEVELS


def test_wazuh_reads_what_a_sink_writes():
    local = ElementTree.parse(SIEM / "wazuh" / "ossec.conf").getroot().find("localfile")
    assert local.findtext("log_format") == "json" and local.findtext("location").startswith("/var/log/modelwatch/")


# --- Prometheus and Grafana -------------------------------------------------------------------------

def metrics(text):
    return set(re.findall(r"\bmodelwatch_(\w+)", text))


def told():
    """The names in the source that tells the metrics, whole."""
    return set(re.findall(r'"(\w+)"', (ROOT / "tools" / "daemon_metrics.c").read_text()))


def promtool(*arguments):
    done = subprocess.run(["promtool", *map(str, arguments)], cwd=SIEM / "prometheus", capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_rules():
    assert "rules found" in promtool("check", "rules", "rules.yaml")
    promtool("test", "rules", "rules.test.yaml", "rules.days.test.yaml")


def test_every_prometheus_rule_has_a_test():
    rules = yaml.safe_load((SIEM / "prometheus" / "rules.yaml").read_text())
    names = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    tested = set()
    for path in (SIEM / "prometheus").glob("*.test.yaml"):
        for test in yaml.safe_load(path.read_text())["tests"]:
            tested |= {one["alertname"] for one in test["alert_rule_test"] if one["exp_alerts"]}
    assert names == tested


def test_metrics_are_those_of_the_daemon():
    for path in ("prometheus/rules.yaml", "grafana/modelwatch.json", "rules.md", "response.md"):
        assert not metrics((SIEM / path).read_text()) - told() - {"rules"}, path


def expressions(dashboard):
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield re.sub(r"\$__\w+", "5m", target["expr"]).replace("$instance", ".*")


def test_grafana_dashboard(tmp_path):
    dashboard = json.loads((SIEM / "grafana" / "modelwatch.json").read_text())
    assert dashboard["uid"] == "modelwatch" and "__inputs" not in dashboard and "id" not in dashboard
    assert dashboard["templating"]["list"][0] | {"name": "datasource", "type": "datasource", "query": "prometheus"} == \
        dashboard["templating"]["list"][0]
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    spots = [(x, y) for panel in panels for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
             for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])]
    assert len(set(spots)) == len(spots) and max(x for x, _ in spots) < 24
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels if panel["type"] != "row")
    rules = [{"record": f"panel:{n}", "expr": text} for n, text in enumerate(expressions(dashboard))]
    (tmp_path / "rules.yaml").write_text(yaml.dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", tmp_path / "rules.yaml")


# --- Collectors -------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates") / "tls")


@contextlib.contextmanager
def rsyslog(folder, certificates):
    """The configuration as it is, but for its folders and ports. Gives the ports of syslog and RELP."""
    text = (SIEM / "rsyslog.conf").read_text()
    ports = {port: free_port() for port in ("6514", "20514")}
    for path, here in (("/var/spool/rsyslog", folder), ("/etc/rsyslog", certificates.folder), ("/var/log/modelwatch", folder)):
        assert path in text
        text = text.replace(path, str(here))
    for port, here in ports.items():
        assert f'port="{port}"' in text
        text = text.replace(f'port="{port}"', f'port="{here}" address="127.0.0.1"')
    (folder / "rsyslog.conf").write_text(text)
    check = subprocess.run([RSYSLOGD, "-N1", "-f", folder / "rsyslog.conf"], capture_output=True, text=True, timeout=30)
    assert check.returncode == 0 and "error" not in check.stderr, check.stderr
    process = subprocess.Popen([RSYSLOGD, "-n", "-f", folder / "rsyslog.conf", "-i", folder / "pid"])
    try:
        until(lambda: all(map(is_open, ports.values())))
        yield ports
    finally:
        process.kill()
        process.wait()


def test_rsyslog(tmp_path, certificates):
    """Records of all kinds over RELP and over TLS arrive whole."""
    records = siem_records.make()
    with rsyslog(tmp_path, certificates) as ports:
        sinks = {name: {"type": name, "address": f"127.0.0.1:{port}", "observe": "true", "inventory": "true",
                        "format": "native", "tls": certificates.tls(cert="client", server_name="siem.example.org")}
                 for name, port in (("syslog", ports["6514"]), ("relp", ports["20514"]))}
        out = tmp_path / "received.jsonl"
        with siem_records.courier(tmp_path, list(records.values()), sinks):
            until(lambda: len(siem_records.lines(out)) >= 2 * len(records))
    received = collections.Counter(json.loads(line)["id"] for line in siem_records.lines(out))
    assert received == {record["id"]: 2 for record in records.values()}


def test_rsyslog_lets_no_stranger_in(tmp_path, certificates):
    """Whom another authority vouches for and, over RELP, who has another name."""
    certificates.sign("outsider", "DNS:node.example.net", use="clientAuth")
    records = list(siem_records.make().values())[:1]
    with rsyslog(tmp_path, certificates) as ports:
        sinks = {f"{kind}-{cert}": {"type": kind, "address": f"127.0.0.1:{ports[port]}",
                                    "tls": certificates.tls(cert=cert, server_name="siem.example.org")}
                 for kind, port, cert in (("syslog", "6514", "stranger"), ("relp", "20514", "stranger"),
                                          ("relp", "20514", "outsider"))}
        with siem_records.courier(tmp_path, records, sinks):
            time.sleep(2)
    assert not siem_records.lines(tmp_path / "received.jsonl")


def read(name):
    return yaml.safe_load((SIEM / name).read_text())


def test_fluent_bit_keeps_on_disk():
    config = read("fluent-bit.yaml")
    assert set(config) == {"service", "pipeline"} and config["service"]["storage.sync"] == "full"
    assert config["service"]["storage.path"].startswith("/")
    forward, = config["pipeline"]["inputs"]
    assert forward["name"] == "forward" and forward["storage.type"] == "filesystem"
    assert all(output["retry_limit"] == "no_limits" for output in config["pipeline"]["outputs"])
    assert all(output["match"] == "modelwatch.*" for output in config["pipeline"]["outputs"])


def test_fluentd_keeps_on_disk():
    """Its sections nest and end; the buffer is a file."""
    open_sections, types = [], {}
    for line in (SIEM / "fluentd.conf").read_text().splitlines():
        line = line.strip()
        if match := re.fullmatch(r"</(\w+)>", line):
            assert open_sections.pop() == match.group(1)
        elif match := re.fullmatch(r"<(\w+)( [^>]*)?>", line):
            open_sections.append(match.group(1))
        elif line and not line.startswith("#"):
            key, value = line.split(None, 1)
            types["/".join([*open_sections, key])] = value
    assert not open_sections
    assert types["source/@type"] == "forward" and types["match/buffer/@type"] == "file"
    assert types["match/buffer/retry_forever"] == "true" and types["match/buffer/overflow_action"] == "block"


def test_vector_keeps_on_disk():
    config = read("vector.yaml")
    for sink in config["sinks"].values():
        assert set(sink["inputs"]) <= set(config["sources"])
        assert sink["acknowledgements"]["enabled"] and sink["buffer"]["type"] == "disk"
        assert sink["buffer"]["when_full"] == "block"
    # ECS has a `host` of its own, which is an object.
    assert config["log_schema"]["host_key"] != "host"


def test_collector_keeps_on_disk():
    config = read("otel-collector.yaml")
    logs = config["service"]["pipelines"]["logs"]
    assert set(logs["receivers"]) == set(config["receivers"]) and set(logs["exporters"]) == set(config["exporters"])
    assert not logs.get("processors")
    for exporter in config["exporters"].values():
        assert exporter["sending_queue"]["storage"] in config["service"]["extensions"]
        assert exporter["retry_on_failure"]["max_elapsed_time"] == "0s"
    assert config["extensions"]["file_storage"]["fsync"] is True


def test_identities_that_receivers_know_again(fields):
    """Fluent Bit and Vector name documents by the record's uid."""
    assert read("fluent-bit.yaml")["pipeline"]["outputs"][0]["id_key"] == "$event['id']"
    assert read("vector.yaml")["sinks"]["elastic"]["id_key"] == "event.id"
    for name, record in fields["ecs"].items():
        assert record["event.id"] == fields["native"][name]["uid"]


# --- The texts --------------------------------------------------------------------------------------

TEXTS = ("README.md", "response.md", "rules.md")


def queries():
    """The queries of rules.md: those of Splunk, and those of Elastic."""
    text = (SIEM / "rules.md").read_text().replace("\\|", "|")
    splunk = re.findall(r"``\s+(`modelwatch`.*?)\s+``", text, re.S)
    rest = re.sub(r"``.*?``", "", text, flags=re.S)
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]*)`", rest)]
    elastic = [span for span in spans if span.startswith("FROM ") or re.match(r"[a-z_.]+ : ", span)]
    return splunk, elastic


def test_queries_name_fields_that_there_are(known):
    splunk, elastic = queries()
    assert len(splunk) >= 9 and len(elastic) >= 9
    for query in splunk:
        assert not named(query) - known["ocsf"], query
    for query in elastic:
        assert not named(query) - known["ecs"], query


def test_who_loaded_a_digest_is_found(fields):
    """What the queries ask for is in the inventory record, in every format."""
    digest = siem_records.INVENTORY["load"]["artifact"]["sha256"]
    splunk, elastic = queries()
    text = (SIEM / "rules.md").read_text()
    assert any("finding_info.types{}=inventory" in query for query in splunk)
    assert sum('event.action' in query and "inventory" in query for query in elastic) == 2
    ocsf, ecs, native = (fields[name]["loaded"] for name in ("ocsf", "ecs", "native"))
    assert ocsf["finding_info.types{}"] == "inventory" and ocsf["evidences{}.data.load.artifact.sha256"] == digest
    assert ecs["event.action"] == "inventory" and digest in (ecs["related.hash"], ecs["file.hash.sha256"])
    assert native["schema"] == "modelwatch.inventory/1" and native["load.artifact.sha256"] == digest
    for name in ("device.hostname", "actor.user.name", "unmapped.job.id", "count"):
        assert name in ocsf, name
    for field in re.findall(r"(?<![\w.])\.([a-z_0-9.]+[a-z0-9])", re.search(r"`jq -r '(.*?)'`", text)[1].replace("\\|", "|")):
        assert field in native, field


def by_the_table(rule):
    if rule["verdict"] == "observe":
        return "info"
    prevented, happened = siem_records.TABLE[rule["effect"]]
    return prevented if prevented == happened else f"{prevented}, {happened} if not prevented"


def test_rules_tell_every_rule_that_can_raise_an_alert():
    policy = yaml.safe_load((ROOT / "core" / "default-policy.yaml").read_text())
    text = (SIEM / "rules.md").read_text()
    for rule in policy["rules"]:
        if rule["verdict"] != "allow":
            severity = rule.get("severity") or by_the_table(rule)
            assert re.search(rf"`{rule['name']}`(?:, `[a-z-]+`)* \({severity}\b", text) or \
                re.search(rf"`{rule['name']}` \({severity}", text), rule["name"]


def test_texts_name_what_there_is(known):
    """Commands, files beside them, and fields of records in code."""
    done = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, timeout=20)
    for name in TEXTS:
        text = (SIEM / name).read_text()
        for command in re.findall(r"`modelwatch ([a-z]+)", text):
            assert re.search(rf"\b{command}\b", done.stdout), command
        for link in re.findall(r"\]\(([^)#]+)", text):
            assert (SIEM / link).exists(), link
        for field in re.findall(r"`((?:load|effect|process|user|job|container|host|group|policy)\.[a-z0-9_.]+)`", text):
            assert field in with_parents(known["native"] | known["ecs"] | {"group.key"}), field
