"""Callers that are measured while others attack connections: the shapes of slow_readers.py and sockets.py. Standard library only."""

import asyncio, json, os, resource, sys, tempfile, time

from hub import Failed, Hub

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


def attacked(attack, files=None, **settings):
    """Runs the attack on a hub of its own: on the services in the environment, else on SQLite. Ends with 1 when it did not hold."""
    full = all(os.environ.get(name) for name in ("DATABASE_URL", "AMQP_URL", "REDIS_URL"))
    environment = {f"ROLLCALL_{name.upper()}": str(value) for name, value in settings.items()}
    try:
        with tempfile.TemporaryDirectory(prefix="rollcall-abuse-") as folder:
            with Hub("full" if full else "sqlite", folder, files, environment) as hub:
                held = asyncio.run(attack(hub))
    except Failed as failed:
        sys.exit(f"abuse: error: {failed}")
    sys.exit(0 if held else "not held")
