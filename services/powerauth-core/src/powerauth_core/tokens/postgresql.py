"""A batch of token headers on PostgreSQL: read, compared with what is remembered, and remembered by one
statement, which is a transaction of its own.

The digests are checked beforehand with secrets held in memory. The statement accepts a header only if the
stored secret is still the one it was checked with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
from powerauth_core.kernel.enums import UniqueValueType
from powerauth_core.kernel.errors import CoreError
from powerauth_core.tokens.checks import UNKNOWN, TokenCheck, Verdict, may_be_used, replayed
from powerauth_core.tokens.repository import STORED, found_token
from powerauth_core.tokens.secrets import StoredSecret, TokenSecrets
from servicekit.batching import BatchFailed, Settled
from servicekit.database import translate_error
from servicekit.row_macs import RowKeyUnknown, RowMacs

SECRETS = """SELECT token_id, activation_id, token_secret AS secret, token_secret_encryption AS encryption
FROM pa_token WHERE token_id = ANY($1::varchar[])"""

# Values are inserted in their order, so that two batches never wait for each other crosswise.
_TABLES = {"pa_token": "t", "pa_activation": "a", "pa_application": "p"}
_FOUND = ", ".join(
    [f"{_TABLES[column.table.name]}.{column.name} AS {name}" for name, column in STORED.items()]
)
_SHOWN = ", ".join([f"f.{name}" for name in STORED])
CHECK = f"""WITH asked AS MATERIALIZED (
    SELECT v->>0 AS token_id, v->>1 AS secret, v->>2 AS value, (v->>3)::timestamp AS expires,
        v->4 AS scope, number
    FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS q(v, number)
), found AS (
    SELECT q.number, q.value, q.expires, t.token_secret IS NOT DISTINCT FROM q.secret AS current,
        {_FOUND}
    FROM asked q
    JOIN pa_token t ON t.token_id = q.token_id
    JOIN pa_activation a ON a.activation_id = t.activation_id
    JOIN pa_application p ON p.id = a.application_id
    WHERE q.scope = 'null' OR jsonb_exists(q.scope, p.name)
), remembered AS (
    INSERT INTO pa_unique_value (unique_value, type, timestamp_expires)
    SELECT value, $2::int, expires FROM found
    WHERE value IS NOT NULL AND current AND activation_status = $3::int AND protocol = $4::varchar
    ORDER BY value
    ON CONFLICT (unique_value) DO NOTHING RETURNING unique_value
)
SELECT f.number, f.current, r.unique_value IS NOT NULL, {_SHOWN}
FROM found f LEFT JOIN remembered r ON r.unique_value = f.value"""  # noqa: S608 only column names of ours
_CONSTANTS = (
    UniqueValueType.MAC_TOKEN.code,
    ActivationStatus.ACTIVE.code,
    ActivationProtocol.POWERAUTH.value,
)
_ATTEMPTS = 3


@dataclass(slots=True)
class _Proof:
    """What the secret in memory says of a header.

    :ivar stored: the column text it was checked with, None for an unknown token
    :ivar error: the secret cannot be read
    """

    stored: str | None
    holds: bool = False
    error: CoreError | None = None


@dataclass(slots=True)
class _Held:
    """The secrets of one batch by token id: what the memory of all batches drops meanwhile stays here."""

    memory: TokenSecrets
    readable: dict[str, tuple[StoredSecret, bytes]] = field(default_factory=dict, repr=False)
    unreadable: dict[str, tuple[StoredSecret, CoreError]] = field(default_factory=dict)

    def recall(self, token_id: str) -> bool:
        """Whether the secret is here, or was in the memory."""
        if token_id in self.readable or token_id in self.unreadable:
            return True
        known = self.memory.known(token_id)
        if known is None:
            return False
        self.readable[token_id] = known
        return True

    async def fetch(self, driver: Any, token_ids: set[str]) -> None:
        """Read secrets; unknown tokens have none."""
        for row in await driver.fetch(SECRETS, list(token_ids)):
            stored = StoredSecret(**row)
            self.readable.pop(stored.token_id, None)
            self.unreadable.pop(stored.token_id, None)
            try:
                self.readable[stored.token_id] = (stored, self.memory.read(stored))
            except CoreError as error:
                self.unreadable[stored.token_id] = (stored, error)

    def prove(self, check: TokenCheck) -> _Proof:
        """What the secret says of a header."""
        failed = self.unreadable.get(check.token_id)
        if failed is not None:
            return _Proof(failed[0].secret, error=failed[1])
        known = self.readable.get(check.token_id)
        if known is None:
            return _Proof(None)
        stored, secret = known
        return _Proof(stored.secret, check.proves(secret))


async def check(
    driver: Any, checks: Sequence[TokenCheck], secrets: TokenSecrets, macs: RowMacs, *, remembers: bool
) -> Sequence[Settled[Verdict]]:
    """Check headers, no two of them the same.

    :param driver: connection outside of a transaction
    :param remembers: whether accepted headers are remembered, and refused the next time
    :return: outcomes in the order of the headers
    """
    settled: dict[int, Settled[Verdict]] = {}
    held = _Held(secrets)
    for _ in range(_ATTEMPTS):
        left = [number for number in range(len(checks)) if number not in settled]
        if not left:
            break
        pending = [checks[number] for number in left]
        unknown = {check.token_id for check in pending if not held.recall(check.token_id)}
        if unknown:
            await held.fetch(driver, unknown)
        proofs = [held.prove(check) for check in pending]
        try:
            rows = await _perform(driver, pending, proofs, remembers=remembers)
        except Exception as error:
            if settled:
                # Some headers are spent already: the batch must not be run again.
                raise BatchFailed from (translate_error(error) or error)
            raise
        for position, number in enumerate(left):
            outcome = _outcome(rows.get(position), proofs[position], macs, remembers=remembers)
            if outcome is not None:
                settled[number] = outcome
            else:
                await held.fetch(driver, {pending[position].token_id})
    # Only rewriting the same secret again and again at this very moment gets here.
    changing: Settled[Verdict] = Settled(error=RuntimeError("the token's secret changes all the time"))
    return [settled.get(number, changing) for number in range(len(checks))]


async def _perform(
    driver: Any, checks: Sequence[TokenCheck], proofs: Sequence[_Proof], *, remembers: bool
) -> dict[int, Any]:
    """The rows of the known tokens by position in the batch."""
    asked = [
        (
            check.token_id,
            proof.stored,
            check.unique_value if proof.holds and remembers else None,
            check.expires,
            check.application_ids,
        )
        for check, proof in zip(checks, proofs, strict=True)
    ]
    rows = await driver.fetch(CHECK, to_json(asked).decode(), *_CONSTANTS)
    return {number - 1: columns for number, *columns in rows}


def _outcome(row: Any, proof: _Proof, macs: RowMacs, *, remembers: bool) -> Settled[Verdict] | None:
    """None if the stored secret is not the one that the header was checked with."""
    if row is None:
        return Settled(UNKNOWN)
    current, is_new, *columns = row
    try:
        token = found_token(columns, macs)
        if not may_be_used(token):
            return Settled(Verdict(token, False))
    except (CoreError, RowKeyUnknown) as error:
        return Settled(error=error)
    if not current:
        return None
    if proof.error is not None:
        return Settled(error=proof.error)
    if proof.holds and remembers and not is_new:
        return Settled(error=replayed())
    return Settled(Verdict(token, proof.holds))
