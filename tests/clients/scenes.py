"""A tenant for a client, and the hub's view of it: the directory by SCIM, roster, audit log and request log by REST."""

import json
import time
import urllib.error
import urllib.request

SETTLED_WITHIN = 60  # seconds


def call(method, url, token, body=None):
    """Returns the status and the JSON of an answer."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        status, text = refused.code, refused.read()
    return status, json.loads(text) if text else None


def eventually(probe):
    """Waits until the probe finds no problem; returns the last problems."""
    deadline = time.monotonic() + SETTLED_WITHIN
    while (problems := probe()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return problems


class Scene:
    """One tenant with one source."""

    def __init__(self, hub, *switches, policy=()):
        self.hub = hub
        settings = [word for setting in policy for word in ("--policy", setting)]
        tenant = hub.make("tenant", "create", "--name", "Clients", "--seats", "1000", *settings)["slug"]
        source = hub.make("source", "create", "--tenant", tenant, "--kind", "scim", *switches)
        self.source, self.token = source["source_id"], source["token"]
        self.scim = f"{hub.address}/scim/v2/{self.source}"
        self.key = hub.make("api-key", "create", "--tenant", tenant, "--role", "owner")["key"]

    def rest(self, path):
        """Every item of a list, or one thing."""
        items, cursor = [], ""
        while True:
            more = f"{'&' if '?' in path else '?'}limit=200{cursor}" if cursor is not None else ""
            status, body = call("GET", f"{self.hub.address}/api/v1{path}{more}", self.key)
            if status == 429:  # over the key's rate
                time.sleep(1)
                continue
            assert status == 200, (path, status, body)
            items += body["items"]
            if not body["next_cursor"]:
                return items
            cursor = f"&cursor={body['next_cursor']}"

    def approve_held(self):
        """Approves what a guard withholds, as an admin does who knows that it was meant."""
        for run in self.rest("/runs?state=held"):
            call("POST", f"{self.hub.address}/api/v1/runs/{run['id']}/approve", self.key, {"digest": run["digest"]})

    def quirks(self):
        """The ledger's counts by quirk, and its advice."""
        status, body = call("GET", f"{self.hub.address}/api/v1/sources/{self.source}/dialect", self.key)
        assert status == 200, body
        return {one["quirk"]: one["count"] for one in body["quirks"]}, body["advice"]

    def directory(self, path):
        """Every resource of a SCIM list."""
        found, start = [], 1
        while True:
            status, page = call("GET", f"{self.scim}{path}?startIndex={start}&count=100", self.token)
            assert status == 200, (path, status, page)
            found += page["Resources"]
            start += len(page["Resources"])
            if start > page["totalResults"] or not page["Resources"]:
                return found

    def faults(self):
        """Answers of the hub that no client may get, and errors in its log."""
        lines = [(f"{line['method']} {line['path']}", line["answer"]["status"]) for line in self.rest("/request-log")]
        faults = [f"{line}: {status}" for line, status in lines if status >= 500 and status != 501]
        faults += [f"not understood: {one['method']} {one['path']}: {one['answer']}" for one in self.rest(f"/sources/{self.source}/rejected")]
        return faults + [f"log: {line}" for line in self.hub.said().splitlines() if "ERROR" in line]

    def audit_disagreements(self):
        """Differences between the state and what the audit log says happened."""
        events = sorted(self.rest("/audit-events"), key=lambda event: event["id"])
        status, users, groups = {}, set(), {}
        reached = {"activated": "active", "invited": "invited", "suspended": "suspended", "removed": "removed", "restored": "active"}
        for event in events:
            (about, what), subject = event["kind"].split("."), event["subject"]["id"]
            if about == "member" and what in reached:
                status[subject] = reached[what]
            elif about == "directory_user":
                users.add(subject) if what == "created" else users.discard(subject) if what == "deleted" else None
            elif about == "sharing_group" and what == "created":
                groups[subject] = set()
            elif about == "sharing_group" and what == "removed":
                groups.pop(subject)
            elif about == "sharing_group" and what.startswith("member_"):
                member = event["detail"]["member_id"]
                groups[subject].add(member) if what == "member_added" else groups[subject].discard(member)
        said = {member["id"]: member["status"] for member in self.rest("/members")}
        there = {group["id"]: {member["id"] for member in self.rest(f"/groups/{group['id']}/members")} for group in self.rest("/groups")}
        found = []
        if said != status:
            found.append(f"audit log and roster: {set(said.items()) ^ set(status.items())}")
        if users != {user["id"] for user in self.directory("/Users")}:
            found.append("audit log and directory name different users")
        if there != groups:
            found.append(f"audit log and sharing groups: {[(key, there.get(key), groups.get(key)) for key in there.keys() | groups.keys() if there.get(key) != groups.get(key)]}"[:600])
        return found
