"""A machine that follows a page of docs/: its commands run, and what they start by units are processes here.

Root, users and the service manager are played: a unit's command runs with its variables, the files of its
`EnvironmentFile=` and its credentials, in folders of the test, on addresses of its own.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from e2e_commands import powerauth

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""What everybody can run; blocks that say ``sh root`` need what a machine has only once."""
ADDRESSES = "127.0.77."
_ELSEWHERE = ("/etc/", "/opt/powerauth/", "/var/lib/")


def blocks_of(page: str) -> list[str]:
    """The blocks of a page that are run, in order."""
    return BLOCK.findall((ROOT / "docs" / page).read_text())


class Machine:
    """Its files are below a folder, its loopback addresses are those of a network of its own.

    :param network: third byte of its addresses
    :param environment: variables of every command
    :param replaced: texts of the commands, and what is meant here
    """

    def __init__(
        self, root: Path, network: int, environment: Mapping[str, str], replaced: Mapping[str, str]
    ) -> None:
        self.root = root
        self._network = network
        self._environment = os.environ | dict(environment)
        self._replaced = dict(replaced)
        self._serving: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, block: str) -> str:
        """The lines of a block, one after the other; what they printed.

        :raises AssertionError: one failed
        """
        said = ""
        for line in block.replace("\\\n", " ").splitlines():
            command = self._here(line.partition(" #")[0])
            if command.startswith("systemctl "):
                said += self._service_manager(command.split()[1:])
            elif command.startswith("powerauth "):
                said += self._powerauth(shlex.split(command)[1:], {})
            else:
                said += self._shell(command, {})
        return said

    def knows(self, environment: Mapping[str, str]) -> None:
        """Give all further commands these variables too."""
        self._environment |= environment

    def stop(self, *units: str) -> list[int]:
        """Tell these services to stop, or all; their exit statuses."""
        stopping = [self._serving.pop(unit) for unit in units or list(self._serving)]
        for process in stopping:
            process.terminate()
        return [process.wait() for process in stopping]

    def _here(self, text: str) -> str:
        for there in _ELSEWHERE:
            text = re.sub(rf"(?<![\w/.]){there}", f"{self.root}{there}", text)
        for there, here in self._replaced.items():
            text = text.replace(there, here)
        return text.replace(ADDRESSES, f"127.0.{self._network}.")

    def _shell(self, command: str, environment: Mapping[str, str]) -> str:
        done = subprocess.run(
            ["sh", "-e", "-c", command],
            cwd=ROOT,
            env=self._environment | dict(environment),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _powerauth(self, arguments: list[str], environment: Mapping[str, str]) -> str:
        done = powerauth(*arguments, **self._environment | dict(environment))
        assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _service_manager(self, words: list[str]) -> str:
        verb, *units = (word for word in words if not word.startswith("-"))
        if verb == "stop":
            assert self.stop(*units) == [0] * len(units)
            return ""
        return "".join(self._start(unit) for unit in units if ".timer" not in unit)

    def _start(self, unit: str) -> str:
        name, _, instance = unit.partition("@")
        file = f"{name}@.service" if instance else f"{name}.service"
        written = (self.root / "etc/systemd/system" / file).read_text()
        folder = self.root / "credentials" / unit
        folder.mkdir(parents=True, exist_ok=True)
        for there, here in (("%i", instance), ("%d", str(folder)), ("%S", "/var/lib")):
            written = written.replace(there, here)
        lines = [line.partition("=")[::2] for line in written.splitlines() if "=" in line]
        environment: dict[str, str] = {}
        said = ""
        for key, value in lines:
            if key == "EnvironmentFile":
                environment |= _variables(self._here(Path(self._here(value)).read_text()))
            elif key == "Environment":
                environment |= _variables("\n".join(value.split()))
            elif key == "LoadCredential":
                credential, _, source = value.partition(":")
                (folder / credential).write_text(Path(self._here(source)).read_text())
            elif key == "ExecStart":
                said += self._execute(unit, self._here(value) if "/bin/" not in value else value, environment)
        return said

    def _execute(self, unit: str, command: str, environment: Mapping[str, str]) -> str:
        program, *arguments = command.split()
        if program.endswith("/bin/python"):
            with (self.root / f"{unit}.log").open("wb") as log:
                self._serving[unit] = subprocess.Popen(
                    [sys.executable, *arguments],
                    env=self._environment | dict(environment),
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            return ""
        if program.endswith("/bin/powerauth"):
            return self._powerauth([self._here(argument) for argument in arguments], environment)
        return self._shell(self._here(command), environment)


def _variables(text: str) -> dict[str, str]:
    pairs = (line.partition("=")[::2] for line in text.splitlines() if "=" in line and line[0] != "#")
    return dict(pairs)
