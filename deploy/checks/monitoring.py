"""Tests the rules, and runs every query of rules and dashboards against a real Prometheus that scrapes a real hub."""

import contextlib
import json
import pathlib
import re
import signal
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import dashboards
import pages
from image import free_port
from tools import DEPLOY, ROOT, Failed, eventually, need, ran, rollcall, say

RULES, TESTS = DEPLOY / "monitoring" / "rules.yaml", DEPLOY / "monitoring" / "rules_test.yaml"
RUNBOOKS, OPERATIONS = ROOT / "docs" / "runbooks.md", ROOT / "docs" / "operations.md"
# Labels that the scrape gives, and whose values depend on what happens.
NOT_OF_THE_HUB = {"job", "role", "instance", "__name__"}
OF_EVENTS = {"status"}
WINDOW = "20s"  # in place of Grafana's
# Fails for a query that is wrong on purpose.
WRONG = [
    'sum(rate(rollcall_scim_requests_total{job="rollcall"}[5m]))',
    'max(rollcall_rate_limited_total{service="ingest"})',
    'rollcall_queue_depth{lane="push"}',
]


def loaded(path):
    import yaml

    return yaml.safe_load(path.read_text())


def rules():
    return [rule for group in loaded(RULES)["groups"] for rule in group["rules"]]


def check_tests():
    """Each alert fires in a test and stays silent in another."""
    ran("promtool", "check", "rules", RULES)
    ran("promtool", "test", "rules", TESTS.name, cwd=TESTS.parent)
    fires, silent = set(), set()
    for test in loaded(TESTS)["tests"]:
        for one in test.get("alert_rule_test", []):
            (fires if one["exp_alerts"] else silent).add(one["alertname"])
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    if lacking := (alerts - fires) | (alerts - silent):
        raise Failed(f"rules_test.yaml has no firing or no silent case of {sorted(lacking)}")
    return alerts


def check_runbooks(alerts):
    """Each alert has a section, and each section a command of the hub, which the check of pages tries."""
    parts = re.split(r"(?m)^## ", RUNBOOKS.read_text())[1:]
    sections = {part.split("\n", 1)[0].strip(): part for part in parts}
    if differ := alerts ^ sections.keys():
        raise Failed(f"docs/runbooks.md and the alerts differ in {sorted(differ)}")
    for rule in rules():
        if "alert" in rule and rule["annotations"]["runbook"] != f"docs/runbooks.md#{rule['alert'].lower()}":
            raise Failed(f"{rule['alert']} names the runbook {rule['annotations']['runbook']}")
    for name, section in sections.items():
        if not pages.commands(section):
            raise Failed(f"the runbook of {name} names no command of the hub")


def queries():
    """Every expression, with its place. A panel's window is Grafana's word for it."""
    for rule in rules():
        yield f"rule {rule.get('alert') or rule['record']}", rule["expr"]
    for name, text in dashboards.files().items():
        for panel in json.loads(text)["panels"]:
            for target in panel["targets"]:
                yield f"{name}, {panel['title']!r}", target["expr"].replace("$__rate_interval", WINDOW)


def selectors(expr):
    """Names of metrics in an expression, each with its conditions."""
    import promql_parser

    def walk(node):
        if isinstance(node, promql_parser.VectorSelector):
            yield node.name, [(one.name, str(one.op).rpartition(".")[2], one.value) for one in node.matchers.matchers]
        for part in ("expr", "lhs", "rhs", "vector_selector"):
            if (inner := getattr(node, part, None)) is not None:
                yield from walk(inner)
        for inner in getattr(node, "args", None) or []:
            yield from walk(inner)

    return list(walk(promql_parser.parse(expr)))


def series(scrape):
    """The values of each label of each metric in a scrape."""
    found = {}
    for name, inside in re.findall(r"(?m)^(\w+)(?:\{(.*)\})? ", scrape):
        labels = found.setdefault(name, {})
        for label, value in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', inside):
            labels.setdefault(label, set()).add(value)
    return found


def fault(expr, there, records):
    """The first metric or label value of an expression that no scrape has."""
    for name, conditions in selectors(expr):
        if name in records or name == "up":
            continue
        if name not in there:
            return f"names {name}, which the hub does not have"
        for label, operator, value in conditions:
            if label in NOT_OF_THE_HUB | OF_EVENTS:
                continue
            known = there[name].get(label, set())
            well = any(re.fullmatch(value, one) for one in known) if operator == "Re" else value in known
            if not well:
                return f"wants {name} with {label} {value!r}; there are {sorted(known)}"
    return None


