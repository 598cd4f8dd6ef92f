"""Wire models of the template and text calls (spec/core-api.md §20; cloud-api §11.7; D1, D2)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from powerauth_core.kernel.base import json_text
from powerauth_core.kernel.enums import SignatureType
from powerauth_core.kernel.fields import Name, PositiveLong, RequiredText, Switch
from powerauth_core.templates import rules
from powerauth_core.templates.rules import is_json_of
from powerauth_core.templates.shapes import Attribute, ResultTexts, Ui
from servicekit.errors import input_problems
from servicekit.wire import RequestModel, WireModel


def _without_duplicates(types: list[SignatureType]) -> list[SignatureType]:
    if len(set(types)) != len(types):
        raise PydanticCustomError("not_unique", "must be unique")
    return types


_SignatureTypes = Annotated[list[SignatureType], Field(min_length=1), AfterValidator(_without_duplicates)]


class OperationTemplateSettings(RequestModel):
    """What create and update have in common; ``expiration`` in seconds."""

    operation_type: Name
    signature_type: _SignatureTypes
    data_template: Name
    expiration: PositiveLong
    max_failure_count: PositiveLong
    risk_flags: Annotated[str, Field(max_length=255)] | None = None
    proximity_check_enabled: Switch = False


class OperationTemplateCreateRequest(OperationTemplateSettings):
    """``operation/template/create``."""

    template_name: Name


class OperationTemplateUpdateRequest(OperationTemplateSettings):
    """``operation/template/update``: everything but the name is replaced."""

    id: int


class OperationTemplateDetailRequest(RequestModel):
    """``operation/template/detail``."""

    id: int


class OperationTemplateRemoveRequest(RequestModel):
    """``operation/template/remove``."""

    id: int


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


def _json_text(kind: type, shape: Any, message: str) -> BeforeValidator:
    """Take a JSON value or its text, of the given shape; keep the text.

    A wrong member is named by its path. Of a text that is JSON only when its ``${…}`` are filled no more than
    the outermost kind can be known.
    """
    judge = TypeAdapter[Any](shape)

    def check(value: Any) -> Any:
        parsed = rules.parsed(value) if isinstance(value, str) else value
        if isinstance(parsed, kind):
            _judge(judge, parsed)
        elif value is not None and not (isinstance(value, str) and is_json_of(kind, value)):
            raise PydanticCustomError("json_text", "{text}", {"text": message})
        return json_text(value) if isinstance(value, kind) else value

    return BeforeValidator(check, json_schema_input_type=str | shape)


def _judge(shape: TypeAdapter[Any], value: Any) -> None:
    """Refuse a wrong member as a value that does not fit, not as a request that cannot be read."""
    try:
        shape.validate_python(value)
    except ValidationError as error:
        found = error.errors(include_url=False)
        problems = [
            InitErrorDetails(
                type=PydanticCustomError("text_shape", "{text}", {"text": problem.message}),
                loc=detail["loc"],
                input=detail["input"],
            )
            for detail, problem in zip(found, input_problems(found), strict=True)
        ]
        raise ValidationError.from_exception_data(error.title, problems) from None


_Language = Annotated[str, Field(pattern="^[a-z]{2,8}$")]


class OperationTextListRequest(RequestModel):
    """``operation/text/list``: all texts, or those of one operation type and language."""

    placeholder: str | None = None
    language: str | None = None


class OperationTextUpdateRequest(RequestModel):
    """``operation/text/update``: make or replace the texts of a ``placeholder`` (operation type).

    The JSON parts may be given as JSON or as its text; they are kept as text, with their ``${…}``.
    """

    placeholder: Name
    language: _Language
    title: Name
    message: RequiredText
    attributes: Annotated[str, _json_text(list, list[Attribute], "must be a JSON array")] | None = None
    ui: Annotated[str, _json_text(dict, Ui, "must be a JSON object")] | None = None
    result_texts: Annotated[str, _json_text(dict, ResultTexts, "must be a JSON object")] | None = None


class OperationTextRemoveRequest(RequestModel):
    """``operation/text/remove``."""

    placeholder: Name
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
