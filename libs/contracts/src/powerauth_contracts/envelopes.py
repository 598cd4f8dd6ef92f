"""Wire fields of encrypted envelopes (spec/core-api.md §2.2)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PlainValidator
from pydantic_core import PydanticCustomError

from powerauth_contracts.fields import ExactRequiredText
from powerauth_contracts.wire import MAX_LONG_TEXT, ExactText, RequestModel, WireModel, checked_json


class EnvelopeFields(RequestModel):
    """The encrypted part of a request; which optional fields it has depends on its protocol version.

    Base64 texts; `timestamp` in ms since the epoch. The pattern, which has its own error codes, is not
    checked here.
    """

    temporary_key_id: ExactText | None = None
    ephemeral_public_key: ExactRequiredText
    encrypted_data: Annotated[ExactRequiredText, Field(max_length=MAX_LONG_TEXT)]
    mac: ExactRequiredText
    nonce: ExactText | None = None
    timestamp: int | None = None


class SealedFields(WireModel):
    """The encrypted part of an answer: Base64 texts, `timestamp` in ms; nonce and timestamp from 3.2 on."""

    encrypted_data: str
    mac: str
    nonce: str | None = None
    timestamp: int | None = None


def _object(value: object) -> object:
    if isinstance(value, SealedFields):
        return value
    if not isinstance(value, dict):
        raise PydanticCustomError("dict_type", "must be an object")
    return checked_json(value)


Closed = Annotated[SealedFields | dict[str, Any], PlainValidator(_object)]
"""What whoever passes it on cannot open: written by its maker as `SealedFields`, read as the members that
came, whatever they are.
"""
