"""Signing keys as their administrators see them, and their rotation (spec/device-trust.md §2.6)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import AuditLevel, SigningKeyStatus
from powerauth_core import events
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.jwt import repository, revocation, rules
from powerauth_core.jwt.keys import Scope, sound_facts
from powerauth_core.jwt.models import JwtKey
from powerauth_core.jwt.ports import Ports
from powerauth_core.jwt.rules import KeySource, RotationPeriods, RotationSteps
from powerauth_core.kernel.errors import InvalidApplication
from powerauth_core.kernel.token_errors import SigningKeyNotFound, SigningKeyUnusable, SigningKeyWrongState
from servicekit import clock
from servicekit.database import after_commit

JWKS_MAX_AGE_SECONDS = 3_600
"""For how long others keep the published keys."""
_SUCCESSOR = "successor"
_CHANGES = {
    (SigningKeyStatus.VALIDATING, SigningKeyStatus.SIGNING),
    (SigningKeyStatus.VALIDATING, SigningKeyStatus.DISABLED),
    (SigningKeyStatus.SIGNING, SigningKeyStatus.DISABLED),
}
"""What an administrator may do with a key; exactly one signs, so it gives way to another, and what is
disabled stays so."""


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """Whose keys are administered: an application's, or those of all others."""

    scope: Scope
    application_id: str | None

    @classmethod
    async def of(cls, ports: Ports, session: AsyncSession, application_id: str | None) -> KeyOwner:
        """
        :raises InvalidApplication: unknown application
        """
        if application_id is None:
            return cls(None, None)
        found = await ports.application_cache.by_id(session, application_id)
        if found is None:
            raise InvalidApplication
        return cls(found.application_rid, application_id)


async def list_keys(ports: Ports, application_id: str | None) -> Sequence[JwtKey]:
    """The keys of an application, or of all others, the oldest first.

    :raises InvalidApplication: unknown application
    """
    async with ports.database.read() as session:
        owner = await KeyOwner.of(ports, session, application_id)
        return await repository.keys_of(session, owner.scope)


async def create(ports: Ports, application_id: str | None, name: str) -> JwtKey:
    """Make a key that is published, and signs once the present one is due.

    :raises InvalidApplication: unknown application
    """
    private = await ports.jwt_keys.new_pair()
    async with ports.database.transaction() as session:
        owner = await KeyOwner.of(ports, session, application_id)
        row = _waiting(ports, owner.scope, private, name, clock.now())
        return await _add(ports, session, owner, row)


async def upload(ports: Ports, application_id: str | None, name: str, jwk: Mapping[str, Any]) -> JwtKey:
    """Take a private key that was made elsewhere; it is published, and signs once the present one is due.

    :raises InvalidApplication: unknown application
    :raises SigningKeyUnusable: no private RSA key of at least 2048 bits with the exponent 65537
    :raises SigningKeyWrongState: the key is there already
    """
    private = _private_rsa(jwk)
    async with ports.database.transaction() as session:
        owner = await KeyOwner.of(ports, session, application_id)
        now, waiting, source = clock.now(), SigningKeyStatus.VALIDATING, KeySource.UPLOADED
        row = ports.jwt_keys.row_of(private, owner.scope, name, waiting, source, now)
        if await repository.has_kid(session, row.kid):
            raise SigningKeyWrongState
        return await _add(ports, session, owner, row)


async def update(
    ports: Ports,
    application_id: str | None,
    key_id: str,
    *,
    status: SigningKeyStatus | None,
    name: str | None,
) -> JwtKey:
    """Name a key anew, or give it another state. Where the key that signs is disabled, a successor signs at
    once, and nothing is accepted any more that was issued before.

    :raises InvalidApplication: unknown application
    :raises SigningKeyNotFound: it has no such key
    :raises SigningKeyWrongState: its state does not allow that
    """
    async with ports.database.transaction() as session:
        owner = await KeyOwner.of(ports, session, application_id)
        row = await repository.lock_key(session, owner.scope, key_id)
        if row is None:
            raise SigningKeyNotFound
        row.name = row.name if name is None else name
        if status is not None and status != row.status:
            await _turn(ports, session, owner, row, status)
        await session.flush()
        await _tell(ports, session, owner, "token.key.updated", row)
    return row


async def remove(ports: Ports, application_id: str | None, key_id: str) -> None:
    """Delete a disabled key.

    :raises InvalidApplication: unknown application
    :raises SigningKeyNotFound: it has no such key
    :raises SigningKeyWrongState: it is not disabled
    """
    async with ports.database.transaction() as session:
        owner = await KeyOwner.of(ports, session, application_id)
        row = await repository.lock_key(session, owner.scope, key_id)
        if row is None:
            raise SigningKeyNotFound
        if row.sound and row.status != SigningKeyStatus.DISABLED:
            raise SigningKeyWrongState
        await session.delete(row)
        await session.flush()
        await _tell(ports, session, owner, "token.key.removed", row)


async def rotate_due(ports: Ports) -> None:
    """The job of §2.6: give every scope the keys that are due."""
    async with ports.database.read() as session:
        scopes = await repository.scopes(session)
    for scope in scopes:
        async with ports.database.transaction() as session:
            await _rotate(ports, session, scope)


