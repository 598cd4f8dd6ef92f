"""A call of the push service, and members that its calls share (spec/push-api.md §2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from powerauth_contracts import moments
from powerauth_contracts.calls import Answer_co, Requested
from powerauth_contracts.wire import RequestModel
from powerauth_protocol.common.json_text import Number

Asked_co = TypeVar("Asked_co", bound=Requested | list[str], covariant=True)
"""What stands in a request; None: the body is not read."""
Method = Literal["GET", "POST", "PUT", "DELETE"]

STATEMENT_HEADER = "X-PowerAuth-Statement"
"""Carries the core's statement of who asks, by way of the enrollment service (D1 rule 5)."""
IDEMPOTENCY_HEADER = "Idempotency-Key"
"""Of an asynchronous sending: what was sent under the same key before is not sent again."""


@dataclass(frozen=True, slots=True)
class PushCall(Generic[Asked_co, Answer_co]):
    """A call of the push service; the answer stands in ``responseObject``.

    :ivar methods: the first one is what our own clients use, the others do the same
    :ivar path: inside the service; ``{id}`` stands for a number
    :ivar reads: where the request stands: in ``requestObject``, bare in the body, or in the query
    :ivar paged: the answer has ``page`` and ``size`` beside ``responseObject``
    :ivar declares: what is wrong with a member is told as a violation (§3.1)
    """

    methods: tuple[Method, ...]
    path: str
    request: type[Asked_co]
    answer: type[Answer_co]
    meaning: str
    reads: Literal["envelope", "body", "query"] = "envelope"
    paged: bool = False
    declares: bool = False


Id = Annotated[str, Field(min_length=1, max_length=255)]
"""An application, a user or a message, by its id."""

_SECONDS = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?", re.ASCII)


def _instant(value: object) -> datetime:
    """ISO-8601 text with an offset, or epoch seconds, to naive UTC."""
    try:
        if isinstance(value, datetime):
            return moments.naive_utc(value)
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is not None:
                return moments.naive_utc(moment)
        text = value.text if isinstance(value, Number) else str(value)
        if isinstance(value, int | Number) and not isinstance(value, bool) and _SECONDS.fullmatch(text):
            return datetime(1970, 1, 1) + timedelta(microseconds=int(Decimal(text) * 1_000_000))
    except (OverflowError, ValueError):
        pass
    raise PydanticCustomError("datetime_type", "must be an ISO-8601 instant or epoch seconds")


def _instant_text(moment: datetime) -> str:
    return moment.replace(tzinfo=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Instant = Annotated[
    datetime,
    BeforeValidator(_instant, json_schema_input_type=str | int),
    PlainSerializer(_instant_text, return_type=str, when_used="json-unless-none"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment, naive UTC. In: ISO-8601 with offset, or epoch seconds. Out: ``2024-10-24T07:39:50.123Z``."""

DEFAULT_PAGE_SIZE = 20
LARGEST_PAGE_SIZE = 2_000


class PageQuery(RequestModel):
    """Which page of a listing: 0-based. What is out of range is taken as the nearest that is not (§2)."""

    page: int = 0
    size: int = DEFAULT_PAGE_SIZE

    @property
    def number(self) -> int:
        """The page."""
        return min(max(self.page, 0), 2**31)

    @property
    def length(self) -> int:
        """How many items it has at most."""
        return DEFAULT_PAGE_SIZE if self.size < 1 else min(self.size, LARGEST_PAGE_SIZE)
