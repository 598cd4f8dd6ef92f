"""Runs in the builder stage: installs what an image holds into /opt/powerauth, from wheels of the context.

    python3 install.py prepare    the tools that are used meanwhile, in no image
    python3 install.py IMAGE

Nothing but the base's Python is needed, no pip and no shell. What is written depends on the wheels, that
Python and SOURCE_DATE_EPOCH, so two builds give the same files.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

CONTEXT = Path("/build")
WHEELS = CONTEXT / "dist"
TARGET = Path("/opt/powerauth")
TOOLS = Path("/build/tools")


def run(*command: str | Path) -> None:
    """Run a program; what it says is shown, its failure ends the build."""
    subprocess.run([str(part) for part in command], check=True)  # noqa: S603


def checked_pip() -> Path:
    """The wheel of pip, which can run as it is.

    :raises SystemExit: it is not the one that is locked
    """
    wheel = next((WHEELS / "wheelhouse").glob("pip-*.whl"))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest not in (WHEELS / "requirements" / "images.txt").read_text(encoding="utf-8"):
        raise SystemExit(f"{wheel.name} is not the locked one")
    return wheel / "pip"


def install(pip: Path, environment: Path, locked: str) -> None:
    """A new virtual environment with a locked set in it, each wheel with its hash."""
    run(sys.executable, "-m", "venv", "--without-pip", environment)
    links = ("--no-index", "--find-links", WHEELS, "--find-links", WHEELS / "wheelhouse")
    options = ("--require-hashes", "--no-deps", "--only-binary", ":all:", "--no-compile", "--no-cache-dir")
    quiet = ("--quiet", "--disable-pip-version-check", "--root-user-action", "ignore")
    requirements = WHEELS / "requirements" / f"{locked}.txt"
    run(environment / "bin/python", pip, "install", *quiet, *options, *links, "-r", requirements)


def compile_modules(environment: Path) -> None:
    """Nothing can be compiled later, on a read-only file system; the compiled form does not look at times."""
    python = environment / "bin/python"
    run(python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", environment / "lib")


def settle_times(folder: Path, moment: int) -> None:
    """Every file is of the moment of the release."""
    for path in (folder, *folder.rglob("*")):
        os.utime(path, (moment, moment), follow_symlinks=False)


def write_share(image: str, moment: int) -> None:
    """What belongs to the image beside packages: its bill of materials, the licences, the health check."""
    share = TARGET / "share"
    share.mkdir(exist_ok=True)
    materials = share / "sbom.cdx.json"
    form = ("--output-reproducible", "--of", "JSON", "--sv", "1.6", "-o", materials)
    run(TOOLS / "bin/python", "-m", "cyclonedx_py", "environment", *form, TARGET / "bin/python")
    completed = (f"powerauth-{image}", str(moment), materials, share / "licences.txt")
    run(TOOLS / "bin/python", CONTEXT / "bill_of_materials.py", *completed)
    shutil.copy(CONTEXT / "healthcheck.py", share)


def main(wanted: str) -> None:
    """Install what is wanted."""
    pip = checked_pip()
    if wanted == "prepare":
        install(pip, TOOLS, "images")
        return
    moment = int(os.environ["SOURCE_DATE_EPOCH"])
    install(pip, TARGET, wanted)
    run(TARGET / "bin/python", pip, "check", "--disable-pip-version-check")
    write_share(wanted, moment)
    compile_modules(TARGET)
    settle_times(TARGET, moment)


if __name__ == "__main__":
    main(sys.argv[1])
