"""Every ROLLCALL_ variable that is named in deploy/ and docs/deploy.md exists in the hub, which refuses to start by an unknown one."""

import re

from tools import DEPLOY, ROOT, Failed, ran, rollcall, say

# The build and the checks read these; they are no settings of the hub.
OURS = {"ROLLCALL_BIN", "ROLLCALL_REVISION"}
NAME = re.compile(r"ROLLCALL_[A-Z][A-Z_]*[A-Z]")


def known():
    """The variables that `rollcall help config` and `rollcall help` print."""
    return set(NAME.findall(ran(rollcall(), "help", "config") + ran(rollcall(), "help")))


def keys():
    """The settings by section, as in `http.listen`."""
    found = re.findall(r"^#   [A-Z_]+ +([a-z_]+)\.([a-z_]+)$", ran(rollcall(), "help", "config"), re.MULTILINE)
    return sorted(set(found))


def check():
    there, wrong, seen = known(), [], set()
    pages = [path for path in DEPLOY.rglob("*") if path.is_file() and "secrets" != path.parent.name]
    for path in [*pages, *(ROOT / "docs").glob("deploy.md")]:
        for name in NAME.findall(path.read_text()):
            seen.add(name)
            if name not in there | OURS:
                wrong.append(f"{path.relative_to(ROOT)} names {name}")
    if wrong:
        raise Failed("no such settings: " + "; ".join(wrong))
    say(f"{len(seen)} variables are named in deploy/, and all of them exist")
