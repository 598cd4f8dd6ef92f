"""Statements of the core about a device, for services that the enrollment service calls (D1 rule
5).
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import StatementAction
from powerauth_core.kernel.errors import InvalidKeyFormat
from powerauth_core.kernel.records import RecordCipher, statement_key_parts
from powerauth_core.statements.models import StatementKey
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.errors import KeyFormatError
from powerauth_protocol.v3.keys import (
    PrivateKey,
    export_private_key,
    export_public_key,
    generate_key_pair,
    import_private_key,
)
from servicekit import clock
from servicekit.database import Database, insert_ignore

ISSUER = "/powerauth-core"
LEAD = timedelta(seconds=60)
"""For how long a key is published before it signs: verifiers ask for unknown keys every few seconds only."""
OVERLAP = timedelta(hours=1)
"""For how long a key is published after its successor signs; statements live for `LIFE_SECONDS`."""
LIFE_SECONDS = 60
ALGORITHM = "ES256"
_FIRST = 1
_TABLE = cast(Table, StatementKey.__table__)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a statement is about."""

    activation_id: str
    user_id: str
    application_id: str


async def sign(database: Database, cipher: RecordCipher, subject: Subject, audience: StatementAction) -> str:
    """A JWT that lives for 60 s and is meant for one action of one request of a device.

    :param audience: that action
    :return: compact JWS, ES256, key id in the header
    :raises InvalidKeyFormat: the stored key cannot be read
    """
    from joserfc import jwt  # noqa: PLC0415 - heavy, for the push of an installation that has it
    from joserfc.jwk import ECKey  # noqa: PLC0415

    row = await _signing_key(database, cipher)
    issued = clock.now_ms() // 1000
    claims = {
        "iss": ISSUER,
        "sub": subject.activation_id,
        "aud": audience.value,
        "jti": str(uuid.uuid4()),
        "iat": issued,
        "exp": issued + LIFE_SECONDS,
        "activationId": subject.activation_id,
        "userId": subject.user_id,
        "applicationId": subject.application_id,
    }
    header = {"alg": ALGORITHM, "typ": "JWT", "kid": row.key_id}
    return jwt.encode(header, claims, ECKey.import_key(_private_key(cipher, row)), algorithms=[ALGORITHM])


async def public_keys(database: Database, cipher: RecordCipher) -> list[dict[str, Any]]:
    """The keys that statements are verified with, as JSON Web Keys; the first call makes the key pair.

    They are made of the private keys, not read: what others have written beside them signs nothing.

    :raises InvalidKeyFormat: a stored key cannot be read
    """
    await _signing_key(database, cipher)
    async with database.read() as session:
        rows = await _all(session)
    return [_public_jwk(cipher, row) for row in _published(rows, clock.now())]


async def add_key(database: Database, cipher: RecordCipher) -> str:
    """Make a new key pair, which signs in a minute; keys that nobody needs any more are deleted. Its id."""
    async with database.transaction() as session:
        rows, now = await _all(session), clock.now()
        published = _published(rows, now)
        for row in rows:
            if row not in published:
                await session.delete(row)
        made = _new_row(cipher, rows[-1].id + 1 if rows else _FIRST)
        await session.execute(insert(_TABLE).values(made))
    return str(made["key_id"])


async def _signing_key(database: Database, cipher: RecordCipher) -> StatementKey:
    async with database.read() as session:
        rows = await _all(session)
    if not rows:
        async with database.transaction() as session:
            # Of several processes at their first statement exactly one stores its pair; all use that one.
            await insert_ignore(session, _TABLE, _new_row(cipher, _FIRST))
            rows = await _all(session)
    if not rows:
        raise InvalidKeyFormat()
    return _signing(rows, clock.now())


async def _all(session: AsyncSession) -> Sequence[StatementKey]:
    return (await session.scalars(select(StatementKey).order_by(StatementKey.id))).all()


def _signing(rows: Sequence[StatementKey], now: datetime) -> StatementKey:
    """The newest key that verifiers can know of; the first one is asked for before anything is signed."""
    known = [row for row in rows if row.timestamp_created <= now - LEAD]
    return known[-1] if known else rows[0]


def _published(rows: Sequence[StatementKey], now: datetime) -> Sequence[StatementKey]:
    """Keys that sign, will sign, or have signed what may still be on its way."""
    needed = _signing(rows, now - OVERLAP) if rows else None
    return [row for row in rows if needed is None or row.id >= needed.id]


def _new_row(cipher: RecordCipher, number: int) -> dict[str, Any]:
    pair = generate_key_pair()
    key_id = str(uuid.uuid4())
    mode, stored = cipher.encrypt(statement_key_parts(key_id), export_private_key(pair.private))
    return {
        "id": number,
        "key_id": key_id,
        "private_key_base64": stored,
        "private_key_encryption": mode,
        "public_key_base64": b64encode(export_public_key(pair.public)),
        "timestamp_created": clock.now(),
    }


def _private_key(cipher: RecordCipher, row: StatementKey) -> PrivateKey:
    plain = cipher.decrypt(
        row.private_key_encryption, statement_key_parts(row.key_id), row.private_key_base64
    )
    try:
        return import_private_key(plain)
    except KeyFormatError:
        raise InvalidKeyFormat() from None


def _public_jwk(cipher: RecordCipher, row: StatementKey) -> dict[str, Any]:
    from joserfc.jwk import ECKey  # noqa: PLC0415

    public = _private_key(cipher, row).public_key()
    jwk = dict(ECKey.import_key(public).as_dict(private=False))
    return jwk | {"kid": row.key_id, "alg": ALGORITHM, "use": "sig"}
