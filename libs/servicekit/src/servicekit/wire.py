"""Wire models: strict JSON in, JSON written once out.

A model built on :class:`WireModel` refuses what a column or another service could not hold: strings with
NUL or lone surrogates, integers beyond 64 bits, NaN, and scalars of the wrong JSON type. The rules hold for
nested models, containers and free-form members (``Any``) alike, whether the input was parsed by FastAPI or
by ``model_validate_json``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, PydanticCustomError, core_schema
from starlette.responses import Response

from servicekit import clock

T = TypeVar("T")

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)
MAX_NESTING = 64
"""Levels of a free-form member; pydantic reads some 250 but cannot write as many."""


def checked_json(value: object, levels: int = MAX_NESTING) -> object:
    """The same value, refused when it holds what could not be stored or written again.

    :param levels: of containers that may still be opened
    :raises ValueError: for NUL characters, lone surrogates, NaN or infinity at any depth, and for more levels
    """
    if levels == 0 and isinstance(value, dict | list):
        raise PydanticCustomError("too_deep", "must not be nested so deep")
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise PydanticCustomError("finite_number", "must be a finite number")
    elif isinstance(value, dict):
        for key, member in value.items():
            _check_text(key)
            checked_json(member, levels - 1)
    elif isinstance(value, list):
        for member in value:
            checked_json(member, levels - 1)
    return value


def _check_text(value: str) -> str:
    if "\x00" in value:
        raise PydanticCustomError("nul_character", "must not contain the NUL character")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise PydanticCustomError("string_unicode", "must be valid Unicode") from None
    return value


def _tighten(schema: Any, owner: type[BaseModel]) -> None:
    """Make every scalar of ``owner``'s core schema strict, in place; nested models see to themselves."""
    if isinstance(schema, list | tuple):
        for part in schema:
            _tighten(part, owner)
        return
    if not isinstance(schema, dict):
        return
    kind = schema.get("type")
    if kind == "model" and schema["cls"] is not owner:
        return
    if kind == "function-after" and schema["function"]["function"] in (checked_json, _check_text):
        return  # a schema is handed out again each time its model is used
    if kind in ("bool", "float"):
        schema["strict"] = True
    elif kind == "int":
        schema["strict"] = True
        if not {"le", "lt"} & schema.keys():
            schema["le"] = INT64_MAX
        if not {"ge", "gt"} & schema.keys():
            schema["ge"] = INT64_MIN
    elif kind in ("str", "any"):
        _check_after(schema)
    else:
        for key, part in schema.items():
            if key not in _NOT_SCHEMAS:
                _tighten(part, owner)


_NOT_SCHEMAS = frozenset({"cls", "config", "expected", "members", "metadata", "ref", "serialization"})
_OUTER_KEYS = frozenset({"metadata", "ref", "serialization"})


def _check_after(schema: dict[str, Any]) -> None:
    """Turn a text or free-form node, in place, into "the node, then our check"."""
    inner: Any = {key: part for key, part in schema.items() if key not in _OUTER_KEYS}
    outer: Any = {key: part for key, part in schema.items() if key in _OUTER_KEYS}
    check: Callable[[Any], Any] = checked_json
    if inner["type"] == "str":
        inner["strict"] = True
        check = _check_text
    schema.clear()
    schema.update(core_schema.no_info_after_validator_function(check, inner), **outer)


class WireModel(BaseModel):
    """Base of requests and responses: camelCase on the wire, snake_case here, unknown members ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        serialize_by_alias=True,
        extra="ignore",
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        _tighten(schema, cls)
        return schema


class ObjectRequest(WireModel, Generic[T]):
    """``{"requestObject": …}`` (spec/core-api.md §1)."""

    request_object: T


class StatusResponse(WireModel):
    """``{"status":"OK"}``: an acknowledgement without data."""

    status: Literal["OK"] = "OK"


class ObjectResponse(WireModel, Generic[T]):
    """``{"status":"OK","responseObject": …}`` (spec/core-api.md §1)."""

    status: Literal["OK"] = "OK"
    response_object: T


def _datetime_from_wire(value: object) -> datetime:
    """ISO-8601 text or epoch milliseconds to naive UTC; text without an offset is UTC."""
    try:
        if isinstance(value, str):
            return clock.naive_utc(datetime.fromisoformat(value))
        if isinstance(value, int) and not isinstance(value, bool):
            return clock.from_ms(value)
        if isinstance(value, datetime):
            return clock.naive_utc(value)
    except ValueError:
        pass
    raise PydanticCustomError("datetime_type", "must be an ISO-8601 timestamp or epoch milliseconds")


_DATETIME_INPUT = BeforeValidator(_datetime_from_wire, json_schema_input_type=str | int)

CoreDateTime = Annotated[
    datetime,
    _DATETIME_INPUT,
    PlainSerializer(clock.isoformat_core, return_type=str, when_used="json-unless-none"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment, naive UTC. In: ISO-8601 or epoch milliseconds. Out: ``2024-10-24T07:39:50.123+00:00``."""

EpochMillis = Annotated[
    datetime,
    _DATETIME_INPUT,
    PlainSerializer(clock.to_ms, return_type=int, when_used="json-unless-none"),
    WithJsonSchema({"type": "integer", "format": "int64"}),
]
"""A moment, naive UTC. In: ISO-8601 or epoch milliseconds. Out: integer milliseconds."""


class JsonResponse(Response):
    """An answer whose body pydantic writes once, straight to bytes."""

    media_type = "application/json"

    def __init__(
        self,
        content: BaseModel | bytes,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        exclude_none: bool = False,
    ) -> None:
        body = content if isinstance(content, bytes) else to_json(content, exclude_none=exclude_none)
        super().__init__(body, status_code, headers)


def to_json(model: BaseModel, *, exclude_none: bool = False) -> bytes:
    """UTF-8 JSON of a model by its wire names."""
    return model.__pydantic_serializer__.to_json(model, by_alias=True, exclude_none=exclude_none)
