"""The private servers of `tests/services`: preparation, start, readiness and end of each, and tracking of their processes."""

import contextlib
import json
import os
import pathlib
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

READY_WITHIN = 120  # seconds; a cold and busy machine has needed 40
closing = threading.Event()  # set on the way out, so that no starting thread keeps us


class Failed(Exception):
    """Ends the script with one line that names the remedy."""


def say(line):
    print(f"services: {line}", file=sys.stderr, flush=True)


# ---- processes: the start time identifies a process, because a pid may have been reused ----


def start_time(pid):
    """Clock ticks since boot, or None when the process is gone or a zombie."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def note(directory, name, pid):
    (directory / f"{name}.pid").write_text(f"{pid} {start_time(pid)}")


def noted(directory, name):
    try:
        pid, since = (directory / f"{name}.pid").read_text().split()
    except (OSError, ValueError):
        return None, None
    return int(pid), since


def alive(directory, name):
    pid, since = noted(directory, name)
    return pid is not None and start_time(pid) == since


def end(directory, name, how, seconds):
    """Signals the process group, waits until the process is gone, and follows up with KILL."""
    pid, since = noted(directory, name)
    if pid is None:
        return
    if alive(directory, name):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, how)
    deadline = time.monotonic() + seconds
    while alive(directory, name) and time.monotonic() < deadline:
        time.sleep(0.05)
    if start_time(pid) in (since, None):  # else the number is another's by now, and the group is gone
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    while alive(directory, name):
        time.sleep(0.05)


def launch(directory, name, command, user=None, env=None, cwd=None):
    """Starts a process in a session of its own, so that Ctrl-C does not reach it; its output goes to D/NAME.log."""
    with open(directory / f"{name}.log", "ab") as log:
        child = subprocess.Popen(
            [str(word) for word in command], cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, **as_user(user))
    note(directory, name, child.pid)


def as_user(user):
    """Runs a server as its own user, because PostgreSQL refuses to run as root."""
    return {"user": user, "group": user, "extra_groups": []} if user and os.geteuid() == 0 else {}


def listens(host, port):
    try:
        socket.create_connection((host, port), timeout=2).close()
        return True
    except OSError:
        return False


def free_port(first):
    """A free port of the 2,000 from `first`: below the ephemeral range, so that no other process takes it during an outage test."""
    while True:
        port = first + secrets.randbelow(2000)
        if not listens("127.0.0.1", port):
            return port


# ---- the three services ----


class Service:
    """The common part of the three services. `state` (ports, password) is kept in D/NAME.json for the later verbs."""

    stop_signal = signal.SIGTERM  # orderly
    end_signal = signal.SIGKILL  # its data will be removed

    def __init__(self, directory):
        self.directory = directory
        self.state_file = directory / f"{self.name}.json"
        self.state = json.loads(self.state_file.read_text()) if self.state_file.exists() else {}

    @property
    def home(self):
        return (self.directory / "data").resolve() / self.name

    @property
    def env(self):
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}

    def has_user(self):
        """True if the server's own user exists; false while its package is only half installed."""
        return os.geteuid() != 0 or any(entry.pw_name == self.user for entry in pwd.getpwall())

    def bring_up(self, durable):
        """Prepares and starts a server with its login; retries on other ports when the first were taken meanwhile."""
        self.home.mkdir(mode=0o700, parents=True)
        if os.geteuid() == 0:
            shutil.chown(self.home, self.user, self.user)
        self.state = {"password": secrets.token_hex(16)}
        self.prepare(durable)
        for attempt in range(3):
            self.state.update({port: free_port(first) for port, first in self.ports.items()})
            self.state_file.touch(mode=0o600)
            self.state_file.write_text(json.dumps(self.state))
            if self.start():
                return self.provision()
            if closing.is_set():
                break
            if attempt < 2:
                say(f"{self.package} ended early, trying other ports")
        raise self.failure()

    def start(self):
        """Starts the server; returns true when it is ready."""
        deadline = time.monotonic() + READY_WITHIN
        self.spawn()
        while alive(self.directory, self.name) and not closing.is_set() and time.monotonic() < deadline:
            if self.ready():
                return alive(self.directory, self.name)
            time.sleep(0.1)
        self.end(signal.SIGKILL, 5)
        return False

    def end(self, how, seconds):
        end(self.directory, self.name, how, seconds)

    def failure(self):
        log = self.directory / f"{self.name}.log"
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:]) if log.exists() else "(no log)"
        return Failed(f"{self.package} did not start. Its last words:\n{tail}\n"
                      f"services: remedy: see above, or give a running one in {self.variable}")

    def prepare(self, durable):
        pass

    def provision(self):
        pass

    def write(self, name, lines):
        path = self.home / name
        path.write_text("\n".join(lines) + "\n")
        if os.geteuid() == 0:
            shutil.chown(path, self.user, self.user)
        return path


