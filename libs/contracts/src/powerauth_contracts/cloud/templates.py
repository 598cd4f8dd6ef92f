"""Wire models of operation templates and texts for the app (spec/cloud-api.md §11.7)."""

from __future__ import annotations

from types import NoneType
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.cloud.verification import SignatureTypeName
from powerauth_contracts.enums import AttributeType, UnexpectedAction
from powerauth_contracts.fields import NEEDED_SLOTS, check_slots
from powerauth_contracts.rest.templates import NumberMatching, UserLimits
from powerauth_contracts.wire import RequestModel, StatusResponse, WireModel, checked_json

Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"\S")]


def _unique(values: list[SignatureTypeName]) -> list[SignatureTypeName]:
    if len(set(values)) != len(values):
        raise PydanticCustomError("not_unique", "must not repeat a type")
    return values


class UpdateTemplate(RequestModel):
    """``PUT``: everything but the name. ``expiration`` in seconds. Of ``number_matching``,
    ``on_unexpected_operation`` and ``user_limits`` null removes what there is, and absence leaves it.
    """

    operation_type: Name
    data_template: Name
    signature_type: Annotated[list[SignatureTypeName], Field(min_length=1), AfterValidator(_unique)]
    max_failure_count: int = Field(gt=0)
    expiration: int = Field(gt=0)
    risk_flags: str | None = Field(default=None, pattern=r"^[XCF]*$", max_length=255)
    proximity_check_enabled: bool = False
    number_matching: NumberMatching | None = None
    on_unexpected_operation: UnexpectedAction | None = None
    user_limits: UserLimits | None = None
    issue_tokens: bool = False


class Template(UpdateTemplate):
    """``POST`` and all answers."""

    template_name: Name


class ShownTemplate(WireModel):
    """A template as the core has it."""

    template_name: str
    operation_type: str
    data_template: str
    signature_type: list[str]
    max_failure_count: int
    expiration: int
    risk_flags: str | None = None
    proximity_check_enabled: bool
    number_matching: NumberMatching | None = None
    on_unexpected_operation: str | None = None
    user_limits: UserLimits | None = None
    issue_tokens: bool = False


class Templates(WireModel):
    templates: list[ShownTemplate]


class Part(RequestModel):
    """An object of a text that is passed on with all that it holds."""

    model_config = ConfigDict(extra="allow", strict=True)

    @model_validator(mode="after")
    def _rest_can_be_stored(self) -> Self:
        checked_json(self.model_extra)
        return self


class Attribute(Part):
    """One line of the form. ``params`` names, for each slot of the type, the operation's parameter."""

    id: str | None = None
    type: Annotated[AttributeType, Field(strict=False)]
    text: str | None = Field(default=None, description="label")
    params: dict[str, str | None] | None = Field(
        default=None,
        description="needed slots: "
        + "; ".join(f"{kind} {', '.join(slots)}" for kind, slots in NEEDED_SLOTS.items()),
        examples=[{"amount": "amount", "currency": "currency"}],
    )

    @model_validator(mode="after")
    def _can_be_shown(self) -> Attribute:
        check_slots(self.type, self.params or {})
        return self


class PreApprovalScreen(Part):
    """What the app shows before the approval."""

    type: Literal["WARNING", "INFO", "QR_SCAN"]
    heading: str | None = None
    message: str | None = None
    items: list[str] | None = None
    approval_type: Literal["SLIDER"] | None = None


class PostApprovalScreen(Part):
    """What the app shows after the approval.

    ``payload`` of ``REVIEW``: ``attributes`` as they are shown; of ``MERCHANT_REDIRECT``: ``redirectText``,
    ``redirectUrl``, ``countdown`` in seconds; of ``GENERIC``: anything.
    """

    type: Literal["REVIEW", "MERCHANT_REDIRECT", "GENERIC"]
    heading: str | None = None
    message: str | None = None
    payload: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _payload_fits(self) -> PostApprovalScreen:
        for name, kind in _PAYLOADS.get(self.type, {}).items():
            value = (self.payload or {}).get(name)
            if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
                raise PydanticCustomError(
                    "payload",
                    "must have a payload whose {name} is of type {kind}",
                    {"name": name, "kind": _KINDS[kind]},
                )
        return self


_PAYLOADS: dict[str, dict[str, type]] = {
    "REVIEW": {"attributes": list},
    "MERCHANT_REDIRECT": {"redirectText": str, "redirectUrl": str, "countdown": int},
}
_KINDS: dict[type, str] = {list: "array", str: "string", int: "integer"}


class Ui(Part):
    """How the app shows the operation."""

    flip_buttons: bool | None = None
    block_approval_on_call: bool | None = None
    pre_approval_screen: PreApprovalScreen | None = None
    post_approval_screen: PostApprovalScreen | None = None
    templates: dict[str, Any] | None = None


class ResultTexts(RequestModel):
    """What the app shows when the operation is finished."""

    success: str | None = None
    failure: str | None = None
    reject: str | None = None


class SaveText(RequestModel):
    """``PUT`` of a text; ``${name}`` stands for an operation parameter."""

    title: Name
    message: str = Field(min_length=1, max_length=65_536, pattern=r"\S")
    attributes: list[Attribute] | None = Field(default=None, max_length=1_000)
    ui: Ui | None = None
    result_texts: ResultTexts | None = None


class Text(WireModel):
    operation_type: str
    language: str
    title: str
    message: str
    attributes: Any = None
    ui: Any = None
    result_texts: Any = None


class Texts(WireModel):
    texts: list[Text]


LIST_OPERATION_TEMPLATES = Endpoint(
    "listOperationTemplates", "GET", "/admin/operations/templates", NoneType, Templates
)
CREATE_OPERATION_TEMPLATE = Endpoint(
    "createOperationTemplate", "POST", "/admin/operations/templates", Template, ShownTemplate
)
GET_OPERATION_TEMPLATE = Endpoint(
    "getOperationTemplate", "GET", "/admin/operations/templates/{templateName}", NoneType, ShownTemplate
)
UPDATE_OPERATION_TEMPLATE = Endpoint(
    "updateOperationTemplate",
    "PUT",
    "/admin/operations/templates/{templateName}",
    UpdateTemplate,
    ShownTemplate,
)
REMOVE_OPERATION_TEMPLATE = Endpoint(
    "removeOperationTemplate",
    "DELETE",
    "/admin/operations/templates/{templateName}",
    NoneType,
    StatusResponse,
)
LIST_OPERATION_TEXTS = Endpoint("listOperationTexts", "GET", "/admin/operations/texts", NoneType, Texts)
GET_OPERATION_TEXT = Endpoint(
    "getOperationText", "GET", "/admin/operations/texts/{operationType}/{language}", NoneType, Text
)
UPDATE_OPERATION_TEXT = Endpoint(
    "updateOperationText", "PUT", "/admin/operations/texts/{operationType}/{language}", SaveText, Text
)
REMOVE_OPERATION_TEXT = Endpoint(
    "removeOperationText",
    "DELETE",
    "/admin/operations/texts/{operationType}/{language}",
    NoneType,
    StatusResponse,
)
