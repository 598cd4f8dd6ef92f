"""Queries for applications, versions, master key pairs and configuration."""

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.applications.models import (
    Application,
    ApplicationConfig,
    ApplicationVersion,
    MasterKeyPair,
)
from servicekit.row_macs import judged


async def list_all(session: AsyncSession) -> Sequence[Application]:
    """All applications, by row id."""
    return (await session.execute(select(Application).order_by(Application.id))).scalars().all()


async def find_by_name(session: AsyncSession, name: str) -> Application | None:
    """The application with this public id."""
    return (await session.execute(select(Application).where(Application.name == name))).scalar_one_or_none()


async def lock_by_name(session: AsyncSession, name: str) -> Application | None:
    """The same, locked until the end of the transaction; others may go on inserting what belongs to it."""
    statement = select(Application).where(Application.name == name).with_for_update(key_share=True)
    return (await session.execute(statement)).scalar_one_or_none()


async def rids_of(session: AsyncSession, names: Iterable[str]) -> dict[str, int]:
    """Row ids by public id, of those that exist."""
    statement = select(Application.name, Application.id).where(Application.name.in_(set(names)))
    return dict((await session.execute(statement)).all())


async def names_of(session: AsyncSession, rids: Iterable[int]) -> dict[int, str]:
    """Public ids by row id, of those that exist."""
    statement = select(Application.id, Application.name).where(Application.id.in_(set(rids)))
    return dict((await session.execute(statement)).all())


async def versions_of(session: AsyncSession, rid: int) -> Sequence[ApplicationVersion]:
    """All versions of an application, oldest first."""
    statement = (
        select(ApplicationVersion)
        .where(ApplicationVersion.application_id == rid)
        .order_by(ApplicationVersion.id)
    )
    return (await session.execute(statement)).scalars().all()


async def find_version(session: AsyncSession, rid: int, name: str) -> ApplicationVersion | None:
    """The version of an application with this version id."""
    statement = select(ApplicationVersion).where(
        ApplicationVersion.application_id == rid, ApplicationVersion.name == name
    )
    return (await session.execute(statement)).scalars().first()


async def find_version_by_key(session: AsyncSession, application_key: str) -> ApplicationVersion | None:
    """The version with this application key."""
    statement = select(ApplicationVersion).where(ApplicationVersion.application_key == application_key)
    return (await session.execute(statement)).scalar_one_or_none()


async def newest_master_key_pair(session: AsyncSession, rid: int) -> MasterKeyPair | None:
    """The key pair that signs for an application."""
    statement = (
        select(MasterKeyPair)
        .where(MasterKeyPair.application_id == rid)
        .order_by(MasterKeyPair.timestamp_created.desc(), MasterKeyPair.id.desc())
        .limit(1)
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def configs_of(session: AsyncSession, rid: int) -> Sequence[ApplicationConfig]:
    """The configuration of an application, oldest key first, but for what cannot be judged here."""
    statement = (
        select(ApplicationConfig)
        .where(ApplicationConfig.application_id == rid)
        .order_by(ApplicationConfig.id)
    )
    return [row for row in (await session.execute(statement)).scalars() if not row.unjudged]


async def find_config(session: AsyncSession, rid: int, key: str) -> ApplicationConfig | None:
    """One configuration key of an application.

    :raises RowKeyUnknown: nobody here can tell whether the core has written it
    """
    statement = select(ApplicationConfig).where(
        ApplicationConfig.application_id == rid, ApplicationConfig.config_key == key
    )
    return judged((await session.execute(statement)).scalar_one_or_none())


async def find_configs(
    session: AsyncSession, rid: int, keys: Collection[str]
) -> dict[str, ApplicationConfig]:
    """Several configuration keys of an application, those that it has. Raises as `find_config`."""
    statement = select(ApplicationConfig).where(
        ApplicationConfig.application_id == rid, ApplicationConfig.config_key.in_(keys)
    )
    rows = map(judged, (await session.execute(statement)).scalars())
    return {row.config_key: row for row in rows if row is not None}


async def remove_config(session: AsyncSession, rid: int, key: str) -> bool:
    """Delete one configuration key; whether there was one."""
    result = await session.execute(
        delete(ApplicationConfig)
        .where(ApplicationConfig.application_id == rid, ApplicationConfig.config_key == key)
        .returning(ApplicationConfig.id)
    )
    return result.first() is not None
