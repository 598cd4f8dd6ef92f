"""Cores that start fast: forked from a process that has imported everything, so that many can be killed.

What is forked goes on as ``python -m powerauth_core serve`` does after its imports.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress

import httpx2
from fault_stack import CORE_PATH, until

from powerauth_cli.localservers.programs import free_port
from servicekit.testing import PATIENCE_SECONDS


class ForkedCore:
    """One core at a time on one port, started again and again.

    :param settings: environment variables
    """

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}{CORE_PATH}"
        self._settings = {"CORE_PORT": str(self._port), "CORE_LOG_LEVEL": "WARNING", **settings}
        self._zygote: asyncio.subprocess.Process | None = None
        self._pid = 0

    async def start(self) -> None:
        """Start a core and wait until it is ready."""
        if self._zygote is None:
            pipe = asyncio.subprocess.PIPE
            self._zygote = await asyncio.create_subprocess_exec(
                sys.executable, __file__, stdin=pipe, stdout=pipe
            )
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write(json.dumps(self._settings).encode() + b"\n")
        self._pid = int(await self._zygote.stdout.readline())
        async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as http:

            async def is_ready() -> bool:
                with suppress(httpx2.TransportError):
                    return (await http.get(f"{self.url}/actuator/health/readiness")).status_code == 200
                return False

            await until(is_ready, "the core is ready")

    async def kill(self) -> None:
        """End the core at once, as a crash does."""
        os.kill(self._pid, signal.SIGKILL)
        await until(self._is_gone, "the core is gone")

    async def close(self) -> None:
        """End everything."""
        if self._pid and not self._is_gone():
            await self.kill()
        if self._zygote is not None:
            self._zygote.kill()
            await self._zygote.wait()

    def _is_gone(self) -> bool:
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return True
        return False


def _serve(settings: Mapping[str, str], main: object) -> None:
    os.environ.update(settings)
    sys.argv = ["powerauth_core", "serve"]
    # Standard output is where process ids are told.
    os.dup2(2, 1)
    assert callable(main)
    sys.exit(main())


def _fork_on_request() -> None:
    import asyncpg  # noqa: F401
    import uvicorn  # noqa: F401
    import uvloop  # noqa: F401

    from powerauth_core.__main__ import main
    from servicekit import serving  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _serve(json.loads(line), main)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _fork_on_request()
