"""Rules for rendered objects beyond their schemas: Pod Security "restricted", and a roll-out without failed requests."""

import copy
import re

VOLUMES = {"configMap", "emptyDir", "projected", "secret"}  # of those that "restricted" allows
WITH_PODS = ("Deployment", "Job")
LOGIN = re.compile(r"://[^/\s]*:[^/\s@$]+@")
FLUSH_SECONDS = 7  # what the hub takes at most after http.shutdown_seconds


def of_kind(objects, *kinds):
    return [one for one in objects if one["kind"] in kinds]


def named(objects, kind, name):
    return next((one for one in of_kind(objects, kind) if one["metadata"]["name"] == name), None)


def selects(selector, labels):
    return bool(selector) and selector.items() <= labels.items()


def container_faults(container):
    security = container.get("securityContext", {})
    if security.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if security.get("capabilities") != {"drop": ["ALL"]}:
        yield "keeps capabilities"
    if security.get("readOnlyRootFilesystem") is not True:
        yield "writes to its root"
    if security.get("privileged"):
        yield "is privileged"
    resources = container.get("resources", {})
    if not {"cpu", "memory"} <= resources.get("requests", {}).keys():
        yield "requests no CPU or memory"
    if "memory" not in resources.get("limits", {}):
        yield "has no limit of memory"
    if "cpu" in resources.get("limits", {}):
        yield "has a limit of CPU, which slows it while the machine is idle"
    name, _, tag = container["image"].rpartition("/")[2].partition(":")
    if "@sha256" not in name and tag in ("", "latest"):
        yield f"has the image {container['image']}, which changes"
    for variable in container.get("env", []):
        if LOGIN.search(variable.get("value", "")):
            yield f"has a password in {variable['name']}"


def pod_faults(spec):
    security = spec.get("securityContext", {})
    if security.get("runAsNonRoot") is not True or security.get("runAsUser") == 0:
        yield "may run as root"
    if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "has no seccomp profile"
    if spec.get("hostNetwork") or spec.get("hostPID") or spec.get("hostIPC"):
        yield "shares the host's namespaces"
    if spec.get("automountServiceAccountToken") is not False:
        yield "has a token of the cluster"
    if spec.get("enableServiceLinks") is not False:
        yield "has service links, whose variables the hub may take for settings"
    there = {volume["name"] for volume in spec.get("volumes", [])}
    for volume in spec.get("volumes", []):
        if not volume.keys() - {"name"} <= VOLUMES:
            yield f"has the volume {volume}"
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        for fault in container_faults(container):
            yield f"{container['name']} {fault}"
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in there:
                yield f"mounts {mount['name']}, which is no volume"


def most(objects, deployment):
    """Pods at most, and the autoscaler."""
    for scaler in of_kind(objects, "HorizontalPodAutoscaler"):
        if scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]:
            return scaler["spec"]["maxReplicas"], scaler
    return deployment["spec"].get("replicas", 1), None


def probe_faults(container):
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        given = container.get(probe, {})
        if given.get("httpGet", {}).get("path") != path:
            yield f"{probe} does not ask {path}"
        if given.get("timeoutSeconds", 1) < 3:
            yield f"{probe} waits for less than 3 seconds"


