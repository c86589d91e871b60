"""Starts the hub as compose.yaml and the rendered pods say, on private services instead of the images of others.

Postgres and Redis are set up by the files of compose.yaml; RabbitMQ's image is not to be had here, so its file is not tried. No cluster is
to be had here either: each container of the overlay `small` is started by itself, with its arguments, settings, files and user.
"""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import urllib.parse
import urllib.request

import backup
import chart
import image
import policy
from tools import DEPLOY, ROOT, Failed, eventually, helms, need, ran, say


def services(folder):
    """Private servers as long as this process lives; their addresses by variable."""
    printed = ran(ROOT / "tests/services", "up", "--while", str(os.getpid()), "--dir", folder)
    return dict(re.findall(r"export (\w+)='?([^'\n]+?)'?$", printed, re.MULTILINE))


@contextlib.contextmanager
def redis(secrets, folder):
    """A Redis with the file of compose.yaml, on a socket of the system's choice."""
    port = image.free_port()
    words = ["redis-server", secrets / "redis.conf", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder]
    server = subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(10)


def check_secrets(folder):
    """The script makes each file that compose.yaml names, once."""
    ran(DEPLOY / "compose/secrets", folder)
    if subprocess.run([DEPLOY / "compose/secrets", folder], capture_output=True).returncode == 0:
        raise Failed("deploy/compose/secrets writes over a folder that is there")
    named = {pathlib.PurePath(secret["file"]).name for secret in described()["secrets"].values()}
    made = {file.name for file in folder.iterdir()}
    if named != made:
        raise Failed(f"compose.yaml and deploy/compose/secrets differ in {sorted(named ^ made)}")


def described():
    import yaml

    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def options(service, secrets):
    """The service of compose.yaml in podman's words."""
    for key in ("read_only", "cap_drop", "security_opt", "tmpfs", "pids_limit", "mem_limit"):
        if key not in service:
            raise Failed(f"compose.yaml starts the hub without {key}")
    words = []
    for name, value in service["environment"].items():
        words += ["--env", f"{name}={re.sub(r'[$][{]HUB_HOST[^}]*[}]', 'hub.example', value)}"]
    for name in service["secrets"]:
        words += ["--volume", f"{secrets / name}:/run/secrets/{name}:ro"]
    return words


def point(secrets, name, place):
    """Leads the address in a secret to another server, with its login."""
    address = urllib.parse.urlsplit((secrets / name).read_text().strip())
    login = address.netloc.rpartition("@")[0]
    (secrets / name).write_text(address._replace(netloc=f"{login}@{place}").geturl())


@contextlib.contextmanager
def private(folder):
    """The secrets of compose.yaml, leading to private services that its files have set up."""
    secrets = folder / "secrets"
    check_secrets(secrets)
    given = services(folder / "services")
    # The private server's superuser has the password of its login, and the database's name is wanted here.
    database = given["DATABASE_URL"].replace("//rollcall:", "//postgres:").replace("/rollcall", "/postgres")
    psql = ["psql", "--quiet", "-v", "ON_ERROR_STOP=1", "-d", database]
    ran(*psql, "-c", "DROP DATABASE rollcall")
    ran(*psql, "-f", DEPLOY / "compose/postgres.sql", env=os.environ | {"SECRETS": str(secrets)})
    for name in ("owner_url", "database_url"):
        point(secrets, name, urllib.parse.urlsplit(database).netloc.rpartition("@")[2])
    (secrets / "superuser_url").write_text(database)
    (secrets / "queue_url").write_text(given["AMQP_URL"])
    with redis(secrets, folder) as place:
        point(secrets, "cache_url", place)
        yield secrets


def migrate(env, arguments, words, user=image.USERS[0]):
    with image.started(env, arguments, words, user) as name:
        ended = ran(*image.PODMAN, "wait", name, env=env).strip()
        if ended != "0":
            raise Failed(f"migrate ended with {ended}: {image.said(env, name)[-1500:]}")


def serve(env, arguments, words, user=image.USERS[0]):
    """Starts a role, waits until all is well, and stops it orderly."""
    with image.started(env, arguments, words, user) as name:
        address = image.address_of(env, name)
        try:
            eventually("database, queue and cache are ok", lambda: all_well(address), 20)
        except Failed as failed:
            raise Failed(f"{failed}: {image.said(env, name)[-1500:]}") from None
        ran(*image.PODMAN, "exec", name, "/usr/bin/rollcall", "doctor", env=env)
        ran(*image.PODMAN, "stop", "--time", "40", name, env=env)
        if (ended := json.loads(ran(*image.PODMAN, "inspect", name, env=env))[0]["State"]["ExitCode"]) != 0:
            raise Failed(f"after SIGTERM {arguments} ended with {ended}: {image.said(env, name)[-1500:]}")


