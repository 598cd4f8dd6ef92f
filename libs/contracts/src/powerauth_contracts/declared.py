"""Models of values that stand as their members are declared: what services of ours write for each other.

The readers of a `WireModel` look at every scalar for the other forms in which a client may write it. Where
there are none, looking at the kinds takes half the time. Unlike a `PlainModel`, such a model may hold
anything.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import SchemaValidator, core_schema

from powerauth_contracts.wire import CONVERTERS, NOT_SCHEMAS, OUTER_KEYS, READERS, JsonReader, WireModel

T = TypeVar("T")
Model = TypeVar("Model", bound=WireModel)


class _Spelt(Exception):
    """A free-form member holds a number whose characters its value does not tell."""


class DeclaredReader(JsonReader[T]):
    """Reads JSON texts of our own services. No other form of a scalar is taken, and texts are not searched
    for what could not be stored; numbers of free-form members keep their characters.

    From bytes to model in one pass, unless there are such numbers.
    """

    def __init__(self, model: type[T]) -> None:
        super().__init__(model)
        self._validate = _taker(cast(Any, model), READERS).validate_python
        self._validate_json: Callable[[bytes], T] = _taker(
            cast(Any, model), READERS, texts=True
        ).validate_json

    def __call__(self, source: bytes) -> T:
        """
        :raises ValidationError: not JSON, or not such a model
        """
        try:
            return self._validate_json(source)
        except (_Spelt, ValidationError):
            # Read as at every door, which can do more: it knows a byte order mark and deep nesting.
            return super().__call__(source)


def made(model: type[Model], **members: Any) -> Model:
    """A model of values that other models have read already.

    :param members: by their names in the model
    :raises ValidationError: one is of another kind than declared, or missing
    """
    instance: Model = _taker(model, CONVERTERS).validate_python(members)
    return instance


@cache
def _taker(model: Any, unneeded: frozenset[object], *, texts: bool = False) -> SchemaValidator:
    """What takes values as they stand.

    :param unneeded: functions that are left out in front of values
    :param texts: it reads JSON itself, and `_Spelt` tells what it cannot read
    """
    adapter: TypeAdapter[Any] = TypeAdapter(model)
    adapter.rebuild()  # a schema is not made before it is asked for
    # Or it would take the models' own validators where they are there, whatever the schema says.
    schema = _without(unneeded, adapter.core_schema, texts=texts)
    # Nor does it take over what the models say of their errors, which get into logs.
    return SchemaValidator(schema, {"hide_input_in_errors": True}, _use_prebuilt=False)


def _told_by_values(value: Any) -> Any:
    """A free-form member of a text that was read without regard to the characters of its numbers.

    :raises _Spelt: there is one with a fraction, or a zero, which may have a sign
    """
    if isinstance(value, float) or (value == 0 and type(value) is int):
        raise _Spelt
    if isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            _told_by_values(member)
    return value


def _without(unneeded: frozenset[object], schema: Any, *, texts: bool) -> Any:
    if isinstance(schema, list | tuple):
        return [_without(unneeded, part, texts=texts) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "function-before" and schema["function"]["function"] in unneeded:
        schema = schema["schema"] | {key: part for key, part in schema.items() if key in OUTER_KEYS}
    if texts and schema.get("type") == "any":
        return core_schema.no_info_after_validator_function(_told_by_values, cast(Any, schema))
    return {
        key: part if key in NOT_SCHEMAS or key == "default" else _without(unneeded, part, texts=texts)
        for key, part in schema.items()
    }
