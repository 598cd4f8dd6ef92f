"""The `powerauth` command, and what it says."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from e2e_forks import ForkedCommand

COMMAND = ForkedCommand()


def powerauth(
    *arguments: object, typed: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own.

    :param typed: what it reads from its standard input
    """
    settings = os.environ | {"COLUMNS": "200"} | environment
    return COMMAND.run([str(argument) for argument in arguments], settings, typed)


def answer_of(done: subprocess.CompletedProcess[str]) -> Any:
    """What a command printed, which is all of its standard output."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def told(done: subprocess.CompletedProcess[str], status: int) -> list[str]:
    """The lines of a command that did not do what was asked."""
    assert (done.returncode, done.stdout) == (status, "")
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()
