"""Applications, their versions and roles (spec/core-api.md §5)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core import events
from powerauth_core.applications import config_service, repository
from powerauth_core.applications.cache import ApplicationCache, read_master_key
from powerauth_core.applications.config_keys import MINIMUM_PROTOCOL_VERSION
from powerauth_core.applications.models import Application, ApplicationVersion, MasterKeyPair
from powerauth_core.applications.ports import Ports
from powerauth_core.applications.secrets import application_secret, encrypt_application_secret
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.events import ApplicationPart
from powerauth_core.kernel.base import json_text
from powerauth_core.kernel.errors import (
    DuplicateApplication,
    InvalidApplication,
    InvalidKeyFormat,
    InvalidRequest,
    NoMasterKeyPair,
)
from powerauth_core.kernel.records import RecordCipher, master_key_parts
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.sdk_config import MobileSdkConfig
from powerauth_protocol.generation import generation_of_application
from servicekit import clock
from servicekit.database import Database, after_commit

APPLICATION_KEY_BYTES = 16
DEFAULT_VERSION = "default"
MAX_ROLES_TEXT = 255


Change = Callable[[Sequence[str], Sequence[str]], list[str]]
"""From the roles there are and those of the request to the roles there will be."""


@dataclass(frozen=True, slots=True)
class VersionKeys:
    """What a mobile application of a version is built with, each Base64 of 16 bytes."""

    application_key: str
    application_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class VersionDetail:
    """A version with its keys.

    :ivar sdk_config: the keys and the master public key as the mobile SDK takes them
    """

    version: ApplicationVersion
    keys: VersionKeys
    sdk_config: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ApplicationDetail:
    """An application with its newest master public key (Base64 of 65 bytes) and its versions."""

    application: Application
    master_public_key: str
    versions: Sequence[VersionDetail]


async def list_applications(database: Database) -> Sequence[Application]:
    """All applications, by row id."""
    async with database.read() as session:
        return await repository.list_all(session)


async def application_detail(
    database: Database, cipher: RecordCipher, application_id: str
) -> ApplicationDetail:
    """An application with its versions and secrets.

    :raises InvalidApplication: unknown application
    :raises NoMasterKeyPair: it has no master key pair
    :raises CoreError: it cannot be read, as `read_master_key`
    """
    async with database.read() as session:
        application = await _existing(session, application_id)
        pair = await repository.newest_master_key_pair(session, application.id)
        if pair is None:
            raise NoMasterKeyPair
        versions = await repository.versions_of(session, application.id)
    public = read_master_key(cipher, pair).public_base64
    return ApplicationDetail(
        application, public, [_version_detail(cipher, version, public) for version in versions]
    )


async def find_by_key(database: Database, application_cache: ApplicationCache, application_key: str) -> str:
    """Id of the application of an application key, whether its version is supported or not.

    :raises InvalidApplication: unknown application key
    """
    async with database.read() as session:
        facts = await application_cache.by_key(session, application_key)
    if facts is None:
        raise InvalidApplication
    return facts.application_id


async def create_application(ports: Ports, name: str) -> None:
    """Create an application with a master key pair and the version ``default``.

    :param name: its public id
    :raises DuplicateApplication: the id is taken
    """
    async with ports.database.transaction() as session:
        if await repository.find_by_name(session, name) is not None:
            raise DuplicateApplication
        application = Application(name=name, roles=[])
        await _insert_unique(session, application)
        await _add_master_key_pair(session, ports.cipher, application)
        session.add(_new_version(ports.cipher, application, DEFAULT_VERSION))
        minimum = ports.settings.created_application_minimum_version
        if minimum is not None:
            await config_service.store(
                ports.cipher, session, application, MINIMUM_PROTOCOL_VERSION, [minimum]
            )
        await announce(ports.application_cache, session, "Application created", name, "application")


async def create_version(ports: Ports, *, application_id: str, version_id: str) -> VersionKeys:
    """Create a supported version with a fresh application key and secret.

    :raises InvalidApplication: unknown application
    :raises DuplicateApplication: the version id is taken in this application
    """
    async with ports.database.transaction() as session:
        application = await _existing(session, application_id)
        if await repository.find_version(session, application.id, version_id):
            raise DuplicateApplication
        version = _new_version(ports.cipher, application, version_id)
        await _insert_unique(session, version)
        await announce(
            ports.application_cache, session, "Application version created", application.name, "version"
        )
    return _keys(ports.cipher, version)


async def set_supported(
    database: Database,
    application_cache: ApplicationCache,
    *,
    application_id: str,
    version_id: str,
    supported: bool,
) -> None:
    """Support a version or stop supporting it; nothing happens if it is so already.

    :raises InvalidApplication: unknown application or version
    """
    async with database.transaction() as session:
        application = await _existing(session, application_id)
        version = await repository.find_version(session, application.id, version_id)
        if version is None:
            raise InvalidApplication
        if version.supported is not supported:
            version.supported = supported
            message = "Application version supported" if supported else "Application version unsupported"
            await announce(application_cache, session, message, application.name, "version")


async def list_roles(database: Database, application_id: str) -> list[str]:
    """The roles of an application.

    :raises InvalidApplication: unknown application
    """
    async with database.read() as session:
        return (await _existing(session, application_id)).roles or []


def added(present: Sequence[str], given: Sequence[str]) -> list[str]:
    """Add the roles that are not there yet; the result is sorted."""
    return sorted({*present, *given})


def replaced(_: Sequence[str], given: Sequence[str]) -> list[str]:
    """Replace the roles by the sorted given ones."""
    return sorted(given)


def without(present: Sequence[str], given: Sequence[str]) -> list[str]:
    """Remove the given roles; the others keep their order."""
    return [role for role in present if role not in given]


async def change_roles(
    database: Database,
    application_cache: ApplicationCache,
    change: Change,
    *,
    application_id: str,
    roles: Sequence[str],
) -> list[str]:
    """Change the roles of an application.

    :param change: `added`, `replaced` or `without`
    :return: the roles after the call
    :raises InvalidApplication: unknown application
    :raises InvalidRequest: the roles do not fit their column
    """
    async with database.transaction() as session:
        application = await repository.lock_by_name(session, application_id)
        if application is None:
            raise InvalidApplication
        wanted = change(application.roles or [], roles)
        if len(json_text(wanted)) > MAX_ROLES_TEXT:
            raise InvalidRequest("requestObject.applicationRoles - too long")
        application.roles = wanted
        await announce(application_cache, session, "Application roles changed", application.name, "roles")
    return wanted


async def announce(
    application_cache: ApplicationCache,
    session: AsyncSession,
    message: str,
    application_id: str,
    part: ApplicationPart,
) -> None:
    """Audit a change of an application and make every process forget what it knows about it."""
    params = {"applicationId": application_id, "part": part}
    await audit.record(session, AuditType.APPLICATION, message, params, None)
    await events.application_changed(session, application_id, part)
    after_commit(session, application_cache.clear)


async def _existing(session: AsyncSession, application_id: str) -> Application:
    application = await repository.find_by_name(session, application_id)
    if application is None:
        raise InvalidApplication
    return application


async def _insert_unique(session: AsyncSession, row: Application | ApplicationVersion) -> None:
    """Insert a row whose name a concurrent call may take first.

    :raises DuplicateApplication: it did
    """
    try:
        async with session.begin_nested():
            session.add(row)
    except IntegrityError:
        raise DuplicateApplication from None


async def _add_master_key_pair(session: AsyncSession, cipher: RecordCipher, application: Application) -> None:
    private, public = generation_of_application().server_keys.new()
    row = MasterKeyPair(
        application_id=application.id,
        master_key_private_base64="",
        master_key_public_base64=b64encode(public),
        name=f"{application.name} Default Keypair"[:255],
        timestamp_created=clock.now(),
    )
    session.add(row)
    await session.flush()  # the row's id is part of the key that encrypts it
    row.master_key_private_encryption, row.master_key_private_base64 = cipher.encrypt(
        master_key_parts(application.id, row.id), private
    )


def _new_version(cipher: RecordCipher, application: Application, name: str) -> ApplicationVersion:
    key = b64encode(os.urandom(APPLICATION_KEY_BYTES))
    mode, secret = encrypt_application_secret(cipher, key, b64encode(os.urandom(APPLICATION_KEY_BYTES)))
    return ApplicationVersion(
        application_id=application.id,
        application_key=key,
        application_secret=secret,
        application_secret_encryption=mode,
        name=name,
        supported=True,
    )


def _keys(cipher: RecordCipher, version: ApplicationVersion) -> VersionKeys:
    return VersionKeys(version.application_key or "", application_secret(cipher, version))


def _version_detail(cipher: RecordCipher, version: ApplicationVersion, master_key: str) -> VersionDetail:
    keys = _keys(cipher, version)
    parts = keys.application_key, keys.application_secret, master_key
    try:
        config = MobileSdkConfig(*[b64decode(part) for part in parts]).build()
    except EncodingError:
        raise InvalidKeyFormat from None
    return VersionDetail(version, keys, config)
