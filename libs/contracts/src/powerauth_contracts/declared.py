"""Models of values that stand as their members are declared: what services of ours write for each other.

The readers of a `WireModel` look at every scalar for the other forms in which a client may write it. Where
there are none, looking at the kinds takes half the time. Unlike a `PlainModel`, such a model may hold
anything.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter
from pydantic_core import SchemaValidator

from powerauth_contracts.wire import NOT_SCHEMAS, OUTER_KEYS, READERS, JsonReader, WireModel

T = TypeVar("T")
Model = TypeVar("Model", bound=WireModel)


class DeclaredReader(JsonReader[T]):
    """Reads JSON texts of our own services. No other form of a scalar is taken, and texts are not searched
    for what could not be stored; numbers of free-form members keep their characters.
    """

    def __init__(self, model: type[T]) -> None:
        super().__init__(model)
        self._validate = _taker(cast(Any, model))


def made(model: type[Model], **members: Any) -> Model:
    """A model of values that other models have read already.

    :param members: by their names in the model
    :raises ValidationError: one is of another kind than declared, or missing
    """
    instance: Model = _taker(model)(members)
    return instance


@cache
def _taker(model: Any) -> Callable[[Any], Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(model)
    adapter.rebuild()  # a schema is not made before it is asked for
    # Or it would take the models' own validators where they are there, whatever the schema says.
    return SchemaValidator(_without_readers(adapter.core_schema), _use_prebuilt=False).validate_python


def _without_readers(schema: Any) -> Any:
    if isinstance(schema, list | tuple):
        return [_without_readers(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "function-before" and schema["function"]["function"] in READERS:
        schema = schema["schema"] | {key: part for key, part in schema.items() if key in OUTER_KEYS}
    return {
        key: part if key in NOT_SCHEMAS or key == "default" else _without_readers(part)
        for key, part in schema.items()
    }
