"""Wire models of operation templates and texts for the app (spec/cloud-api.md §11.7)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from cloud_private_api.verification.schemas import SignatureTypeName
from servicekit.wire import RequestModel, WireModel

Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"\S")]


def _unique(values: list[SignatureTypeName]) -> list[SignatureTypeName]:
    if len(set(values)) != len(values):
        raise PydanticCustomError("not_unique", "must not repeat a type")
    return values


class UpdateTemplate(RequestModel):
    """``PUT``: everything but the name. ``expiration`` in seconds."""

    operation_type: Name
    data_template: Name
    signature_type: Annotated[list[SignatureTypeName], Field(min_length=1), AfterValidator(_unique)]
    max_failure_count: int = Field(gt=0)
    expiration: int = Field(gt=0)
    risk_flags: str | None = Field(default=None, pattern=r"^[XCF]*$", max_length=255)
    proximity_check_enabled: bool = False


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


class Templates(WireModel):
    templates: list[ShownTemplate]


class ResultTexts(RequestModel):
    """What the app shows when the operation is finished."""

    success: str | None = None
    failure: str | None = None
    reject: str | None = None


class SaveText(RequestModel):
    """``PUT`` of a text; ``${name}`` stands for an operation parameter."""

    title: Name
    message: str = Field(min_length=1, max_length=65_536, pattern=r"\S")
    attributes: list[Any] | None = None
    ui: dict[str, Any] | None = None
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
