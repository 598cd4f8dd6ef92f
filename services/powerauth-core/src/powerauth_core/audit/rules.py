"""Kinds and levels of audit records (spec/core-api.md §27, cloud-api §10.2)."""

from enum import StrEnum


class AuditType(StrEnum):
    """What a record is about."""

    ACTIVATION = "activation"
    OPERATION = "operation"
    SIGNATURE = "signature"
    AUTHENTICATION = "authentication"
    TOKEN = "token"  # noqa: S105 a kind of record
    APPLICATION = "application"
    INTEGRATION = "integration"
    CALLBACK = "callback"
    TEMPLATE = "template"


class AuditLevel(StrEnum):
    """Severity of a record."""

    ERROR = "ERROR"
    WARN = "WARN"
    INFO = "INFO"
    DEBUG = "DEBUG"
    TRACE = "TRACE"

    def and_above(self) -> list[str]:
        """The names of this level and of the more severe ones."""
        names = [level.value for level in AuditLevel]
        return names[: names.index(self.value) + 1]
