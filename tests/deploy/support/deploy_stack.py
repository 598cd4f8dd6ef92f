"""The four services as containers, on PostgreSQL and RabbitMQ of the test run, set up by the tools image."""

from __future__ import annotations

import asyncio
import json
import os
from base64 import b64encode
from dataclasses import dataclass, field
from secrets import token_bytes, token_hex

from deploy_containers import Container
from deploy_images import Images

from powerauth_cli.credentials import ADMINISTRATOR, hashed_password, new_password
from powerauth_cli.separate import new_database
from servicekit.serving import free_port

PATHS = {
    "core": "/powerauth-java-server",
    "push": "/powerauth-push-server",
    "enrollment": "/enrollment-server",
    "cloud": "/powerauth-cloud",
}
"""The services in the order in which they start."""
_AT_REST = ("integration", "create", "--door", "rest")
_IN_THE_DMZ = ("integration", "create", "--door", "dmz")
_AT_PUSH = ("push", "caller", "create")


def server(variable: str) -> str:
    """Address of one of the test run's servers."""
    url = os.environ.get(variable)
    assert url, f"{variable} is not set; run the tests by `make test-deploy`"
    return url


@dataclass
class Service:
    """A service to be: where it answers and what it is told."""

    name: str
    settings: dict[str, str]
    port: int = field(default_factory=free_port)
    management_port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATHS[self.name]}"

    @property
    def readiness(self) -> str:
        return f"http://127.0.0.1:{self.management_port}/actuator/health/readiness"

    @property
    def environment(self) -> dict[str, str]:
        """What it is told by variables with its prefix."""
        ports = {"PORT": str(self.port), "MANAGEMENT_PORT": str(self.management_port)}
        prefix = self.name.upper()
        return {f"{prefix}_{key}": value for key, value in {**ports, **self.settings}.items()}


class Stack:
    """Containers of all services, all in production as their images say.

    :param images: built
    """

    def __init__(self, images: Images) -> None:
        self._images = images
        self.services: dict[str, Service] = {}
        self.containers: dict[str, Container] = {}
        self.admin = (ADMINISTRATOR, new_password())

    async def start(self) -> None:
        """Make the databases, migrate, make callers, and start one service after the other."""
        suffix = token_hex(4)
        for name in ("core", "push", "cloud"):
            self.services[name] = Service(name, await self._with_database(f"{name}_{suffix}"))
        # The demo shows how the original counts.
        self.services["core"].settings["COUNT_ONLY_OWN_DEVICE"] = "false"
        for name in ("core", "push"):
            key = b64encode(token_bytes(16)).decode()
            self.services[name].settings["MASTER_ENCRYPTION_KEY"] = key
        for name in ("core", "push", "cloud"):
            await self._told("db", "migrate", name)
        await self._introduce()
        for name in PATHS:
            await self._run(self.services[name])

    async def _with_database(self, name: str) -> dict[str, str]:
        url = await new_database(server("TEST_POSTGRES_URL"), name)
        return {"DATABASE_URL": url, "BUS_URL": server("TEST_RABBITMQ_URL")}

    async def _introduce(self) -> None:
        """Tell each service where the others are, and give it credentials there."""
        core, push, cloud = (self.services[name] for name in ("core", "push", "cloud"))
        at_core, at_push = {"CORE_URL": core.url}, {"PUSH_URL": push.url}
        push.settings |= at_core | await self._caller("CORE_USERNAME", "CORE_PASSWORD", *_AT_REST, "push")
        cloud.settings |= at_core | await self._caller("CORE_USERNAME", "CORE_PASSWORD", *_AT_REST, "cloud")
        cloud.settings |= at_push | await self._caller("PUSH_USERNAME", "PUSH_PASSWORD", *_AT_PUSH, "cloud")
        cloud.settings |= {
            "ADMIN_USERNAME": self.admin[0],
            "ADMIN_PASSWORD_ENCODED": hashed_password(self.admin[1]),
        }
        phones = at_core | await self._caller(
            "CORE_CLIENT_TOKEN", "CORE_CLIENT_SECRET", *_IN_THE_DMZ, "enrollment"
        )
        phones |= at_push | await self._caller(
            "PUSH_CLIENT_TOKEN", "PUSH_CLIENT_SECRET", *_AT_PUSH, "enrollment", "--scopes", "enrollment"
        )
        self.services["enrollment"] = Service("enrollment", phones)

    async def _caller(self, token: str, secret: str, *command: str) -> dict[str, str]:
        """The credentials that a command prints, under the names of two settings."""
        made = json.loads(await self._told(*command))
        return {token: made["clientToken"], secret: made["clientSecret"]}

    async def _told(self, *arguments: str) -> str:
        """What a command of the tools image prints."""
        environment = {
            key: value for service in self.services.values() for key, value in service.environment.items()
        }
        container = Container(self._images, "powerauth-tools", environment, *arguments)
        return await asyncio.to_thread(container.output)

    async def _run(self, service: Service) -> None:
        container = Container(self._images, f"powerauth-{service.name}", service.environment)
        self.containers[service.name] = container
        await container.start()
        await container.ready(service.readiness)
        await container.ready(f"{service.url}/actuator/health/liveness")

    async def stop(self) -> None:
        """Stop whatever still runs."""
        for container in reversed(self.containers.values()):
            await container.stop()
