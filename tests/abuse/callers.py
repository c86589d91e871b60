"""A hub under attack: one process with its own folder (SQLite) or database (DATABASE_URL, AMQP_URL, REDIS_URL), and callers that are
measured while others attack. The scripts beside this file use it; `make abuse` runs them."""

import asyncio, json, os, pathlib, resource, shutil, signal, socket, subprocess, sys, tempfile, time, urllib.parse, uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("ROLLCALL_BIN", str(ROOT / "target" / "debug" / "rollcall"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Hub:
    """`rollcall up`, or `rollcall all` on the services in the environment."""

    def __init__(self, files=None, **settings):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rollcall-abuse-"))
        self.port, self.metrics_port = free_port(), free_port()
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("ROLLCALL_")}
        self.services = all(self.env.get(name) for name in ("DATABASE_URL", "AMQP_URL", "REDIS_URL"))
        self.env["ROLLCALL_METRICS_LISTEN"] = f"127.0.0.1:{self.metrics_port}"
        self.database = None
        if self.services:
            self.database = f"abuse_{uuid.uuid4().hex[:12]}"
            self.sql(f"CREATE DATABASE {self.database}")
            url = urllib.parse.urlsplit(self.env["DATABASE_URL"])
            self.env["DATABASE_URL"] = url._replace(path="/" + self.database).geturl()
            self.env["ROLLCALL_QUEUE_PREFIX"], self.env["ROLLCALL_CACHE_PREFIX"] = self.database + ".", self.database + ":"
        else:
            for name in ("DATABASE_URL", "AMQP_URL", "REDIS_URL"):
                self.env.pop(name, None)
        self.env.update({f"ROLLCALL_{name.upper()}": str(value) for name, value in settings.items()})
        limit = ["prlimit", f"--nofile={files}:{files}"] if files else []
        command = ["all"] if self.services else ["up", "--data", str(self.folder / "data")]
        self.log = open(self.folder / "log", "wb")
        self.process = subprocess.Popen(
            [*limit, BINARY, *command, "--listen", f"127.0.0.1:{self.port}"], env=self.env, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 60
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit((self.folder / "log").read_text()[-2000:])
            time.sleep(0.1)

    def sql(self, statement):
        admin = os.environ["DATABASE_URL"]
        subprocess.run(["psql", "-qXd", admin, "-c", statement], check=True, stdout=subprocess.DEVNULL)

    def is_ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2) as probe:
                probe.sendall(b"GET /readyz HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n\r\n")
                return b" 200 " in probe.recv(200)
        except OSError:
            return False

    def command(self, *arguments):
        where = [] if self.services else ["--data", str(self.folder / "data")]
        ran = subprocess.run([BINARY, *arguments, *where, "--json"], env=self.env, capture_output=True, check=True)
        return json.loads(ran.stdout)

    def tenant(self):
        """A slug, the address of a source, and its token."""
        slug = self.command("tenant", "create", "--name", f"Acme {uuid.uuid4().hex[:8]}", "--seats", "100")["slug"]
        source = self.command("source", "create", "--tenant", slug, "--kind", "scim", "--mode", "live")
        return slug, f"/scim/v2/{source['source_id']}", source["token"]

    def key(self, slug):
        """An API key of an admin."""
        return self.command("api-key", "create", "--tenant", slug, "--role", "admin")["key"]

    def memory_peak(self):
        """The most memory that the process ever had, in MB."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
        if self.database:
            self.sql(f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")
        shutil.rmtree(self.folder, ignore_errors=True)


async def ask(hub, method, path, token=None, body=None, limit=60):
    """The status of an answer that is read whole, and its bytes."""
    reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", hub.port), limit)
    try:
        data = json.dumps(body).encode() if body is not None else b""
        head = f"{method} {path} HTTP/1.1\r\nhost: hub\r\nconnection: close\r\ncontent-length: {len(data)}\r\n"
        head += f"authorization: Bearer {token}\r\n" if token else ""
        writer.write(head.encode() + b"content-type: application/json\r\n\r\n" + data)
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(-1), limit)
    finally:
        writer.close()
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0, answer


class Watch:
    """Callers that are asked again and again while others attack, and the times of their answers."""

    def __init__(self, hub, calls):
        self.hub, self.calls, self.times, self.failed = hub, calls, [], []

    async def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for name, path, token in self.calls:
                begun = time.monotonic()
                try:
                    status, _ = await ask(self.hub, "GET", path, token, limit=30)
                except (OSError, asyncio.TimeoutError, IndexError) as error:
                    status = repr(error)
                self.times.append(time.monotonic() - begun)
                if status != 200:
                    self.failed.append(f"{name}: {status}")
            await asyncio.sleep(0.2)

    def verdict(self, title, longest):
        times = sorted(self.times)
        p95 = times[int(len(times) * 0.95)] if times else float("inf")
        print(f"{title}: {len(times)} calls of others, {len(self.failed)} failed {self.failed[:3]}, "
              f"p50 {times[len(times) // 2] * 1e3:.0f} ms, p95 {p95 * 1e3:.0f} ms, longest {times[-1] * 1e3:.0f} ms")
        return not self.failed and times[-1] < longest


def raise_files():
    """As many open files for this script as the system allows."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def seconds(default):
    return int(sys.argv[1]) if len(sys.argv) > 1 else default
