"""Hot reads of activations, past the entities (CONTRIBUTING.md, hot statements)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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
from servicekit.database import Database
from servicekit.reads import LIST, Read, Row, moment
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
    flags: tuple[str, ...]
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
    activation_otp_validation: ActivationOtpValidation
    commit_phase: CommitPhase
    sound: bool


_PLAIN_COLUMNS = tuple(StoredActivation.__slots__)[: StoredActivation.__slots__.index("activation_id")]
_COLUMNS = ", ".join([f"a.{name}" for name in (*_PLAIN_COLUMNS, "row_mac", *BOUND_COLUMNS)])

FIND = Read(f"SELECT {_COLUMNS} FROM pa_activation a WHERE a.activation_id = $1", ("varchar",))  # noqa: S608 our names
PAGE_OF_USER = Read(
    f"SELECT p.name, {_COLUMNS} FROM pa_activation a JOIN pa_application p ON p.id = a.application_id"  # noqa: S608
    " WHERE a.user_id = $1"
    " AND ($2 IS NULL OR p.name IN (SELECT value FROM jsonb_array_elements_text($2)))"
    " AND ($3 IS NULL OR a.activation_status IN (SELECT value::int FROM jsonb_array_elements_text($3)))"
    " ORDER BY a.timestamp_created DESC, a.activation_id LIMIT $4 OFFSET $5",
    ("varchar", LIST, LIST, "bigint", "bigint"),
)

_SHOWN = _PLAIN_COLUMNS.index("parent_activation_id")
_TABLE = Activation.__tablename__
_OTP_VALIDATIONS = {each.code: each for each in ActivationOtpValidation}
_COMMIT_PHASES = {each.code: each for each in CommitPhase}


async def find(database: Database, macs: RowMacs, activation_id: str) -> StoredActivation | None:
    """The activation as it is committed now."""
    rows = await database.fetch(FIND, activation_id)
    return _activation(rows[0], macs) if rows else None


async def page_of_user(
    database: Database,
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
    rows = await database.fetch(PAGE_OF_USER, user_id, application_ids, codes, page.size, offset)
    return [(_activation(columns, macs), name) for name, *columns in rows]


def _activation(row: Row, macs: RowMacs) -> StoredActivation:
    # Unpacked: a look-up by name for each makes reading a row of a hot call twice as dear.
    plain, bound = row[: -len(BOUND_COLUMNS)], tuple(row[-len(BOUND_COLUMNS) :])
    *texts, expires, created, last_used, last_change, external_id, flags, additional_data = plain[:_SHOWN]
    *whose, code, device_key, private_key, encryption, activation_code, _, otp_validation, phase = bound
    status, sound = stored_status(code), macs.sound(_TABLE, bound[0], bound, plain[-1])
    values: tuple[Any, ...] = (
        *texts,
        moment(expires),
        moment(created),
        moment(last_used),
        None if last_change is None else moment(last_change),
        external_id,
        stored_texts(flags),
        read_json(additional_data) if additional_data and additional_data.strip() else None,
        *plain[_SHOWN:-1],
        *whose,
        status if sound else status_as_unsound(status),
        device_key,
        private_key,
        encryption,
        activation_code,
        _OTP_VALIDATIONS.get(otp_validation, ActivationOtpValidation.NONE),
        _COMMIT_PHASES.get(phase, CommitPhase.ON_COMMIT),
        sound,
    )
    found = StoredActivation(*values)
    if not sound:
        found.blocked_reason = BLOCKED_AS_UNSOUND
    return found
