"""Wire models of the template and text calls (spec/core-api.md §20; cloud-api §11.7; D1, D2)."""

from __future__ import annotations

from types import NoneType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from powerauth_contracts.calls import Call
from powerauth_contracts.enums import SignatureType, UnexpectedAction
from powerauth_contracts.fields import Name, PositiveLong, RequiredText, Switch
from powerauth_contracts.wire import Open, RequestModel, WireModel


def _without_duplicates(types: list[SignatureType]) -> list[SignatureType]:
    if len(set(types)) != len(types):
        raise PydanticCustomError("not_unique", "must be unique")
    return types


_SignatureTypes = Annotated[list[SignatureType], Field(min_length=1), AfterValidator(_without_duplicates)]


class NumberMatching(RequestModel):
    """``numberMatching``: the user has to find on the phone the number that the bank shows.

    ``choices``: among how many numbers the user chooses; 0: the user types it.
    """

    digits: Annotated[int, Field(ge=2, le=6)] = 2
    choices: Literal[0, 3] = 0


UserLimit = Annotated[int, Field(ge=1, le=1_000)]


class UserLimits(RequestModel):
    """``userLimits``: how many operations of a user may be pending, and how many new ones a minute may bring.

    The user's operations in any of a new one's applications count, whatever they were made from.
    """

    pending: UserLimit | None = None
    per_minute: UserLimit | None = None


class OperationTemplateSettings(RequestModel):
    """What create and update have in common; ``expiration`` in seconds."""

    operation_type: Name
    signature_type: _SignatureTypes
    data_template: Name
    expiration: PositiveLong
    max_failure_count: PositiveLong
    risk_flags: Annotated[str, Field(max_length=255)] | None = None
    proximity_check_enabled: Switch = False
    number_matching: NumberMatching | None = None
    on_unexpected_operation: UnexpectedAction | None = None
    user_limits: UserLimits | None = None
    issue_tokens: Switch = False


class OperationTemplateCreateRequest(OperationTemplateSettings):
    """``operation/template/create``."""

    template_name: Name


class OperationTemplateUpdateRequest(OperationTemplateSettings):
    """``operation/template/update``: everything but the name is replaced. Of ``number_matching``,
    ``on_unexpected_operation`` and ``user_limits`` null removes what there is, and absence leaves it.
    """

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
    signature_type: list[Open[SignatureType]]
    max_failure_count: int
    expiration: int
    risk_flags: str | None
    proximity_check_enabled: bool
    number_matching: NumberMatching | None = None
    on_unexpected_operation: Open[UnexpectedAction] | None = None
    user_limits: UserLimits | None = None
    issue_tokens: bool = False


Language = Annotated[str, Field(pattern="^[a-z]{2,8}$")]


class OperationTextListRequest(RequestModel):
    """``operation/text/list``: all texts, or those of one operation type and language."""

    placeholder: str | None = None
    language: str | None = None


class OperationTextUpdateRequest(RequestModel):
    """``operation/text/update``; the JSON parts are JSON or its text."""

    placeholder: Name
    language: Language
    title: Name
    message: RequiredText
    attributes: Any = None
    ui: Any = None
    result_texts: Any = None


class OperationTextRemoveRequest(RequestModel):
    """``operation/text/remove``."""

    placeholder: Name
    language: Language


class OperationTextRow(WireModel):
    """Texts of one operation type in one language; the JSON parts are texts, as stored."""

    placeholder: str
    language: str
    title: str
    message: str
    attributes: str | None = None
    ui: str | None = None
    result_texts: str | None = None


class OperationTextListResponse(WireModel):
    """Texts, ordered by placeholder and language."""

    texts: list[OperationTextRow]


class OperationTextRemoveResponse(WireModel):
    """Whether there was such a text."""

    removed: bool


TEMPLATE_CREATE = Call(
    "/rest/v3/operation/template/create",
    OperationTemplateCreateRequest,
    OperationTemplateDetailResponse,
    "Make a template.",
)
TEMPLATE_UPDATE = Call(
    "/rest/v3/operation/template/update",
    OperationTemplateUpdateRequest,
    OperationTemplateDetailResponse,
    "Replace a template's content.",
)
TEMPLATE_DETAIL = Call(
    "/rest/v3/operation/template/detail",
    OperationTemplateDetailRequest,
    OperationTemplateDetailResponse,
    "Show one template.",
)
TEMPLATE_LIST = Call(
    "/rest/v3/operation/template/list",
    NoneType,
    list[OperationTemplateDetailResponse],
    "All templates; the request body is ignored.",
)
TEMPLATE_REMOVE = Call(
    "/rest/v3/operation/template/remove",
    OperationTemplateRemoveRequest,
    NoneType,
    "Remove a template; existing operations stay as they are.",
)
TEXT_LIST = Call(
    "/rest/v3/operation/text/list",
    OperationTextListRequest,
    OperationTextListResponse,
    "Localised texts of operations.",
)
TEXT_UPDATE = Call(
    "/rest/v3/operation/text/update",
    OperationTextUpdateRequest,
    OperationTextRow,
    "Make or replace the texts of an operation type in a language.",
)
TEXT_REMOVE = Call(
    "/rest/v3/operation/text/remove",
    OperationTextRemoveRequest,
    OperationTextRemoveResponse,
    "Remove the texts of an operation type in a language.",
)
