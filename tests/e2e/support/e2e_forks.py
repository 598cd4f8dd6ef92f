"""The `powerauth` command, many times: each in a process of its own that needs no imports any more.

What is forked goes on as ``python -m powerauth_cli`` does after its imports, with the arguments, environment,
folder and standard streams that it is given, and ends as that ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from tempfile import TemporaryDirectory
from typing import Any

_STREAMS = ("stdin", "stdout", "stderr")
_PACKAGES = (
    "powerauth_cli.",
    "powerauth_core.",
    "enrollment.",
    "cloud_private_api.",
    "powerauth_push.",
    "servicekit.",
)
# What Alembic runs, what pytest loads, and the commands themselves.
_NOT_IMPORTED = ("migrations.", ".testing", "__main__")


class ForkedCommand:
    """Runs one command at a time. The process to fork from is started for the first one."""

    def __init__(self) -> None:
        self._zygote: subprocess.Popen[str] | None = None

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], typed: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """The command in this process's folder.

        :param typed: what it reads from its standard input
        """
        with TemporaryDirectory() as folder:
            streams = {name: Path(folder, name) for name in _STREAMS}
            streams["stdin"].write_text(typed or "")
            status = self._ask(
                {
                    "arguments": ["powerauth", *arguments],
                    "environment": dict(environment),
                    "folder": os.getcwd(),
                    "streams": [str(path) for path in streams.values()],
                }
            )
            said = [streams[name].read_text() for name in ("stdout", "stderr")]
        return subprocess.CompletedProcess(arguments, status, *said)

    def close(self) -> None:
        """End the process to fork from."""
        if self._zygote is not None:
            self._zygote.communicate()

    def _ask(self, call: Mapping[str, object]) -> int:
        if self._zygote is None:
            pipe = subprocess.PIPE
            self._zygote = subprocess.Popen([sys.executable, __file__], stdin=pipe, stdout=pipe, text=True)
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write(json.dumps(call) + "\n")
        self._zygote.stdin.flush()
        return int(self._zygote.stdout.readline())


def _become(call: Mapping[str, Any]) -> None:
    os.chdir(call["folder"])
    os.environ.clear()
    os.environ.update(call["environment"])
    for number, path in enumerate(call["streams"]):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
    sys.argv = call["arguments"]
    import_module("powerauth_cli.main").app()


def _fork_on_request() -> None:
    for package in _PACKAGES:
        for module in walk_packages(import_module(package[:-1]).__path__, package):
            if not any(part in module.name for part in _NOT_IMPORTED):
                import_module(module.name)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            _become(json.loads(line))
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _fork_on_request()
