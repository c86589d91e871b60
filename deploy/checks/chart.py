"""Renders the chart under two releases of Helm and checks what comes out: schemas, rules, and that base and overlays follow from it."""

import json
import re
import shutil
import subprocess

import policy
import settings
from tools import DEPLOY, Failed, helms, ran, say

CHART, KUBERNETES = DEPLOY / "chart", DEPLOY / "kubernetes"
SCHEMA, BASE = CHART / "values.schema.json", KUBERNETES / "base"
VERSIONS = ["1.30", "1.34", "1.37"]
# Kinds of others, whose schemas no package here has: their keys are compared with those that their references name.
OTHERS = {
    "PodMonitor": ("monitoring.coreos.com/v1", {"selector", "podMetricsEndpoints"}),
    "PrometheusRule": ("monitoring.coreos.com/v1", {"groups"}),
    "HTTPRoute": ("gateway.networking.k8s.io/v1", {"parentRefs", "hostnames", "rules"}),
}
# The chart sets these itself, and secrets never belong among the settings.
RESERVED = {
    ("http", "public_url"), ("http", "listen"), ("metrics", "listen"), ("sealing", "keys"), ("sealing", "keys_file"),
    ("database", "sqlite_synchronous"), *((part, key) for part in ("database", "queue", "cache") for key in ("url", "url_file")),
}
# Each is refused, with these words.
WRONG = {
    "publicUrl=rollcall.example.com": "publicUrl",
    "publicUrl=": "publicUrl",
    "settings.http.trusted_proxy=10.0.0.1": "trusted_proxy",
    "settings.database.url=postgres://u:p@h/d": "url",
    "migrations.mode=always": "mode",
    "image.digest=abc": "digest",
    "roles.ingest.replicas=0": "replicas",
    "roles.scheduler.replicas=1": "scheduler",
    "databaseConnections=100": "lower settings.database.connections_max",
    "ingress.enabled=true": "set settings.http.trusted_proxies",
}


