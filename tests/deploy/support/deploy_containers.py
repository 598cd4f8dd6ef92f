"""Containers of an OCI runtime: as an orchestrator would run them, on this machine's network."""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx2
from deploy_images import Images, tool

from servicekit.testing import PATIENCE_SECONDS

NOTHING: dict[str, list[str]] = {
    kind: [] for kind in ("bounding", "effective", "inheritable", "permitted", "ambient")
}
"""No capability of the kernel."""


def bundle_of(
    images: Images, name: str, environment: dict[str, str], arguments: tuple[str, ...]
) -> dict[str, Any]:
    """What a runtime reads: an image as it is, its file system read-only, with no place to write to."""
    image = images.configuration(name)
    user, group = (int(part) for part in image["User"].split(":"))
    of_the_image = dict(each.split("=", 1) for each in image["Env"])
    variables = [f"{key}={value}" for key, value in {**of_the_image, **environment}.items()]
    return {
        "ociVersion": "1.0.2",
        "root": {"path": str(images.root_of(name)), "readonly": True},
        "process": {
            "user": {"uid": user, "gid": group},
            "cwd": image["WorkingDir"],
            "args": [*image["Entrypoint"], *arguments],
            "env": variables,
            "capabilities": NOTHING,
            "noNewPrivileges": True,
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {
                "destination": "/dev",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["ro", "nosuid", "mode=755"],
            },
        ],
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")]},
    }


class Container:
    """An image at work.

    :param environment: settings beside those that the image has
    :param arguments: of its entry point
    """

    def __init__(self, images: Images, name: str, environment: dict[str, str], *arguments: str) -> None:
        self.id = f"{name}-{token_hex(4)}"
        self._image = images.configuration(name)
        self._temporary = tempfile.TemporaryDirectory(prefix=f"{name}-")
        self._folder = Path(self._temporary.name)
        bundle = bundle_of(images, name, environment, arguments)
        (self._folder / "config.json").write_text(json.dumps(bundle))
        self._process: asyncio.subprocess.Process | None = None

    def _runc(self, *arguments: str) -> list[str]:
        return [str(tool("runc")), "--root", str(self._folder / "state"), *arguments]

    async def start(self) -> None:
        """Run it; what it says goes where the test's output goes."""
        command = self._runc("run", "--bundle", str(self._folder), self.id)
        self._process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL)

    def output(self) -> str:
        """Run it to its end: what it printed.

        :raises AssertionError: it failed
        """
        command = self._runc("run", "--bundle", str(self._folder), self.id)
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def is_healthy(self) -> bool:
        """What the image's own health check says, run inside."""
        check = self._image["Healthcheck"]["Test"]
        assert check[0] == "CMD", "a health check must not need a shell"
        command = self._runc("exec", self.id, *check[1:])
        return subprocess.run(command, check=False).returncode == 0

    async def ready(self, url: str) -> None:
        """Wait until it says so.

        :raises AssertionError: it ended, or is not ready in time
        """
        async with asyncio.timeout(PATIENCE_SECONDS), httpx2.AsyncClient() as http:
            while True:
                assert self._process is not None
                assert self._process.returncode is None, f"{self.id} ended"
                try:
                    if (await http.get(url)).status_code == 200:
                        return
                except httpx2.TransportError:
                    await asyncio.sleep(0.1)

    async def stop(self) -> int:
        """Send the image's stop signal and wait; the exit status."""
        assert self._process is not None
        if self._process.returncode is None:
            command = self._runc("kill", self.id, self._image["StopSignal"])
            await asyncio.to_thread(subprocess.run, command, check=True)
        return await self._process.wait()
