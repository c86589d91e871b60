"""The other tenant: an identity provider that pushes and looks up, and an admin who sees the roster follow."""

import collections
import itertools
import time
import urllib.parse

from hub import Client, person

PAUSE_SECONDS = 0.05
# One push in so many rounds.
PUSH_EVERY = 5
SETTLED_SECONDS = 120
NUMBERS = itertools.count(1_000_000)


class Seen:
    """The neighbour's answers: seconds, failures by status, and seconds from a push to the member."""

    def __init__(self):
        self.seconds, self.lags, self.failed, self.requests = [], [], collections.Counter(), 0

    def at(self, share, values=None):
        values = sorted(self.seconds if values is None else values)
        return values[min(int(len(values) * share), len(values) - 1)] if values else 0.0

    p50 = property(lambda self: self.at(0.5))
    p95 = property(lambda self: self.at(0.95))
    p99 = property(lambda self: self.at(0.99))
    lag_p95 = property(lambda self: self.at(0.95, self.lags))


class Neighbour:
    def __init__(self, tenant):
        self.tenant, self._seen = tenant, Seen()
        self.scim, self.api = tenant.scim(), Client(tenant.hub.port, tenant.key)

    def seen(self):
        return self._seen

    def ask(self, expected, client, method, path, body=None):
        begun = time.monotonic()
        status, _, _ = client.send(method, path, body)
        self._seen.seconds.append(time.monotonic() - begun)
        self._seen.requests += 1
        if status != expected:
            self._seen.failed[status] += 1
        return status == expected

    def is_member(self, mail):
        status, _, body = self.api.send("GET", f"/api/v1/members?email={urllib.parse.quote(mail)}")
        return status == 200 and mail.encode() in body

    def until_settled(self):
        """Waits until a push becomes a member at once, that is, until what was loaded is reconciled."""
        deadline = time.monotonic() + SETTLED_SECONDS
        while self.push() > 1 and time.monotonic() < deadline:
            pass

    def push(self):
        """Posts a person; returns the seconds until the member is there."""
        new = person(next(NUMBERS))
        begun = time.monotonic()
        if not self.ask(201, self.scim, "POST", f"{self.tenant.base}/Users", new):
            return 0
        while not self.is_member(new["userName"]) and time.monotonic() - begun < 30:
            time.sleep(0.02)
        return time.monotonic() - begun

    def watch(self, seconds):
        """Lives through these seconds as usual; returns what it saw."""
        end, people = time.monotonic() + seconds, itertools.cycle(self.tenant.people)
        for round_number in itertools.count():
            if time.monotonic() >= end:
                break
            base, one = self.tenant.base, next(people)
            self.ask(200, self.scim, "GET", f"{base}/Users/{one}")
            look_up = urllib.parse.quote(f'userName eq "p{round_number % 50}@abuse.example"')
            self.ask(200, self.scim, "GET", f"{base}/Users?filter={look_up}")
            self.ask(200, self.api, "GET", "/api/v1/members?limit=20")
            if round_number % PUSH_EVERY == 0:
                self._seen.lags.append(self.push())
            time.sleep(PAUSE_SECONDS)
        return self._seen
