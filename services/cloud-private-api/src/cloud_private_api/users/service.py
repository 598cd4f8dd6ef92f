"""Use cases of system users (spec/cloud-api.md §11.1, §11.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from cloud_private_api.access.rules import ROLE_ADMIN, Caller
from cloud_private_api.accounts.directory import UserDirectory
from cloud_private_api.accounts.models import User
from cloud_private_api.audit_log.service import AuditType, record
from cloud_private_api.core_errors import Area, in_area
from cloud_private_api.errors import InvalidRequest, NotFound, Violation
from cloud_private_api.parameters import is_storable
from cloud_private_api.passwords import PasswordWorker, generate_password, is_hash
from cloud_private_api.users import repository
from cloud_private_api.users.ports import Ports
from powerauth_contracts.cloud.users import SystemUser, SystemUsers
from powerauth_contracts.rest import applications
from servicekit.database import Database
from servicekit.logs import get_logger

SEED = "seed"

_log = get_logger(__name__)


def _shown(found: repository.UserRecord, password: str | None = None) -> SystemUser:
    return SystemUser(
        username=found.user.username,
        password=password,
        enabled=found.user.enabled,
        role=list(found.authorities),
        applications=list(found.applications),
    )


def _audit(session: AsyncSession, caller: Caller, message: str, username: str, **details: object) -> None:
    param: Mapping[str, object] = {"caller": caller.username, "username": username, **details}
    record(session, AuditType.ADMIN, caller.username, message, param)


async def _lock(database: Database, session: AsyncSession, username: str) -> User:
    user = None
    if is_storable(username):
        user = await repository.lock(session, database.dialect, username)
    if user is None:
        raise NotFound
    return user


async def create(
    database: Database,
    passwords: PasswordWorker,
    caller: Caller,
    username: str,
    *,
    role: Sequence[str],
    given_password: str | None = None,
) -> SystemUser:
    """Make a user; its password, generated unless given, is in this answer and nowhere else."""
    password = given_password or generate_password()
    password_hash = await passwords.hash(password)
    async with database.transaction() as session:
        user = await repository.insert(session, username, password_hash)
        if user is None:
            raise InvalidRequest(Violation("username", "is already in use", username))
        await repository.replace_authorities(session, user, role)
        _audit(session, caller, "System user created", user.username, role=role)
        return _shown(await repository.record(session, user), password)


async def list_all(database: Database) -> SystemUsers:
    """All users by name."""
    async with database.read() as session:
        return SystemUsers(users=[_shown(found) for found in await repository.all_records(session)])


async def detail(database: Database, username: str) -> SystemUser:
    """One user."""
    if not is_storable(username):
        raise NotFound
    async with database.read() as session:
        user = await repository.find(session, username)
        if user is None:
            raise NotFound
        return _shown(await repository.record(session, user))


async def update(
    database: Database,
    users: UserDirectory,
    caller: Caller,
    username: str,
    *,
    enabled: bool | None,
    role: Sequence[str] | None,
) -> SystemUser:
    """Enable, disable, change roles; None = as it is."""
    async with database.transaction() as session:
        if enabled is False or (role is not None and ROLE_ADMIN not in role):
            await _keep_one_admin(database, session, username)
        user = await _lock(database, session, username)
        before = await repository.record(session, user)
        old: Mapping[str, object] = {"enabled": user.enabled, "role": before.authorities}
        if enabled is not None:
            user.enabled = enabled
        if role is not None:
            await repository.replace_authorities(session, user, role)
        await session.flush()
        after = await repository.record(session, user)
        new: Mapping[str, object] = {"enabled": user.enabled, "role": after.authorities}
        _audit(session, caller, "System user changed", username, old=old, new=new)
    users.forget(username)
    return _shown(after)


async def _keep_one_admin(database: Database, session: AsyncSession, username: str) -> None:
    """Lock the administrators, so that two of them cannot remove each other at once.

    :raises InvalidRequest: the user is the only enabled one
    """
    admins = await repository.lock_enabled_with(session, database.dialect, ROLE_ADMIN)
    if admins == [username]:
        raise InvalidRequest(message="The last enabled administrator cannot be disabled, demoted or deleted")


async def renew_password(ports: Ports, caller: Caller, username: str) -> SystemUser:
    """Give a user a new generated password; the old one stops working."""
    password = generate_password()
    password_hash = await ports.passwords.hash(password)
    async with ports.database.transaction() as session:
        user = await _lock(ports.database, session, username)
        user.userpassword = password_hash
        _audit(session, caller, "System user password renewed", username)
        await session.flush()
        shown = _shown(await repository.record(session, user), password)
    ports.users.forget(username)
    return shown


async def delete(database: Database, users: UserDirectory, caller: Caller, username: str) -> None:
    """Delete a user with roles and applications."""
    async with database.transaction() as session:
        await _keep_one_admin(database, session, username)
        user = await _lock(database, session, username)
        await repository.remove(session, user)
        _audit(session, caller, "System user deleted", username)
    users.forget(username)


@in_area(Area.ADMIN)
async def grant(ports: Ports, caller: Caller, username: str, app_id: str) -> SystemUser:
    """Let a user see an application that exists in the core; a second time changes nothing."""
    if not is_storable(app_id):
        raise NotFound
    await detail(ports.database, username)
    await ports.core.ask(applications.DETAIL, application_id=app_id)
    async with ports.database.transaction() as session:
        user = await _lock(ports.database, session, username)
        if await repository.grant(session, user, app_id):
            _audit(session, caller, "Application assigned to system user", username, application=app_id)
        shown = _shown(await repository.record(session, user))
    ports.users.forget(username)
    return shown


async def revoke(
    database: Database, users: UserDirectory, caller: Caller, username: str, app_id: str
) -> SystemUser:
    """Take an application from a user."""
    async with database.transaction() as session:
        user = await _lock(database, session, username)
        if is_storable(app_id):
            await repository.revoke(session, user, app_id)
            _audit(session, caller, "Application taken from system user", username, application=app_id)
        shown = _shown(await repository.record(session, user))
    users.forget(username)
    return shown


async def seed_first_admin(database: Database, username: str, password_hash: str) -> None:
    """Make the administrator that the configuration names, unless a user of that name exists.

    :raises ValueError: the configured password is no hash
    """
    if not username or not password_hash:
        return
    if not is_hash(password_hash):
        raise ValueError("the configured administrator password must be a hash")
    async with database.transaction() as session:
        user = await repository.insert(session, username, password_hash)
        if user is not None:
            await repository.replace_authorities(session, user, [ROLE_ADMIN])
            record(session, AuditType.ADMIN, SEED, "First administrator created", {"username": username})
            _log.info("first administrator created", username=username)
