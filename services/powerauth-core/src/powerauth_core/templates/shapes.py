"""The JSON parts of operation texts, as phones can be shown them (spec/enrollment-api.md §11.4, §11.5).

A part is judged when it is written: what is stored with a wrong shape would hide every operation of its type.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from powerauth_contracts.enums import AttributeType
from powerauth_contracts.fields import check_slots


class Part(BaseModel):
    """An object of a text. Its members have exactly the types that readers of the stored text expect."""

    model_config = ConfigDict(alias_generator=to_camel, strict=True, hide_input_in_errors=True)


class Attribute(Part):
    """One element of ``attributes``; ``params`` names the operation's parameter for each slot."""

    id: str | None = None
    type: Annotated[AttributeType, Field(strict=False)]
    text: str | None = None
    params: dict[str, str | None] | None = None

    @model_validator(mode="after")
    def _can_be_shown(self) -> Attribute:
        check_slots(self.type, self.params or {})
        return self


def _one_of(*allowed: str) -> AfterValidator:
    def check(value: str) -> str:
        # What a placeholder will become is known only with the operation.
        if value not in allowed and "${" not in value:
            raise PydanticCustomError("unknown_value", "must be {allowed}", {"allowed": " or ".join(allowed)})
        return value

    return AfterValidator(check)


class PreApprovalScreen(Part):
    """What is shown before the approval."""

    type: Annotated[str, _one_of("WARNING", "INFO", "QR_SCAN")]
    heading: str | None = None
    message: str | None = None
    items: list[str] | None = None
    approval_type: Annotated[str, _one_of("SLIDER")] | None = None


class ReviewPayload(Part):
    """Payload of ``REVIEW``: attributes as they are shown, not as templates."""

    attributes: list[Any] | None = None


class MerchantRedirectPayload(Part):
    """Payload of ``MERCHANT_REDIRECT``; ``countdown`` in seconds."""

    redirect_text: str | None = None
    redirect_url: str | None = None
    countdown: int | None = None


_PAYLOADS: dict[str, type[Part]] = {"REVIEW": ReviewPayload, "MERCHANT_REDIRECT": MerchantRedirectPayload}


class PostApprovalScreen(Part):
    """What is shown after the approval. The payload of ``GENERIC`` is free."""

    type: Annotated[str, _one_of("REVIEW", "MERCHANT_REDIRECT", "GENERIC")]
    heading: str | None = None
    message: str | None = None
    payload: dict[str, Any] | None = None

    @field_validator("payload")
    @classmethod
    def _fits_the_type(cls, value: dict[str, Any] | None, info: ValidationInfo) -> dict[str, Any] | None:
        payload = _PAYLOADS.get(info.data.get("type", ""))
        if value is not None and payload is not None:
            payload.model_validate(value)
        return value


class Ui(Part):
    """How the operation is shown."""

    flip_buttons: bool | None = None
    block_approval_on_call: bool | None = None
    pre_approval_screen: PreApprovalScreen | None = None
    post_approval_screen: PostApprovalScreen | None = None
    templates: dict[str, Any] | None = None


class ResultTexts(Part):
    """What is shown when the operation is finished."""

    success: str | None = None
    failure: str | None = None
    reject: str | None = None
