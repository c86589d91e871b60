"""Replaces two `ingest` processes in turn behind a balancer, under load and without retries: no request may fail.

The balancer asks /readyz every half second. For comparison a process goes behind a balancer that does not ask in time; requests fail then,
or the load is too small to see anything.
"""

import csv
import http.client
import io
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading
import urllib.parse
import urllib.request

import start
from image import free_port, status
from tools import ROOT, Failed, eventually, need, ran, rollcall, say

CALLERS, REQUESTS_MIN = 4, 1000
DRAIN_SECONDS = 3
CONFIG = """
global
    maxconn 1000
defaults
    mode http
    retries 0
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    # A loaded machine answers late; only a clear no takes a process out.
    timeout check 5s
listen hub
    bind 127.0.0.1:{port}
    option httpchk GET /readyz
    stats enable
    stats uri /balancer
    default-server check inter {interval} fall 1 rise 1
{servers}
"""


class Ingest:
    """One process behind the balancer, with a successor on the same port."""

    def __init__(self, environment, folder):
        self.environment, self.port = environment, free_port()
        self.log = open(folder / f"ingest-{self.port}.log", "w")
        self.process = None

    def start(self, delay):
        settings = {"ROLLCALL_HTTP_LISTEN": f"127.0.0.1:{self.port}", "ROLLCALL_HTTP_DRAIN_DELAY_SECONDS": str(delay)}
        env = self.environment | settings
        self.process = subprocess.Popen([rollcall(), "ingest"], env=env, stdout=self.log, stderr=self.log)
        eventually("ingest is ready", lambda: status(f"http://127.0.0.1:{self.port}/readyz") == 200)

    def peak(self):
        """The most memory that the process had, in MiB."""
        about = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", about)[1]) >> 10

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(40) != 0:
            raise Failed(f"ingest ended with {self.process.returncode} after SIGTERM")


class Load:
    """Callers that ask without a pause and keep their connections; counts answers and failures."""

    def __init__(self, port, path, token):
        self.port, self.path, self.headers = port, path, {"Authorization": f"Bearer {token}"}
        self.answered, self.failed, self.why = 0, 0, set()
        self.ending, self.lock = threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self.ask) for _ in range(CALLERS)]

    def ask(self):
        connection = None
        while not self.ending.is_set():
            connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
            why = None
            try:
                connection.request("GET", self.path, headers=self.headers)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    why = str(answer.status)
            except (OSError, http.client.HTTPException) as error:
                why, connection = repr(error), None
            with self.lock:
                self.answered += why is None
                self.failed += why is not None
                if why:
                    self.why.add(why)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join()


def balanced(folder, processes, interval):
    """Starts the balancer; answers its process and port."""
    port = free_port()
    servers = "\n".join(f"    server of-{one.port} 127.0.0.1:{one.port}" for one in processes)
    (folder / "haproxy.cfg").write_text(CONFIG.format(port=port, servers=servers, interval=interval))
    log = open(folder / "haproxy.log", "w")
    balancer = subprocess.Popen(["haproxy", "-db", "-f", folder / "haproxy.cfg"], stdout=log, stderr=log)
    return balancer, port


def used(port, server):
    """The balancer sends requests to the server, as its statistics say."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/balancer;csv", timeout=5) as answer:
        rows = list(csv.DictReader(io.StringIO(answer.read().decode().removeprefix("# "))))
    return any(row["svname"] == f"of-{server}" and row["status"] == "UP" for row in rows)


def replace(processes, load):
    """Stops each in turn while the other serves, and starts its successor; answers how many requests failed meanwhile."""
    before = load.failed
    for one in processes:
        one.stop()
        one.start(DRAIN_SECONDS)
        eventually("the balancer uses the successor", lambda port=one.port: used(load.port, port))
    return load.failed - before


def check_replacement(folder, environment):
    ran(rollcall(), "migrate", env=environment)
    ran(rollcall(), "tenant", "create", "--name", "Acme", "--seats", "50", env=environment)
    made = json.loads(ran(rollcall(), "source", "create", "--tenant", "acme", "--kind", "scim", "--json", env=environment))
    path = urllib.parse.urlsplit(made["scim_endpoint"]).path + "/ServiceProviderConfig"
    processes = [Ingest(environment, folder) for _ in range(2)]
    balancers = []
    try:
        for one in processes:
            one.start(DRAIN_SECONDS)
        for interval in ("500ms", "1h"):
            balancers.append(balanced(folder, processes, interval))
            eventually("the balancer serves", lambda port=balancers[-1][1]: status(f"http://127.0.0.1:{port}/readyz") == 200)
        with Load(balancers[0][1], path, made["token"]) as load:
            failed = replace(processes, load)
            eventually(f"{REQUESTS_MIN} requests are answered", lambda: load.answered >= REQUESTS_MIN)
            answered, peak = load.answered, max(one.peak() for one in processes)
            if failed:
                raise Failed(f"{failed} of {answered + failed} requests failed while processes were replaced: {sorted(load.why)[:3]}")
        with Load(balancers[1][1], path, made["token"]) as unaware:
            processes[0].stop()
            eventually("requests fail behind a balancer that does not ask in time", lambda: unaware.failed)
    finally:
        for process in [*(one for one, _ in balancers), *(one.process for one in processes)]:
            if process and process.poll() is None:
                process.kill()
                process.wait()
    return answered, peak


def check():
    need("haproxy")
    with tempfile.TemporaryDirectory(prefix="rollcall-drain-") as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        try:
            given = start.services(folder / "services")
            clean = {key: value for key, value in os.environ.items() if not key.startswith("ROLLCALL_")}
            limits = {"ROLLCALL_INGEST_RATE_PER_SECOND": "100000", "ROLLCALL_INGEST_RATE_BURST": "100000"}
            limits |= {"ROLLCALL_METRICS_LISTEN": ""}
            answered, peak = check_replacement(folder, clean | given | limits)
        finally:
            subprocess.run([ROOT / "tests/services", "down", "--dir", folder / "services"], capture_output=True)
    say(f"two processes replaced behind a balancer: 0 of {answered} requests failed; {peak} MiB at most")
