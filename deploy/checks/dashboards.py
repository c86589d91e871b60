"""Grafana dashboards, written from tables: a row of panels each, with the unit and the queries."""

import json

from tools import DEPLOY

HOME = DEPLOY / "chart" / "files" / "dashboards"
ALL = 'job="rollcall"'
SCIM = f'{ALL},service="scim"'
RATE = "$__rate_interval"


def rate(metric, labels="", by=""):
    """The sum of rates of a counter."""
    inside = ",".join(part for part in (ALL, labels) if part)
    return f"sum{f' by ({by})' if by else ''} (rate(rollcall_{metric}{{{inside}}}[{RATE}]))"


def quantile(share, metric, labels, by=""):
    grouped = f"le, {by}" if by else "le"
    return f"histogram_quantile({share}, sum by ({grouped}) (rate(rollcall_{metric}_bucket{{{labels}}}[{RATE}])))"


def most(metric, by=""):
    """Workers report the same figures."""
    return f"max{f' by ({by})' if by else ''} (rollcall_{metric}{{{ALL}}})"


FAILED = rate("http_requests_total", 'service="scim",status=~"5.."')
ASKED = rate("http_requests_total", 'service="scim"')
WAITED, WAITS = rate("database_wait_seconds_total"), rate("database_waits_total")
OVERVIEW = [
    [
        ("Oldest change that waits", "s", [(most("change_lag_seconds"), "lag")]),
        ("SCIM requests that fail", "percentunit", [(f"({FAILED} or vector(0)) / {ASKED}", "5xx")]),
        ("Processes", "short", [(f"sum by (role) (up{{{ALL}}})", "{{role}}")]),
        ("Runs held, sources in quarantine", "short", [(most("runs_held"), "runs held"), (most("sources_quarantined"), "in quarantine")]),
    ],
    [
        ("SCIM requests by status", "reqps", [(rate("http_requests_total", 'service="scim"', "status"), "{{status}}")]),
        ("SCIM requests by route", "reqps", [(rate("http_requests_total", 'service="scim"', "method, route"), "{{method}} {{route}}")]),
    ],
    [
        (
            "Time of SCIM requests",
            "s",
            [(quantile(q, "http_request_duration_seconds", SCIM), f"p{int(q * 100)}") for q in (0.5, 0.95, 0.99)],
        ),
        (
            "Time of REST requests",
            "s",
            [(quantile(q, "http_request_duration_seconds", f'{ALL},service="admin"'), f"p{int(q * 100)}") for q in (0.5, 0.95, 0.99)],
        ),
    ],
    [
        (
            "Callers turned away",
            "reqps",
            [
                (rate("auth_refused_total", "", "service, reason"), "{{service}}: {{reason}}"),
                (rate("rate_limited_total", "", "service"), "{{service}}: rate"),
                (rate("quota_refused_total", "", "quota"), "quota of {{quota}}"),
            ],
        ),
        ("Connections that the hub ended", "cps", [(rate("connections_closed_total", "", "reason"), "{{reason}}")]),
        (
            "Answers that wait to be read",
            "bytes",
            [
                (f"sum(rollcall_answer_bytes_unread{{{ALL}}})", "bytes"),
                (rate("answers_refused_total", "", "budget"), "refused: {{budget}}"),
            ],
        ),
    ],
    [
        (
            "Streams of changes",
            "short",
            [
                (f"sum(rollcall_change_streams{{{ALL}}})", "open"),
                (rate("change_streams_ended_total", "", "reason"), "ended a second: {{reason}}"),
            ],
        ),
    ],
]
WORKER = [
    [
        ("Oldest change that waits", "s", [(most("change_lag_seconds"), "lag")]),
        (
            "Messages in the queues",
            "short",
            [(most("queue_depth", "queue"), "{{queue}}"), (most("dead_letters"), "dead letters"), (most("queue_shared"), "shared")],
        ),
    ],
    [
        (
            "Webhooks",
            "ops",
            [
                (rate("webhook_attempts_total", "", "outcome"), "{{outcome}}"),
                (most("webhooks_failing"), "endpoints that fail"),
            ],
        ),
        (
            "Age of events at webhooks",
            "s",
            [(quantile(0.95, "webhook_lag_seconds", ALL), "p95"), (quantile(0.95, "event_relay_lag_seconds", ALL), "p95 at the exchange"), (most("webhook_backlog_seconds"), "oldest that waits")],
        ),
        (
            "Time of an attempt",
            "s",
            [(quantile(0.95, "webhook_attempt_duration_seconds", ALL, "outcome"), "p95 {{outcome}}")],
        ),
    ],
    [
        ("Reconciles by outcome", "ops", [(rate("reconcile_outcomes_total", "", "outcome"), "{{outcome}}")]),
        (
            "Time of one turn of a tenant",
            "s",
            [(quantile(q, "reconcile_duration_seconds", ALL, "lane"), f"p{int(q * 100)} {{{{lane}}}}") for q in (0.5, 0.99)],
        ),
    ],
    [
        (
            "Wake-ups published and merged",
            "ops",
            [
                (rate("wakeups_published_total", "", "lane"), "published {{lane}}"),
                (rate("wakeups_coalesced_total", "", "lane"), "merged {{lane}}"),
            ],
        ),
        ("Wake-ups received", "ops", [(rate("wakeups_received_total", "", "lane, outcome"), "{{lane}}: {{outcome}}")]),
        ("Wake-ups lost", "ops", [(rate("wakeups_lost_total", "", "lane, reason"), "{{lane}}: {{reason}}")]),
    ],
    [("Chunks in which something was newly held", "ops", [(rate("runs_held_total"), "held")])],
]
PROCESSES = [
    [
        (
            "Connections to the database",
            "short",
            [(f"sum by (role, state) (rollcall_database_connections{{{ALL}}})", "{{role}} {{state}}")],
        ),
        ("Requests that wait for a connection, on average", "short", [(rate("database_wait_seconds_total", "", "role"), "{{role}}")]),
        ("Mean wait for a connection", "s", [(f"{WAITED} / {WAITS}", "wait")]),
    ],
    [
        (
            "Errors of the cache",
            "ops",
            [
                (rate("cache_errors_total", "", "operation"), "{{operation}}"),
                (rate("cache_entries_refused_total", "", "reason"), "refused: {{reason}}"),
            ],
        ),
        ("Requests left out of the log", "reqps", [(rate("requests_unlogged_total"), "left out")]),
        (
            "Versions, migrations missing",
            "short",
            [
                (f"count by (version, revision) (rollcall_build_info{{{ALL}}})", "{{version}} {{revision}}"),
                (most("schema_behind"), "missing"),
            ],
        ),
    ],
    [
        ("Memory", "bytes", [(f"process_resident_memory_bytes{{{ALL}}}", "{{role}} {{instance}}")]),
        ("CPU", "percentunit", [(f"rate(process_cpu_seconds_total{{{ALL}}}[{RATE}])", "{{role}} {{instance}}")]),
        (
            "Open files, of those allowed",
            "percentunit",
            [(f"process_open_fds{{{ALL}}} / process_max_fds{{{ALL}}}", "{{role}} {{instance}}")],
        ),
        ("Age of the processes", "s", [(f"time() - process_start_time_seconds{{{ALL}}}", "{{role}} {{instance}}")]),
    ],
]
DASHBOARDS = {
    "overview": ("Rollcall: overview", OVERVIEW),
    "worker": ("Rollcall: worker", WORKER),
    "processes": ("Rollcall: processes", PROCESSES),
}
WIDTH, HEIGHT = 24, 8  # of a row, in Grafana's squares


