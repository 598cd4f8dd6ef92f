"""What an operator does beside a running private API, on the database of its settings."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from pydantic import TypeAdapter, ValidationError

from cloud_private_api import app
from cloud_private_api.access.rules import ROLE_ADMIN, Caller
from cloud_private_api.container import Cloud
from cloud_private_api.errors import InvalidRequest, NotFound
from cloud_private_api.settings import CloudSettings
from cloud_private_api.users import service as users
from powerauth_contracts.cloud.users import SystemUser, Username
from servicekit import commands
from servicekit.commands import Outcome

NEEDS = ("database_url",)
"""The settings that every command works with."""

_OPERATOR = Caller("powerauth admin", frozenset({ROLE_ADMIN}), ())
"""Who the audit says it was: somebody with the database's credentials."""


class UserRefused(Exception):
    """There is no such user, or there is one already. The text is for the operator."""


async def migrate(settings: CloudSettings) -> Outcome:
    """Bring the database to the current schema."""
    return await commands.migrate(settings.migrate_url, app.MIGRATIONS)


async def check(settings: CloudSettings) -> Outcome:
    """Whether the schema is the current one."""
    return await commands.check(settings.migrate_url, app.MIGRATIONS)


async def create_administrator(settings: CloudSettings, username: str) -> SystemUser:
    """Make an administrator with a new password, which is in the answer and nowhere else.

    :raises UserRefused: the name is taken, or cannot be one
    """
    try:
        TypeAdapter(Username).validate_python(username)
    except ValidationError:
        raise UserRefused(f"{username!r} cannot be a user name") from None
    async with _offline(settings) as cloud:
        try:
            return await users.create(cloud.database, cloud.passwords, _OPERATOR, username, role=[ROLE_ADMIN])
        except InvalidRequest:
            raise UserRefused(f"{username} exists already, nothing was changed") from None


async def reset_password(settings: CloudSettings, username: str) -> SystemUser:
    """Give a user a new password, which is in the answer and nowhere else.

    :raises UserRefused: there is no such user
    """
    async with _offline(settings) as cloud:
        try:
            return await users.renew_password(cloud, _OPERATOR, username)
        except NotFound:
            raise UserRefused(f"there is no user {username}") from None


@asynccontextmanager
async def _offline(settings: CloudSettings) -> AsyncGenerator[Cloud]:
    """The parts of the service for one piece of work beside the running ones.

    :raises UserRefused: the database has no schema, or not this release's
    """
    found = await check(settings)
    if not found.ok:
        raise UserRefused(found.text)
    cloud = app.build(settings)
    try:
        yield cloud
    finally:
        await cloud.authenticator.close()
        await cloud.core.close()
        await cloud.push.close()
        cloud.passwords.close()
        await cloud.database.dispose()
