"""Wire models: one reading of JSON in, JSON written once out (D26).

A model built on :class:`WireModel` reads scalars as the original's library does, inside bounds: a number or
boolean where text is wanted gives its own characters, decimal text where a whole number is wanted gives the
number. It refuses what a column or another service could not hold: strings with NUL or lone surrogates,
integers beyond 64 bits, NaN. The rules hold for nested models, containers and free-form members (``Any``)
alike. A request is a :class:`RequestModel`, all of whose members are bounded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, ClassVar, Generic, Literal, Self, TypeVar, cast

import pydantic_core
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, PydanticUseDefault, core_schema

from powerauth_contracts import moments
from powerauth_protocol.common.json_text import JsonError, Number, characters, marked, read_json, unmarked

T = TypeVar("T")
Enumerated = TypeVar("Enumerated", bound=StrEnum)
Wire = TypeVar("Wire", bound="WireModel")

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)
MAX_NESTING = 64
"""Levels of a free-form member; pydantic reads some 250 but cannot write as many."""

MAX_ITEMS = 1_000
"""Most items of a list, and most members of a map, in a request whose model says nothing else."""
MAX_TEXT = 65_536
"""Most characters of a text in a request whose model says nothing else."""
MAX_LONG_TEXT = 4 * 2**20
"""Most characters of a text that carries a whole body; the edge's limit of bodies is the lower one."""

LongText = Annotated[str, Field(max_length=MAX_LONG_TEXT)]
"""Base64 or data of a size that only the body's limit bounds."""

ExactText = Annotated[str, Field(strict=True)]
"""Text that no number stands for: ids, keys, codes, passwords and signed data at the public doors (D26)."""

ExactLongText = Annotated[str, Field(strict=True, max_length=MAX_LONG_TEXT)]
"""The same for a whole body."""

MAX_HEADER = 8_192
"""Most characters of a header; its parser has a lower limit of its own (D28)."""

HeaderText = Annotated[str, Field(strict=True, max_length=MAX_HEADER)]
"""A PowerAuth header as received."""


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


def is_storable(text: str) -> bool:
    """Whether a text from elsewhere (a claim, another server's answer) can be stored and written again."""
    try:
        _check_text(text)
    except PydanticCustomError:
        return False
    return True


def _text(value: object) -> object:
    """Free text: a scalar's own characters."""
    if not isinstance(value, str):
        value = characters(value)
        if not isinstance(value, str):
            return value
    return value if value.isascii() and "\x00" not in value else _check_text(value)


def _exact_text(value: object) -> object:
    if not isinstance(value, str) or (value.isascii() and "\x00" not in value):
        return value
    return _check_text(value)


_WHOLE = re.compile(r"-?[0-9]{1,100}", re.ASCII)
_BOOLEANS = {"true": True, "false": False}


