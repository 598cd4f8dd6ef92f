"""A release, built in a copy of this repository's files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[3]
PYTHON = ".".join(str(part) for part in sys.version_info[:2])
COMMITTED = "2026-01-02T03:04:05+00:00"
SETS = ("core", "enrollment", "cloud", "push", "tools")


def run(*command: str | Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """What a program prints; its failure is the test's."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-4000:]}"
    return done.stdout


class Release:
    """A checkout in a folder of its own, and what is built there.

    :param folder: empty
    """

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "tree"
        self.dist = self.tree / "dist"
        self.wheelhouse = self.dist / "wheelhouse"
        self._check_out()

    def _check_out(self) -> None:
        """The files as they are now, committed there."""
        listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT)
        for name in listed.splitlines():
            if (ROOT / name).is_file():
                (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, self.tree / name)
                shutil.copymode(ROOT / name, self.tree / name)
        moments = {"GIT_AUTHOR_DATE": COMMITTED, "GIT_COMMITTER_DATE": COMMITTED}
        someone = ("-c", "user.name=release", "-c", "user.email=release@bank.example")
        run("git", "init", "--quiet", cwd=self.tree)
        run("git", "add", "--all", cwd=self.tree)
        run("git", *someone, "commit", "--quiet", "--message", "release", cwd=self.tree, environment=moments)

    def build(self) -> None:
        """`make dist`."""
        run(sys.executable, "scripts/dist.py", cwd=self.tree)

    def fetch_wheels(self, python: str = PYTHON) -> None:
        """The wheels of others, for a Python."""
        run(sys.executable, "scripts/wheelhouse.py", self.wheelhouse, "--python", python, cwd=self.tree)

    def install(self, locked: str, folder: Path) -> Path:
        """Install a set as docs/packages.md says; the environment's Python."""
        wanted = ("--require-hashes", "--no-deps", "-r", self.dist / f"requirements/{locked}.txt")
        return self.install_by_pip(folder, *wanted)

    def install_by_pip(self, folder: Path, *wanted: str | Path) -> Path:
        """Install into a new environment what stands in the release's folder; the environment's Python."""
        run(sys.executable, "-m", "venv", "--without-pip", folder)
        links = ("--no-index", "--find-links", self.dist, "--find-links", self.wheelhouse)
        pip = (sys.executable, "-m", "pip", "--python", folder / "bin/python", "--disable-pip-version-check")
        run(*pip, "install", "--quiet", "--no-compile", *links, *wanted)
        return folder / "bin/python"
