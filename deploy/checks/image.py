"""Builds the image from the same Dockerfile as a user does, and runs it as a cluster would.

The base is not fetched: the same Debian packages are unpacked from the package mirror. Cargo does not run: the binary is ROLLCALL_BIN,
or the one that the tests use, without its debug information.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time
import tomllib
import urllib.parse
import urllib.request

import stages
from tools import DEPLOY, HERE, ROOT, TARGET, Failed, eventually, need, programs, ran, rollcall, say

IMAGE = "localhost/rollcall:check"
BASE = "localhost/rollcall-base"
# The packages of distroless/cc, which users build on.
BASE_PACKAGES = "base-files ca-certificates gcc-12-base libc6 libgcc-s1 media-types netbase tzdata".split()
SHELLS = {"sh", "bash", "dash", "busybox", "ash"}
PODMAN = ["podman", "--runtime", "runc"]
LIMITS = ["--memory", "256m", "--pids-limit", "200", "--read-only", "--cap-drop=ALL", "--security-opt", "no-new-privileges"]
USERS = ["65532:65532", "1000660000:0"]  # the image's own, and one that OpenShift gives
READY_SECONDS = 30


def environment():
    """Containers are kept under target/, apart from those of the machine's user."""
    settings = TARGET / "storage.conf"
    settings.write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{TARGET}/containers"\nrunroot = "{TARGET}/containers-run"\n')
    return os.environ | {"CONTAINERS_STORAGE_CONF": str(settings), "CONTAINERS_CONF": str(HERE / "containers.conf")}


