"""The parts of a running service that rooms use, a small protocol for each.

A function takes the parts that it uses, or the `Ports` of its room (`ports.py`), which name them.
"""

from __future__ import annotations

from typing import Any, Protocol

from fastapi import Request

from cloud_private_api.accounts.directory import UserDirectory
from cloud_private_api.core_client import CoreClient
from cloud_private_api.known import ApplicationFacts, OperationTexts, PushApplications
from cloud_private_api.passwords import PasswordWorker
from cloud_private_api.push_client import PushClient
from cloud_private_api.settings import CloudSettings
from servicekit.database import Database


class WithSettings(Protocol):
    """Has `settings`."""

    @property
    def settings(self) -> CloudSettings: ...


class WithDatabase(Protocol):
    """Has `database`."""

    @property
    def database(self) -> Database: ...


class WithCore(Protocol):
    """Has `core`."""

    @property
    def core(self) -> CoreClient: ...


class WithPush(Protocol):
    """Has `push` and `push_applications`."""

    @property
    def push(self) -> PushClient: ...

    @property
    def push_applications(self) -> PushApplications: ...


class WithUsers(Protocol):
    """Has `users`."""

    @property
    def users(self) -> UserDirectory: ...


class WithPasswords(Protocol):
    """Has `passwords`."""

    @property
    def passwords(self) -> PasswordWorker: ...


class WithApplications(Protocol):
    """Has `applications`."""

    @property
    def applications(self) -> ApplicationFacts: ...


class WithTexts(Protocol):
    """Has `texts`."""

    @property
    def texts(self) -> OperationTexts: ...


async def running(request: Request) -> Any:
    """The parts that serve a request; a coroutine, because plain dependencies run in a thread."""
    return request.app.state.cloud
