"""Starts the hub's part of compose.yaml as it says, on private services instead of the images of others.

Postgres and Redis are set up by the same files; RabbitMQ's image is not to be had here, so its file is not tried.
"""

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

import image
from tools import DEPLOY, ROOT, Failed, eventually, need, ran, say


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
    """What compose.yaml says about a service, in podman's words."""
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


def check_start(env, folder):
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
    (secrets / "queue_url").write_text(given["AMQP_URL"])
    parts = described()["services"]
    with redis(secrets, folder) as place:
        point(secrets, "cache_url", place)
        with image.started(env, parts["migrate"]["command"], options(parts["migrate"], secrets)) as name:
            ended = ran(*image.PODMAN, "wait", name, env=env).strip()
            if ended != "0":
                raise Failed(f"migrate ended with {ended}: {image.said(env, name)[-1500:]}")
        with image.started(env, parts["hub"]["command"], options(parts["hub"], secrets)) as name:
            address = image.address_of(env, name)
            try:
                eventually("database, queue and cache are ok", lambda: all_well(address), 20)
            except Failed as failed:
                raise Failed(f"{failed}: {image.said(env, name)[-1500:]}") from None
            ran(*image.PODMAN, "stop", "--time", "20", name, env=env)


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
            check_start(env, folder)
        finally:
            subprocess.run([ROOT / "tests/services", "down", "--dir", folder / "services"], capture_output=True)
    say("compose.yaml: migrate and hub ran on private services with the secrets of deploy/compose/secrets")
