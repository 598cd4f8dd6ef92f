"""Hot reads of activations, past the entities (CONTRIBUTING.md, hot statements)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from powerauth_contracts.enums import ActivationOtpValidation, ActivationStatus, CommitPhase
from powerauth_core.activations.columns import stored_status, stored_texts
from powerauth_core.activations.models import (
    BLOCKED_AS_UNSOUND,
    BOUND_COLUMNS,
    Activation,
    status_as_unsound,
)
from powerauth_core.kernel.paging import Page
from powerauth_protocol.common.json_text import read_json
from servicekit.reads import LIST, Fetch, Read, Row, moment, reading
from servicekit.row_macs import RowMacs

ApplicationIds = Sequence[str] | None
"""Public ids of the applications a caller may see; None = all (D21)."""


# A value, never changed. Not frozen: that makes it five times as dear.
@dataclass(slots=True)
class StoredActivation:
    """An activation as it was read, by the names of its columns; an unsound one is BLOCKED at best (D32).

    :ivar sound: the row is as this core left it
    """

    activation_name: str | None
    blocked_reason: str | None
    counter: int
    ctr_data: str | None = field(repr=False)
    extras: str | None
    platform: str | None
    device_info: str | None
    failed_attempts: int
    max_failed_attempts: int
    server_public_key_base64: str
    timestamp_activation_expire: datetime
    timestamp_created: datetime
    timestamp_last_used: datetime
    timestamp_last_change: datetime | None
    external_id: str | None
    flags: tuple[str, ...] | None
    additional_data: dict[str, Any] | None
    parent_activation_id: str | None
    transfer_type: str | None
    activation_id: str
    user_id: str
    application_id: int
    protocol: str
    version: int | None
    activation_status: ActivationStatus
    device_public_key_base64: str | None
    server_private_key_base64: str = field(repr=False)
    server_private_key_encryption: int
    activation_code: str | None = field(repr=False)
    activation_otp: str | None = field(repr=False)
    activation_otp_validation: ActivationOtpValidation
    commit_phase: CommitPhase | None
    sound: bool = True


_NAMES = tuple([each.name for each in fields(StoredActivation)][:-1])
_BOUND = len(_NAMES) - len(BOUND_COLUMNS)
assert _NAMES[_BOUND:] == BOUND_COLUMNS
_COLUMNS = ", ".join([f"a.{name}" for name in (*_NAMES, "row_mac")])

FIND = Read(f"SELECT {_COLUMNS} FROM pa_activation a WHERE a.activation_id = $1", ("varchar",))
PAGE_OF_USER = Read(
    f"SELECT p.name, {_COLUMNS} FROM pa_activation a JOIN pa_application p ON p.id = a.application_id"
    " WHERE a.user_id = $1"
    " AND ($2 IS NULL OR p.name IN (SELECT value FROM jsonb_array_elements_text($2)))"
    " AND ($3 IS NULL OR a.activation_status IN (SELECT value::int FROM jsonb_array_elements_text($3)))"
    " ORDER BY a.timestamp_created DESC, a.activation_id LIMIT $4 OFFSET $5",
    ("varchar", LIST, LIST, "bigint", "bigint"),
)

_TABLE = Activation.__tablename__
_OTP_VALIDATIONS = {each.code: each for each in ActivationOtpValidation}
_COMMIT_PHASES = {each.code: each for each in CommitPhase}
_READERS = reading(
    _NAMES,
    {
        "activation_status": stored_status,
        "activation_otp_validation": lambda code: _OTP_VALIDATIONS.get(code, ActivationOtpValidation.NONE),
        "commit_phase": lambda code: _COMMIT_PHASES.get(code, CommitPhase.ON_COMMIT),
        "timestamp_activation_expire": moment,
        "timestamp_created": moment,
        "timestamp_last_used": moment,
        "timestamp_last_change": moment,
        "flags": stored_texts,
        "additional_data": lambda stored: read_json(stored) if stored.strip() else None,
    },
)


async def find(fetch: Fetch, macs: RowMacs, activation_id: str) -> StoredActivation | None:
    """The activation as it is committed now."""
    rows = await fetch(FIND, activation_id)
    return _activation(rows[0], macs) if rows else None


async def page_of_user(
    fetch: Fetch,
    macs: RowMacs,
    user_id: str,
    application_ids: ApplicationIds,
    statuses: Sequence[ActivationStatus],
    page: Page,
) -> list[tuple[StoredActivation, str]]:
    """Activations of a user with their application ids, newest first.

    :param statuses: empty = in any
    """
    codes = [status.code for status in statuses] or None
    offset = page.number * page.size
    rows = await fetch(PAGE_OF_USER, user_id, application_ids, codes, page.size, offset)
    return [(_activation(columns, macs), name) for name, *columns in rows]


def _activation(row: Row, macs: RowMacs) -> StoredActivation:
    # What a generation adds to the MAC has to be added here too.
    *columns, mac = row
    bound = tuple(columns[_BOUND:])
    found = StoredActivation(*_READERS(columns))
    found.sound = macs.sound(_TABLE, found.activation_id, bound, mac)
    if not found.sound:
        found.activation_status = status_as_unsound(found.activation_status)
        found.blocked_reason = BLOCKED_AS_UNSOUND
    return found
