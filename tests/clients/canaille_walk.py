"""Canaille pushes to the hub while its people and groups change at random; afterwards the hub has exactly Canaille's people and groups."""

import os
import pathlib
import random
import time

from programs import Program
from scenes import Scene, call, eventually

HERE = pathlib.Path(__file__).resolve().parent
STEPS = int(os.environ.get("ROLLCALL_CLIENT_STEPS", "60"))
SEED = int(os.environ.get("ROLLCALL_TEST_SEED", "12"))
CORE = "urn:ietf:params:scim:schemas:core:2.0:"
FAMILIES = ["O'Neil", "Müller", "Nguyễn", "St. John", "de la Cruz", "Ødegård", "李", "Smith-Jones", "Ουλής"]
PASSWORD = "Sufficient-pass-1"


class Canaille(Program):
    """A running Canaille, which ends with the block."""

    def __init__(self, programs, scene, folder):
        self.token = scene.token
        command = [programs / "python", HERE / "canaille_idp.py", scene.scim, scene.token]
        super().__init__(command, folder / f"canaille-{scene.source}.log")

    def ask(self, method, path, body=None):
        """A request to Canaille's own SCIM server; it pushes before it answers."""
        status, answer = call(method, f"{self.address}{path}", self.token, body)
        assert status < 300, (method, path, status, answer, self.said()[-1500:])
        return answer

    def state(self):
        return self.ask("GET", "/-/state")

    def failures(self):
        """Pushes that Canaille itself calls failed."""
        return [line for line in self.said().splitlines() if "SCIM" in line and ("failed" in line or "not supported" in line)]


class Walk:
    """Random changes of people and groups, made at Canaille."""

    def __init__(self, canaille, seed):
        self.canaille, self.random = canaille, random.Random(seed)
        self.people, self.groups, self.made = {}, {}, 0
        self.outsider = next(person["id"] for person in canaille.state()["people"])

    def join(self):
        self.made += 1
        name = f"user{self.made}"
        person = {
            "schemas": [CORE + "User"], "userName": name, "displayName": f"U {self.made}", "password": PASSWORD, "active": True,
            "name": {"formatted": f"U {self.made}", "familyName": self.random.choice(FAMILIES), "givenName": f"U{self.made}"},
            "emails": [{"value": f"{name}+c@example.com"}]}
        made = self.canaille.ask("POST", "/scim/v2/Users", person)
        self.people[made["id"]] = person
        return made["id"]

    def change(self):
        """Another name, address or user name; locked or not."""
        chosen = self.random.choice(list(self.people))
        person = self.people[chosen]
        person["name"]["familyName"] = self.random.choice(FAMILIES)
        person["active"] = self.random.random() < 0.7
        if self.random.random() < 0.3:
            person["emails"] = [{"value": f"{person['userName']}.{self.random.randrange(1000)}@example.com"}]
        self.canaille.ask("PUT", f"/scim/v2/Users/{chosen}", {**person, "id": chosen})
        if self.random.random() < 0.2:
            person["userName"] += "r"
            self.canaille.ask("POST", "/-/rename", {"kind": "user", "id": chosen, "name": person["userName"]})

    def leave(self):
        chosen = self.random.choice(list(self.people))
        self.canaille.ask("DELETE", f"/scim/v2/Users/{chosen}")
        del self.people[chosen]
        for group in self.groups.values():
            group["members"].discard(chosen)

    def some(self):
        """A few people, among them perhaps the one whom the hub does not know."""
        chosen = set(self.random.sample(list(self.people), self.random.randint(1, min(4, len(self.people)))))
        if self.random.random() < 0.3:
            chosen.add(self.outsider)
        # Now and then only that one is left. Canaille sends nothing at all for a group without anybody.
        return {self.outsider} if self.random.random() < 0.1 else chosen

    def body(self, group):
        members = [{"value": one, "$ref": f"{self.canaille.address}/scim/v2/Users/{one}"} for one in sorted(group["members"])]
        return {"schemas": [CORE + "Group"], "displayName": group["name"], "members": members}

    def make_group(self, members=None):
        self.made += 1
        group = {"name": f"Group {self.made}", "members": members or self.some()}
        made = self.canaille.ask("POST", "/scim/v2/Groups", self.body(group))
        self.groups[made["id"]] = group
        return made["id"]

    def put_group(self, chosen, members):
        group = self.groups[chosen]
        group["members"] = members
        self.canaille.ask("PUT", f"/scim/v2/Groups/{chosen}", {**self.body(group), "id": chosen})

    def rename_group(self, chosen):
        self.groups[chosen]["name"] += "r"
        self.canaille.ask("POST", "/-/rename", {"kind": "group", "id": chosen, "name": self.groups[chosen]["name"]})

    def delete_group(self, chosen):
        self.canaille.ask("DELETE", f"/scim/v2/Groups/{chosen}")
        del self.groups[chosen]

    def step(self):
        drawn = self.random.random()
        if drawn < 0.33 or len(self.people) < 3:
            return self.join()
        if drawn < 0.55:
            return self.change()
        if drawn < 0.62:
            return self.leave()
        known = [key for key, group in self.groups.items() if group["members"]]
        if drawn < 0.72 or not known:
            return self.make_group()
        chosen = self.random.choice(known)
        if drawn < 0.88:
            return self.put_group(chosen, self.some())
        return self.rename_group(chosen) if drawn < 0.95 else self.delete_group(chosen)


