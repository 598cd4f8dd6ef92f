"""Enumerations that never leave the core, and their numbers in the database (spec/core-api.md §2.1)."""

from enum import StrEnum

from powerauth_contracts.enums import CodedEnum


class CallbackUrlEventStatus(StrEnum):
    """State of one callback delivery."""

    PROCESSING = "PROCESSING"
    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class UniqueValueType(CodedEnum):
    """What a stored unique value protects from replay (§15)."""

    MAC_TOKEN = "MAC_TOKEN", 0
    ENVELOPE_APPLICATION_SCOPE = "ENVELOPE_APPLICATION_SCOPE", 1
    ENVELOPE_ACTIVATION_SCOPE = "ENVELOPE_ACTIVATION_SCOPE", 2


class RowBinding(StrEnum):
    """How far the rows of a database are bound by their MACs (D32)."""

    OFF = "off"
    """Rows are written without a MAC, as before: a release that knows none may run beside."""
    FILLING = "filling"
    """New rows have one, those of before are being given one."""
    COMPLETE = "complete"
    """A row without one is none of ours."""
