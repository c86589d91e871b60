"""Runs the stages of the Dockerfile that call cargo, with a script in cargo's place: it notes what it is given, and compiles nothing."""

import shutil

from tools import DEPLOY, ROOT, TARGET, Failed, ran

STAND_IN = "localhost/rollcall-rust"
PACKAGES = "coreutils dash findutils libacl1 libattr1 libc6 libgcc-s1 libgmp10 libpcre2-8-0 libselinux1".split()
PLACES = ["Cargo.toml", "Cargo.lock", "LICENSE", ".dockerignore", "crates", "migrations", "services", "tools", "tests", "deploy/Dockerfile"]
FIRST = "cargo compiles the dependencies"
CARGO = f"""#!/bin/sh
set -eu
fail() {{ echo "cargo: $1" >&2; exit 1; }}
[ "$*" = "build --locked --profile dist --bin rollcall" ] || fail "asked to $*"
sources() {{ find . -name '*.rs' -not -path './target/*' "$@"; }}
if [ ! -e target/dist/first ]; then
    echo "{FIRST}"
    for root in $(sources); do [ "$(cat "$root")" = "fn main() {{ }}" ] || fail "$root is a source already"; done
    for manifest in $(find . -mindepth 2 -name Cargo.toml -not -path './tests/*'); do
        [ -e "${{manifest%/*}}/src/lib.rs" ] || [ -e "${{manifest%/*}}/src/main.rs" ] || fail "$manifest has no source"
    done
    mkdir -p target/dist
    touch target/dist/first
else
    old=$(sources -not -newer target/dist/first)
    [ -z "$old" ] || fail "these sources look as if they were compiled: $old"
    [ -f console/dist/index.html ] || fail "the console's pages are missing"
    [ "$ROLLCALL_REVISION" = abc ] || fail "the revision is $ROLLCALL_REVISION"
    cp services/rollcall/src/main.rs target/dist/rollcall
fi
"""


def context(folder):
    """A copy of what the Dockerfile is built from, which may be changed. Its sources are old, as after an unpacking."""
    shutil.rmtree(folder, ignore_errors=True)
    for place in PLACES:
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / place).is_dir():
            shutil.copytree(ROOT / place, folder / place, ignore=shutil.ignore_patterns("target", "fixtures"))
        else:
            shutil.copy2(ROOT / place, folder / place)
    ran("find", folder, "-name", "*.rs", "-exec", "touch", "--date", "2020-01-01", "{}", "+")


def build(bud, env, unpack, folder):
    """Builds the stages that call cargo; a change of a source leaves the layer of dependencies as it is."""
    root = TARGET / "rust"
    unpack(root, PACKAGES)
    cargo = root / "usr/bin/cargo"
    cargo.write_text(CARGO)
    cargo.chmod(0o755)
    sh = root / "usr/bin/sh" if (root / "bin").is_symlink() else root / "bin/sh"
    if not sh.is_symlink():
        sh.symlink_to("dash")
    ran(*bud, "--layers=false", "--tag", STAND_IN, "--file", folder / "Dockerfile", root, env=env)
    place, out = TARGET / "context", TARGET / "stage"
    context(place)
    pages = TARGET / "pages"
    pages.mkdir(exist_ok=True)
    (pages / "index.html").write_text("the console\n")
    words = ["--layers", "--target", "binary", "--build-context", f"pages={pages}", "--build-arg", f"RUST_IMAGE={STAND_IN}", "--build-arg", "REVISION=abc"]
    main = place / "services/rollcall/src/main.rs"
    told = []
    for change in ("", "// A source has changed.\n"):
        main.write_text(main.read_text() + change)
        shutil.rmtree(out, ignore_errors=True)
        told.append(ran(*bud, *words, "--output", f"type=local,dest={out}", "--file", DEPLOY / "Dockerfile", place, env=env))
        if (out / "rollcall").read_text() != main.read_text():
            raise Failed("the stage `binary` does not hold what cargo made")
    if FIRST in told[1]:
        raise Failed("a change of a source has the dependencies compiled again")
    return told
