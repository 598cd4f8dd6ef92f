"""Releases that were: what they are called, and their code as it was."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from powerauth_cli.separate import SeparateProcesses
from powerauth_push.callers.rules import EVERYTHING, Scope

ROOT = Path(__file__).parents[3]
SERVICES = ("core", "cloud", "push")
_LOCK = Path("requirements/runtime.txt")


@dataclass(frozen=True)
class Release:
    """A release.

    :ivar commit: its last one
    :ivar schema: last revision by service
    :ivar drains: whether its services, told to stop, let kept-alive connections bring one more request
    """

    version: str
    commit: str
    schema: dict[str, str]
    drains: bool


def releases() -> list[Release]:
    """All that ``releases.toml`` names, newest first."""
    return [Release(**each) for each in tomllib.loads((ROOT / "releases.toml").read_text())["releases"]]


def is_known(release: Release) -> bool:
    """Whether its commit is in this clone; one that is not is asked for."""
    return _git("cat-file", "-e", f"{release.commit}^{{commit}}") or _git(
        "fetch", "--quiet", "--depth", "1", "origin", release.commit
    )


def _git(*arguments: str) -> bool:
    git = shutil.which("git")
    return (
        git is not None
        and not subprocess.run([git, *arguments], cwd=ROOT, capture_output=True, check=False).returncode
    )


def taken_out(release: Release, folder: Path) -> dict[str, str]:
    """Put a release's code into a folder.

    A clone without its history cannot: where nobody looks at what was passed over (``CI``) that is a failure.

    :return: environment variables with which this Python runs it
    """
    if not is_known(release):
        reason = f"the commit of release {release.version} is not in this clone: git fetch --unshallow"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    archive = folder / "release.tar"
    assert _git("archive", "--format=tar", f"--output={archive}", release.commit)
    shutil.unpack_archive(archive, folder, filter="data")
    sources = [*folder.glob("libs/*/src"), *folder.glob("services/*/src"), folder / "tools/cli/src"]
    if not _pins(folder) <= _pins(ROOT):
        sources.append(_packages_of(folder))
    return {"PYTHONPATH": os.pathsep.join(map(str, sources))}


def _pins(folder: Path) -> set[str]:
    """What is locked, each ``name==version``."""
    return set(re.findall(r"^[\w.\[\]-]+==\S+", (folder / _LOCK).read_text(), re.MULTILINE))


def _packages_of(folder: Path) -> Path:
    """Its locked dependencies, where they are not ours."""
    subprocess.run(
        ["scripts/venv.sh", "runtime"], cwd=folder, env=os.environ | {"PYTHON": sys.executable}, check=True
    )
    own = sysconfig.get_path("purelib", vars={"base": str(folder / ".venv")})
    return Path(own)


class EarlierStack(SeparateProcesses):
    """A stack of an earlier release, whose databases only its own commands know.

    :param release: environment variables that run it; other parameters as of `SeparateProcesses`
    """

    def __init__(
        self, postgres_url: str, release: dict[str, str], settings: dict[str, str], **more: Any
    ) -> None:
        super().__init__(postgres_url, settings=settings | release, **more)
        self._release = release

    async def core_credentials(self, name: str, door: str) -> tuple[str, str]:
        """By ``powerauth integration create``."""
        database = {"CORE_DATABASE_URL": self.core_database_url}
        told = await command("integration", "create", name, "--door", door, **database, **self._release)
        made = json.loads(told)
        return made["clientToken"], made["clientSecret"]

    async def push_credentials(self, name: str, scopes: Collection[Scope] = EVERYTHING) -> tuple[str, str]:
        """By ``powerauth push caller create``."""
        database = {"PUSH_DATABASE_URL": self.push_database_url}
        chosen = ("--scopes", ",".join(sorted(scope.value for scope in scopes)))
        told = await command("push", "caller", "create", name, *chosen, **database, **self._release)
        if not told.startswith("{"):  # as 0.1.0 says it
            token, secret = (line.partition(": ")[2] for line in told.splitlines())
            return token, secret
        made = json.loads(told)
        return made["clientToken"], made["clientSecret"]


async def command(*arguments: str, **environment: str) -> str:
    """The output of a ``powerauth`` command that must succeed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "powerauth_cli", *arguments),
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, arguments
    return told.decode()
