#!/usr/bin/env python3
"""Two hundred readers that do not read: pages of 400 users of 240 KB, of 20 groups with 10,000 members each, and of 100 audit events of
250 KB. The hub stays below 512 MB, and another organisation is served.

    slow_readers.py [SECONDS [USERS [MEMBERS]]]
"""

import asyncio, socket, sys
from callers import Watch, ask, attacked, raise_files, seconds

READERS, MEMORY_MB = 200, 512
USERS = int(sys.argv[2]) if len(sys.argv) > 2 else 400
MEMBERS = int(sys.argv[3]) if len(sys.argv) > 3 else 10_000
GROUPS, EVENTS = 20, 100


async def fill(hub, base, token):
    for number in range(USERS):
        body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": f"large{number}@acme.test",
                "urn:acme:1.0:User": {"notes": "x" * 240_000}}
        status, answer = await ask(hub, "POST", f"{base}/Users", token, body)
        assert status == 201, answer[:400]
    ids = []
    for first in range(0, MEMBERS, 1000):
        operations = [{"method": "POST", "path": "/Users", "bulkId": f"b{n}", "data": {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": f"small{n}@acme.test"}}
            for n in range(first, min(first + 1000, MEMBERS))]
        while True:
            status, answer = await ask(hub, "POST", f"{base}/Bulk", token, {
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations}, limit=300)
            if status != 429:
                break
            await asyncio.sleep(1)
        assert status == 200, answer[:400]
        ids += [part.split(b'"')[0].decode() for part in answer.split(b"/Users/")[1:]]
    members = [{"value": id} for id in ids[:MEMBERS]]
    for number in range(GROUPS):
        body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": f"g{number}", "members": members}
        while True:
            status, answer = await ask(hub, "POST", f"{base}/Groups", token, body, limit=300)
            if status != 429:
                break
            await asyncio.sleep(1)
        assert status == 201, answer[:400]


async def change_policy(hub, key):
    """The event of a change holds the policy before and after."""
    for number in range(EVENTS):
        names = [f"{number}-{entry}-{'n' * 240}" for entry in range(500)]
        status, answer = await ask(hub, "PATCH", "/api/v1/policy", key, {"policy": {"group_scope": {"names": names}}})
        assert status == 200, answer[:400]


async def unread(hub, path, token):
    """A reader that asks and reads nothing, again whenever it is cut off."""
    loop = asyncio.get_running_loop()
    while True:
        with socket.socket() as reader:
            reader.setblocking(False)
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            try:
                await loop.sock_connect(reader, ("127.0.0.1", hub.port))
                ask = f"GET {path} HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {token}\r\n\r\n"
                await loop.sock_sendall(reader, ask.encode())
                await asyncio.sleep(30)
            except OSError:
                await asyncio.sleep(0.5)


async def attack(hub):
    raise_files()
    tenant, other = hub.tenant("Acme"), hub.tenant("Globex")
    token, good, key = tenant.token, other.token, tenant.api_key("admin")
    await fill(hub, tenant.base, token)
    await change_policy(hub, key)
    print(f"filled; the hub has had {hub.memory_peak():.0f} MB at most")
    held = []
    events = "/api/v1/audit-events?kind=policy.changed&limit=200"
    for path, secret in ((f"{tenant.base}/Users?count=1000", token), (f"{tenant.base}/Groups?count=1000", token), (events, key)):
        readers = [asyncio.create_task(unread(hub, path, secret)) for _ in range(READERS)]
        watch = Watch(hub, [("probe", "/healthz", None), ("another tenant", f"{other.base}/Users?count=10", good)])
        await watch.run(seconds(90) / 3)
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        peak = hub.memory_peak()
        held.append(watch.verdict(f"{READERS} readers of {path.rsplit('/', 1)[1]}, {peak:.0f} MB at most", 5.0))
        held.append(peak < MEMORY_MB)
    return all(held)


attacked(attack, ingest_rate_per_second=10000, ingest_rate_burst=100000, admin_rate_per_second=10000, admin_rate_burst=100000)
