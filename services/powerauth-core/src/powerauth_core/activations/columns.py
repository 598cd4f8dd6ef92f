"""Columns as the driver gives them, for statements that go past the entities."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ColumnElement, type_coerce
from sqlalchemy.types import TypeDecorator

from powerauth_contracts.enums import ActivationStatus
from powerauth_protocol.common.json_text import read_json

_STATUS = {status.code: status for status in ActivationStatus}


def as_stored(column: Column[Any]) -> ColumnElement[Any]:
    """The column without our decoding: numbers and texts as the database holds them."""
    kind = column.type
    return type_coerce(column, kind.impl_instance if isinstance(kind, TypeDecorator) else kind)


def stored_status(code: int) -> ActivationStatus:
    """The state of an activation; an unknown number reads as REMOVED, as in the entity."""
    return _STATUS.get(code, ActivationStatus.REMOVED)


def stored_texts(stored: str | None) -> tuple[str, ...]:
    """A JSON array of texts; NULL and an empty text are an empty one, and most are."""
    return () if not stored or stored == "[]" else tuple(read_json(stored))
