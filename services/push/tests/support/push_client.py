"""The service under test, and clients of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx2
from fastapi import FastAPI
from push_fake_core import ROOT, SECRET, USER, FakeCore
from push_fake_providers import FakeProviders
from pydantic import SecretStr
from sqlalchemy import text

from powerauth_push.callers import service as callers
from powerauth_push.callers.rules import EVERYTHING, Scope
from powerauth_push.container import Push
from powerauth_push.settings import PushSettings

BASE = "http://push.test/powerauth-push-server"
MASTER_KEY = "MTIzNDU2Nzg5MDEyMzQ1Ng=="


class Client:
    """A caller of the service."""

    def __init__(self, app: FastAPI, auth: tuple[str, str] | None, **headers: str) -> None:
        credentials = None if auth is None else httpx2.BasicAuth(*auth)
        self.http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app), base_url=BASE, auth=credentials, headers=headers
        )

    async def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **query: Any
    ) -> httpx2.Response:
        """One request, with a JSON body if there is one."""
        return await self.http.request(method, path, json=body, params=query or None, headers=headers)

    async def ok(
        self, method: str, path: str, asked: Any = None, headers: dict[str, str] | None = None, **query: Any
    ) -> Any:
        """A request object that is answered; the response object."""
        body = None if asked is None else {"requestObject": asked}
        response = await self.send(method, path, body, headers, **query)
        assert response.status_code == 200, response.text
        content = response.json()
        assert content["status"] == "OK"
        return content.get("responseObject")

    async def refused(
        self,
        method: str,
        path: str,
        asked: Any = None,
        headers: dict[str, str] | None = None,
        **query: Any,
    ) -> tuple[int, str]:
        """A request object that is refused; status and code."""
        body = None if asked is None else {"requestObject": asked}
        response = await self.send(method, path, body, headers, **query)
        content = response.json()
        assert content["status"] == "ERROR", content
        return response.status_code, content["responseObject"]["code"]


@dataclass(frozen=True)
class Service:
    """The service with its scripted core."""

    app: FastAPI
    push: Push
    core: FakeCore
    providers: FakeProviders

    def anonymous(self, **headers: str) -> Client:
        """A client without credentials."""
        return Client(self.app, None, **headers)

    async def caller(self, name: str, *scopes: Scope) -> Client:
        """A new caller; unless scopes are named, one that may do what the cloud may."""
        made = await callers.create(self.push.database, name, scopes or EVERYTHING)
        assert made is not None
        return Client(self.app, (made.client_token, made.client_secret))


def settings_of(database_url: str, **changed: Any) -> PushSettings:
    """Settings for a service in this process."""
    return PushSettings(
        **{
            "environment": "test",
            "database_url": SecretStr(database_url),
            "database_pool_size": 8,
            "migrate_on_start": False,
            "core_url": f"http://core.test{ROOT}",
            "core_username": USER,
            "core_password": SecretStr(SECRET),
            "master_encryption_key": SecretStr(MASTER_KEY),
            "registration_retry_backoff_ms": 1,
            "request_log": False,
            "jobs_enabled": False,
            **changed,
        }
    )


async def waiting_for_locks(service: Service, number: int) -> None:
    """Return once so many transactions wait for others."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    found = 0
    while found < number:
        async with service.push.database.read() as session:
            found = await session.scalar(waiting) or 0
