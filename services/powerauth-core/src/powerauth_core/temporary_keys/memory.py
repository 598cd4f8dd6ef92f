"""Temporary keys in use: stored, and in memory while they are valid, since nothing of a key ever changes.

Whether a key is still there the database alone knows: whoever opens an envelope by the memory asks it in the
statement that remembers the envelope.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.activations.ports import WithActivationWriter
from powerauth_core.activations.writing import Along
from powerauth_core.kernel.errors import InvalidKeyFormat, TemporaryKeyMissing
from powerauth_core.kernel.ports import WithCipher, WithDatabase, WithSettings
from powerauth_core.kernel.records import temporary_key_parts
from powerauth_core.temporary_keys import repository
from powerauth_core.temporary_keys.models import TemporaryKey
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.errors import KeyFormatError
from powerauth_protocol.common.scope import Party
from powerauth_protocol.common.values import IssuedKey
from powerauth_protocol.generation import generation_of
from powerauth_protocol.groups import Envelope, EnvelopeKey
from servicekit import clock
from servicekit.additions import Additions, Target
from servicekit.caching import Cache
from servicekit.reads import Read, moment

NEW = Target(
    TemporaryKey.__tablename__,
    {
        "id": "varchar",
        "application_key": "varchar",
        "activation_id": "varchar",
        "private_key_encryption": "int",
        "private_key_base64": "varchar",
        "public_key_base64": "varchar",
        "timestamp_expires": "timestamp",
    },
)
FIND = Read(
    "SELECT application_key, activation_id, private_key_encryption, private_key_base64, timestamp_expires"
    " FROM pa_temporary_key WHERE id = $1",
    ("varchar",),
)


class Parts(WithDatabase, WithSettings, WithCipher, WithActivationWriter, Protocol):
    """What temporary keys use of a running core."""


@dataclass(slots=True)
class _Held:
    """A key in memory.

    :ivar private: as its generation stores it, decrypted
    :ivar expires: naive UTC
    """

    application_key: str
    activation_id: str | None
    private: bytes = field(repr=False)
    expires: datetime
    _decoded: dict[int, EnvelopeKey] = field(default_factory=dict, repr=False)

    def is_for(self, party: Party) -> bool:
        """Whether it was issued for this party and is valid."""
        whose = (self.application_key, self.activation_id)
        return whose == (party.application_key, party.activation_id) and self.expires >= clock.now()

    def key(self, envelope: Envelope) -> EnvelopeKey:
        """For computations; decoded once.

        :raises InvalidKeyFormat: it is no key of the envelope's generation
        """
        generation = generation_of(envelope.version)
        known = self._decoded.get(generation.activation_version)
        if known is not None:
            return known
        try:
            key = self._decoded[generation.activation_version] = generation.envelopes.key(self.private)
        except KeyFormatError:
            raise InvalidKeyFormat() from None
        return key


class TemporaryKeys:
    """The temporary keys that this process has issued or used lately. Belongs to one event loop."""

    def __init__(self, parts: Parts) -> None:
        self._database = parts.database
        self._cipher = parts.cipher
        self._writer = parts.activation_writer
        settings = parts.settings
        validity_seconds = settings.temporary_key_validity_ms / 1000
        self._memory: Cache[str, _Held] = Cache(settings.temporary_key_cache_size, validity_seconds)

    async def add(self, key_id: str, party: Party, issued: IssuedKey, expires: datetime) -> None:
        """Store a new key, together with what is written of activations at the same time.

        :param party: whose envelopes it is for
        :param expires: naive UTC
        """
        parts = temporary_key_parts(key_id, party.application_key, party.activation_id)
        mode, stored = self._cipher.encrypt(parts, issued.private)
        public = b64encode(issued.public)
        row = (key_id, party.application_key, party.activation_id, mode, stored, public, expires)
        await self._insert(key_id, row)
        self._memory.put(
            key_id,
            _Held(
                party.application_key,
                party.activation_id,
                issued.private,
                expires,
                {issued.generation: issued.key},
            ),
        )

    async def key(self, envelope: Envelope, party: Party) -> EnvelopeKey:
        """The key that an envelope names, out of the memory if it is there; not inside a session's block.

        :param party: whose envelope it is
        :raises TemporaryKeyMissing: unknown, expired, or issued for something else
        :raises InvalidKeyFormat: the stored key cannot be read
        """
        key_id = envelope.temporary_key_id
        held = None if key_id is None else self._memory.get(key_id)
        if held is None and key_id is not None:
            for row in await self._database.fetch(FIND, key_id):
                held = self._read(key_id, *row)
        return _usable(held, envelope, party)

    async def key_in(self, session: AsyncSession, envelope: Envelope, party: Party) -> EnvelopeKey:
        """The same as a transaction sees it."""
        key_id = envelope.temporary_key_id
        found = None if key_id is None else await repository.find(session, key_id)
        if found is None or found.timestamp_expires < clock.now():
            raise TemporaryKeyMissing()
        held = self._memory.get(found.id) or self._read(
            found.id,
            found.application_key,
            found.activation_id,
            found.private_key_encryption,
            found.private_key_base64,
            found.timestamp_expires,
        )
        return _usable(held, envelope, party)

    def forget(self, key_id: str) -> None:
        """Let go of a key that was removed."""
        self._memory.drop(key_id)

    def _read(
        self,
        key_id: str,
        application_key: str,
        activation_id: str | None,
        mode: int,
        stored: str,
        expires: datetime | str,
    ) -> _Held:
        parts = temporary_key_parts(key_id, application_key, activation_id)
        private = self._cipher.decrypt(mode, parts, stored)
        held = _Held(application_key, activation_id, private, moment(expires))
        if held.expires >= clock.now():
            self._memory.put(key_id, held)
        return held

    async def _insert(self, key_id: str, row: Sequence[Any]) -> None:
        if await self._writer.add(Along(NEW, key_id, row)):
            return
        additions = Additions(self._database)
        additions.add(NEW, row)
        async with self._database.transaction() as session:
            await additions.write(session)


def _usable(held: _Held | None, envelope: Envelope, party: Party) -> EnvelopeKey:
    if held is None or not held.is_for(party):
        raise TemporaryKeyMissing()
    return held.key(envelope)