def differences(scene, state, outsider):
    """Differences between the hub and Canaille: the directory first, then the roster."""
    people = {one["id"]: one for one in state["people"] if one["id"] != outsider}
    groups = {one["name"]: {member for member in one["members"] if member != outsider} for one in state["groups"]}
    wanted = {key: (one["user_name"], one["emails"][0], one["family_name"], one["active"]) for key, one in people.items()}
    users = scene.directory("/Users")
    said = {user["externalId"]: (user["userName"], user["emails"][0]["value"], user["name"]["familyName"], user["active"]) for user in users}
    found = compared("directory: people", wanted, said)
    external = {user["id"]: user["externalId"] for user in users}
    said = {group["displayName"]: {external[member["value"]] for member in group["members"]} for group in scene.directory("/Groups")}
    found += compared("directory: groups", groups, said)

    # Those who left stay as suspended members, by the default of the policy; nobody else may be in.
    members = scene.rest("/members")
    wanted = {key: (one["emails"][0], one["display_name"]) for key, one in people.items() if one["active"]}
    found += compared("roster: people", wanted, {one["external_id"]: (one["email"], one["display_name"]) for one in members if one["status"] == "active"})
    locked = {key for key, one in people.items() if not one["active"]}
    without = {one["external_id"] for one in members if one["status"] == "suspended"}
    if not locked <= without:
        found.append(f"roster: locked at Canaille and not suspended: {locked - without}")
    active = {one["id"]: one["external_id"] for one in members if one["status"] == "active"}
    said = {group["name"]: {active[one["id"]] for one in scene.rest(f"/groups/{group['id']}/members") if one["id"] in active}
            for group in scene.rest("/groups")}
    return found + compared("roster: groups", {name: members & wanted.keys() for name, members in groups.items()}, said)


def differences_once_approved(scene, state, outsider):
    """Many small steps empty a group as one large one would, so the group guard may hold the last of them."""
    scene.approve_held()
    try:
        return differences(scene, state, outsider)
    except AssertionError as changing:  # a group that was listed is gone
        return [f"the roster was changing: {changing}"]


def compared(what, wanted, said):
    differing = [f"{key}: {wanted.get(key)} at Canaille, {said.get(key)} here" for key in wanted.keys() | said.keys() if wanted.get(key) != said.get(key)]
    return [f"{what}: {len(differing)} differ, such as {differing[0]}"] if differing else []


def empties_a_group(walk, scene):
    """R17: the last person of a group whom the hub knows leaves it. Canaille then sends no list of members at all."""
    known = walk.join()
    group = walk.make_group({walk.outsider, known})
    walk.put_group(group, {walk.outsider})
    left = [one["members"] for one in scene.directory("/Groups") if one["externalId"] == group]
    return [] if left == [[]] else [f"R17: a group that was emptied has {left} here"]


def pushes_to_a_usual_source(hub, programs):
    """R16: Canaille refuses a configuration that it does not know. It pushes without a switch too, because the hub knows it."""
    scene = Scene(hub)
    with Canaille(programs, scene, hub.folder) as canaille:
        walk = Walk(canaille, SEED)
        walk.join()
        return [] if len(scene.directory("/Users")) == 1 else ["R16: Canaille pushed nobody to a source without --plain-discovery", *canaille.failures()]


def test(hub, programs):
    """Returns the problems and what was done."""
    begun = time.monotonic()
    scene = Scene(hub, "--plain-discovery", policy=["onboarding=federated", "put_without_members=empty"])
    problems = pushes_to_a_usual_source(hub, programs)
    with Canaille(programs, scene, hub.folder) as canaille:
        walk = Walk(canaille, SEED)
        problems += empties_a_group(walk, scene)
        for _ in range(STEPS):
            walk.step()
        state = canaille.state()
        problems += canaille.failures()
    problems += eventually(lambda: differences_once_approved(scene, state, walk.outsider))
    problems += eventually(scene.audit_disagreements)
    problems += scene.faults()
    quirks, advice = scene.quirks()
    if not quirks.get("put_without_members_as_empty") or quirks.get("put_without_members"):
        problems.append(f"the ledger does not tell how groups were emptied: {quirks}")
    if PASSWORD in hub.said():
        problems.append("a password is in the hub's log")
    told = f"{STEPS} steps of seed {SEED}, {len(state['people']) - 1} people, {len(state['groups'])} groups, {time.monotonic() - begun:.0f} s"
    return problems + [f"advice without a reason: {one}" for one in advice], told
