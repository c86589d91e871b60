"""A program in TypeScript whose every type is generated from the hub's OpenAPI document: it compiles, strictly, and does what it says."""

import json
import pathlib
import shutil
import subprocess
import time

from hubs import ROOT
from node import node, npm_install
from scenes import Scene, call, eventually

HERE = pathlib.Path(__file__).resolve().parent / "typescript"


def install():
    return npm_install("the TypeScript client", ROOT / "target" / "clients" / "typescript", HERE)


def test(hub, home):
    """Returns the problems and what was done."""
    begun = time.monotonic()
    scene = Scene(hub, policy=["onboarding=federated"])
    for name in ("ann", "bea", "cem"):
        person = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": f"{name}@types.example", "active": True}
        status, body = call("POST", f"{scene.scim}/Users", scene.token, person)
        assert status == 201, body
    problems = eventually(lambda: [] if len(scene.rest("/members?status=active")) == 3 else ["not all are members"])
    for file in ("tsconfig.json", "walk.ts"):
        shutil.copy(HERE / file, home)
    _, document = call("GET", f"{hub.address}/api/openapi.json", scene.key)
    (home / "openapi.json").write_text(json.dumps(document))
    steps = [
        # A field with a default may be left out of a request.
        ["openapi-typescript/bin/cli.js", "openapi.json", "-o", "api.d.ts", "--default-non-nullable=false"],
        ["typescript/bin/tsc"],
    ]
    for program, *arguments in steps:
        ran = subprocess.run([*node()[0], f"node_modules/{program}", *arguments], cwd=home, capture_output=True, text=True)
        if ran.returncode != 0:
            return [f"{program}: {(ran.stdout + ran.stderr)[-3000:]}"], "nothing"
    walk = subprocess.run([*node()[0], "built/walk.js", hub.address, scene.key, scene.source], cwd=home, capture_output=True, text=True, timeout=120)
    if walk.returncode != 0:
        return [f"the program broke off: {walk.stderr[-2000:]}"], "nothing"
    paths = len(document["paths"])
    return problems + json.loads(walk.stdout), f"{paths} paths as types, {time.monotonic() - begun:.0f} s"
