"""Types of query and path parameters that many endpoints share (spec/cloud-api.md §1.2, §1.8)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Header, Path, Query
from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from powerauth_contracts.push.calls import IDEMPOTENCY_HEADER

MAX_EPOCH_MS = 253_402_300_799_999
"""The last millisecond of the year 9999."""

_BOOLEANS = {"true": True, "false": False}
_DIGITS = re.compile(r"-?[0-9]{1,40}", re.ASCII)


def _boolean(value: object) -> object:
    if isinstance(value, bool):
        return value
    found = _BOOLEANS.get(value) if isinstance(value, str) else None
    if found is None:
        raise PydanticCustomError("bool_type", "must be true or false")
    return found


def _text(value: str) -> str:
    if "\x00" in value:
        raise PydanticCustomError("nul_character", "must not contain the NUL character")
    return value


def _integer(value: object) -> object:
    if isinstance(value, str):
        if not _DIGITS.fullmatch(value):
            raise PydanticCustomError("int_parsing", "must be an integer")
        return int(value)
    return value


QueryInt = Annotated[int, BeforeValidator(_integer)]
"""Digits with an optional minus, nothing else (D26)."""

QueryBool = Annotated[bool, BeforeValidator(_boolean)]
"""``true`` or ``false``, nothing else."""

QueryText = Annotated[str, AfterValidator(_text)]
"""Text that can be stored."""

UserIdQuery = Annotated[QueryText, Query(alias="userId", min_length=1, max_length=255)]
AppIdQuery = Annotated[QueryText | None, Query(alias="appId", min_length=1, max_length=255)]
ExternalUserIdQuery = Annotated[QueryText | None, Query(alias="externalUserId", max_length=255)]
TimestampFromQuery = Annotated[QueryInt | None, Query(alias="timestampFrom", ge=0, le=MAX_EPOCH_MS)]
TimestampToQuery = Annotated[QueryInt | None, Query(alias="timestampTo", ge=0, le=MAX_EPOCH_MS)]
LanguageQuery = Annotated[str, Query(alias="language", pattern=r"^[A-Za-z]{2}$")]

RegistrationIdPath = Annotated[str, Path(alias="registrationId")]
OperationIdPath = Annotated[str, Path(alias="operationId")]
AppIdPath = Annotated[str, Path(alias="appId")]

IdempotencyKeyHeader = Annotated[str | None, Header(alias=IDEMPOTENCY_HEADER, min_length=1, max_length=255)]
"""What is asked again under the same one is done once."""

_CORE_ID = re.compile(r"[0-9A-Za-z_.\-]{1,37}", re.ASCII)
_STORABLE = re.compile(r"[^\x00]{1,255}")


def is_core_id(text: str) -> bool:
    """Whether the text can be the id of a registration, operation or callback at all."""
    return _CORE_ID.fullmatch(text) is not None


def is_storable(text: str) -> bool:
    """Whether the text can be a name of up to 255 characters at all."""
    return _STORABLE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which part of a list; ``number`` counts from 0."""

    number: int = 0
    size: int = 500


StatusReasonQuery = Annotated[str | None, Query(alias="statusReason", pattern=r"^[A-Za-z0-9_.\-]{1,32}$")]
REGISTRATION_ID = r"^[0-9A-Za-z][0-9A-Za-z-]{0,36}$"
OperationIdQuery = Annotated[QueryText, Query(alias="operationId", min_length=1, max_length=255)]