class Postgres(Service):
    name, user, package, variable, usual_port = "postgres", "postgres", "postgresql", "DATABASE_URL", 5432
    ports = {"port": 20000}
    stop_signal = signal.SIGINT  # "fast": rolls back what is open
    end_signal = signal.SIGQUIT  # "immediate", but it gives its shared memory back

    def program(self, name):
        found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
        return str(found[-1]) if found else shutil.which(name)

    def installed(self):
        return self.program("initdb")

    def tool(self, name, *words, **more):
        with open(self.directory / "postgres.log", "ab") as log:
            return subprocess.run([self.program(name), *words], cwd=self.home, env={**self.env, "PGPASSWORD": self.state["password"]},
                                  stdout=log, stderr=log, start_new_session=True, **as_user(self.user), **more).returncode == 0

    def prepare(self, durable):
        sync = [] if durable else ["--no-sync"]
        words = ["-D", "cluster", "-U", "postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]
        if not self.tool("initdb", *words, "--pwfile", self.write("password", [self.state["password"]]), *sync):
            raise self.failure()
        on = "on" if durable else "off"
        self.write("cluster/postgresql.auto.conf", [
            "listen_addresses = '127.0.0.1'", "unix_socket_directories = ''", "max_connections = 300", "timezone = 'UTC'",
            f"fsync = {on}", f"synchronous_commit = {on}", f"full_page_writes = {on}",
            f"shared_buffers = {'512MB' if durable else '256MB'}", f"max_wal_size = {'4GB' if durable else '1GB'}"])

    def spawn(self):
        command = [self.program("postgres"), "-D", self.home / "cluster", "-p", self.state["port"]]
        launch(self.directory, self.name, command, self.user, self.env, self.home)

    def ready(self):
        return self.tool("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.state["port"]))

    def provision(self):
        """Makes a login as in production: no superuser, so that row-level security applies."""
        sql = (f"CREATE ROLE rollcall LOGIN NOSUPERUSER CREATEDB CREATEROLE PASSWORD '{self.state['password']}';\n"
               "CREATE DATABASE rollcall OWNER rollcall;\n")
        where = ["-h", "127.0.0.1", "-p", str(self.state["port"]), "-U", "postgres", "postgres"]
        if not self.tool("psql", "-qX", "-v", "ON_ERROR_STOP=1", *where, input=sql.encode()):
            raise self.failure()

    def url(self):
        return f"postgres://rollcall:{self.state['password']}@127.0.0.1:{self.state['port']}/rollcall"


class RabbitMq(Service):
    name, user, package, variable, usual_port = "rabbitmq", "rabbitmq", "rabbitmq-server", "AMQP_URL", 5672
    ports = {"port": 26000, "dist_port": 28000, "epmd_port": 30000}

    def installed(self):
        """The server's own binary, because Debian's wrapper in PATH insists on its own user and log files."""
        found = "/usr/lib/rabbitmq/bin/rabbitmq-server"
        return found if os.access(found, os.X_OK) else shutil.which("rabbitmq-server")

    def spawn(self):
        port, epmd = self.state["port"], self.state["epmd_port"]
        config = self.write("rabbitmq.conf", [
            f"listeners.tcp.default = 127.0.0.1:{port}", "default_user = rollcall", f"default_pass = {self.state['password']}",
            "log.file = false", "log.console = true", "log.console.level = warning"])
        env = {
            **self.env, "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": str(epmd), "ERL_CRASH_DUMP": str(self.home / "crash.dump"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null", "RABBITMQ_CONFIG_FILE": str(config), "RABBITMQ_NODENAME": f"rollcall-{port}@localhost",
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.home / "none.config"), "RABBITMQ_GENERATED_CONFIG_DIR": str(self.home / "config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.write("plugins", ["[]."])), "RABBITMQ_DIST_PORT": str(self.state["dist_port"]),
            "RABBITMQ_MNESIA_BASE": str(self.home / "mnesia"), "RABBITMQ_LOG_BASE": str(self.home / "log"),
            # With these two the start script execs the server instead of remaining its parent.
            "RABBITMQ_ALLOW_INPUT": "1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-noinput -kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_FLAGS": "-start_epmd false"}  # an epmd that any Erlang starts by itself would outlive everything; it gets ours
        if not alive(self.directory, "epmd"):
            launch(self.directory, "epmd", ["epmd", "-port", epmd], self.user, env, self.home)
            deadline = time.monotonic() + 10
            while alive(self.directory, "epmd") and not listens("127.0.0.1", epmd) and time.monotonic() < deadline:
                time.sleep(0.05)
        launch(self.directory, self.name, [self.installed()], self.user, env, self.home)

    def ready(self):
        """True if it answers the AMQP header with a method frame (type 1)."""
        try:
            with socket.create_connection(("127.0.0.1", self.state["port"]), timeout=2) as broker:
                broker.sendall(b"AMQP\x00\x00\x09\x01")
                return broker.recv(1) == b"\x01"
        except OSError:
            return False

    def end(self, how, seconds):
        super().end(how, seconds)
        end(self.directory, "epmd", signal.SIGKILL, 5)

    def url(self):
        return f"amqp://rollcall:{self.state['password']}@127.0.0.1:{self.state['port']}/%2f"


class Redis(Service):
    name, user, package, variable, usual_port = "redis", "redis", "redis-server", "REDIS_URL", 6379
    ports = {"port": 23000}

    def installed(self):
        return shutil.which("redis-server")

    def spawn(self):
        """Stores nothing on disk, because it is a cache for Rollcall."""
        config = self.write("redis.conf", [
            "bind 127.0.0.1", f"port {self.state['port']}", f"requirepass {self.state['password']}", 'save ""', "appendonly no"])
        launch(self.directory, self.name, ["redis-server", config], self.user, self.env, self.home)

    def ready(self):
        return listens("127.0.0.1", self.state["port"])

    def url(self):
        return f"redis://default:{self.state['password']}@127.0.0.1:{self.state['port']}/0"


SERVICES = {kind.name: kind for kind in (Postgres, RabbitMq, Redis)}
