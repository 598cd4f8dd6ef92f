"""The statements of a batch that go past the entities: one finds its activations, one leaves behind what came
of them.

Written in SQL, since compiling and binding them row by row would cost more than the checks themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any

from powerauth_contracts.enums import ActivationProtocol
from powerauth_core.activations.models import BOUND_COLUMNS, Activation
from powerauth_core.activations.reads import stored_status, stored_texts
from powerauth_core.audit.chain.streams import Turn
from powerauth_core.audit.signatures import AUDIT_COLUMNS, CHAIN_COLUMNS, LOG_COLUMNS, LOG_CONSTANTS
from powerauth_core.verification.jobs import ActivationFacts, Decision, LockedActivation
from powerauth_core.verification.store import Left
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.generation import generation_of_activation
from servicekit.additions import json_part, json_rows
from servicekit.row_macs import RowMacs

_TABLE = Activation.__tablename__
_COLUMNS = (
    *BOUND_COLUMNS,
    "blocked_reason",
    "counter",
    "ctr_data",
    "failed_attempts",
    "max_failed_attempts",
    "flags",
    "row_mac",
)
_SELECTED = ", ".join([f"a.{name}" for name in _COLUMNS])
_FOUND = "FROM pa_activation a JOIN pa_application p ON p.id = a.application_id WHERE a.activation_id"
_FIND = f"SELECT {_SELECTED}, p.name AS application_name, p.roles AS application_roles"
# `xmin` is the transaction that wrote this version of the row: it tells whether the row is still the same.
_FIND_VERSION = f"{_FIND}, a.xmin AS row_version"
READ = f"{_FIND_VERSION} {_FOUND} = ANY($1::varchar[])"
# In the order of the ids (D9). NO KEY UPDATE lets others insert rows that refer to the activation.
LOCK = f"{_FIND} {_FOUND} = ANY($1::varchar[]) ORDER BY a.activation_id FOR NO KEY UPDATE OF a"
LOCK_FREE_ONES = f"{LOCK} SKIP LOCKED"
READ_ON_SQLITE = f"{_FIND} {_FOUND} IN (SELECT value FROM json_each(?))"  # noqa: S608 our names
"""SQLite's one writer holds the whole database: there are no rows to lock."""

FIRST_OF_RECORD = len(_COLUMNS) + 3
"""Column of `read_with` with which the record of an action begins."""


def read_with(selected: str, columns: int) -> str:
    """Activations and records in one round trip: as `READ`, each beside the record of its action. $1: ids of
    activations, $2: those of the records, in the same order.

    :param selected: reads the record ``q.record_id``
    :param columns: how many it gives
    """
    # Names of their own, since activations are read by name.
    names = ", ".join([f"record_{number}" for number in range(columns)])
    return f"""{_FIND_VERSION}, r.*
FROM unnest($1::varchar[], $2::varchar[]) AS q (activation_id, record_id)
JOIN pa_activation a ON a.activation_id = q.activation_id JOIN pa_application p ON p.id = a.application_id
LEFT JOIN LATERAL ({selected}) r ({names}) ON true"""


_bound = itemgetter(*BOUND_COLUMNS)
_BOUND_STATUS = BOUND_COLUMNS.index("activation_status")


def activations(rows: Iterable[Mapping[str, Any]], macs: RowMacs) -> dict[str, LockedActivation]:
    """The activations in rows of these statements, by id."""
    return {row["activation_id"]: _activation(row, macs) for row in rows}


def _activation(row: Mapping[str, Any], macs: RowMacs) -> LockedActivation:
    activation_id, ctr_data, mac, bound = row["activation_id"], row["ctr_data"], row["row_mac"], _bound(row)
    counter = generation_of_activation(row["version"]).counter
    sound = macs.sound(_TABLE, activation_id, bound, mac)
    return LockedActivation(
        facts=ActivationFacts(
            activation_id=activation_id,
            status=stored_status(row["activation_status"]),
            protocol=ActivationProtocol(row["protocol"]),
            version=row["version"],
            blocked_reason=row["blocked_reason"],
            counter=row["counter"],
            ctr_data=None if ctr_data is None else b64decode(ctr_data, counter.length),
            failed_attempts=row["failed_attempts"],
            max_failed_attempts=row["max_failed_attempts"],
            sound=sound,
            bound=bound if sound and mac is not None else None,
        ),
        user_id=row["user_id"],
        application_rid=row["application_id"],
        application_id=row["application_name"],
        application_roles=stored_texts(row["application_roles"]),
        flags=stored_texts(row["flags"]),
        server_private_key_base64=row["server_private_key_base64"],
        server_private_key_encryption=row["server_private_key_encryption"],
        device_public_key_base64=row["device_public_key_base64"],
        unjudged=not sound and not macs.judges(mac),
    )


