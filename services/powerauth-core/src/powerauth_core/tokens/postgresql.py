"""A batch of token headers on PostgreSQL: read, compared with what is remembered, and remembered by one
statement, which is a transaction of its own.

The digests are checked beforehand with secrets held in memory. The statement accepts a header only if the
stored secret is still the one it was checked with.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from powerauth_core.enums import ActivationProtocol, ActivationStatus, UniqueValueType
from powerauth_core.errors import CoreError
from powerauth_core.signatures.batching import Settled
from powerauth_core.tokens.checks import UNKNOWN, TokenCheck, Verdict, may_be_used, replayed
from powerauth_core.tokens.repository import FoundToken
from powerauth_core.tokens.secrets import StoredSecret, TokenSecrets

_SECRETS = """SELECT token_id, activation_id, token_secret, token_secret_encryption
FROM pa_token WHERE token_id = ANY($1::varchar[])"""

# Values are inserted in their order, so that two batches never wait for each other crosswise.
_CHECK = """WITH asked AS (
    SELECT * FROM unnest($1::varchar[], $2::varchar[], $3::varchar[], $4::timestamp[], $5::varchar[])
        WITH ORDINALITY AS q(token_id, secret, value, expires, scope, number)
), found AS (
    SELECT q.number, q.value, q.expires,
        t.token_id, t.token_secret, t.token_secret_encryption, t.signature_type,
        a.activation_id, a.activation_status, a.blocked_reason, a.protocol, a.user_id, a.activation_name,
        a.flags, p.name, p.roles, t.token_secret IS NOT DISTINCT FROM q.secret AS current
    FROM asked q
    JOIN pa_token t ON t.token_id = q.token_id
    JOIN pa_activation a ON a.activation_id = t.activation_id
    JOIN pa_application p ON p.id = a.application_id
    WHERE q.scope IS NULL OR jsonb_exists(q.scope::jsonb, p.name)
), remembered AS (
    INSERT INTO pa_unique_value (unique_value, type, timestamp_expires)
    SELECT value, $6::int, expires FROM found
    WHERE value IS NOT NULL AND current AND activation_status = $7::int AND protocol = $8::varchar
    ORDER BY value
    ON CONFLICT (unique_value) DO NOTHING RETURNING unique_value
)
SELECT f.*, r.unique_value IS NOT NULL AS is_new
FROM found f LEFT JOIN remembered r ON r.unique_value = f.value"""
_CONSTANTS = (
    UniqueValueType.MAC_TOKEN.code,
    ActivationStatus.ACTIVE.code,
    ActivationProtocol.POWERAUTH.value,
)
_STATUS = {status.code: status for status in ActivationStatus}
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class _Proof:
    """What the secret in memory says of a header.

    :ivar stored: the column text it was checked with, None for an unknown token
    :ivar error: the secret cannot be read
    """

    stored: str | None
    holds: bool = False
    error: CoreError | None = None


async def check(
    driver: Any, checks: Sequence[TokenCheck], secrets: TokenSecrets, *, remembers: bool
) -> Sequence[Settled[Verdict]]:
    """Check headers, no two of them the same.

    :param driver: connection outside of a transaction
    :param remembers: whether accepted headers are remembered, and refused the next time
    :return: outcomes in the order of the headers
    """
    settled: dict[int, Settled[Verdict]] = {}
    unreadable: dict[str, tuple[StoredSecret, CoreError]] = {}
    for _ in range(_ATTEMPTS):
        left = [number for number in range(len(checks)) if number not in settled]
        if not left:
            break
        pending = [checks[number] for number in left]
        await _read_secrets(driver, pending, secrets, unreadable)
        proofs = [_prove(check, secrets, unreadable) for check in pending]
        rows = await _perform(driver, pending, proofs, remembers=remembers)
        for position, number in enumerate(left):
            outcome = _outcome(rows.get(position), proofs[position], remembers=remembers)
            if outcome is not None:
                settled[number] = outcome
            else:
                await _read_again(driver, pending[position], secrets, unreadable)
    # Only rewriting the same secret again and again at this very moment gets here.
    changing: Settled[Verdict] = Settled(error=RuntimeError("the token's secret changes all the time"))
    return [settled.get(number, changing) for number in range(len(checks))]


async def _read_secrets(
    driver: Any,
    checks: Sequence[TokenCheck],
    secrets: TokenSecrets,
    unreadable: dict[str, tuple[StoredSecret, CoreError]],
) -> None:
    """Bring the secrets that are not in memory."""
    unknown = {check.token_id for check in checks if secrets.known(check.token_id) is None}
    unknown -= unreadable.keys()
    if unknown:
        await _fetch(driver, unknown, secrets, unreadable)


async def _read_again(
    driver: Any,
    check: TokenCheck,
    secrets: TokenSecrets,
    unreadable: dict[str, tuple[StoredSecret, CoreError]],
) -> None:
    unreadable.pop(check.token_id, None)
    await _fetch(driver, {check.token_id}, secrets, unreadable)


async def _fetch(
    driver: Any,
    token_ids: set[str],
    secrets: TokenSecrets,
    unreadable: dict[str, tuple[StoredSecret, CoreError]],
) -> None:
    for row in await driver.fetch(_SECRETS, list(token_ids)):
        stored = StoredSecret(*row)
        try:
            secrets.read(stored)
        except CoreError as error:
            unreadable[stored.token_id] = (stored, error)


def _prove(
    check: TokenCheck, secrets: TokenSecrets, unreadable: dict[str, tuple[StoredSecret, CoreError]]
) -> _Proof:
    failed = unreadable.get(check.token_id)
    if failed is not None:
        return _Proof(failed[0].secret, error=failed[1])
    known = secrets.known(check.token_id)
    if known is None:
        return _Proof(None)
    stored, secret = known
    return _Proof(stored.secret, check.proves(secret))


async def _perform(
    driver: Any, checks: Sequence[TokenCheck], proofs: Sequence[_Proof], *, remembers: bool
) -> dict[int, Any]:
    """The rows of the known tokens by position in the batch."""
    rows = await driver.fetch(
        _CHECK,
        [check.token_id for check in checks],
        [proof.stored for proof in proofs],
        [
            check.unique_value if proof.holds and remembers else None
            for check, proof in zip(checks, proofs, strict=True)
        ],
        [check.expires for check in checks],
        [None if check.application_ids is None else json.dumps(check.application_ids) for check in checks],
        *_CONSTANTS,
    )
    return {row["number"] - 1: row for row in rows}


def _outcome(row: Any, proof: _Proof, *, remembers: bool) -> Settled[Verdict] | None:
    """None if the stored secret is not the one that the header was checked with."""
    if row is None:
        return Settled(UNKNOWN)
    token = _token(row)
    try:
        if not may_be_used(token):
            return Settled(Verdict(token, False))
    except CoreError as error:
        return Settled(error=error)
    if not row["current"]:
        return None
    if proof.error is not None:
        return Settled(error=proof.error)
    if proof.holds and remembers and not row["is_new"]:
        return Settled(error=replayed())
    return Settled(Verdict(token, proof.holds))


def _token(row: Any) -> FoundToken:
    return FoundToken(
        token_id=row["token_id"],
        secret=row["token_secret"],
        secret_encryption=row["token_secret_encryption"],
        signature_type=row["signature_type"],
        activation_id=row["activation_id"],
        activation_status=_STATUS.get(row["activation_status"], ActivationStatus.REMOVED),
        blocked_reason=row["blocked_reason"],
        protocol=row["protocol"],
        user_id=row["user_id"],
        activation_name=row["activation_name"],
        activation_flags=_texts(row["flags"]),
        application_id=row["name"],
        application_roles=_texts(row["roles"]),
    )


def _texts(stored: str | None) -> tuple[str, ...]:
    """A JSON array column; most are empty."""
    return () if stored is None or stored in ("", "[]") else tuple(json.loads(stored))
