"""The core's API as tests call it: a client of one door in this process, and an application in the core."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
from fastapi import FastAPI

from powerauth_contracts.enums import IntegrationKind
from powerauth_core.container import Core
from powerauth_core.integrations.service import ensure_integration
from powerauth_core.settings import CoreSettings
from powerauth_sdk.config import App

ROOT = "/powerauth-java-server"


class Api:
    """A client of one door: ``status, body = await api.post("application/create", applicationId="a")``."""

    def __init__(self, app: FastAPI, door: str, credentials: tuple[str, str] | None) -> None:
        self._http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app), base_url=f"http://core{ROOT}", auth=credentials
        )
        self._door = door

    async def post(self, path: str, /, **request_object: Any) -> tuple[int, dict[str, Any]]:
        """Call with a request object; status and decoded body."""
        response = await self.send(path, json.dumps({"requestObject": request_object}).encode())
        return response.status_code, response.json()

    async def ok(self, path: str, /, **request_object: Any) -> Any:
        """Call, expect success, return the response object."""
        status, body = await self.post(path, **request_object)
        assert (status, body["status"]) == (200, "OK"), body
        return body.get("responseObject")

    async def call(self, path: str, request_object: Mapping[str, Any]) -> dict[str, Any]:
        """The core as devices see it: path and request object in, response object out."""
        answer: dict[str, Any] = await self.ok(path, **request_object)
        return answer

    async def error(self, path: str, /, **request_object: Any) -> str:
        """Call, expect a refusal by the core, return its code."""
        status, body = await self.post(path, **request_object)
        assert (status, body["status"]) == (400, "ERROR"), body
        code: str = body["responseObject"]["code"]
        return code

    async def send(
        self, path: str, content: bytes, *, method: str = "POST", **headers: str
    ) -> httpx2.Response:
        """Call with these bytes; ``path`` is relative to the door, or absolute inside the context path."""
        url = path if path.startswith("/") else f"{self._door}/{path}"
        return await self._http.request(
            method, url, content=content, headers={"Content-Type": "application/json"} | headers
        )

    async def close(self) -> None:
        """Close the client."""
        await self._http.aclose()


@dataclass(frozen=True, slots=True)
class TestApplication:
    """An application that exists in the core, with its version ``default``."""

    __test__ = False

    application_id: str
    application_key: str
    application_secret: str = field(repr=False)
    master_public_key: str

    @property
    def app(self) -> App:
        """As an app carries it."""
        texts = (self.application_key, self.application_secret, self.master_public_key)
        return App.of(self.application_id, *texts)


MakeSettings = Callable[..., CoreSettings]
StartCore = Callable[..., Awaitable[Core]]
Serve = Callable[..., Awaitable[Api]]
NewApplication = Callable[[str], Awaitable[TestApplication]]


async def create_test_application(api: Api, application_id: str) -> TestApplication:
    """Create an application and read what a client of it needs."""
    await api.ok("application/create", applicationId=application_id)
    detail = await api.ok("application/detail", applicationId=application_id)
    version = detail["versions"][0]
    return TestApplication(
        application_id=application_id,
        application_key=version["applicationKey"],
        application_secret=version["applicationSecret"],
        master_public_key=detail["masterPublicKey"],
    )


@asynccontextmanager
async def client_of(app: FastAPI, core: Core, door: str, kind: IntegrationKind) -> AsyncGenerator[Api]:
    """A client of a door, with the credentials of an integration of that kind."""
    credentials = await ensure_integration(core, f"tests-{kind.value}", kind)
    client = Api(app, door, (credentials.client_token, credentials.client_secret))
    try:
        yield client
    finally:
        await client.close()
