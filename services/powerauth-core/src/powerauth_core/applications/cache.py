"""Applications as the hot path needs them: read once, keys decoded once (design §8).

Dropped whole by any ``application.changed`` event and at the age of ``application_cache_seconds``, so that a
missed event does no lasting harm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.applications import repository
from powerauth_core.applications.config_keys import MINIMUM_PROTOCOL_VERSION
from powerauth_core.applications.models import Application, ApplicationVersion, MasterKeyPair
from powerauth_core.applications.secrets import application_secret, config_values
from powerauth_core.kernel.errors import CoreError, InvalidKeyFormat, MasterKeyFormat, NoMasterKeyPair
from powerauth_core.kernel.records import RecordCipher, master_key_parts
from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.common.errors import EncodingError, KeyFormatError
from powerauth_protocol.generation import generation_of_application, is_at_least
from powerauth_protocol.groups import ProtocolVersion, ServerKey
from servicekit.caching import Cache
from servicekit.database import Database


@dataclass(frozen=True, slots=True)
class MasterKey:
    """The newest master key pair of an application.

    :ivar rid: row id, stored with activations as ``master_keypair_id``
    :ivar public_base64: the public key as stored
    """

    rid: int
    private: ServerKey = field(repr=False)
    public_base64: str


@dataclass(frozen=True, slots=True)
class ApplicationIdentity:
    """What does not depend on the application's version.

    :ivar application_rid: row id; never leaves the core
    :ivar application_id: the public id
    :ivar minimum_protocol_version: the configured one; `accepts` judges by it
    """

    application_rid: int
    application_id: str
    roles: tuple[str, ...]
    minimum_protocol_version: str
    _master: MasterKey | type[CoreError] = field(repr=False)

    def accepts(self, version: ProtocolVersion) -> bool:
        """Whether a request of this protocol version is served: the one place that decides it (D17)."""
        return is_at_least(version, self.minimum_protocol_version)

    def master_key(self) -> MasterKey:
        """The newest master key pair.

        :raises NoMasterKeyPair: there is none
        :raises MasterKeyFormat: the stored pair cannot be read
        """
        if isinstance(self._master, MasterKey):
            return self._master
        raise self._master


@dataclass(frozen=True, slots=True)
class ApplicationFacts(ApplicationIdentity):
    """One version of an application, found by its application key.

    :ivar secret: the application secret as Base64 text, the form that signatures cover
    :ivar version_rid: row id of the version
    """

    version_rid: int
    version_id: str | None
    application_key: str
    secret: str = field(repr=False)
    secret_bytes: bytes = field(repr=False)
    supported: bool


class ApplicationCache:
    """Applications by application key, by public id and by row id. Belongs to one event loop."""

    def __init__(
        self, cipher: RecordCipher, *, capacity: int, seconds: float, minimum_protocol_version: str
    ) -> None:
        """
        :param seconds: after this age an entry is read again
        :param minimum_protocol_version: for applications whose configuration names none
        """
        self._cipher = cipher
        self._minimum_protocol_version = minimum_protocol_version
        self._by_key: Cache[str, ApplicationFacts] = Cache(capacity, seconds)
        self._by_id: Cache[str, ApplicationIdentity] = Cache(capacity, seconds)
        self._by_rid: Cache[int, ApplicationIdentity] = Cache(capacity, seconds)
        self._followers: list[Callable[[], None]] = []

    def clears_too(self, forget: Callable[[], None]) -> None:
        """Have somebody else, who remembers more of applications, forget it whenever this does."""
        self._followers.append(forget)

    async def by_key(self, session: AsyncSession, application_key: str) -> ApplicationFacts | None:
        """The version with this application key, supported or not; None if there is none."""
        return await self._by_key.load(application_key, lambda: self._load_version(session, application_key))

    def known(self, application_key: str) -> ApplicationFacts | None:
        """The version with this application key, if it need not be read."""
        return self._by_key.get(application_key)

    def known_by_id(self, application_id: str) -> ApplicationIdentity | None:
        """The application with this public id, if it need not be read."""
        return self._by_id.get(application_id)

    async def facts(self, database: Database, application_key: str) -> ApplicationFacts | None:
        """As `by_key`, not inside a session's block."""
        known = self.known(application_key)
        if known is not None:
            return known
        async with database.read() as session:
            return await self.by_key(session, application_key)

    async def identity(self, database: Database, application_id: str) -> ApplicationIdentity | None:
        """As `by_id`, not inside a session's block."""
        known = self.known_by_id(application_id)
        if known is not None:
            return known
        async with database.read() as session:
            return await self.by_id(session, application_id)

    async def by_id(self, session: AsyncSession, application_id: str) -> ApplicationIdentity | None:
        """The application with this public id; None if there is none."""

        async def load() -> ApplicationIdentity | None:
            found = await repository.find_by_name(session, application_id)
            if found is None:
                return None
            return await self._by_rid.load(found.id, lambda: self._identity(session, found))

        return await self._by_id.load(application_id, load)

    async def by_rid(self, session: AsyncSession, rid: int) -> ApplicationIdentity | None:
        """The application with this row id; None if there is none."""

        async def load() -> ApplicationIdentity | None:
            found = await session.get(Application, rid)
            return None if found is None else await self._identity(session, found)

        return await self._by_rid.load(rid, load)

    async def of_id(self, database: Database, application_id: str) -> ApplicationIdentity | None:
        """`by_id` for who has no session: opens one only if it has to be read."""
        known = self._by_id.get(application_id)
        if known is not None:
            return known
        async with database.read() as session:
            return await self.by_id(session, application_id)

    async def of_row(self, database: Database, rid: int) -> ApplicationIdentity | None:
        """The same for `by_rid`."""
        known = self._by_rid.get(rid)
        if known is not None:
            return known
        async with database.read() as session:
            return await self.by_rid(session, rid)

    def clear(self) -> None:
        """Forget everything; called when any application changed."""
        self._by_key.clear()
        self._by_id.clear()
        self._by_rid.clear()
        for forget in self._followers:
            forget()

    async def _load_version(self, session: AsyncSession, application_key: str) -> ApplicationFacts | None:
        version = await repository.find_version_by_key(session, application_key)
        if version is None:
            return None
        identity = await self.by_rid(session, version.application_id)
        if identity is None:
            return None
        return self._facts(identity, version, application_key)

    def _facts(
        self, identity: ApplicationIdentity, version: ApplicationVersion, application_key: str
    ) -> ApplicationFacts:
        secret = application_secret(self._cipher, version)
        return ApplicationFacts(
            application_rid=identity.application_rid,
            application_id=identity.application_id,
            roles=identity.roles,
            minimum_protocol_version=identity.minimum_protocol_version,
            _master=identity._master,
            version_rid=version.id,
            version_id=version.name,
            application_key=application_key,
            secret=secret,
            secret_bytes=b64decode(secret),
            supported=bool(version.supported),
        )

    async def _identity(self, session: AsyncSession, application: Application) -> ApplicationIdentity:
        pair = await repository.newest_master_key_pair(session, application.id)
        config = await repository.find_config(session, application.id, MINIMUM_PROTOCOL_VERSION)
        configured = None if config is None else config_values(self._cipher, application.name, config)
        minimum = configured[0] if configured else self._minimum_protocol_version
        return ApplicationIdentity(
            application_rid=application.id,
            application_id=application.name,
            roles=tuple(application.roles or ()),
            minimum_protocol_version=minimum,
            _master=NoMasterKeyPair if pair is None else _decoded(self._cipher, pair),
        )


def read_master_key(cipher: RecordCipher, pair: MasterKeyPair) -> MasterKey:
    """A stored pair, whose public key is that of its private one: apps are built with the public key, so one
    that others have written must not be shown.

    :raises MasterKeyFormat: it cannot be read, or its keys do not belong together
    :raises CoreError: as `RecordCipher.decrypt`
    """
    parts = master_key_parts(pair.application_id, pair.id)
    server_keys = generation_of_application().server_keys
    try:
        plain = cipher.decrypt(pair.master_key_private_encryption, parts, pair.master_key_private_base64)
        private = server_keys.read(plain)
        is_pair = server_keys.is_pair(private, b64decode(pair.master_key_public_base64))
    except (EncodingError, InvalidKeyFormat, KeyFormatError):
        raise MasterKeyFormat from None
    if not is_pair:
        raise MasterKeyFormat
    return MasterKey(rid=pair.id, private=private, public_base64=pair.master_key_public_base64)


def _decoded(cipher: RecordCipher, pair: MasterKeyPair) -> MasterKey | type[CoreError]:
    try:
        return read_master_key(cipher, pair)
    except CoreError as error:
        return type(error)
