"""Reads of passkeys, past the entities (CONTRIBUTING.md, hot statements)."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
from powerauth_core.activations.reads import ApplicationIds, activation_row
from powerauth_core.activations.stored import COLUMNS
from powerauth_core.passkey_records.stored import Passkey, passkey
from servicekit.reads import LIST, Fetch, Read, Row
from servicekit.row_macs import RowMacs

BATCH = 500
"""Passkeys that are read at a time."""

_ACTIVE, _BLOCKED, _REMOVED = (
    status.code for status in (ActivationStatus.ACTIVE, ActivationStatus.BLOCKED, ActivationStatus.REMOVED)
)
_COLUMNS = ", ".join([f"a.{name}" for name in COLUMNS])
WHOLE = f"p.name, {_COLUMNS}"
"""What `passkeys` take of ``pa_activation a`` and its application ``p``."""
_IS_PASSKEY = f"a.protocol = '{ActivationProtocol.FIDO2}'"
_USABLE = f"{_IS_PASSKEY} AND a.activation_status IN ({_ACTIVE}, {_BLOCKED})"
IS_NAMED = (
    f"{_IS_PASSKEY} AND a.external_id = $1 AND a.activation_status <> {_REMOVED}"
    " AND p.name IN (SELECT value FROM jsonb_array_elements_text($2))"
)
"""Those with a credential id that are not removed, of some applications."""
_FROM = "FROM pa_activation a JOIN pa_application p ON p.id = a.application_id"

OF_USER = Read(
    f"SELECT {WHOLE} {_FROM} WHERE a.user_id = $1 AND {_USABLE}"
    " AND ($2 IS NULL OR p.name IN (SELECT value FROM jsonb_array_elements_text($2)))"
    " ORDER BY a.timestamp_created DESC, a.activation_id",
    ("varchar", LIST),
)
BY_CREDENTIAL = Read(f"SELECT {WHOLE} {_FROM} WHERE {IS_NAMED}", ("varchar", LIST))
BATCH_OF_APPLICATION = Read(
    f"SELECT $1, {_COLUMNS} FROM pa_activation a WHERE {_USABLE} AND a.external_id > $2"
    " AND a.application_id = (SELECT p.id FROM pa_application p WHERE p.name = $1)"
    " ORDER BY a.external_id LIMIT $3",
    ("varchar", "varchar", "bigint"),
)


async def of_user(
    fetch: Fetch, macs: RowMacs, user_id: str, application_ids: ApplicationIds = None
) -> list[Passkey]:
    """Passkeys of a user that are ACTIVE or BLOCKED, newest first; None: in all applications."""
    return list(passkeys(await fetch(OF_USER, user_id, application_ids), macs))


async def by_credential(
    fetch: Fetch, macs: RowMacs, credential_id: str, application_ids: Sequence[str]
) -> list[Passkey]:
    """Passkeys with this credential id that are not removed.

    :param credential_id: Base64
    """
    return list(passkeys(await fetch(BY_CREDENTIAL, credential_id, application_ids), macs))


async def batches(
    fetch: Fetch, macs: RowMacs, application_id: str, *, after: str = "", size: int = BATCH
) -> AsyncIterator[list[Passkey]]:
    """All passkeys of an application that are ACTIVE or BLOCKED, in the order of their credential ids.

    :param after: credential id to go on behind (Base64), that of the last passkey of a batch
    """
    while True:
        rows = await fetch(BATCH_OF_APPLICATION, application_id, after, size + 1)
        if len(rows) <= size:
            yield list(passkeys(rows, macs))
            return
        # An adopted database may have passkeys of one id: they stay together, or the next batch misses some.
        whole = [row for row in rows if row[_EXTERNAL_ID] != rows[-1][_EXTERNAL_ID]]
        if not whole:
            size *= 2
            continue
        yield list(passkeys(whole, macs))
        after = whole[-1][_EXTERNAL_ID]


async def count_by_aaguid(fetch: Fetch, macs: RowMacs, application_id: str) -> Counter[uuid.UUID]:
    """How many passkeys of each model an application has, ACTIVE or BLOCKED."""
    counted: Counter[uuid.UUID] = Counter()
    async for batch in batches(fetch, macs, application_id):
        counted.update(one.extras.aaguid for one in batch)
    return counted


def passkeys(rows: Iterable[Row], macs: RowMacs) -> Iterable[Passkey]:
    """The passkeys in rows of `WHOLE`, without those that nobody can judge or read."""
    for name, *columns in rows:
        row = activation_row(columns, macs)
        if row.sound or macs.judges(row.row_mac):
            found = passkey(row, name)
            if found is not None:
                yield found


_EXTERNAL_ID = 1 + COLUMNS.index("external_id")
