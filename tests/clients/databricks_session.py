"""databricks-sdk as it is, on the people and groups of a hub: databricks_session.py SCIM_ADDRESS SCIM_TOKEN

Prints a JSON list of problems. The library has its paths built in, so a relay puts the source's address in their place.
"""

import http.client
import json
import os
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest, DatabricksError, NotFound, ResourceConflict
from databricks.sdk.service import iam

ADDRESS, TOKEN = sys.argv[1:3]
HUB = urllib.parse.urlsplit(ADDRESS)
BUILT_IN = "/api/2.0/preview/scim/v2"
problems = []


class Relay(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def relay(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        hub = http.client.HTTPConnection(HUB.hostname, HUB.port, timeout=60)
        kept = {key: value for key, value in self.headers.items() if key.lower() in ("authorization", "accept", "content-type", "user-agent")}
        hub.request(self.command, self.path.replace(BUILT_IN, HUB.path, 1), body, kept)
        answer = hub.getresponse()
        text = answer.read()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.getheader("Content-Type") or "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = relay


def expect(what, said, wanted):
    if said != wanted:
        problems.append(f"{what}: {said!r} instead of {wanted!r}")


def refused(what, kind, act):
    try:
        act()
        problems.append(f"{what}: was not refused")
    except kind:
        pass
    except DatabricksError as other:
        problems.append(f"{what}: {type(other).__name__} instead of {kind.__name__}: {other}")


def person(name):
    return {"user_name": f"{name}+c@example.com", "display_name": name.title(), "external_id": f"ext-{name}", "active": True,
            "name": iam.Name(given_name=name.title(), family_name="O'Neil"),
            "emails": [iam.ComplexValue(value=f"{name}+c@example.com", type="work", primary=True)]}


def users(client):
    made = [client.users.create(**person(name)) for name in ("ann", "bea", "cem", "dan", "eve")]
    ann, bea, cem, dan, eve = made
    expect("the answer to a POST", (ann.user_name, ann.active, ann.emails[0].value), ("ann+c@example.com", True, "ann+c@example.com"))
    found = list(client.users.list(filter='userName eq "bea+c@example.com"'))
    expect("a filter with a plus", [user.id for user in found], [bea.id])
    expect("all pages of two", sorted(user.id for user in client.users.list(count=2)), sorted(user.id for user in made))
    expect("only what was asked for", client.users.get(ann.id, attributes="userName").display_name, None)
    client.users.update(cem.id, **{**person("cem"), "display_name": "Cem the Second"})
    expect("PUT", client.users.get(cem.id).display_name, "Cem the Second")
    # The library leaves a false value out of a PATCH; a path-less one is the way to say it.
    no_value = iam.Patch(op=iam.PatchOp.REPLACE, path="active", value=False)
    refused("a replace without a value", BadRequest, lambda: client.users.patch(dan.id, operations=[no_value], schemas=SCHEMAS))
    expect("the refused change", client.users.get(dan.id).active, True)
    client.users.patch(dan.id, operations=[iam.Patch(op=iam.PatchOp.REPLACE, value={"active": False})], schemas=SCHEMAS)
    expect("the path-less change", client.users.get(dan.id).active, False)
    refused("a second person of one name", ResourceConflict, lambda: client.users.create(**person("ann")))
    client.users.delete(eve.id)
    refused("somebody who is gone", NotFound, lambda: client.users.get(eve.id))
    return ann, bea, cem


def groups(client, ann, bea, cem):
    crew = client.groups.create(display_name="Crew", external_id="g1", members=[iam.ComplexValue(value=ann.id)])

    def members():
        return sorted(member.value for member in client.groups.get(crew.id).members or [])

    def patch(**operation):
        client.groups.patch(crew.id, operations=[iam.Patch(**operation)], schemas=SCHEMAS)

    patch(op=iam.PatchOp.ADD, path="members", value=[{"value": bea.id}])
    patch(op=iam.PatchOp.ADD, value={"members": [{"value": cem.id}]})
    expect("two adds", members(), sorted([ann.id, bea.id, cem.id]))
    patch(op=iam.PatchOp.REMOVE, path=f'members[value eq "{bea.id}"]')
    expect("a remove by filter", members(), sorted([ann.id, cem.id]))
    expect("a group of a user", [group.display for group in client.users.get(ann.id).groups], ["Crew"])
    client.groups.update(crew.id, display_name="Crew two", members=[iam.ComplexValue(value=cem.id)])
    expect("PUT of a group", members(), [cem.id])
    # Read, take the last one out, put back: the library's own form of a group leaves an empty list out.
    last = client.groups.get(crew.id)
    last.members = []
    body = last.as_dict()
    expect("the library's form of no members", "members" in body, False)
    client.api_client.do("PUT", f"{BUILT_IN}/Groups/{crew.id}", body=body)
    expect("the last one taken out", members(), [])
    expect("the name found", [group.id for group in client.groups.list(filter='displayName eq "Crew two"')], [crew.id])
    client.groups.update(crew.id, display_name="Crew two", members=[iam.ComplexValue(value=ann.id)])
    refused("a member who is gone", BadRequest,
            lambda: client.groups.update(crew.id, display_name="Crew two", members=[iam.ComplexValue(value=crew.id)]))
    gone = client.groups.create(display_name="Gone", external_id="g2")
    client.groups.delete(gone.id)
    refused("a group that is gone", NotFound, lambda: client.groups.get(gone.id))


SCHEMAS = [iam.PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP]
relay = ThreadingHTTPServer(("127.0.0.1", 0), Relay)
threading.Thread(target=relay.serve_forever, daemon=True).start()
os.environ["DATABRICKS_CONFIG_FILE"] = os.devnull
client = WorkspaceClient(host=f"http://127.0.0.1:{relay.server_port}", token=TOKEN, auth_type="pat")
groups(client, *users(client))
refused("the person of a token", DatabricksError, lambda: client.current_user.me())
print(json.dumps(problems))
