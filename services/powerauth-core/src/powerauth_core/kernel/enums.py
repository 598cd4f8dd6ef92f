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
    CLIENT_ASSERTION = "CLIENT_ASSERTION", 3
    OPERATION_EXCHANGE = "OPERATION_EXCHANGE", 4