def objects_of(text):
    import yaml

    return [one for one in yaml.load_all(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if one]


def rendered(helm, *words):
    return ran(helm / "helm", "template", "rollcall", CHART, *words)


def settings_schema():
    """The settings by section, as the hub knows them."""
    sections = {}
    for section, key in settings.keys():
        if (section, key) not in RESERVED:
            sections.setdefault(section, {})[key] = {"$ref": "#/definitions/setting"}
    closed = {"type": "object", "additionalProperties": False}
    return closed | {"properties": {section: closed | {"properties": keys} for section, keys in sections.items()}}


def schema_text():
    schema = json.loads(SCHEMA.read_text())
    schema["properties"]["settings"] = settings_schema()
    # A line for each value: the file is read by people too.
    text = json.dumps(schema, indent=2)
    return re.sub(r"[\[{]\n[^\[\]{}]*[\]}]", lambda small: " ".join(small[0].split()), text) + "\n"


def base_files(helm):
    """The files of kubernetes/base: an object each; the settings as variables, so that a changed one makes new pods."""
    files, names = {}, []
    for part in re.split(r"(?m)^---\n", rendered(helm, "--values", KUBERNETES / "values.yaml")):
        for one in objects_of(part):
            if one["kind"] == "ConfigMap":
                files["settings.env"] = "".join(f"{key}={value}\n" for key, value in one["data"].items())
                continue
            name = f"{one['kind'].lower()}-{one['metadata']['name'].removeprefix('rollcall-')}.yaml"
            files[name] = re.sub(r"(?m)^# Source: .*\n", "", part).strip("\n") + "\n"
            names.append(name)
    lines = ["# Made from the chart by `deploy/check --write`; change the chart.", "apiVersion: kustomize.config.k8s.io/v1beta1"]
    lines += ["kind: Kustomization", "resources:", *(f"  - {name}" for name in sorted(names))]
    lines += ["configMapGenerator:", "  - {name: rollcall, envs: [settings.env]}"]
    return files | {"kustomization.yaml": "\n".join(lines) + "\n"}


def write():
    SCHEMA.write_text(schema_text())
    shutil.rmtree(BASE, ignore_errors=True)
    BASE.mkdir()
    for name, text in base_files(helms()[0]).items():
        (BASE / name).write_text(text)


def check_fresh(helm):
    there = {path.name: path.read_text() for path in BASE.iterdir()}
    if there != base_files(helm) or SCHEMA.read_text() != schema_text():
        raise Failed(
            "kubernetes/base or values.schema.json does not follow from the chart and the hub's settings: run deploy/check --write"
        )


def check_schemas(objects, where):
    import kubernetes_validate

    for one in objects:
        if one["kind"] in OTHERS:
            version, keys = OTHERS[one["kind"]]
            if one["apiVersion"] != version or not one["spec"].keys() <= keys:
                raise Failed(f"{where}: {one['kind']} is no {version} or has other keys than {sorted(keys)}")
            continue
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(one, version, strict=True)
            except Exception as error:  # of several kinds, also when the schema is not there
                raise Failed(f"{where}: {one['kind']} {one['metadata']['name']} on Kubernetes {version}: {str(error)[:800]}") from None


def check_all(objects, where):
    check_schemas(objects, where)
    if found := policy.faults(objects):
        raise Failed(f"{where}: " + "; ".join(found))


def refused(helm, wrong, words):
    told = subprocess.run(
        [helm / "helm", "template", "rollcall", CHART, "--set", "publicUrl=https://a.example", "--set", wrong],
        capture_output=True,
        text=True,
    )
    if told.returncode == 0 or words not in told.stderr:
        raise Failed(f"the chart does not refuse {wrong} with {words!r}: {told.stderr}")


def check_samples(helm):
    """The values of the samples render, and Redis keeps to the rules of pods. The operators' schemas are in no registry of packages."""
    samples = KUBERNETES / "samples"
    check_all(objects_of(rendered(helm, "--values", samples / "values.yaml")), "samples/values.yaml")
    redis = objects_of((samples / "redis.yaml").read_text())
    check_schemas(redis, "samples/redis.yaml")
    if found := list(policy.pod_faults(redis[0]["spec"]["template"]["spec"])):
        raise Failed(f"samples/redis.yaml: {found}")
    for name in ("cloudnative-pg.yaml", "rabbitmq.yaml"):
        objects_of((samples / name).read_text())


def check_typos():
    """The schemas refuse what a typing error makes."""
    wrong = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"port": [{"port": 80}]}}
    gone = {"apiVersion": "autoscaling/v2beta2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"}}
    for one in (wrong, gone):
        try:
            check_schemas([one], "")
        except Failed:
            continue
        raise Failed(f"the schemas take {one}")


def check():
    old, new = helms()
    check_fresh(old)
    check_typos()
    check_samples(new)
    cases = sorted((CHART / "ci").glob("*-values.yaml"))
    renderings = []
    for case in cases:
        for helm in (old, new):
            ran(helm / "helm", "lint", "--strict", CHART, "--values", case)
        by_both = [objects_of(rendered(helm, "--values", case)) for helm in (old, new)]
        if sorted(map(str, by_both[0])) != sorted(map(str, by_both[1])):
            raise Failed(f"{case.name} renders differently under the two releases of Helm")
        check_all(by_both[0], case.name)
        renderings.append(by_both[0])
    for wrong, words in WRONG.items():
        refused(new, wrong, words)
    everything = renderings[cases.index(CHART / "ci" / "everything-values.yaml")]
    mistakes = 0
    for name, objects in policy.seeded(everything):
        mistakes += 1
        if not policy.faults(objects):
            raise Failed(f"the rules do not find the seeded mistake {name!r}")
    overlays = sorted((KUBERNETES / "overlays").iterdir())
    for overlay in overlays:
        check_all(objects_of(ran(new / "kubectl", "kustomize", overlay)), overlay.name)
    say(
        f"{len(cases)} sets of values under Helm 3 and 4, {len(overlays)} overlays, on Kubernetes {', '.join(VERSIONS)}; {len(WRONG)} wrong "
        f"values and {mistakes} seeded mistakes are found"
    )
