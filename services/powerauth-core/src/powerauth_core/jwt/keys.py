"""The keys that sign tokens: made, read, and remembered for a while (spec/device-trust.md §2.1, §2.6).

What is published is made of the private keys, not read: what others have written beside them verifies
nothing.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import SigningKeyStatus
from powerauth_core.jwt import repository
from powerauth_core.jwt.models import JwtKey
from powerauth_core.jwt.rules import (
    ALGORITHM,
    PUBLIC_EXPONENT,
    KeyFacts,
    KeySource,
)
from powerauth_core.kernel.base import json_text
from powerauth_core.kernel.errors import InvalidKeyFormat
from powerauth_core.kernel.records import RecordCipher, jwt_key_parts
from powerauth_core.settings import CoreSettings
from servicekit import clock
from servicekit.caching import Cache

if TYPE_CHECKING:
    from joserfc.jwk import RSAKey

_SCOPES_REMEMBERED = 1_000
_REMEMBERED_SECONDS = 60.0
_UNKNOWN_SECONDS = 60.0
"""How often the keys are read again for a name that is not among them (§2.7 rule 2)."""
Scope = int | None
"""Row id of the application whose own keys they are, None for those of all others."""


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A key that tokens are verified with, or signed too."""

    kid: str
    key: RSAKey = field(repr=False)

    @property
    def public(self) -> dict[str, Any]:
        """JSON Web Key as it is published."""
        jwk = self.key.as_dict(private=False)
        return {"kty": "RSA", "use": "sig", "alg": ALGORITHM, "kid": self.kid, "n": jwk["n"], "e": jwk["e"]}


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The published keys of a scope; the first one signs."""

    keys: tuple[PublishedKey, ...]

    def find(self, kid: str) -> PublishedKey | None:
        """The key of this name."""
        return next((key for key in self.keys if key.kid == kid), None)

    @property
    def jwks(self) -> list[dict[str, Any]]:
        """As JSON Web Keys."""
        return [key.public for key in self.keys]

    def sign(self, typ: str, claims: Mapping[str, Any]) -> str:
        """A token in compact form."""
        from joserfc import jwt  # noqa: PLC0415 - most processes issue no token

        signing = self.keys[0]
        header = {"alg": ALGORITHM, "kid": signing.kid, "typ": typ}
        return jwt.encode(header, dict(claims), signing.key, algorithms=[ALGORITHM])


class JwtKeys:
    """Key rings by scope. Belongs to one event loop; dropped by `application.changed`, and each minute."""

    def __init__(self, cipher: RecordCipher, settings: CoreSettings) -> None:
        self._cipher = cipher
        self._bits = settings.jwt_key_bits
        self._rings: Cache[int, KeyRing] = Cache(_SCOPES_REMEMBERED, _REMEMBERED_SECONDS)
        self._missed: Cache[int, float] = Cache(_SCOPES_REMEMBERED, _UNKNOWN_SECONDS)

    async def ring(self, session: AsyncSession, scope: Scope) -> KeyRing:
        """The keys of a scope; the first call makes the key that signs.

        :raises InvalidKeyFormat: a stored key cannot be read
        """
        found = await self.known(session, scope)
        if found is not None:
            return found
        await self._make_first(session, scope)
        made = await self._load(session, scope)
        if made is None:
            raise InvalidKeyFormat
        return made

    async def known(self, session: AsyncSession, scope: Scope) -> KeyRing | None:
        """The keys of a scope, if it has one that signs; raises as `ring`."""
        return await self._rings.load(scope or 0, lambda: self._load(session, scope))

    async def find(self, session: AsyncSession, scope: Scope, kid: str) -> PublishedKey | None:
        """A published key by its name. For a name that is not known the keys are read once a minute."""
        ring = await self.known(session, scope)
        found = None if ring is None else ring.find(kid)
        if found is None and self._missed.get(scope or 0) is None:
            self._missed.put(scope or 0, time.monotonic())
            ring = await self._load(session, scope)
            found = None if ring is None else ring.find(kid)
            if ring is not None:
                self._rings.put(scope or 0, ring)
        return found

    def clear(self) -> None:
        """Forget everything; called when any key changed."""
        self._rings.clear()
        self._missed.clear()

    async def new_pair(self) -> rsa.RSAPrivateKey:
        """A new key pair, whose making takes a thread for a good part of a second."""
        return await asyncio.to_thread(rsa.generate_private_key, PUBLIC_EXPONENT, self._bits)

    def row_of(
        self,
        private: rsa.RSAPrivateKey,
        scope: Scope,
        name: str,
        status: SigningKeyStatus,
        source: KeySource,
        now: datetime,
    ) -> JwtKey:
        """A row with this key pair."""
        published = published_key(private)
        mode, stored = self._cipher.encrypt(
            jwt_key_parts(published.kid, scope),
            private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        )
        row = JwtKey(
            id=str(uuid.uuid4()),
            application_id=scope,
            kid=published.kid,
            name=name,
            status=SigningKeyStatus.VALIDATING.value,
            source=source.value,
            public_jwk=json_text(published.public),
            private_key=stored,
            private_key_encryption=mode,
            timestamp_created=now,
        )
        row.turn(status, now)
        return row

    async def _load(self, session: AsyncSession, scope: Scope) -> KeyRing | None:
        rows = [row for row in await repository.keys_of(session, scope) if row.sound]
        published = [row for row in rows if row.status != SigningKeyStatus.DISABLED]
        if not any(map(repository.is_signing, published)):
            return None
        published.sort(key=lambda row: not repository.is_signing(row))
        return KeyRing(tuple(published_key(self._private(row)) for row in published))

    async def _make_first(self, session: AsyncSession, scope: Scope) -> None:
        source = KeySource.GLOBAL if scope is None else KeySource.GENERATED
        private = await self.new_pair()
        row = self.row_of(private, scope, "first", SigningKeyStatus.SIGNING, source, clock.now())
        try:
            async with session.begin_nested():
                session.add(row)
        except IntegrityError:
            # Another process was first: its key signs.
            return

    def _private(self, row: JwtKey) -> rsa.RSAPrivateKey:
        if row.private_key is None:
            raise InvalidKeyFormat
        parts = jwt_key_parts(row.kid, row.application_id)
        plain = self._cipher.decrypt(row.private_key_encryption, parts, row.private_key)
        try:
            key = load_der_private_key(plain, None)
        except ValueError:
            raise InvalidKeyFormat from None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise InvalidKeyFormat
        return key


def published_key(private: rsa.RSAPrivateKey) -> PublishedKey:
    """A key pair under its name, the thumbprint of its public key (RFC 7638)."""
    from joserfc.jwk import RSAKey  # noqa: PLC0415 - most processes have no such key

    key = RSAKey.import_key(private)
    return PublishedKey(key.thumbprint(), key)


def facts_of(row: JwtKey) -> KeyFacts:
    """A key as the rotation sees it."""
    return KeyFacts(
        id=row.id,
        status=SigningKeyStatus(row.status),
        created=row.timestamp_created,
        signs_from=row.timestamp_signing_from,
        retired=row.timestamp_retired,
        disabled=row.timestamp_disabled,
        has_private_key=row.private_key is not None,
    )


def sound_facts(rows: Sequence[JwtKey]) -> list[KeyFacts]:
    """Those of the rows that the core has written."""
    return [facts_of(row) for row in rows if row.sound]
