"""The typed client library databricks-sdk on a hub: it finds its answers as it expects them, and the roster follows."""

import json
import pathlib
import subprocess
import time

from scenes import Scene, eventually

REQUESTS = 41  # of the session, which repeats one now and then

HERE = pathlib.Path(__file__).resolve().parent


def roster(scene):
    """What is not as the session left it."""
    said = {member["email"]: member["status"] for member in scene.rest("/members")}
    wanted = {f"{name}+c@example.com": status for name, status in
              [("ann", "active"), ("bea", "active"), ("cem", "active"), ("dan", "suspended"), ("eve", "suspended")]}
    groups = {group["name"]: [member["email"] for member in scene.rest(f"/groups/{group['id']}/members")] for group in scene.rest("/groups")}
    problems = [] if said == wanted else [f"roster: {said} instead of {wanted}"]
    return problems + ([] if groups == {"Crew two": ["ann+c@example.com"]} else [f"sharing groups: {groups}"])


def test(hub, programs):
    """Returns the problems and what was done."""
    begun = time.monotonic()
    scene = Scene(hub, policy=["onboarding=federated", "put_without_members=empty"])
    command = [programs / "python", HERE / "databricks_session.py", scene.scim, scene.token]
    session = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if session.returncode != 0:
        return [f"the session broke off: {session.stderr[-2000:]}"], "nothing"
    problems = json.loads(session.stdout)
    problems += eventually(lambda: roster(scene)) + eventually(scene.audit_disagreements)
    # Two requests of the session are meant to be refused as not understood.
    problems += [fault for fault in scene.faults() if not fault.startswith("not understood")]
    # The request log is written a moment after the answers.
    logged = lambda: len(scene.rest("/request-log"))
    problems += eventually(lambda: [] if logged() >= REQUESTS else [f"the request log has {logged()} of {REQUESTS} requests"])
    return problems, f"{logged()} requests, {time.monotonic() - begun:.0f} s"
