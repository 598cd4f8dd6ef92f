"""Columns as the driver gives them, for statements that go past the entities."""

from __future__ import annotations

from powerauth_core.enums import ActivationStatus
from powerauth_protocol.json_text import read_json

_STATUS = {status.code: status for status in ActivationStatus}


def stored_status(code: int) -> ActivationStatus:
    """The state of an activation; an unknown number reads as REMOVED, as in the entity."""
    return _STATUS.get(code, ActivationStatus.REMOVED)


def stored_texts(stored: str | None) -> tuple[str, ...]:
    """A JSON array of texts; NULL and an empty text are an empty one, and most are."""
    return () if not stored or stored == "[]" else tuple(read_json(stored))
