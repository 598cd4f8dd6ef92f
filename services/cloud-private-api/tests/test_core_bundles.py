"""Calls of the core that are made at the same time go together; each is answered, or refused, for itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest
from cloud_client import settings_of
from cloud_fake_core import ROOT, FakeCore
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from cloud_private_api.app import build
from cloud_private_api.core_client import CoreClient
from powerauth_contracts.rest import applications, operations
from powerauth_contracts.rest.table import BUNDLE
from powerauth_contracts.texts import CoreRefused
from servicekit.bundles import read_calls, write_answer
from servicekit.serving import BackgroundServer


class BundlingCore:
    """The scripted core over the network; remembers the bundles."""

    def __init__(self, core: FakeCore) -> None:
        self._core = core
        self.bundles: list[list[str]] = []

    @property
    def app(self) -> Starlette:
        """The core over HTTP."""
        return Starlette(
            routes=[Route(ROOT + BUNDLE, self._bundle, methods=["POST"]), Mount("/", self._core)]
        )

    async def _bundle(self, request: Request) -> Response:
        calls = read_calls(await request.body())
        self.bundles.append([call.path for call in calls])
        lines = []
        for number, path, _, body in calls:
            asked = json.loads(body)["requestObject"]
            name = path.removeprefix("/rest/v3/")
            status, answer = self._core.answer(name, asked, dict(request.headers))
            lines.append(write_answer(number, status, None, answer))
        return Response(b"".join(lines))


@pytest.fixture
def bundling(core: FakeCore) -> BundlingCore:
    return BundlingCore(core)


@pytest.fixture
async def client(bundling: BundlingCore) -> AsyncGenerator[CoreClient]:
    """The client as the service makes it, over the network."""
    async with BackgroundServer(bundling.app) as server:
        cloud = build(settings_of("sqlite://", core_url=f"{server.url}{ROOT}"))
        yield cloud.core
        await cloud.core.close()
        cloud.passwords.close()
        await cloud.database.dispose()


async def test_calls_made_together_go_together(
    core: FakeCore, client: CoreClient, bundling: BundlingCore
) -> None:
    core.application("app-a")
    core.template("login")
    made, refused, listed = await asyncio.gather(
        client.ask(operations.CREATE, applications=["app-a"], template_name="login", user_id="u"),
        client.ask(operations.DETAIL, operation_id="unknown"),
        client.ask(applications.LIST),
        return_exceptions=True,
    )
    assert isinstance(made, operations.OperationDetailResponse)
    assert isinstance(refused, CoreRefused)
    assert isinstance(listed, applications.ListApplicationsResponse)
    assert bundling.bundles == [[operations.CREATE.path, operations.DETAIL.path]], "hot calls only"


async def test_a_call_without_company_is_an_ordinary_request(
    core: FakeCore, client: CoreClient, bundling: BundlingCore
) -> None:
    with pytest.raises(CoreRefused):
        await client.ask(operations.DETAIL, operation_id="unknown")
    assert (bundling.bundles, core.paths()) == ([], ["operation/detail"])
