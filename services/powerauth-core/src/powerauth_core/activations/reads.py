"""Hot reads of activations, past the entities (CONTRIBUTING.md, hot statements)."""

from __future__ import annotations

from collections.abc import Sequence

from powerauth_contracts.enums import ActivationOtpValidation, ActivationStatus, CommitPhase
from powerauth_core.activations.models import (
    BLOCKED_AS_UNSOUND,
    Activation,
    status_as_unsound,
)
from powerauth_core.activations.stored import COLUMNS, ActivationRow, bound_content
from powerauth_core.kernel.paging import Page
from powerauth_protocol.common.json_text import read_json
from servicekit.reads import LIST, Fetch, Read, Row, moment, reading
from servicekit.row_macs import RowKeyUnknown, RowMacs

ApplicationIds = Sequence[str] | None
"""Public ids of the applications a caller may see; None = all (D21)."""

_COLUMNS = ", ".join([f"a.{name}" for name in COLUMNS])

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
_STATUSES = {each.code: each for each in ActivationStatus}
_OTP_VALIDATIONS = {each.code: each for each in ActivationOtpValidation}
_COMMIT_PHASES = {each.code: each for each in CommitPhase}


def stored_status(code: int) -> ActivationStatus:
    """The state of an activation; an unknown number reads as REMOVED, as in the entity."""
    return _STATUSES.get(code, ActivationStatus.REMOVED)


def stored_texts(stored: str | None) -> tuple[str, ...]:
    """A JSON array of texts, as stored; NULL and an empty text are an empty one, and most are."""
    return () if not stored or stored == "[]" else tuple(read_json(stored))


_READERS = reading(
    COLUMNS,
    {
        "activation_status": stored_status,
        "activation_otp_validation": lambda code: _OTP_VALIDATIONS.get(code, ActivationOtpValidation.NONE),
        "commit_phase": lambda code: _COMMIT_PHASES.get(code, CommitPhase.ON_COMMIT),
        "timestamp_activation_expire": moment,
        "timestamp_created": moment,
        "timestamp_last_used": moment,
        "timestamp_last_change": moment,
        "flags": lambda stored: list(stored_texts(stored)),
        "additional_data": lambda stored: read_json(stored) if stored.strip() else None,
    },
)


async def find(fetch: Fetch, macs: RowMacs, activation_id: str) -> ActivationRow | None:
    """The activation as it is committed now.

    :raises RowKeyUnknown: nobody here can tell whether the core has written it
    """
    rows = await fetch(FIND, activation_id)
    return judged_row(rows[0], macs) if rows else None


async def page_of_user(
    fetch: Fetch,
    macs: RowMacs,
    user_id: str,
    application_ids: ApplicationIds,
    statuses: Sequence[ActivationStatus],
    page: Page,
) -> list[tuple[ActivationRow, str]]:
    """Activations of a user that can be judged, with their application ids, newest first.

    :param statuses: empty = in any
    """
    codes = [status.code for status in statuses] or None
    offset = page.number * page.size
    rows = await fetch(PAGE_OF_USER, user_id, application_ids, codes, page.size, offset)
    found = [(activation_row(columns, macs), name) for name, *columns in rows]
    return [(row, name) for row, name in found if row.sound or macs.judges(row.row_mac)]


def activation_row(columns: Row, macs: RowMacs) -> ActivationRow:
    """The activation in `COLUMNS` as the database holds them."""
    row = ActivationRow(**dict(zip(COLUMNS, _READERS(columns), strict=True)))
    row.sound = macs.sound(_TABLE, row.activation_id, bound_content(columns), row.row_mac)
    if not row.sound:
        row.activation_status = status_as_unsound(row.activation_status)
        row.blocked_reason = BLOCKED_AS_UNSOUND
    return row


def judged_row(columns: Row, macs: RowMacs) -> ActivationRow:
    """As `activation_row`, of one that was asked for alone.

    :raises RowKeyUnknown: nobody here can tell whether the core has written it
    """
    row = activation_row(columns, macs)
    if not row.sound and not macs.judges(row.row_mac):
        raise RowKeyUnknown(_TABLE)
    return row
