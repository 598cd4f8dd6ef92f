"""The service under test with its scripted core, and clients of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2
from cloud_fake_core import ROOT, SECRET, USER, FakeCore
from cloud_fake_push import PUSH_ROOT, PUSH_SECRET, PUSH_USER
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import select

from cloud_private_api.audit_log.models import AuditLog
from cloud_private_api.container import Cloud
from cloud_private_api.passwords import hash_now
from cloud_private_api.settings import CloudSettings
from cloud_private_api.users import repository

BASE = "http://cloud.test/powerauth-cloud"
PASSWORD = "s3cret:with colon é"


class Client:
    """A caller of the service; the core is the one behind the service."""

    def __init__(self, app: FastAPI, core: FakeCore, auth: tuple[str, str] | None, **headers: str) -> None:
        self.core = core
        credentials = None if auth is None else httpx2.BasicAuth(auth[0].encode(), auth[1].encode())
        self.http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app), base_url=BASE, auth=credentials, headers=headers
        )

    async def send(self, method: str, path: str, body: Any = None, **query: Any) -> httpx2.Response:
        """One request, with a JSON body if there is one."""
        return await self.http.request(method, path, json=body, params=query or None)

    async def ok(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """A request that succeeds; the decoded answer."""
        response = await self.send(method, path, body, **query)
        assert response.status_code == 200, response.text
        return response.json()

    async def refused(
        self, method: str, path: str, body: Any = None, *, status: int = 400, code: str, **query: Any
    ) -> dict[str, Any]:
        """A request that is refused with this code; the response object."""
        response = await self.send(method, path, body, **query)
        content = response.json()
        assert (response.status_code, content["responseObject"]["code"]) == (status, code), response.text
        assert content["status"] == "ERROR"
        found: dict[str, Any] = content["responseObject"]
        return found

    async def violation(self, method: str, path: str, body: Any = None, **query: Any) -> str:
        """A request that is refused for one field; its name."""
        found = await self.refused(method, path, body, code="ERROR_REQUEST", **query)
        (violation,) = found["violations"]
        name: str = violation["fieldName"]
        return name


@dataclass(frozen=True)
class Service:
    """The running service."""

    app: FastAPI
    cloud: Cloud
    core: FakeCore

    def client(self, username: str, password: str = PASSWORD, **headers: str) -> Client:
        """A client with these credentials, whether they are right or not."""
        return Client(self.app, self.core, (username, password), **headers)

    def anonymous(self, **headers: str) -> Client:
        """A client without credentials."""
        return Client(self.app, self.core, None, **headers)

    async def user(
        self,
        username: str,
        applications: Sequence[str] = (),
        roles: Sequence[str] = ("ROLE_USER",),
        password_hash: str | None = None,
    ) -> Client:
        """A new user, and its client. The applications come to exist in the core."""
        for app_id in applications:
            if app_id not in self.core.applications:
                self.core.application(app_id)
        async with self.cloud.database.transaction() as session:
            user = await repository.insert(session, username, password_hash or hash_now(PASSWORD))
            assert user is not None
            await repository.replace_authorities(session, user, roles)
            for app_id in applications:
                await repository.grant(session, user, app_id)
        return self.client(username)

    async def audit(self) -> list[AuditLog]:
        """The service's own audit records, oldest first."""
        async with self.cloud.database.read() as session:
            rows = await session.scalars(select(AuditLog).order_by(AuditLog.timestamp_created))
            return list(rows)


Start = Callable[..., Awaitable[Service]]
"""Starts a service with some settings changed."""


def settings_of(database_url: str, **changed: Any) -> CloudSettings:
    """Settings for a service in this process."""
    return CloudSettings(
        **{
            "environment": "test",
            "database_url": SecretStr(database_url),
            "database_pool_size": 4,
            "migrate_on_start": False,
            "core_url": f"http://core.test{ROOT}",
            "core_username": USER,
            "core_password": SecretStr(SECRET),
            "request_log": False,
            **changed,
        }
    )


def with_push() -> dict[str, Any]:
    """Settings of a service that has a push service."""
    return {
        "push_url": f"http://push.test{PUSH_ROOT}",
        "push_username": PUSH_USER,
        "push_password": SecretStr(PUSH_SECRET),
    }