def panel(number, place, title, unit, queries):
    source = {"type": "prometheus", "uid": "${source}"}
    return {
        "id": number,
        "type": "timeseries",
        "title": title,
        "datasource": source,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {"refId": chr(ord("A") + at), "expr": expr, "legendFormat": legend, "datasource": source}
            for at, (expr, legend) in enumerate(queries)
        ],
    }


def dashboard(name, title, rows):
    panels = []
    for down, row in enumerate(rows):
        wide = WIDTH // len(row)
        for across, (heading, unit, queries) in enumerate(row):
            place = {"x": across * wide, "y": down * HEIGHT, "w": wide, "h": HEIGHT}
            panels.append(panel(len(panels) + 1, place, heading, unit, queries))
    source = {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0}
    return {
        "uid": f"rollcall-{name}",
        "title": title,
        "tags": ["rollcall"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [source]},
        "panels": panels,
    }


def files():
    return {f"{name}.json": text(dashboard(name, *about)) for name, about in DASHBOARDS.items()}


def text(board):
    """JSON with a line for each panel."""
    lines = ",\n    ".join(json.dumps(one) for one in board["panels"])
    return json.dumps(board | {"panels": None}, indent=2).replace('"panels": null', f'"panels": [\n    {lines}\n  ]') + "\n"


def write():
    HOME.mkdir(exist_ok=True)
    for name, text in files().items():
        (HOME / name).write_text(text)