def _whole_number(value: object) -> object:
    """Digits as a number, given as one or as text."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    if isinstance(value, Number):
        if value.text == "-0":
            return 0
        raise PydanticCustomError("int_from_float", "must be an integer")
    return value


def _boolean(value: object) -> object:
    return _BOOLEANS.get(value, value) if isinstance(value, str) else value


def _default_if_null(value: Any) -> Any:
    if value is None:
        raise PydanticUseDefault
    return value


READERS: frozenset[object] = frozenset(
    (_text, _exact_text, _whole_number, _boolean, checked_json, _default_if_null)
)
"""What stands in front of the scalars of a `WireModel`."""


def _tighten(schema: Any, owner: type[WireModel]) -> None:
    """Give every node of ``owner``'s core schema our reading and, in a request, its bound, in place; nested
    models see to themselves.
    """
    if isinstance(schema, list | tuple):
        for part in schema:
            _tighten(part, owner)
        return
    if not isinstance(schema, dict):
        return
    kind = str(schema.get("type"))
    if kind == "model" and schema["cls"] is not owner:
        return
    if kind in ("function-before", "function-after") and schema["function"]["function"] in READERS:
        return  # a schema is handed out again each time its model is used
    if kind == "float":
        raise TypeError(f"{owner.__name__}: numbers of the wire never pass through a binary float")
    if kind in owner.default_bounds:
        schema.setdefault("max_length", owner.default_bounds[kind])
    if kind in _SCALARS:
        _SCALARS[kind](schema)
        return
    takes_null = kind != "default" or not owner.default_bounds or schema["schema"]["type"] in _TAKES_NULL
    for key, part in schema.items():
        if key == "fields":  # by name, and a member may have any name
            _tighten(list(part.values()) if isinstance(part, dict) else part, owner)
        elif key not in NOT_SCHEMAS:
            _tighten(part, owner)
    if not takes_null:
        _read_by(_default_if_null, schema["schema"])


_TAKES_NULL = frozenset({"any", "function-before", "nullable"})
"""Kinds of nodes behind a default that have an opinion about null of their own."""
NOT_SCHEMAS = frozenset(
    {"cls", "config", "expected", "json_schema_input_schema", "members", "metadata", "ref", "serialization"}
)
OUTER_KEYS = frozenset({"metadata", "ref", "serialization"})


def _read_by(reader: Callable[[Any], Any], schema: dict[str, Any], **settings: object) -> None:
    """Turn a node, in place, into "our reader, then the node"."""
    inner: Any = {key: part for key, part in schema.items() if key not in OUTER_KEYS} | settings
    outer: Any = {key: part for key, part in schema.items() if key in OUTER_KEYS}
    schema.clear()
    schema.update(core_schema.no_info_before_validator_function(reader, inner), **outer)


def _read_text(schema: dict[str, Any]) -> None:
    _read_by(_exact_text if schema.get("strict") else _text, schema, strict=True)


def _read_whole_number(schema: dict[str, Any]) -> None:
    bounds = {}
    if not {"le", "lt"} & schema.keys():
        bounds["le"] = INT64_MAX
    if not {"ge", "gt"} & schema.keys():
        bounds["ge"] = INT64_MIN
    _read_by(_whole_number, schema, strict=True, **bounds)


_SCALARS: Mapping[str, Callable[[dict[str, Any]], None]] = {
    "str": _read_text,
    "int": _read_whole_number,
    "bool": lambda schema: _read_by(_boolean, schema, strict=True),
    "any": lambda schema: _read_by(checked_json, schema),
}


class WireModel(BaseModel):
    """Base of what goes over the wire: camelCase there, snake_case here, unknown members ignored."""

    model_config = ConfigDict(
        alias_generator=cache(to_camel),  # few names, of many models
        populate_by_name=True,
        serialize_by_alias=True,
        extra="ignore",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        # What reads and writes a model is built when it is needed: many are only parts of others.
        defer_build=True,
    )
    default_bounds: ClassVar[Mapping[str, int]] = {}
    """Most items or characters by kind of node, where a member says nothing else."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        _tighten(schema, cls)
        return schema

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Read a JSON text; numbers keep their characters, repeated members are refused."""
        return cls.model_validate(
            _parsed(cls.__name__, bytes(json_data) if isinstance(json_data, bytearray) else json_data),
            **options,
        )


class PlainModel(WireModel):
    """Base of hot answers between services of ours: texts, whole numbers and booleans, taken as they stand.

    They are read by pydantic alone, from bytes to model, several times as fast as what others may send.
    """

    model_config = ConfigDict(strict=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        _check_plain(schema, cls.__name__)
        return schema

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray, **options: Any) -> Self:
        """Read a JSON text."""
        return cast(Self, cls.__pydantic_validator__.validate_json(json_data, **options))


_NOT_PLAIN = frozenset({"any", "float", "decimal"})
"""Kinds of nodes with numbers that would pass through a binary float."""


def _check_plain(schema: Any, name: str) -> None:
    """
    :raises TypeError: a member may hold a number with a fraction
    """
    if isinstance(schema, list | tuple):
        for part in schema:
            _check_plain(part, name)
    elif isinstance(schema, dict):
        if schema.get("type") in _NOT_PLAIN:
            raise TypeError(f"{name}: only texts, whole numbers and booleans are taken as they stand")
        for key, part in schema.items():
            if key == "fields":  # by name, and a member may have any name
                _check_plain(list(part.values()) if isinstance(part, dict) else part, name)
            elif key not in NOT_SCHEMAS:
                _check_plain(part, name)


class RequestModel(WireModel):
    """Base of requests: every list, map and text in them has a bound, its own or `MAX_ITEMS`, `MAX_TEXT`.

    Null for a member that has a default is the default: clients write the members that they do not set.
    """

    default_bounds = {"list": MAX_ITEMS, "dict": MAX_ITEMS, "str": MAX_TEXT}

    @model_validator(mode="before")
    @classmethod
    def _is_an_object(cls, value: Any) -> Any:
        # The framework reads models off attributes too, and a number is an object of ours.
        if isinstance(value, Number):
            raise PydanticCustomError("model_type", "must be an object")
        return value


class JsonReader(Generic[T]):
    """Reads JSON texts as one type of model."""

    def __init__(self, model: type[T], parse: Callable[[Any], Any] = read_json) -> None:
        """
        :param parse: gives the value of a text, or raises `JsonError`
        """
        self._validate: Callable[[Any], T] = _validating(model)
        self._name = getattr(model, "__name__", "body")
        self._parse = parse

    def __call__(self, source: bytes) -> T:
        """
        :raises ValidationError: not JSON, or not such a model
        """
        return self._validate(_parsed(self._name, source, self._parse))


def _validating(model: Any) -> Callable[[Any], Any]:
    """What takes a value as this type, and repeats none in its errors, which get into logs."""
    if isinstance(model, type) and issubclass(model, BaseModel):
        # An adapter of a model that is not built yet forgets what the model says of its errors.
        return model.model_validate
    return TypeAdapter(model, config=ConfigDict(hide_input_in_errors=True)).validate_python


def _parsed(title: str, source: bytes | str, parse: Callable[[Any], Any] = read_json) -> Any:
    try:
        return parse(source)
    except JsonError as error:
        problem = PydanticCustomError("json_invalid", "{reason}", {"reason": str(error)})
        details = InitErrorDetails(type=problem, loc=(), input=None)
        raise ValidationError.from_exception_data(title, [details], hide_input=True) from None


class ObjectRequest(RequestModel, Generic[T]):
    """``{"requestObject": …}`` (spec/core-api.md §1)."""

    request_object: T


class StatusResponse(WireModel):
    """``{"status":"OK"}``: an acknowledgement without data."""

    status: Literal["OK"] = "OK"


class ObjectResponse(WireModel, Generic[T]):
    """``{"status":"OK","responseObject": …}`` (spec/core-api.md §1)."""

    status: Literal["OK"] = "OK"
    response_object: T


Plain = TypeVar("Plain", bound=PlainModel)


class PlainResponse(PlainModel, Generic[Plain]):
    """An `ObjectResponse` around a `PlainModel`."""

    response_object: Plain


@cache
def response_reader(answer: type[Wire]) -> Callable[[bytes], Wire]:
    """What reads the object in ``{"status":"OK","responseObject": …}``.

    It raises `ValidationError` for anything else.
    """
    plain = issubclass(answer, PlainModel)
    read: Callable[[bytes], Any] = (
        PlainResponse[answer].model_validate_json if plain else JsonReader(ObjectResponse[answer])  # type: ignore[valid-type]
    )
    return lambda body: cast(Wire, read(body).response_object)


class _OrText:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.union_schema([handler(source), core_schema.str_schema()], mode="left_to_right")

    def __get_pydantic_json_schema__(
        self, schema: core_schema.UnionSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        known = schema["choices"][0]
        assert isinstance(known, dict)
        return handler(known)


Open = Annotated[Enumerated, _OrText()]
"""An enumeration in an answer: a text that is no member is kept as text, the other side may be newer."""


def _datetime_from_wire(value: object) -> datetime:
    """ISO-8601 text or epoch milliseconds to naive UTC; text without an offset is UTC."""
    if not (isinstance(value, str) and value[4:5] == "-"):
        value = _whole_number(value)  # which a date with hyphens is not: nearly all are such
    try:
        if isinstance(value, str):
            return moments.naive_utc(datetime.fromisoformat(value))
        if isinstance(value, int) and not isinstance(value, bool):
            return moments.from_ms(value)
        if isinstance(value, datetime):
            return moments.naive_utc(value)
    except ValueError:
        pass
    raise PydanticCustomError("datetime_type", "must be an ISO-8601 timestamp or epoch milliseconds")


CONVERTERS: frozenset[object] = READERS | {_datetime_from_wire}
"""What values need that stand in JSON, and those of a model do not."""

_DATETIME_INPUT = BeforeValidator(_datetime_from_wire, json_schema_input_type=str | int)

CoreDateTime = Annotated[
    datetime,
    _DATETIME_INPUT,
    PlainSerializer(moments.isoformat_core, return_type=str, when_used="json-unless-none"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment, naive UTC. In: ISO-8601 or epoch milliseconds. Out: ``2024-10-24T07:39:50.123+00:00``."""

EpochMillis = Annotated[
    datetime,
    _DATETIME_INPUT,
    PlainSerializer(moments.to_ms, return_type=int, when_used="json-unless-none"),
    WithJsonSchema({"type": "integer", "format": "int64"}),
]
"""A moment, naive UTC. In: ISO-8601 or epoch milliseconds. Out: integer milliseconds."""


def json_bytes(value: object) -> bytes:
    """UTF-8 JSON of dictionaries, lists, models and scalars; numbers keep their characters."""
    return unmarked(pydantic_core.to_json(value, inf_nan_mode="null", fallback=marked))


def to_json(model: BaseModel, *, exclude_none: bool = False) -> bytes:
    """UTF-8 JSON of a model by its wire names."""
    written = model.__pydantic_serializer__.to_json(
        model, by_alias=True, exclude_none=exclude_none, fallback=marked
    )
    return unmarked(written)
