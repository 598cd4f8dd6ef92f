"""Finding, or installing, the server programs."""

import os
import platform
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterable
from glob import glob
from pathlib import Path


class ProgramMissing(RuntimeError):
    """A server program is neither installed nor installable here; the text says what to do."""


def free_port() -> int:
    """A loopback TCP port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def find_program(name: str, folders: Iterable[str]) -> Path | None:
    """The newest program of that name in the glob patterns `folders`, else on the PATH."""
    for pattern in folders:
        for folder in sorted(glob(pattern), key=_version_key, reverse=True):
            candidate = Path(folder) / name
            if os.access(candidate, os.X_OK):
                return candidate
    found = shutil.which(name)
    return Path(found).resolve() if found else None


def find_or_install(name: str, folders: Iterable[str], *, apt_package: str, brew_package: str) -> Path:
    """Find a program; on Debian and Ubuntu, as root, install its package when it is missing.

    :raises ProgramMissing: with the command that installs it.
    """
    folders = list(folders)
    found = find_program(name, folders)
    if found is None and shutil.which("apt-get") and os.geteuid() == 0:
        _apt_install(apt_package)
        found = find_program(name, folders)
    if found is None:
        command = (
            f"brew install {brew_package}"
            if platform.system() == "Darwin"
            else f"sudo apt-get install {apt_package}"
        )
        raise ProgramMissing(f"{name} was not found. Install it with: {command}")
    return found


def private_folder(prefix: str, owner: str | None) -> Path:
    """A new temporary folder that only `owner` (None: the current user) can read."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    if owner:
        shutil.chown(folder, user=owner)
    return folder


def _version_key(folder: str) -> tuple[int, ...]:
    return tuple(int(part) for part in folder.replace("@", "/").split("/") if part.isdigit())


def _apt_install(package: str) -> None:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    print(f"installing {package} with apt-get …", flush=True)
    for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-qq", "-y", package]):
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0 and "install" in command:
            raise ProgramMissing(f"apt-get could not install {package}: {done.stderr.strip()[-400:]}")