def run_statements(secrets):
    """The statements of the runbooks run with the login that serves."""
    address = (secrets / "database_url").read_text().strip()
    found = re.findall(r"(?ms)^```sql\n(.*?)^```", (ROOT / "docs/runbooks.md").read_text())
    for statement in found:
        ran("psql", "--quiet", "-v", "ON_ERROR_STOP=1", "-d", address, "-c", statement)
    return len(found)


def start_compose(env, secrets):
    parts = described()["services"]
    migrate(env, parts["migrate"]["command"], options(parts["migrate"], secrets))
    if not run_statements(secrets):
        raise Failed("docs/runbooks.md has no statement that could be run")
    serve(env, parts["hub"]["command"], options(parts["hub"], secrets))


def pod_options(pod, settings, secrets):
    """A pod in podman's words, and its user. The names of the chart's secrets stand for the files of compose.yaml."""
    files = {"rollcall-database": "database_url", "rollcall-database-owner": "owner_url", "rollcall-queue": "queue_url"}
    files |= {"rollcall-cache": "cache_url", "rollcall-sealing": "sealing_keys"}
    container = pod["containers"][0]
    variables = (settings if container.get("envFrom") else {}) | {one["name"]: one["value"] for one in container.get("env", [])}
    words = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
    places = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    for volume in pod["volumes"]:
        held = [("secretName", volume["secret"])] if "secret" in volume else []
        held += [("name", source["secret"]) for source in volume.get("projected", {}).get("sources", [])]
        for key, secret in held:
            words += ["--volume", f"{secrets / files[secret[key]]}:{places[volume['name']]}/{secret['items'][0]['path']}:ro"]
    words += ["--memory", container["resources"]["limits"]["memory"].lower().removesuffix("i")]
    return words, f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}"


def start_pods(env, secrets):
    objects = chart.objects_of(ran(helms()[1] / "kubectl", "kustomize", DEPLOY / "kubernetes/overlays/small"))
    settings = policy.of_kind(objects, "ConfigMap")[0]["data"]
    for one in policy.of_kind(objects, "Job"):
        pod = one["spec"]["template"]["spec"]
        migrate(env, pod["containers"][0]["args"], *pod_options(pod, settings, secrets))
    roles = policy.of_kind(objects, "Deployment")
    pods = [one["spec"]["template"]["spec"] for one in roles]
    with concurrent.futures.ThreadPoolExecutor() as pool:  # each waits for its drain delay when it stops
        list(pool.map(lambda pod: serve(env, pod["containers"][0]["args"], *pod_options(pod, settings, secrets)), pods))
    return len(roles)


def all_well(address):
    with urllib.request.urlopen(f"{address}/readyz", timeout=3) as answer:
        return {"ok"} == {state for name, state in json.load(answer).items() if name in ("database", "queue", "cache")}


def check():
    need("buildah", "podman", "runc", "binutils", "docker-compose", "redis-server")
    # Debian's Compose is older than the key `name`.
    text = re.sub(r"(?m)^name: .*$", "", (DEPLOY / "compose.yaml").read_text())
    words = ["--file", "-", "--project-directory", DEPLOY, "--profile", "tls", "config", "--quiet"]
    ran("docker-compose", *words, env=os.environ | {"HUB_HOST": "hub.example"}, input=text)
    env = image.environment()
    with tempfile.TemporaryDirectory(prefix="rollcall-compose-") as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        try:
            with private(folder) as secrets:
                start_compose(env, secrets)
                roles = start_pods(env, secrets)
                names = {"OWNER_URL": "owner_url", "DATABASE_URL": "database_url", "SUPERUSER_URL": "superuser_url"}
                backup.check({name: (secrets / file).read_text().strip() for name, file in names.items()}, folder)
        finally:
            subprocess.run([ROOT / "tests/services", "down", "--dir", folder / "services"], capture_output=True)
    say(f"the migration, the hub of compose.yaml and the {roles} roles of the overlay small ran on private services; a dump was restored")