def renewed_mac(macs: RowMacs, after: ActivationFacts) -> str | None:
    """The MAC that the row gets with a new state; None: the one it has stays."""
    bound = after.bound
    if bound is None or bound[_BOUND_STATUS] == after.status.code:
        return None
    return macs.mac(_TABLE, (*bound[:_BOUND_STATUS], after.status.code, *bound[_BOUND_STATUS + 1 :]))


_LEFT = {
    "activation_id": "varchar",
    "activation_status": "int",
    "blocked_reason": "varchar",
    "counter": "int",
    "ctr_data": "varchar",
    "failed_attempts": "int",
    "row_mac": "varchar",
    "row_version": "xid",
}


PLACED_COLUMNS = AUDIT_COLUMNS | CHAIN_COLUMNS
_CELLS = PLACED_COLUMNS | {f"log_{name}": kind for name, kind in LOG_COLUMNS.items()}
_CONSTANTS = tuple(LOG_CONSTANTS.values())
_FIRST_CONSTANT = 5
_FIRST_OF_HEAD = _FIRST_CONSTANT + len(_CONSTANTS)
_NO_HEAD = (None,) * 4
FIRST_FREE = _FIRST_OF_HEAD + len(_NO_HEAD)
"""Number of the first parameter that `leave_behind` leaves to others."""
MOVED = "moved"
"""Part of the statement that updates the activations."""


@lru_cache(maxsize=1_000)
def leave_behind(further: tuple[str, ...] = (), condition: str = "true", returned: str = "NULL") -> str:
    """One round trip for all that a batch leaves behind (PostgreSQL); it fails as a division by zero, and is
    undone, unless all activations are as they had been read.

    $1: the activations, $2: the audit, $3: the moment, $4: how long to wait for a row, in ms, NULL for as
    long as usual.

    :param further: more parts
    :param condition: what else must have come true, or it fails
    :param returned: an expression that is its second column
    """
    parts = "".join([f",\n{part}" for part in further])
    return f"""WITH
{json_part("activation", _LEFT, 1)},
{json_part("record", _CELLS, 2)},
audit AS (INSERT INTO pa_signature_audit ({", ".join(PLACED_COLUMNS)})
    SELECT {", ".join(PLACED_COLUMNS)} FROM record),
log AS (INSERT INTO audit_log ({", ".join([*LOG_COLUMNS, *LOG_CONSTANTS])})
    SELECT {", ".join([f"log_{name}" for name in LOG_COLUMNS])},
        {", ".join([f"${each}::varchar" for each in range(_FIRST_CONSTANT, _FIRST_OF_HEAD)])} FROM record),
head AS (UPDATE audit_chain SET position = ${_FIRST_OF_HEAD + 1}, mac = ${_FIRST_OF_HEAD + 2},
    timestamp_last = $3, seal = ${_FIRST_OF_HEAD + 3} WHERE chain_id = ${_FIRST_OF_HEAD}),
patience AS (SELECT set_config('lock_timeout', coalesce($4::varchar, current_setting('lock_timeout')), true)),
{MOVED} AS (UPDATE pa_activation a
    SET activation_status = v.activation_status, blocked_reason = v.blocked_reason, counter = v.counter,
        ctr_data = v.ctr_data, failed_attempts = v.failed_attempts, row_mac = coalesce(v.row_mac, a.row_mac),
        timestamp_last_used = $3
    FROM activation v, patience
    WHERE a.activation_id = v.activation_id AND a.xmin = coalesce(v.row_version, a.xmin)
    RETURNING a.activation_id){parts}
SELECT 1 / ((SELECT count(*) FROM {MOVED}) = (SELECT count(*) FROM activation) AND {condition})::int,
    {returned}"""  # noqa: S608 only names of ours


TOUCH = "UPDATE audit_chain SET position = position WHERE chain_id = "


def left_behind(
    left: Left, turn: Turn, macs: RowMacs, versions: Mapping[str, int], patience_ms: int | None
) -> tuple[Any, ...]:
    """Arguments of `leave_behind`.

    :param versions: of the rows that must be as they were read, by id of the activation
    """
    activations = [_moved(decision, macs, versions) for decision in left.decisions]
    rows = [
        (*record.signature, *place, *record.general)
        for record, place in zip(left.records, left.chained.places, strict=True)
    ]
    head = left.chained.head
    return (
        json_rows(activations),
        json_rows(rows),
        turn.now,
        None if patience_ms is None else str(patience_ms),
        *_CONSTANTS,
        *(_NO_HEAD if head is None else (head.chain_id, head.position, head.mac, head.seal)),
    )


def _moved(decision: Decision, macs: RowMacs, versions: Mapping[str, int]) -> tuple[Any, ...]:
    after = decision.after
    return (
        after.activation_id,
        after.status.code,
        after.blocked_reason,
        after.counter,
        None if after.ctr_data is None else b64encode(after.ctr_data),
        after.failed_attempts,
        renewed_mac(macs, after),
        versions.get(after.activation_id),
    )
