"""Services that reach the core over TLS, each by its own door and with its own certificate."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

import cloud_private_api.app
import enrollment.app
import powerauth_core.app
import powerauth_push.app
from cloud_private_api.settings import CloudSettings
from enrollment.settings import EnrollmentSettings
from powerauth_contracts.enums import IntegrationKind
from powerauth_contracts.rest import applications
from powerauth_core.integrations.service import ensure_integration
from powerauth_core.settings import CoreSettings
from powerauth_push.core_client import CoreAway
from powerauth_push.settings import PushSettings
from servicekit.authority import Authority
from servicekit.calls.client import RemoteUnavailable
from servicekit.doors import doors_of
from servicekit.serving import BackgroundServer

pytestmark = pytest.mark.e2e


@dataclass
class Doors:
    """A running core, on two ports.

    :ivar rest: address for cloud and push, whose certificates are let in there
    :ivar dmz: address for enrollment, whose certificate is let in there
    """

    rest: str
    dmz: str
    authority: Authority
    credentials: dict[IntegrationKind, tuple[str, str]]

    def shown(self, name: str) -> dict[str, Any]:
        """Settings of a service with this name in its certificate."""
        files = self.authority.issue(name, [f"{name}.bank"])
        return {
            "internal_ca_path": files.authorities,
            "internal_certificate_path": files.certificate,
            "internal_key_path": files.key,
        }


@pytest.fixture(scope="module")
async def doors(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Doors]:
    folder = tmp_path_factory.mktemp("two-ports")
    authority = Authority(folder)
    files = authority.issue("core")
    settings = CoreSettings(
        database_url=f"sqlite+aiosqlite:///{folder}/core.sqlite3",
        dmz_port=0,
        tls_certificate_path=files.certificate,
        tls_key_path=files.key,
        tls_client_ca_path=files.authorities,
        tls_client_names=("cloud.bank", "push.bank"),
        dmz_tls_client_names=("enrollment.bank",),
    )
    app = powerauth_core.app.create_app(settings)
    async with AsyncExitStack() as stack:
        inside, outside = [
            (await stack.enter_async_context(_served(door))).url + settings.root_path
            for door in doors_of(app, settings)
        ]
        made = {kind: await ensure_integration(app.state.core, kind, kind) for kind in IntegrationKind}
        credentials = {kind: (one.client_token, one.client_secret) for kind, one in made.items()}
        yield Doors(inside, outside, authority, credentials)


def _served(door: Any) -> BackgroundServer:
    return BackgroundServer(door.app, settings=door.settings, tls=door.context())


@pytest.mark.parametrize(
    ("door", "name", "works"),
    [("dmz", "enrollment", True), ("rest", "enrollment", False), ("dmz", "cloud", False)],
)
async def test_enrollment_has_one_door(doors: Doors, door: str, name: str, works: bool) -> None:
    token, secret = doors.credentials[IntegrationKind.DMZ]
    app = enrollment.app.create_app(
        EnrollmentSettings(
            core_url=getattr(doors, door),
            core_client_token=token,
            core_client_secret=secret,
            **doors.shown(name),
        )
    )
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://enrollment"
    ) as client:
        answer = await client.get("/enrollment-server/actuator/health/readiness")
    assert answer.status_code == (200 if works else 503)


async def test_cloud_and_push_have_the_other(doors: Doors) -> None:
    username, password = doors.credentials[IntegrationKind.REST]
    for name, works in (("cloud", True), ("enrollment", False)):
        given: dict[str, Any] = {
            "core_url": doors.rest,
            "core_username": username,
            "core_password": password,
            **doors.shown(name),
        }
        cloud = cloud_private_api.app.build(CloudSettings(**given))
        push = powerauth_push.app.build(PushSettings(**given))
        if works:
            await cloud.core.check()
            await push.core.ask(applications.LIST)
        else:
            with pytest.raises(RemoteUnavailable):
                await cloud.core.check()
            with pytest.raises(CoreAway):
                await push.core.ask(applications.LIST)
        await cloud.core.close()
        await push.core.close()
