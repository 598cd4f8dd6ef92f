#!/bin/sh
# Renew the locked requirements, all with hashes and for every platform, with `uv`:
#   dev.txt       what working on this repository needs
#   runtime.txt   what `make demo` and `make run` need of it
#   images.txt    what building images needs, in none of them
#   SET.txt       what the image SET holds: all that the extra SET of powerauth-server asks for, and nothing else
# The versions of dev.txt hold in the others: what is tested is what is installed.
set -eu
cd "$(dirname "$0")/.."

compile() {
    uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --custom-compile-command "make lock" --quiet "$@"
}

own=$(sed -n 's/^name = "\(.*\)"$/--no-emit-package \1/p' libs/*/pyproject.toml services/*/pyproject.toml tools/*/pyproject.toml)
compile requirements/dev.in -o requirements/dev.txt
compile requirements/runtime.in -c requirements/dev.txt -o requirements/runtime.txt
compile requirements/images.in -c requirements/dev.txt -o requirements/images.txt
for set_name in core enrollment cloud push tools; do
    # shellcheck disable=SC2086
    echo "powerauth-server[$set_name]" |
        compile - -c requirements/dev.txt --find-links dist --no-emit-find-links $own -o "requirements/$set_name.txt"
done
