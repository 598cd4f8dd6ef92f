"""What an operator does beside a running private API, on the database of its settings."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from cloud_private_api import app
from cloud_private_api.access.rules import ROLE_ADMIN, Caller
from cloud_private_api.accounts.models import User
from cloud_private_api.audit_log.service import APPLICATION_NAME
from cloud_private_api.container import Cloud
from cloud_private_api.errors import InvalidRequest, NotFound
from cloud_private_api.passwords import is_hash
from cloud_private_api.settings import CloudSettings
from cloud_private_api.users import service as users
from powerauth_contracts.cloud.users import SystemUser, Username
from servicekit import commands
from servicekit.audit_export import printing
from servicekit.backup_check import Report, check_tables
from servicekit.commands import Outcome
from servicekit.database import Database
from servicekit.master_keys import MasterKeys
from servicekit.row_macs import RowMacs

NEEDS = ("database_url",)
"""The settings that every command works with."""

_OPERATOR = Caller("powerauth admin", frozenset({ROLE_ADMIN}), ())
"""Who the audit says it was: somebody with the database's credentials."""


class UserRefused(Exception):
    """There is no such user, or it cannot be made. The text is for the operator."""


class UserExists(UserRefused):
    """There is one already."""


async def migrate(settings: CloudSettings) -> Outcome:
    """Bring the database to the current schema."""
    return await commands.migrate(settings.migrate_url, app.MIGRATIONS)


async def check(settings: CloudSettings) -> Outcome:
    """Whether the schema is the current one."""
    return await commands.check(settings.migrate_url, app.MIGRATIONS)


async def export_audit(settings: CloudSettings, say: Callable[[str], object], **options: Any) -> Outcome:
    """Say the records of this service's audit log, a line of JSON each; options as `printing.export`."""
    database = Database(settings.effective_database_url, settings, application_name=f"{app.NAME}-cli")
    try:
        return await printing.export(database, APPLICATION_NAME, say, **options)
    finally:
        await database.dispose()


async def check_backup(settings: CloudSettings, *, whole: bool) -> Outcome:
    """Whether the database can be served from: no key opens anything in it, but users must be able to log in.

    :param whole: all users
    """
    schema = await check(settings)
    if not schema.ok:
        return schema
    report, name = Report(), "pa_cloud_user.userpassword"

    async def open_rows(_session: AsyncSession, rows: Sequence[User], report: Report) -> None:
        for user in rows:
            report.tell(name, user.username, ok=is_hash(user.userpassword))

    report.begin(name)
    async with _offline(settings) as cloud:
        unbound = RowMacs(MasterKeys(None))
        await check_tables(cloud.database, [User], unbound, open_rows, report, whole=whole)
    outcome = report.outcome()
    return Outcome(outcome.ok, f"{schema.text}\n{outcome.text}")


async def create_administrator(
    settings: CloudSettings, username: str, password: str | None = None
) -> SystemUser:
    """Make an administrator with a password, a new one unless given; it is in the answer and nowhere else.

    :raises UserExists: the name is taken
    :raises UserRefused: the name cannot be one
    """
    try:
        TypeAdapter(Username).validate_python(username)
    except ValidationError:
        raise UserRefused(f"{username!r} cannot be a user name") from None
    async with _offline(settings) as cloud:
        try:
            return await users.create(
                cloud.database,
                cloud.passwords,
                _OPERATOR,
                username,
                role=[ROLE_ADMIN],
                given_password=password,
            )
        except InvalidRequest:
            raise UserExists(f"{username} exists already, nothing was changed") from None


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
