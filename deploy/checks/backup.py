"""Dumps the database and restores it, by the commands of docs/deploy.md."""

import os
import re
import urllib.parse

from tools import ROOT, Failed, ran, rollcall

COUNTS = """SET ROLE rollcall_system; SELECT (SELECT count(*) FROM tenants), (SELECT count(*) FROM sources), (SELECT count(*) FROM members),
    (SELECT count(*) FROM audit_events), (SELECT max(id::text) FROM audit_events)"""


def counted(address):
    return ran("psql", "--quiet", "--tuples-only", "--no-align", "-d", address, "-c", COUNTS).strip()


def in_database(address, name):
    return urllib.parse.urlsplit(address)._replace(path=f"/{name}").geturl()


def check(addresses, folder):
    """`addresses` has OWNER_URL, DATABASE_URL and SUPERUSER_URL. The hub's other services are not needed."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("ROLLCALL_")} | addresses
    ran(rollcall(), "tenant", "create", "--name", "Globex", "--seats", "5", "--owner", "owner@globex.example", env=env)
    before = counted(addresses["DATABASE_URL"])
    if before.startswith("0|"):
        raise Failed(f"there is nothing to back up: {before}")
    text = (ROOT / "docs/deploy.md").read_text()
    for line in re.findall(r"(?m)^((?:pg_dump|pg_restore|psql) .*?)(?: +#.*)?$", text):
        ran("bash", "-ec", line, env=env, cwd=folder)
    restored = {key: in_database(addresses[key], "restored") for key in ("OWNER_URL", "DATABASE_URL")}
    ran(rollcall(), "migrate", env=env | {"DATABASE_URL": restored["OWNER_URL"]})
    if (after := counted(restored["DATABASE_URL"])) != before:
        raise Failed(f"the restored database differs: {after}, not {before}")
    told = ran(rollcall(), "tenant", "list", "--json", env=env | {"DATABASE_URL": restored["DATABASE_URL"]})
    if "globex" not in told:
        raise Failed(f"the restored database lacks a tenant: {told}")