def check_names(scrape):
    """Rules and dashboards name what is there; and what is there is on a dashboard or in a rule, and in docs/operations.md."""
    there = series(scrape)
    records = {rule["record"] for rule in rules() if "record" in rule}
    used = set()
    for place, expr in queries():
        if wrong := fault(expr, there, records):
            raise Failed(f"{place} {wrong}")
        used |= {name for name, _ in selectors(expr)}
    for expr in WRONG:
        if not fault(expr, there, records):
            raise Failed(f"the check does not see that {expr} is wrong")
    metrics = {re.sub(r"_(bucket|sum|count)$", "", name) for name in there if name.startswith("rollcall_")}
    if unseen := metrics - {re.sub(r"_bucket$", "", name) for name in used}:
        raise Failed(f"no dashboard and no rule shows {sorted(unseen)}")
    table = OPERATIONS.read_text().partition("| metric (all begin")[2].partition("\n\n")[0]
    firsts = "\n".join(row.split("|")[1] for row in table.splitlines() if row.count("|") > 3)
    described = {f"rollcall_{name}" for name in re.findall(r"`([a-z_]+)`", firsts)}
    if described ^ metrics:
        raise Failed(f"docs/operations.md and the hub's metrics differ in {sorted(described ^ metrics)}")


def check_routes():
    """The example leads each severity to its receiver, and inhibits by alerts that exist."""
    example = DEPLOY / "monitoring" / "alertmanager.example.yaml"
    ran("amtool", "check-config", example)
    for severity, receiver in (("critical", "pager"), ("warning", "day"), ("info", "day")):
        if (led := ran("amtool", "config", "routes", "test", f"--config.file={example}", f"severity={severity}").strip()) != receiver:
            raise Failed(f"alertmanager.example.yaml leads {severity} to {led}")
    named = set(re.findall(r"Rollcall\w+", example.read_text()))
    if unknown := named - {rule.get("alert") for rule in rules()}:
        raise Failed(f"alertmanager.example.yaml names {sorted(unknown)}")


def fetched(url, headers=None):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=10) as answer:
        return answer.read().decode()


@contextlib.contextmanager
def prometheus(folder, target):
    """A Prometheus that scrapes the hub every second and evaluates the rules as often."""
    import yaml

    scrape = {"job_name": "rollcall", "static_configs": [{"targets": [target], "labels": {"role": "all"}}]}
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES.resolve())],
        "scrape_configs": [scrape],
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    listens = f"127.0.0.1:{free_port()}"
    words = [f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address={listens}"]
    with open(folder / "prometheus.log", "w") as log:
        server = subprocess.Popen(["prometheus", *words], stdout=log, stderr=log)
    try:
        yield f"http://{listens}"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def asked(address, expr):
    try:
        answer = json.loads(fetched(f"{address}/api/v1/query?{urllib.parse.urlencode({'query': expr})}"))
    except urllib.error.HTTPError as error:
        if error.code == 503:  # it starts
            return []
        raise Failed(f"Prometheus refuses {expr}: {error.read().decode()[:500]}") from None
    except OSError:
        return []
    return answer["data"]["result"]


def play(hub):
    """A small first sync and a call of the REST API, so that each family has a series."""
    tenant = hub.make("tenant", "create", "--name", "Acme", "--seats", "50", "--owner", "owner@acme.example")["slug"]
    source = hub.make("source", "create", "--tenant", tenant, "--kind", "scim")
    key = hub.make("api-key", "create", "--tenant", tenant, "--role", "owner")["key"]
    endpoint = hub.address + urllib.parse.urlsplit(source["scim_endpoint"]).path
    ran(rollcall(), "simulate-idp", "okta", "--endpoint", endpoint, "--token", source["token"], "--users", "12", env=hub.environment)
    fetched(f"{hub.address}/api/v1/members?limit=3", {"Authorization": f"Bearer {key}"})


def check_queries(address):
    """Panels answer with data; alerts are understood; a healthy hub fires nothing."""
    count = 0
    for place, expr in queries():
        if not place.startswith("rule Rollcall"):
            eventually(f"{place} shows something: {expr}", lambda expr=expr: asked(address, expr), 40)
        else:
            asked(address, expr)
        count += 1
    firing = [one["metric"]["alertname"] for one in asked(address, 'ALERTS{alertstate="firing"}')]
    if firing:
        raise Failed(f"beside a healthy hub {sorted(set(firing))} fire")
    return count


def check():
    need("prometheus", "prometheus-alertmanager")
    from hubs import Hub

    if {path.name: path.read_text() for path in dashboards.HOME.glob("*.json")} != dashboards.files():
        raise Failed("the dashboards do not follow from deploy/checks/dashboards.py: run deploy/check --write")
    alerts = check_tests()
    check_runbooks(alerts)
    check_routes()
    with tempfile.TemporaryDirectory(prefix="rollcall-monitoring-") as folder:
        folder = pathlib.Path(folder)
        metrics = f"127.0.0.1:{free_port()}"
        hub = Hub("SQLite", "up", {"ROLLCALL_METRICS_LISTEN": metrics}, folder)
        try:
            with prometheus(folder, metrics) as address:
                eventually("Prometheus scrapes the hub", lambda: asked(address, 'up{job="rollcall"} == 1'))
                play(hub)
                check_names(fetched(f"http://{metrics}/metrics"))
                count = check_queries(address)
        finally:
            hub.stop()
    say(f"{len(alerts)} alerts with tests and runbooks; {count} queries ran against a hub")
