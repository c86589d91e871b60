"""A hub for scripts that look at it from outside, and other people's Python programs to do so with.

The hub has free ports and a folder of its own, and stops at the end: on SQLite, and on PostgreSQL, RabbitMQ and Redis where DATABASE_URL,
AMQP_URL and REDIS_URL name them. It is target/debug/rollcall, or ROLLCALL_BIN.
"""

import importlib.util
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEADLINE_SECONDS = 60


class Failed(Exception):
    """A failure, in a sentence."""


class Unreachable(Failed):
    """The package index does not answer."""


# The words of pip about an index that it cannot reach, as opposed to one that lacks a package.
UNREACHABLE = re.compile(
    r"NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|ConnectionRefused|ConnectionResetError|ProxyError"
    r"|Max retries exceeded|Network is unreachable|Temporary failure in name resolution"
)


def install(home, what, arguments):
    """Makes a virtual environment in `home` with what pip is asked for, unless it is there; returns its folder of programs.

    `what` tells whether it is the same: a change of it installs anew."""
    stamp = home / "installed"
    programs = home / "venv" / "bin"
    if stamp.exists() and stamp.read_text() == what:
        return programs
    if importlib.util.find_spec("ensurepip") is None:
        subprocess.run([ROOT / "tests" / "install-missing", "python3-venv"], check=False)
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    made = subprocess.run([sys.executable, "-m", "venv", home / "venv"], capture_output=True, text=True)
    if made.returncode != 0:
        raise Failed(f"no virtual environment, which python3-venv makes: {made.stdout}{made.stderr}")
    command = [programs / "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    got = subprocess.run(command, capture_output=True, text=True)
    if got.returncode != 0:
        kind = Unreachable if UNREACHABLE.search(got.stderr) else Failed
        raise kind(
            f"{home.name} cannot be installed: PyPI, or the index that pip is set to, is not reachable or lacks it. It is needed once; "
            f"then it stays in {home}. pip says: {got.stderr.strip()[-600:]}"
        )
    stamp.write_text(what)
    return programs


class Hub:
    """A hub on free ports, stopped at the end."""

    def __init__(self, name, command, environment, folder):
        self.name, self.folder = name, folder
        self.data = ["--data", str(folder / "data")] if command == "up" else []
        # The developer's own settings must not reach the hub.
        theirs = ("DATABASE_URL", "AMQP_URL", "REDIS_URL")
        self.environment = {key: value for key, value in os.environ.items() if key not in theirs and not key.startswith("ROLLCALL_")}
        # A suite asks the REST API faster than one key may.
        roomy = {"ROLLCALL_ADMIN_RATE_PER_SECOND": "10000", "ROLLCALL_ADMIN_RATE_BURST": "10000"}
        self.environment |= {"ROLLCALL_METRICS_LISTEN": "", **roomy, **environment}
        self.log = open(folder / "hub.log", "w+")
        self.process = self.start([command, *self.data, "--listen", "127.0.0.1:0"])
        self.address = self.wait_for_address()

    def start(self, arguments):
        return subprocess.Popen([rollcall(), *arguments], env=self.environment, stdout=self.log, stderr=subprocess.STDOUT, text=True)

    def wait_for_address(self):
        deadline = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            said = self.said()
            found = re.search(r"(?:is up at|listens on) (http://[0-9.:]+)", said)
            if not found and "is up at" in said and (log := re.search(r" address=([0-9.:]+)", said)):
                # It names its public address, which leads nowhere.
                return f"http://{log[1]}"
            if found:
                return found[1]
            time.sleep(0.1)
        raise Failed(f"the hub on {self.name} did not start:\n{self.said()[-2000:]}")

    def said(self):
        return (self.folder / "hub.log").read_text()

    def make(self, *arguments):
        made = subprocess.run([rollcall(), *arguments, *self.data, "--json"], env=self.environment, capture_output=True, text=True)
        if made.returncode != 0:
            raise Failed(f"rollcall {' '.join(arguments)}: {made.stderr}")
        return json.loads(made.stdout)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def rollcall():
    return os.environ.get("ROLLCALL_BIN") or str(ROOT / "target" / "debug" / "rollcall")


def psql(url, statement):
    done = subprocess.run(["psql", "--quiet", "--no-psqlrc", "-d", url, "-c", statement], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{statement}: {done.stderr.strip()}")


def on_sqlite(folder, test, settings):
    hub = Hub("SQLite", "up", settings, folder)
    try:
        return test(hub)
    finally:
        hub.stop()


def on_services(folder, test, settings):
    """In a database of its own on the given server."""
    given = os.environ["DATABASE_URL"]
    name = f"rollcall_{folder.name.replace('-', '_').lower()}"
    psql(given, f"CREATE DATABASE {name}")
    try:
        url = urllib.parse.urlsplit(given)._replace(path=f"/{name}").geturl()
        environment = {key: os.environ[key] for key in ("AMQP_URL", "REDIS_URL")}
        environment |= {"DATABASE_URL": url, "ROLLCALL_QUEUE_PREFIX": f"{name}.", "ROLLCALL_CACHE_PREFIX": f"{name}:"}
        environment |= settings
        hub = Hub("PostgreSQL", "all", environment, folder)
        try:
            return test(hub)
        finally:
            hub.stop()
    finally:
        psql(given, f"DROP DATABASE IF EXISTS {name}")


def build():
    """Builds the hub with the features of the tests, unless ROLLCALL_BIN names one."""
    if "ROLLCALL_BIN" not in os.environ:
        cargo = os.environ.get("CARGO", "cargo")
        subprocess.run([cargo, "build", "--quiet", "--workspace", "--bin", "rollcall", "--test", "suite"], cwd=ROOT, check=True)


def on_each_engine(test, settings=None):
    """Runs the test, which answers true if all went well, on a hub with these settings on each engine that is there."""
    engines = [on_sqlite]
    if all(os.environ.get(name) for name in ("DATABASE_URL", "AMQP_URL", "REDIS_URL")):
        engines.append(on_services)
    well = True
    for engine in engines:
        with tempfile.TemporaryDirectory(prefix="scripted-") as folder:
            well = engine(pathlib.Path(folder), test, settings or {}) and well
    return well
