"""A private hub for attacks, with limits as shipped: `up` on SQLite, or `all` on the given services. Standard library only."""

import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BINARY = os.environ.get("ROLLCALL_BIN") or str(ROOT / "target" / "debug" / "rollcall")
ENGINES = {"sqlite": "up", "full": "all"}
# While data is loaded, its sender is no attacker.
ROOMY = {"ROLLCALL_INGEST_RATE_PER_SECOND": "1000000", "ROLLCALL_INGEST_RATE_BURST": "1000000"}
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
# A bulk's body is at most a mebibyte.
PEOPLE_PER_BULK = 800
START_SECONDS = 60


class Failed(Exception):
    """A failure, in a sentence."""


def free_port():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return listener.getsockname()[1]


class Client:
    """One keep-alive connection of a holder of a secret."""

    def __init__(self, port, secret, timeout=60):
        self.port, self.secret, self.timeout = port, secret, timeout
        self.connection = None

    def send(self, method, path, body=None):
        """Returns the status, the headers and the body; a broken connection is status 0."""
        headers = {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"}
        text = json.dumps(body) if body is not None else None
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
            self.connection.request(method, path, text, headers)
            answer = self.connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return 0, {}, b""

    def expect(self, status, method, path, body=None):
        got, _, answer = self.send(method, path, body)
        if got != status:
            raise Failed(f"{method} {path[:80]}: {got} instead of {status}: {answer[:300]}")
        return json.loads(answer) if answer else None

    def abandon(self):
        """Closes the connection from another thread, whatever is under way on it."""
        connection = self.connection
        if connection is not None and connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Source:
    """A source of a tenant, and its token."""

    def __init__(self, hub, slug, mode):
        made = hub.make("source", "create", "--tenant", slug, "--kind", "scim", "--mode", mode)
        self.hub, self.source, self.token = hub, made["source_id"], made["token"]
        self.base = f"/scim/v2/{self.source}"

    def scim(self):
        return Client(self.hub.port, self.token)

    def load(self, people, of=None):
        """Posts people in bulks; returns their ids."""
        client, ids = self.scim(), []
        of = of or person
        for start in range(0, people, PEOPLE_PER_BULK):
            numbers = range(start, min(start + PEOPLE_PER_BULK, people))
            operations = [{"method": "POST", "path": "/Users", "bulkId": f"b{n}", "data": of(n)} for n in numbers]
            answer = client.expect(200, "POST", f"{self.base}/Bulk", {"schemas": [BULK], "Operations": operations})
            ids += [one["location"].rsplit("/", 1)[1] for one in answer["Operations"]]
        client.close()
        return ids

    def group(self, name, ids):
        """A group with these members; returns its id."""
        client = self.scim()
        body = {"schemas": [GROUP], "displayName": name, "members": [{"value": one} for one in ids]}
        made = client.expect(201, "POST", f"{self.base}/Groups", body)
        client.close()
        return made["id"]


class Tenant(Source):
    """A tenant with its live source."""

    def __init__(self, hub, name):
        made = hub.make("tenant", "create", "--name", name, "--seats", "1000000")
        self.slug, self.id = made["slug"], made["tenant_id"]
        super().__init__(hub, self.slug, "live")

    def api_key(self, role):
        return self.hub.make("api-key", "create", "--tenant", self.slug, "--role", role)["key"]

    def further_source(self):
        return Source(self.hub, self.slug, "simulate")


def person(number):
    """A person with an attribute that the hub does not define."""
    mail = f"p{number}@abuse.example"
    return {
        "schemas": [USER, "urn:example:hr"],
        "userName": mail,
        "externalId": f"x{number}",
        "name": {"givenName": f"Given {number}", "familyName": f"Family {number}"},
        "displayName": f"Person {number}",
        "emails": [{"value": mail, "type": "work", "primary": True}],
        "active": True,
        "urn:example:hr": {"costCenter": f"c{number % 97}", "badge": number},
    }


class Hub:
    """Processes, database and settings of one engine; gone with the `with` block."""

    def __init__(self, engine, folder, files=None, settings=ROOMY):
        """`files` is its limit of open files; `settings` are those of its first start."""
        self.engine, self.folder, self.settings = engine, pathlib.Path(folder), settings
        self.limit = ["prlimit", f"--nofile={files}:{files}"] if files else []
        self.port, self.process = free_port(), None
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("ROLLCALL_")}
        self.environment["ROLLCALL_METRICS_LISTEN"] = ""
        self.environment["ROLLCALL_HTTP_LISTEN"] = f"127.0.0.1:{self.port}"
        self.data = [] if engine == "full" else ["--data", str(self.folder / "data")]
        self.database = None

    def __enter__(self):
        if self.engine == "full":
            name = f"rollcall_abuse_{os.getpid()}"
            psql(os.environ["DATABASE_URL"], f"CREATE DATABASE {name}")
            self.database = name
            url = urllib.parse.urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
            self.environment |= {"DATABASE_URL": url, "ROLLCALL_QUEUE_PREFIX": f"{name}.", "ROLLCALL_CACHE_PREFIX": f"{name}:"}
        else:
            self.environment.pop("DATABASE_URL", None)
        self.start(**self.settings)
        return self

    def __exit__(self, *_):
        self.stop()
        if self.database:
            psql(os.environ["DATABASE_URL"], f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")

    def start(self, **settings):
        self.log = open(self.folder / "log", "ab")
        command = [*self.limit, BINARY, ENGINES[self.engine], *self.data]
        self.process = subprocess.Popen(command, env=self.environment | settings, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + START_SECONDS
        while Client(self.port, "").send("GET", "/readyz")[0] != 200:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"the hub did not start: {(self.folder / 'log').read_text()[-1500:]}")
            time.sleep(0.1)

    def stop(self):
        """Asks the hub to stop; returns the seconds until it has."""
        begun = time.monotonic()
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(START_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None
            self.log.close()
        return time.monotonic() - begun

    def restart(self, **settings):
        """Starts anew, with limits as shipped unless settings are given."""
        self.stop()
        self.start(**settings)

    def make(self, *arguments):
        command = [BINARY, *arguments, *self.data, "--json"]
        run = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        if run.returncode != 0:
            raise Failed(f"rollcall {' '.join(arguments)}: {run.stderr.strip()[-500:]}")
        return json.loads(run.stdout)

    def tenant(self, name):
        return Tenant(self, name)

    def cpu_seconds(self):
        """The processor time that the hub has used."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_peak(self):
        """The most memory that the process ever had, in MB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024

    def active_statements(self):
        """The statements that the server runs for this hub; none on SQLite, where they are the hub's processor time."""
        if not self.database:
            return 0
        sql = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{self.database}' AND state = 'active' AND pid <> pg_backend_pid()"
        return int(psql(self.environment["DATABASE_URL"], sql))


def psql(url, statement):
    command = ["psql", "--quiet", "--no-psqlrc", "--tuples-only", "--no-align", "-d", url, "-c", statement]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{statement}: {done.stderr.strip()}")
    return done.stdout.strip()
