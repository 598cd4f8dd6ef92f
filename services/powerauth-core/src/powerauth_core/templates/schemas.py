"""The one request that is more than its form: texts whose JSON parts phones must be able to show
(spec/core-api.md §20).
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from powerauth_contracts.rest import templates
from powerauth_core.kernel.base import json_text
from powerauth_core.templates import rules
from powerauth_core.templates.rules import is_json_of
from powerauth_core.templates.shapes import Attribute, ResultTexts, Ui
from servicekit.errors import input_problems


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


class OperationTextUpdateRequest(templates.OperationTextUpdateRequest):
    """``operation/text/update``: make or replace the texts of a ``placeholder`` (operation type).

    The JSON parts may be given as JSON or as its text; they are kept as text, with their ``${…}``.
    """

    attributes: Annotated[str, _json_text(list, list[Attribute], "must be a JSON array")] | None = None
    ui: Annotated[str, _json_text(dict, Ui, "must be a JSON object")] | None = None
    result_texts: Annotated[str, _json_text(dict, ResultTexts, "must be a JSON object")] | None = None
