"""Wire models of the template and text calls (spec/core-api.md §20; cloud-api §11.7; D1, D2)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from powerauth_core.base import json_text
from powerauth_core.enums import SignatureType
from powerauth_core.templates.rules import is_json_of
from powerauth_core.templates.validation import (
    CheckedRequest,
    at_most,
    in_range,
    matching,
    not_blank,
    not_empty,
    not_null,
)
from servicekit.wire import INT64_MAX, WireModel


def _without_duplicates(types: list[SignatureType]) -> list[SignatureType]:
    if len(set(types)) != len(types):
        raise PydanticCustomError("not_unique", "Template signature types must be unique")
    return types


def _false_if_null(value: Any) -> Any:
    return False if value is None else value


_SignatureTypes = Annotated[
    list[SignatureType],
    not_empty("Template signature types must contain at least one value"),
    AfterValidator(_without_duplicates),
]
_MaxFailureCount = Annotated[
    int,
    not_null("Template maximum allowed failure count must not be null"),
    in_range(1, INT64_MAX, "Template maximum allowed failure count must be greater than zero"),
]
_Expiration = Annotated[
    int,
    not_null("Template expiration value must not be null"),
    in_range(1, INT64_MAX, "Template expiration value must be greater than zero"),
]
_RiskFlags = Annotated[str, at_most(255, "Template risk flags must not exceed 255 characters")]


class OperationTemplateCreateRequest(CheckedRequest):
    """``operation/template/create``; ``expiration`` in seconds."""

    template_name: Annotated[
        str,
        not_blank("Template name must not be empty when creating operation template"),
        at_most(255, "Template name must not exceed 255 characters when creating operation template"),
    ]
    operation_type: Annotated[
        str,
        not_blank("Template operation type must not be empty when creating operation template"),
        at_most(
            255, "Template operation type must not exceed 255 characters when creating operation template"
        ),
    ]
    signature_type: _SignatureTypes
    data_template: Annotated[
        str,
        not_blank("Template data must not be empty when creating operation template"),
        at_most(255, "Template data must not exceed 255 characters when creating operation template"),
    ]
    expiration: _Expiration
    max_failure_count: _MaxFailureCount
    risk_flags: _RiskFlags | None = None
    proximity_check_enabled: Annotated[bool, BeforeValidator(_false_if_null)] = False


class OperationTemplateUpdateRequest(CheckedRequest):
    """``operation/template/update``: everything but the name is replaced."""

    id: Annotated[int, not_null("Template ID must not be null when updating operation template")]
    operation_type: Annotated[
        str,
        not_blank("Template operation type must not be empty when updating operation template"),
        at_most(
            255, "Template operation type must not exceed 255 characters when updating operation template"
        ),
    ]
    signature_type: _SignatureTypes
    data_template: Annotated[
        str,
        not_blank("Template data must not be empty when updating operation template"),
        at_most(255, "Template data must not exceed 255 characters when updating operation template"),
    ]
    expiration: _Expiration
    max_failure_count: _MaxFailureCount
    risk_flags: _RiskFlags | None = None
    proximity_check_enabled: Annotated[bool, BeforeValidator(_false_if_null)] = False


class OperationTemplateDetailRequest(CheckedRequest):
    """``operation/template/detail``."""

    id: Annotated[int, not_null("Template ID must not be null when requesting operation template detail")]


class OperationTemplateRemoveRequest(CheckedRequest):
    """``operation/template/remove``."""

    id: Annotated[int, not_null("Template ID must not be null when removing operation template")]


class OperationTemplateDetailResponse(WireModel):
    """A template; ``expiration`` in seconds."""

    id: int
    template_name: str
    operation_type: str
    data_template: str
    signature_type: list[SignatureType]
    max_failure_count: int
    expiration: int
    risk_flags: str | None
    proximity_check_enabled: bool


def _json_text(kind: type, message: str) -> BeforeValidator:
    """Take a JSON value or its text; keep the text."""

    def check(value: Any) -> Any:
        if isinstance(value, kind):
            return json_text(value)
        if isinstance(value, str) and not is_json_of(kind, value):
            raise PydanticCustomError("json_text", "{text}", {"text": message})
        return value

    return BeforeValidator(check, json_schema_input_type=str | kind)


_Placeholder = Annotated[
    str,
    not_blank("Placeholder must not be empty"),
    at_most(255, "Placeholder must not exceed 255 characters"),
]
_Language = Annotated[
    str,
    not_blank("Language must not be empty"),
    matching("[a-z]{2,8}", "Language must be an ISO 639 code in lower case"),
]


class OperationTextListRequest(CheckedRequest):
    """``operation/text/list``: all texts, or those of one operation type and language."""

    placeholder: str | None = None
    language: str | None = None


class OperationTextUpdateRequest(CheckedRequest):
    """``operation/text/update``: make or replace the texts of a ``placeholder`` (operation type).

    The JSON parts may be given as JSON or as its text; they are kept as text, with their ``${…}``.
    """

    placeholder: _Placeholder
    language: _Language
    title: Annotated[
        str, not_blank("Title must not be empty"), at_most(255, "Title must not exceed 255 characters")
    ]
    message: Annotated[str, not_blank("Message must not be empty")]
    attributes: Annotated[str, _json_text(list, "Attributes must be a JSON array")] | None = None
    ui: Annotated[str, _json_text(dict, "UI must be a JSON object")] | None = None
    result_texts: Annotated[str, _json_text(dict, "Result texts must be a JSON object")] | None = None


class OperationTextRemoveRequest(CheckedRequest):
    """``operation/text/remove``."""

    placeholder: _Placeholder
    language: _Language


class OperationTextRow(WireModel):
    """Texts of one operation type in one language; the JSON parts are texts, as stored."""

    placeholder: str
    language: str
    title: str
    message: str
    attributes: str | None
    ui: str | None
    result_texts: str | None


class OperationTextListResponse(WireModel):
    """Texts, ordered by placeholder and language."""

    texts: list[OperationTextRow]


class OperationTextRemoveResponse(WireModel):
    """Whether there was such a text."""

    removed: bool


class DoorTextsResponse(WireModel):
    """The texts of one operation type for the dmz door; no rows if the caller's ``etag`` is still right."""

    etag: str
    not_modified: bool
    rows: list[OperationTextRow]