def deployment_faults(objects, deployment):
    spec, pod = deployment["spec"], deployment["spec"]["template"]
    labels = pod["metadata"]["labels"]
    if not selects(spec["selector"]["matchLabels"], labels):
        yield "does not select its own pods"
    for other in of_kind(objects, *WITH_PODS):
        if other is not deployment and selects(spec["selector"]["matchLabels"], other["spec"]["template"]["metadata"]["labels"]):
            yield f"selects the pods of {other['metadata']['name']}"
    if spec.get("strategy", {}).get("rollingUpdate", {}).get("maxUnavailable") != 0:
        yield "lets a pod go before its successor is ready"
    container = pod["spec"]["containers"][0]
    yield from probe_faults(container)
    maps = [named(objects, "ConfigMap", source["configMapRef"]["name"]) for source in container.get("envFrom", [])]
    if not maps or None in maps:
        yield "reads a ConfigMap that is not there"
        return
    settings = maps[0]["data"]
    drain = int(settings.get("ROLLCALL_HTTP_DRAIN_DELAY_SECONDS", 0))
    if drain < 5:
        yield "stops before balancers notice (http.drain_delay_seconds)"
    if (
        pod["spec"].get("terminationGracePeriodSeconds", 30)
        < drain + int(settings.get("ROLLCALL_HTTP_SHUTDOWN_SECONDS", 8)) + FLUSH_SECONDS
    ):
        yield "is killed before it has stopped"
    if len(pod["spec"].get("topologySpreadConstraints", [])) < 2:
        yield "is not spread over zones and nodes"
    yield from scaling_faults(objects, deployment, labels)


def scaling_faults(objects, deployment, labels):
    pods, scaler = most(objects, deployment)
    budgets = [one for one in of_kind(objects, "PodDisruptionBudget") if selects(one["spec"]["selector"]["matchLabels"], labels)]
    if pods > 1 and not budgets:
        yield "has no disruption budget"
    if pods == 1 and budgets:
        yield "has one pod and a disruption budget, which keeps nothing up"
    if scaler and "replicas" in deployment["spec"]:
        yield "has replicas beside an autoscaler, which each upgrade would reset"
    if scaler and scaler["spec"].get("behavior", {}).get("scaleDown", {}).get("stabilizationWindowSeconds", 0) < 300:
        yield "is scaled down within five minutes"


def reference_faults(objects):
    pods = [one["spec"]["template"] for one in of_kind(objects, *WITH_PODS)]
    for service in of_kind(objects, "Service"):
        ports = {
            port["name"]
            for pod in pods
            if selects(service["spec"]["selector"], pod["metadata"]["labels"])
            for port in pod["spec"]["containers"][0].get("ports", [])
        }
        if not {port["targetPort"] for port in service["spec"]["ports"]} <= ports:
            yield f"Service {service['metadata']['name']} leads nowhere"
    for policy in of_kind(objects, "NetworkPolicy"):
        if not any(selects(policy["spec"]["podSelector"].get("matchLabels"), pod["metadata"]["labels"]) for pod in pods):
            yield f"NetworkPolicy {policy['metadata']['name']} is about no pod"
        if set(policy["spec"].get("policyTypes", [])) != {"Ingress", "Egress"}:
            yield f"NetworkPolicy {policy['metadata']['name']} leaves a direction open"
    for scaler in of_kind(objects, "HorizontalPodAutoscaler"):
        if not named(objects, "Deployment", scaler["spec"]["scaleTargetRef"]["name"]):
            yield f"HorizontalPodAutoscaler {scaler['metadata']['name']} scales nothing"
    for one in of_kind(objects, "Ingress", "HTTPRoute"):
        for name in re.findall(r"'(?:service': {'name|backendRefs': \[{'name)': '([^']+)'", str(one)):
            if not named(objects, "Service", name):
                yield f"{one['kind']} leads to {name}, which is no Service"


def faults(objects):
    """Everything that is wrong, a sentence each."""
    found = list(reference_faults(objects))
    for one in objects:
        where = f"{one['kind']} {one['metadata']['name']}"
        if one["kind"] == "Secret":
            found.append(f"{where} is rendered")
        if one["kind"] == "ConfigMap":
            found += [f"{where} has a password in {key}" for key, value in one["data"].items() if LOGIN.search(value)]
        if one["kind"] in WITH_PODS:
            found += [f"{where} {fault}" for fault in pod_faults(one["spec"]["template"]["spec"])]
        if one["kind"] == "Deployment":
            found += [f"{where} {fault}" for fault in deployment_faults(objects, one)]
    return found


