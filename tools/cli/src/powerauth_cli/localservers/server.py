"""What all private servers have in common: start, wait, stop, and a folder that goes with them."""

import os
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from servicekit.tls.contexts import TlsFiles

_START_SECONDS = 300
_PAUSE_SECONDS = 0.05


class LocalServer(ABC):
    """A server on a free loopback port with its files in a temporary folder.

    `stop()` and `start()` may be called repeatedly on one object: the folder survives until `close()`, as it
    does when a real server restarts.

    :cvar title: what an error calls it
    """

    title: ClassVar[str]

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self.port = 0

    @property
    @abstractmethod
    def url(self) -> str:
        """Where a client finds it."""

    def start(self) -> Self:
        """Start it and wait until it accepts connections.

        :raises ProgramMissing: when the program is not there.
        :raises RuntimeError: when it does not come up; the text holds the end of its log.
        """
        self._launch()
        self._wait_until_ready()
        return self

    def stop(self) -> None:
        """Stop it at once, keeping its folder: what a crash looks like to its clients."""
        if self._process is not None:
            self._end(self._process)
            self._process.wait(timeout=_START_SECONDS)
            self._process = None

    def close(self) -> None:
        """Stop it and delete its folder."""
        self.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def _launch(self) -> None:
        """Make the folder, if there is none, and run the program."""

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGKILL)

    def _is_ready(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def _run(
        self,
        folder: Path,
        command: Sequence[str | Path],
        *,
        owner: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Run the program in its folder, in a process group of its own where `environment` is given."""
        with (folder / "console").open("wb") as console:
            self._process = subprocess.Popen(  # noqa: S603
                command,
                stdout=console,
                stderr=console,
                cwd=folder,
                user=owner,
                env=environment,
                start_new_session=environment is not None,
            )

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        assert self._folder is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if self._is_ready():
                return
            time.sleep(_PAUSE_SECONDS)
        tail = (self._folder / "console").read_text(errors="replace")[-2000:]
        self.close()
        raise RuntimeError(f"{self.title} did not start:\n{tail}")


def own_files(folder: Path, files: TlsFiles, owner: str | None) -> TlsFiles:
    """Copies in a server's folder, which only it can read.

    :param owner: who the server runs as; None: the current user
    """
    copies = []
    for path in (files.certificate, files.key, files.authorities):
        assert path is not None
        copy = Path(shutil.copy(path, folder / path.name))
        copy.chmod(0o600)
        if owner is not None:
            shutil.chown(copy, owner)
        copies.append(copy)
    return TlsFiles(*copies)


def unprivileged_owner() -> str | None:
    """Who runs servers that refuse to run as root; None: the current user."""
    return "postgres" if os.geteuid() == 0 else None
