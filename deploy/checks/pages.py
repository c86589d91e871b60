"""The pages about deploying name commands of the hub that exist, with their flags, and lead to places that are there."""

import re
import subprocess

from tools import DEPLOY, ROOT, Failed, rollcall, say

PAGES = [ROOT / "docs/deploy.md", ROOT / "docs/runbooks.md", ROOT / "docs/operations.md", DEPLOY / "monitoring/README.md"]


def commands(text):
    """Lines of code blocks that call the hub, without what is before or after the call."""
    blocks = "\n".join(block for language, block in re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", text) if not language)
    return [found.strip() for found in re.findall(r"(?m)(?:^|/usr/bin/|\$\()rollcall ([a-z][^#\n|)]+)", blocks)]


def missing(command):
    """Why a command does not exist."""
    words = command.split()
    flags, path = [word for word in words if word.startswith("--")], []
    for word in words:
        if not re.fullmatch(r"[a-z][a-z-]*", word):
            break
        path.append(word)
    told = subprocess.run([rollcall(), "help", *path[:2]], capture_output=True, text=True)
    if told.returncode != 0:
        return told.stderr.strip()
    return [flag for flag in flags if not re.search(rf"(?m){flag}\b", told.stdout)]


def anchors(page):
    """The places of a page, as its headings are named in links."""
    heads = re.findall(r"(?m)^#+ (.*)$", page.read_text())
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def check():
    seen = links = 0
    for page in PAGES:
        text = page.read_text()
        for command in commands(text):
            seen += 1
            if why := missing(command):
                raise Failed(f"{page.name} names `rollcall {command}`, which does not exist: {why}")
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            links += 1
            path, _, place = target.partition("#")
            other = (page.parent / path).resolve() if path else page
            if not other.exists() or (place and place not in anchors(other)):
                raise Failed(f"{page.name} leads to {target}, which is not there")
    if not missing("tenant show --slug acme") or not missing("tenant hide"):
        raise Failed("a wrong command is not seen")
    say(f"{seen} commands and {links} links in {len(PAGES)} pages are there")