def unpack(folder, packages):
    """A root of Debian packages, each with its control file where scanners look for it."""
    if folder.exists():
        return
    half = folder.with_name(f"{folder.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    (half / "packages").mkdir(parents=True)
    fetch = ["apt-get", "-q", "download", *packages]
    if subprocess.run(fetch, cwd=half / "packages", capture_output=True).returncode != 0:
        ran("apt-get", "-q", "update")
        ran(*fetch, cwd=half / "packages")
    status = half / "var/lib/dpkg/status.d"
    for package in sorted((half / "packages").glob("*.deb")):
        ran("dpkg-deb", "-x", package, half)
        status.mkdir(parents=True, exist_ok=True)
        (status / package.name.split("_")[0]).write_text(ran("dpkg-deb", "-f", package))
    shutil.rmtree(half / "packages")
    authorities = sorted((half / "usr/share/ca-certificates").rglob("*.crt"))
    (half / "etc/ssl/certs").mkdir(parents=True, exist_ok=True)
    (half / "etc/ssl/certs/ca-certificates.crt").write_bytes(b"".join(one.read_bytes() for one in authorities))
    (half / "tmp").mkdir(exist_ok=True)
    (half / "tmp").chmod(0o1777)
    half.rename(folder)


def build(env):
    """Builds twice. Layers and configuration must be the same; buildah writes the order of ARGs in the history by chance."""
    unpack(TARGET / "base", BASE_PACKAGES)
    binary = TARGET / "binary"
    binary.mkdir(exist_ok=True)
    ran("strip", "--strip-debug", "-o", binary / "rollcall", rollcall())
    bud = ["buildah", "bud", "--isolation", "chroot", "--pull-never", "--timestamp", "0", "--format", "docker"]
    empty = TARGET / "empty"
    empty.mkdir(exist_ok=True)
    (empty / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    ran(*bud, "--layers=false", "--tag", BASE, "--file", empty / "Dockerfile", TARGET / "base", env=env)
    builds = set()
    for _ in range(2):
        ran(
            *bud, "--layers=false", "--build-arg", f"BASE_IMAGE={BASE}", "--build-context", f"binary={binary}", "--tag", IMAGE,
            "--file", DEPLOY / "Dockerfile", ROOT, env=env,
        )
        about = json.loads(ran("podman", "image", "inspect", IMAGE, env=env))[0]
        builds.add(json.dumps([about["RootFS"], about["Config"]], sort_keys=True))
    if len(builds) != 1:
        raise Failed(f"two builds differ: {builds}")
    stages.build(bud, env, unpack, empty)


def check_contents(env):
    """Labels, user, health check and files; answers the size."""
    about = json.loads(ran("podman", "image", "inspect", IMAGE, env=env))[0]
    config = about["Config"]
    if config["User"] != "65532:65532":
        raise Failed(f"the image runs as {config['User']}")
    for label in ("title", "licenses", "version", "revision"):
        if not about["Labels"].get(f"org.opencontainers.image.{label}"):
            raise Failed(f"the image has no label {label}")
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    if about["Labels"]["org.opencontainers.image.version"] != version:
        raise Failed(f"the label version is not {version}: change ARG VERSION in deploy/Dockerfile")
    if about["Healthcheck"]["Test"][1:] != ["/usr/bin/rollcall", "healthcheck"]:
        raise Failed(f"the health check is {about['Healthcheck']}")
    listing = subprocess.run(
        f"set -o pipefail; podman save {IMAGE} | tar -xO --wildcards '*.tar' -f - | tar -itf -",
        shell=True, executable="/bin/bash", capture_output=True, text=True, env=env,
    ).stdout
    names = {pathlib.PurePath(name).name for name in listing.splitlines() if "/bin/" in name or name.startswith("bin/")}
    if "rollcall" not in names or names & SHELLS:
        raise Failed(f"the image has the programs {sorted(names)}")
    return about["Size"]


def write_sbom(env):
    """An SBOM of the image, with every crate of the lock file and every package of the base."""
    archive, sbom = TARGET / "image.tar", TARGET / "sbom.cdx.json"
    archive.unlink(missing_ok=True)
    ran("podman", "save", "--format", "docker-archive", "--output", archive, IMAGE, env=env)
    ran(
        programs() / "syft", "scan", f"docker-archive:{archive}", "--select-catalogers", "+rust-cargo-lock-cataloger",
        "--output", f"cyclonedx-json={sbom}", "--quiet", env=env | {"SYFT_CHECK_FOR_APP_UPDATE": "false"},
    )
    archive.unlink()
    found = {component["name"] for component in json.loads(sbom.read_text())["components"]}
    crates = {crate["name"] for crate in tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]}
    if missing := sorted((crates | set(BASE_PACKAGES)) - found):
        raise Failed(f"the SBOM lacks {missing[:10]}")
    return len(found)


@contextlib.contextmanager
def started(env, arguments, options=(), user=USERS[0]):
    """A container of the image, hardened, in the host's network, removed at the end."""
    name = f"rollcall-check-{os.getpid()}-{arguments[0]}"
    listens = ["--env", "ROLLCALL_HTTP_LISTEN=127.0.0.1:0", "--env", "ROLLCALL_METRICS_LISTEN=127.0.0.1:0"]
    run = [*PODMAN, "run", "--detach", "--network", "host", "--name", name, "--user", user, "--tmpfs", "/tmp:mode=1777"]
    ran(*run, *LIMITS, *listens, *options, IMAGE, *arguments, env=env)
    try:
        yield name
    finally:
        ran(*PODMAN, "rm", "--force", name, env=env)


def said(env, name):
    log = subprocess.run([*PODMAN, "logs", name], env=env, capture_output=True, text=True)
    return log.stdout + log.stderr


def address_of(env, name):
    """The address that the hub prints, once it is ready there."""

    def printed():
        if json.loads(ran(*PODMAN, "inspect", name, env=env))[0]["State"]["Running"]:
            return re.search(r"(?:is up at|listens on) (http://[0-9.:]+)", said(env, name))
        raise Failed(f"the hub in the image ended: {said(env, name)[-1500:]}")

    address = eventually("the hub in the image prints its address", printed, READY_SECONDS)[1]
    eventually("the hub in the image is ready", lambda: status(f"{address}/readyz") == 200, READY_SECONDS)
    return address


def play(env, name, address):
    """A first sync with the commands of the image, as docs/deploy.md makes the first organisation."""
    command = [*PODMAN, "exec", name, "/usr/bin/rollcall"]
    ran(*command, "tenant", "create", "--data", "/data", "--name", "Acme", "--seats", "50", env=env)
    made = ran(*command, "source", "create", "--data", "/data", "--tenant", "acme", "--kind", "scim", "--json", env=env)
    endpoint = address + urllib.parse.urlsplit(json.loads(made)["scim_endpoint"]).path
    ran(*command, "simulate-idp", "okta", "--endpoint", endpoint, "--token", json.loads(made)["token"], "--users", "12", env=env)


def run_hardened(env, user):
    """Starts the hub, asks it, and stops it; answers the seconds until it was ready."""
    begun = time.monotonic()
    with started(env, ["up", "--data", "/data"], ["--tmpfs", "/data:mode=1777"], user) as name:
        address = address_of(env, name)
        seconds = time.monotonic() - begun
        listens = address.removeprefix("http://")
        ran(*PODMAN, "exec", "--env", f"ROLLCALL_HTTP_LISTEN={listens}", name, "/usr/bin/rollcall", "healthcheck", env=env)
        play(env, name, address)
        ran(*PODMAN, "stop", "--time", "20", name, env=env)
        state = json.loads(ran(*PODMAN, "inspect", name, env=env))[0]["State"]
        if state["ExitCode"] != 0:
            raise Failed(f"after SIGTERM the hub as {user} ended with {state['ExitCode']}: {said(env, name)[-800:]}")
    return seconds


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def status(url):
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            return answer.status
    except OSError:
        return None


def check():
    need("buildah", "podman", "runc", "binutils")
    TARGET.mkdir(parents=True, exist_ok=True)
    ran(programs() / "hadolint", DEPLOY / "Dockerfile")
    env = environment()
    # A build that failed leaves its containers and images, in this storage only.
    ran("buildah", "rm", "--all", env=env)
    ran("podman", "image", "prune", "--force", env=env)
    build(env)
    size, components = check_contents(env), write_sbom(env)
    seconds = [run_hardened(env, user) for user in USERS]
    binary = (TARGET / "binary" / "rollcall").stat().st_size
    say(
        f"two builds are the same; {size >> 20} MiB, of which the binary has {binary >> 20}; {components} components in "
        f"target/deploy/sbom.cdx.json; ready after {' and '.join(f'{s:.1f} s' for s in seconds)} as {' and '.join(USERS)}"
    )