async def _rotate(ports: Ports, session: AsyncSession, scope: Scope) -> None:
    """Rows are locked first, so that of several replicas one does it."""
    rows = {row.id: row for row in await repository.keys_of(session, scope, lock=True) if row.sound}
    now = clock.now()
    steps = rules.rotation_of(sound_facts(list(rows.values())), await _periods(ports, session), now)
    if steps == RotationSteps():
        return
    application = None if scope is None else await ports.application_cache.by_rid(session, scope)
    owner = KeyOwner(scope, None if application is None else application.application_id)
    if steps.creates_successor:
        row = await _successor(ports, scope, now)
        await _add(ports, session, owner, row)
    if steps.promoted is not None:
        await _promote(session, list(rows.values()), rows[steps.promoted], now)
        await _tell(ports, session, owner, "token.key.signing", rows[steps.promoted])
    for key_id in steps.disabled:
        rows[key_id].turn(SigningKeyStatus.DISABLED, now)
        await _tell(ports, session, owner, "token.key.disabled", rows[key_id])
    for key_id in steps.erased:
        rows[key_id].private_key = None
        await _tell(ports, session, owner, "token.key.erased", rows[key_id])
    await session.flush()


async def _turn(
    ports: Ports, session: AsyncSession, owner: KeyOwner, row: JwtKey, status: SigningKeyStatus
) -> None:
    if (row.status, status) not in _CHANGES:
        raise SigningKeyWrongState
    now, was_signing = clock.now(), repository.is_signing(row)
    rows = [each for each in await repository.keys_of(session, owner.scope) if each.sound]
    if status is SigningKeyStatus.SIGNING:
        await _promote(session, rows, row, now)
        return
    row.turn(status, now)
    await session.flush()
    if was_signing:
        await _replace(ports, session, owner, rows, now)


async def _replace(
    ports: Ports, session: AsyncSession, owner: KeyOwner, rows: Sequence[JwtKey], now: datetime
) -> None:
    """A successor signs at once. What the old key has signed is refused by its name alone; the moment is for
    those who keep a copy of it.
    """
    waiting = rules.successor_in(sound_facts(rows))
    if waiting is None:
        successor = await _successor(ports, owner.scope, now)
        await _add(ports, session, owner, successor)
    else:
        successor = next(row for row in rows if row.id == waiting.id)
    successor.turn(SigningKeyStatus.SIGNING, now)
    await session.flush()
    # Whole seconds, as tokens tell them: the successor signs in the same one.
    await revocation.refuse_keys(session, owner.scope, now.replace(microsecond=0))
    params = {"applicationId": owner.application_id, "kid": successor.kid}
    await audit.record(session, AuditType.JWT, "token.key.emergency", params, None, AuditLevel.WARN)


async def _promote(session: AsyncSession, rows: Sequence[JwtKey], row: JwtKey, now: datetime) -> None:
    if row.private_key is None:
        raise SigningKeyWrongState
    for each in rows:
        if repository.is_signing(each):
            each.turn(SigningKeyStatus.VALIDATING, now)
    await session.flush()
    row.turn(SigningKeyStatus.SIGNING, now)
    row.timestamp_retired = None
    await session.flush()


async def _successor(ports: Ports, scope: Scope, now: datetime) -> JwtKey:
    return _waiting(ports, scope, await ports.jwt_keys.new_pair(), _SUCCESSOR, now)


def _waiting(ports: Ports, scope: Scope, private: rsa.RSAPrivateKey, name: str, now: datetime) -> JwtKey:
    source = KeySource.GLOBAL if scope is None else KeySource.GENERATED
    return ports.jwt_keys.row_of(private, scope, name, SigningKeyStatus.VALIDATING, source, now)


async def _periods(ports: Ports, session: AsyncSession) -> RotationPeriods:
    settings = ports.settings
    life = max(
        settings.jwt_access_ttl_seconds,
        settings.jwt_id_ttl_seconds,
        settings.jwt_device_ttl_seconds,
        await repository.longest_life(session),
    )
    return RotationPeriods(
        rotation=timedelta(days=settings.jwt_rotation_days),
        publish_ahead=timedelta(seconds=settings.jwt_publish_ahead_seconds),
        overlap=timedelta(seconds=life + 2 * JWKS_MAX_AGE_SECONDS),
    )


def _private_rsa(jwk: Mapping[str, Any]) -> rsa.RSAPrivateKey:
    from joserfc.errors import JoseError  # noqa: PLC0415 - most processes take no key
    from joserfc.jwk import RSAKey  # noqa: PLC0415

    try:
        key = RSAKey.import_key(dict(jwk)).raw_value if jwk.get("kty") == "RSA" else None
    except (JoseError, ValueError, TypeError, KeyError):
        raise SigningKeyUnusable from None
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < rules.MINIMUM_KEY_BITS:
        raise SigningKeyUnusable
    if key.public_key().public_numbers().e != rules.PUBLIC_EXPONENT:
        raise SigningKeyUnusable
    return key


async def _add(ports: Ports, session: AsyncSession, owner: KeyOwner, row: JwtKey) -> JwtKey:
    session.add(row)
    await session.flush()
    await _tell(ports, session, owner, "token.key.created", row)
    return row


async def _tell(ports: Ports, session: AsyncSession, owner: KeyOwner, what: str, row: JwtKey) -> None:
    """Audit a change of a key, and let every process read the keys anew."""
    params = {
        "applicationId": owner.application_id,
        "id": row.id,
        "kid": row.kid,
        "name": row.name,
        "status": row.status,
        "source": row.source,
    }
    await audit.record(session, AuditType.JWT, what, params, None)
    await events.signing_key_changed(session, row.kid)
    after_commit(session, ports.jwt_keys.clear)


def public_jwk_of(row: JwtKey) -> dict[str, Any]:
    """The public key as it was when the key was made."""
    found: dict[str, Any] = json.loads(row.public_jwk)
    return found
