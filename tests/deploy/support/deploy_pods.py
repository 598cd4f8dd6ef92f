"""What the chart renders, run on this machine: a pod is a process with its variables, files and arguments."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import ssl
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
from deploy_chart import Resource, containers, of_kind

from powerauth_cli.localservers.programs import free_port

PATIENCE_SECONDS = 120
_ADDRESS = re.compile(r"[a-z-]+-(core|enrollment|cloud|push)\.powerauth\.svc:(\d+)")


class Node:
    """A machine that pods run on.

    :param given: Secrets that the chart does not make, by name
    """

    def __init__(
        self, resources: tuple[Resource, ...], given: Mapping[str, Mapping[str, str]], folder: Path
    ) -> None:
        self._folder = folder
        self._settings = {one["metadata"]["name"]: one["data"] for one in of_kind(resources, "ConfigMap")}
        self._secrets = dict(given) | {
            one["metadata"]["name"]: {
                key: base64.b64decode(value).decode() for key, value in one["data"].items()
            }
            for one in of_kind(resources, "Secret")
        }
        self._ports: dict[tuple[str, str], int] = {}

    def _port(self, service: str, port: str) -> int:
        return self._ports.setdefault((service, port), free_port())

    def _here(self, text: str, root: Path) -> str:
        """A text of a pod with the files and addresses that are this machine's."""
        text = text.replace("/run/", f"{root}/run/")
        return _ADDRESS.sub(lambda match: f"127.0.0.1:{self._port(match[1], match[2])}", text)

    def _mount(self, spec: Resource, root: Path) -> None:
        """Write the files that a pod sees."""
        mounts = {one["name"]: one["mountPath"] for one in spec["containers"][0]["volumeMounts"]}
        for volume in spec["volumes"]:
            if "secret" not in volume:
                continue
            held = self._secrets[volume["secret"]["secretName"]]
            place = root / mounts[volume["name"]].lstrip("/")
            place.mkdir(parents=True)
            for key in [item["key"] for item in volume["secret"].get("items", ())] or held:
                (place / key).write_text(held[key])

    def _environment(self, container: Resource, root: Path) -> dict[str, str]:
        names = [one["configMapRef"]["name"] for one in container.get("envFrom", ())]
        values = {name: value for one in names for name, value in self._settings[one].items()}
        for one in container.get("env", ()):
            reference = one.get("valueFrom", {}).get("secretKeyRef")
            values[one["name"]] = (
                self._secrets[reference["name"]][reference["key"]] if reference else one["value"]
            )
        service = container["name"].upper()
        for name in (f"{service}_PORT", f"{service}_DMZ_PORT", f"{service}_MANAGEMENT_PORT"):
            if name in values:
                values[name] = str(self._port(container["name"], values[name]))
        if f"{service}_HOST" in values:
            values[f"{service}_HOST"] = "127.0.0.1"
        return {name: self._here(value, root) for name, value in values.items()}

    def _start(self, container: Resource, root: Path, *arguments: str) -> Any:
        environment = self._environment(container, root)
        written = [
            self._here(re.sub(r"\$\((\w+)\)", lambda match: environment[match[1]], argument), root)
            for argument in container.get("args", arguments)
        ]
        return asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "powerauth_cli", *written),
            env=os.environ | environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def run(self, name: str, spec: Resource, *arguments: str) -> str:
        """Run a pod that ends, one container after the other; what the last one said.

        :param arguments: a command that is run in a pod which has none of its own
        :raises RuntimeError: one failed
        """
        root = self._folder / name
        self._mount(spec, root)
        said = b""
        for container in containers(spec):
            process = await self._start(container, root, *arguments)
            said, _ = await process.communicate()
            if process.returncode:
                raise RuntimeError(f"{name}, {container['name']}: {said.decode()}")
        return said.decode()

    @contextlib.asynccontextmanager
    async def serving(self, name: str, spec: Resource) -> AsyncIterator[int]:
        """A pod that serves; its management port."""
        (container,) = spec["containers"]
        root = self._folder / name
        self._mount(spec, root)
        process = await self._start(container, root, "serve", container["name"])
        reading = asyncio.create_task(process.stdout.read())
        try:
            yield self._port(container["name"], "9090")
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            await reading


async def ready(port: int, trust: ssl.SSLContext | None) -> None:
    """Wait until a pod is ready, as its probe would.

    :param trust: its certificate's authority; None: it speaks without TLS
    :raises TimeoutError: it does not get ready
    """
    end = time.monotonic() + PATIENCE_SECONDS
    url = f"{'http' if trust is None else 'https'}://127.0.0.1:{port}/actuator/health/readiness"
    async with httpx2.AsyncClient(verify=trust or True) as http:
        while time.monotonic() < end:
            with contextlib.suppress(httpx2.TransportError):
                answer = await http.get(url)
                if answer.status_code == 200:
                    return
            await asyncio.sleep(0.1)
    raise TimeoutError(f"nothing is ready on port {port}")
