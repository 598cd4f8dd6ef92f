"""Queries on users, their authorities and applications."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Table, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud_private_api.accounts.models import User, UserApplication, UserAuthority
from servicekit.database import Dialect, for_update, insert_ignore


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A user with what hangs on it, roles and applications in order."""

    user: User
    authorities: tuple[str, ...]
    applications: tuple[str, ...]


async def find(session: AsyncSession, username: str) -> User | None:
    """The user of this exact name."""
    return (await session.scalars(select(User).where(User.username == username))).one_or_none()


async def lock(session: AsyncSession, dialect: Dialect, username: str) -> User | None:
    """The same, locked until the end of the transaction."""
    return (
        await session.scalars(for_update(select(User).where(User.username == username), dialect))
    ).one_or_none()


async def insert(session: AsyncSession, username: str, password_hash: str) -> User | None:
    """A new enabled user; None if the name is taken."""
    values = {"username": username, "userpassword": password_hash, "enabled": True}
    made = await insert_ignore(session, _table(User), values)
    return await find(session, username) if made else None


async def record(session: AsyncSession, user: User) -> UserRecord:
    """A user with roles and applications."""
    return (await _records(session, [user], User.id == user.id))[0]


async def all_records(session: AsyncSession) -> Sequence[UserRecord]:
    """All users by name."""
    users = (await session.scalars(select(User).order_by(User.username))).all()
    return await _records(session, users, User.id.is_not(None))


async def _records(
    session: AsyncSession, users: Sequence[User], which: ColumnElement[bool]
) -> Sequence[UserRecord]:
    authorities = await session.execute(
        select(UserAuthority.user_id, UserAuthority.authority)
        .join(User, User.id == UserAuthority.user_id)
        .where(which)
        .order_by(UserAuthority.authority.desc())
    )
    applications = await session.execute(
        select(UserApplication.user_id, UserApplication.app_id)
        .join(User, User.id == UserApplication.user_id)
        .where(which)
        .order_by(UserApplication.app_id)
    )
    roles_of = _grouped((row[0], row[1]) for row in authorities)
    applications_of = _grouped((row[0], row[1]) for row in applications)
    return [
        UserRecord(user, tuple(roles_of.get(user.id, ())), tuple(applications_of.get(user.id, ())))
        for user in users
    ]


def _grouped(rows: Iterable[tuple[int, str]]) -> Mapping[int, list[str]]:
    groups: dict[int, list[str]] = {}
    for user_id, value in rows:
        groups.setdefault(user_id, []).append(value)
    return groups


async def replace_authorities(session: AsyncSession, user: User, authorities: Sequence[str]) -> None:
    """Give the user exactly these roles."""
    await session.execute(delete(UserAuthority).where(UserAuthority.user_id == user.id))
    session.add_all(UserAuthority(user_id=user.id, authority=name) for name in dict.fromkeys(authorities))
    await session.flush()


async def grant(session: AsyncSession, user: User, app_id: str) -> bool:
    """Let the user see an application; False if it already does."""
    values = {"user_id": user.id, "app_id": app_id}
    return await insert_ignore(session, _table(UserApplication), values) == 1


async def revoke(session: AsyncSession, user: User, app_id: str) -> None:
    """Take an application from the user."""
    await session.execute(
        delete(UserApplication).where(UserApplication.user_id == user.id, UserApplication.app_id == app_id)
    )


async def remove(session: AsyncSession, user: User) -> None:
    """Delete a user with roles and applications."""
    await session.execute(delete(UserAuthority).where(UserAuthority.user_id == user.id))
    await session.execute(delete(UserApplication).where(UserApplication.user_id == user.id))
    await session.execute(delete(User).where(User.id == user.id))


async def lock_enabled_with(session: AsyncSession, dialect: Dialect, authority: str) -> Sequence[str]:
    """Names of the enabled users with a role, their rows locked in order of id."""
    with_role = (
        select(User)
        .join(UserAuthority, UserAuthority.user_id == User.id)
        .where(User.enabled.is_(True), UserAuthority.authority == authority)
        .order_by(User.id)
    )
    await session.execute(for_update(with_role, dialect, of=User))
    # Again: whoever held the locks before may have taken the role from one of them.
    return (await session.scalars(with_role.with_only_columns(User.username))).all()


def _table(model: type[User | UserApplication]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)
    return table