def seeded(objects):
    """Copies of the objects with one mistake each, under the mistake's name."""

    def at(path, value):
        def change(copied):
            place = next(one for one in copied if one["kind"] == path[0])
            for key in path[1:-1]:
                place = place[key]
            if value is None:
                place.pop(path[-1])
            else:
                place[path[-1]] = value

        return change

    pod = ("Deployment", "spec", "template", "spec")
    inside = (*pod, "containers", 0)
    mistakes = {
        "root": at((*pod, "securityContext", "runAsNonRoot"), False),
        "no seccomp": at((*pod, "securityContext", "seccompProfile"), None),
        "service links": at((*pod, "enableServiceLinks"), None),
        "token": at((*pod, "automountServiceAccountToken"), True),
        "host network": at((*pod, "hostNetwork"), True),
        "host path": at((*pod, "volumes", 1), {"name": "tmp", "hostPath": {"path": "/tmp"}}),
        "short grace": at((*pod, "terminationGracePeriodSeconds"), 20),
        "no spread": at((*pod, "topologySpreadConstraints"), []),
        "escalation": at((*inside, "securityContext", "allowPrivilegeEscalation"), True),
        "capabilities": at((*inside, "securityContext", "capabilities"), {"drop": ["ALL"], "add": ["NET_ADMIN"]}),
        "writable root": at((*inside, "securityContext", "readOnlyRootFilesystem"), None),
        "no requests": at((*inside, "resources", "requests"), {}),
        "no limit": at((*inside, "resources", "limits"), {}),
        "limit of CPU": at((*inside, "resources", "limits"), {"cpu": 1, "memory": "1Gi"}),
        "latest": at((*inside, "image"), "rollcall:latest"),
        "liveness asks the database": at((*inside, "livenessProbe", "httpGet", "path"), "/readyz"),
        "readiness asks nothing": at((*inside, "readinessProbe"), {}),
        "short probe": at((*inside, "livenessProbe", "timeoutSeconds"), 1),
        "other ConfigMap": at((*inside, "envFrom", 0, "configMapRef", "name"), "other"),
        "password": at((*inside, "env"), [{"name": "A", "value": "postgres://u:p@h/d"}]),
        "missing volume": at((*pod, "volumes"), []),
        "selector": at(("Deployment", "spec", "selector", "matchLabels"), {"app": "other"}),
        "wide selector": at(("Deployment", "spec", "selector", "matchLabels"), {"app.kubernetes.io/name": "rollcall"}),
        "unavailable": at(("Deployment", "spec", "strategy", "rollingUpdate", "maxUnavailable"), 1),
        "no drain": at(("ConfigMap", "data", "ROLLCALL_HTTP_DRAIN_DELAY_SECONDS"), "0"),
        "password in settings": at(("ConfigMap", "data", "ROLLCALL_QUEUE_URL"), "amqp://u:p@h"),
        "service": at(("Service", "spec", "selector"), {"app": "other"}),
        "policy": at(("NetworkPolicy", "spec", "podSelector", "matchLabels"), {"app": "other"}),
        "open egress": at(("NetworkPolicy", "spec", "policyTypes"), ["Ingress"]),
        "no budget": at(("PodDisruptionBudget", "spec", "selector", "matchLabels"), {"app": "other"}),
        "scaler": at(("HorizontalPodAutoscaler", "spec", "scaleTargetRef", "name"), "other"),
        "scaled down at once": at(("HorizontalPodAutoscaler", "spec", "behavior"), {}),
        "Ingress": lambda copied: named(copied, "Service", "rollcall-admin")["metadata"].update(name="other"),
        "Secret": lambda copied: copied.append({"kind": "Secret", "metadata": {"name": "s"}, "data": {}}),
        "replicas": lambda copied: named(copied, "Deployment", "rollcall-ingest")["spec"].update(replicas=3),
    }
    for name, change in mistakes.items():
        copied = copy.deepcopy(objects)
        change(copied)
        yield name, copied
