"""Fetches the wheels that services and images are installed from, those of other people, into a folder.

    python scripts/wheelhouse.py FOLDER [--python 3.13] [--machine x86_64]

They are for Linux with the named Python and machine, whatever this one is, and each has the hash in
`requirements/`. A folder that has them all is left as it is.
"""

from __future__ import annotations

import argparse
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from packaging.markers import Marker

ROOT = Path(__file__).parents[1]
SETS = ("core", "enrollment", "cloud", "push", "tools", "images")
GLIBC = range(17, 37)
"""Minor versions of glibc 2 that a base may be expected to have, the newest as in Debian 12."""
BLOCK = re.compile(
    r"^(?P<pin>[^\s#;]+==\S+)(?: ; (?P<marker>[^\\]+))?(?P<hashes>(?: \\\n    --hash=\S+)+)", re.MULTILINE
)


def wanted(python: str, machine: str) -> Iterator[str]:
    """Pins with hashes of all that the sets name for a platform.

    The markers are decided here: pip would decide them by the interpreter that it runs on. Those of a first
    micro release hold for later ones too; at most that is a wheel too many.
    """
    target = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": machine,
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    found: dict[str, str] = {}
    for name in SETS:
        for block in BLOCK.finditer((ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")):
            marker = block["marker"]
            if not marker or Marker(marker.strip()).evaluate(target):
                found[block["pin"]] = block["pin"] + block["hashes"]
    yield from found.values()


def fetch(folder: Path, python: str, machine: str) -> int:
    """Download what is missing; pip's exit status."""
    platforms = [f"manylinux2014_{machine}", *(f"manylinux_2_{minor}_{machine}" for minor in GLIBC)]
    options = ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--quiet"]
    options += ["--disable-pip-version-check", "--implementation", "cp", "--python-version", python]
    options += [part for each in platforms for part in ("--platform", each)]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as listed:
        listed.write("\n".join(wanted(python, machine)) + "\n")
        listed.flush()
        command = [sys.executable, "-m", "pip", "download", *options, "-d", str(folder), "-r", listed.name]
        return subprocess.run(command, check=False).returncode  # noqa: S603


def this_machine() -> str:
    """Its architecture as Linux calls it."""
    return {"arm64": "aarch64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())


def main() -> int:
    """Run the command of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="3.13", help="version of the base's Python")
    parser.add_argument("--machine", default=this_machine(), help="x86_64 or aarch64")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    return fetch(given.folder, given.python, given.machine)


if __name__ == "__main__":
    raise SystemExit(main())
