"""The other tenants: one with an identity provider that pushes and looks up, and an admin who sees the roster follow; and quiet ones,
which push a person a second each."""

import collections
import itertools
import threading
import time
import urllib.parse

from hub import Client, person

PAUSE_SECONDS = 0.05
# One push in so many rounds.
PUSH_EVERY = 5
SETTLED_SECONDS = 120
NUMBERS = itertools.count(1_000_000)


class Seen:
    """The neighbours' answers: seconds, failures by status, and seconds from a push to the member."""

    def __init__(self):
        self.seconds, self.lags, self.failed = [], [], collections.Counter()

    def at(self, share, values=None):
        values = sorted(self.seconds if values is None else values)
        return values[min(int(len(values) * share), len(values) - 1)] if values else 0.0

    p50 = property(lambda self: self.at(0.5))
    p95 = property(lambda self: self.at(0.95))
    p99 = property(lambda self: self.at(0.99))
    lag_p95 = property(lambda self: self.at(0.95, self.lags))


class Neighbour:
    def __init__(self, tenant, key=None):
        self.tenant, self.key = tenant, key

    def ask(self, seen, expected, client, method, path, body=None):
        begun = time.monotonic()
        status, _, _ = client.send(method, path, body)
        seen.seconds.append(time.monotonic() - begun)
        if status != expected:
            seen.failed[status] += 1
        return status == expected

    def pushed(self, seen, client):
        """Posts a person; returns the address, or nothing when it was refused."""
        new = person(next(NUMBERS))
        sent = self.ask(seen, 201, client, "POST", f"{self.tenant.base}/Users", new)
        return new["userName"] if sent else None

    def lag(self, seen, scim, api):
        """Posts a person; returns the seconds until the member is there."""
        begun = time.monotonic()
        mail = self.pushed(seen, scim)
        if not mail:
            return 0
        path = f"/api/v1/members?email={urllib.parse.quote(mail)}"
        while mail.encode() not in api.send("GET", path)[2] and time.monotonic() - begun < 30:
            time.sleep(0.02)
        return time.monotonic() - begun

    def until_settled(self):
        """Waits until a push becomes a member at once, that is, until what was loaded is reconciled."""
        scim, api, deadline = self.tenant.scim(), Client(self.tenant.hub.port, self.key), time.monotonic() + SETTLED_SECONDS
        while self.lag(Seen(), scim, api) > 1 and time.monotonic() < deadline:
            pass

    def live(self, seen, end):
        """Lives as usual until then."""
        scim, api, people = self.tenant.scim(), Client(self.tenant.hub.port, self.key), itertools.cycle(self.tenant.people)
        for round_number in itertools.count():
            if time.monotonic() >= end:
                return
            base, one = self.tenant.base, next(people)
            self.ask(seen, 200, scim, "GET", f"{base}/Users/{one}")
            look_up = urllib.parse.quote(f'userName eq "p{round_number % 50}@abuse.example"')
            self.ask(seen, 200, scim, "GET", f"{base}/Users?filter={look_up}")
            self.ask(seen, 200, api, "GET", "/api/v1/members?limit=20")
            if round_number % PUSH_EVERY == 0:
                seen.lags.append(self.lag(seen, scim, api))
            time.sleep(PAUSE_SECONDS)

    def push_each_second(self, seen, start, end):
        """Pushes a person a second, beginning then."""
        client = self.tenant.scim()
        for turn in itertools.count():
            wait = start + turn - time.monotonic()
            if start + turn >= end:
                return
            time.sleep(max(0, wait))
            self.pushed(seen, client)


def watch(busy, quiet, seconds):
    """What one neighbour that is busy as usual, and quiet ones, see in so many seconds."""
    seen, start = Seen(), time.monotonic()
    end = start + seconds
    threads = [threading.Thread(target=busy.live, args=(seen, end))]
    for number, one in enumerate(quiet):
        threads.append(threading.Thread(target=one.push_each_second, args=(seen, start + number / len(quiet), end)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen
