"""Kinds of audit records (spec/core-api.md §27, cloud-api §10.2), and months."""

from datetime import datetime
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
    INTEGRITY = "integrity"
    FIDO2 = "fido2"
    DEVICE = "device"
    JWT = "jwt"


def first_of_month(moment: datetime) -> datetime:
    """The moment at which its month began."""
    return datetime(moment.year, moment.month, 1)


def months_from(moment: datetime, count: int) -> list[datetime]:
    """The beginnings of the month of a moment and of the ``count`` months after it."""
    first = moment.year * 12 + moment.month - 1
    return [datetime(month // 12, month % 12 + 1, 1) for month in range(first, first + count + 1)]


def months_before(moment: datetime, count: int) -> datetime:
    """The beginning of the month that was ``count`` months before the one of the moment."""
    month = moment.year * 12 + moment.month - 1 - count
    return datetime(month // 12, month % 12 + 1, 1)
