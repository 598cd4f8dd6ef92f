#!/bin/sh
# Make .venv with the locked dependencies and this workspace's packages in it.
#   scripts/venv.sh runtime   what serving, the demo and the device commands need
#   scripts/venv.sh dev       and what the tests need
set -eu
cd "$(dirname "$0")/.."
set_name=$1

find_python() {
    for name in ${PYTHON:-} python3.13 python3.12 python3.11 python3.14 python3; do
        if command -v "$name" >/dev/null 2>&1 &&
            "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "Python 3.11 or newer was not found. Install it, or name it: PYTHON=/path/to/python3 make …" >&2
    exit 1
}

if [ ! -x .venv/bin/pip ]; then
    python=$(find_python)
    rm -rf .venv
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        package="python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
            apt-get update -qq
            DEBIAN_FRONTEND=noninteractive apt-get install -qq -y "$package" >/dev/null
        else
            echo "Python's venv module is missing. Install it with: sudo apt-get install $package" >&2
            exit 1
        fi
    fi
    "$python" -m venv .venv
fi

state=$(cat requirements/*.txt libs/*/pyproject.toml services/*/pyproject.toml tools/*/pyproject.toml | cksum)
stamp=.venv/.installed-$set_name
if [ "$(cat "$stamp" 2>/dev/null || true)" = "$state" ]; then
    exit 0
fi
echo "installing the locked dependencies ($set_name) into .venv …"
.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r "requirements/$set_name.txt"
packages=
for project in libs/*/pyproject.toml services/*/pyproject.toml tools/*/pyproject.toml; do
    packages="$packages -e ./${project%/pyproject.toml}"
done
# shellcheck disable=SC2086
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $packages
# Starting without compiled modules costs seconds of CPU time.
.venv/bin/python -m compileall -q libs/*/src services/*/src tools/*/src
echo "$state" >"$stamp"
