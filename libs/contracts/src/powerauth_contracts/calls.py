"""A call of a door as a row of its table: what the serving route and every client need to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeAlias, TypeVar

from powerauth_contracts.wire import WireModel

Requested: TypeAlias = WireModel | None
"""What stands in a request; None: the body is not read."""
Content: TypeAlias = WireModel | Sequence[WireModel] | None
"""What stands in an answer; None: the answer acknowledges and has no ``responseObject``."""

Request_co = TypeVar("Request_co", bound=Requested, covariant=True)
Answer_co = TypeVar("Answer_co", bound=Content, covariant=True)
Narrower = TypeVar("Narrower", bound=Requested)


@dataclass(frozen=True, slots=True)
class Call(Generic[Request_co, Answer_co]):
    """``{"requestObject": request}`` posted to a path, ``{"status":"OK","responseObject": answer}`` back.

    :ivar path: inside the service
    :ivar meaning: a sentence for the description of the API
    :ivar fast: hot enough for the fast edge; at the core it may come in a bundle too
    """

    path: str
    request: type[Request_co]
    answer: type[Answer_co]
    meaning: str
    fast: bool = False

    def read_as(self, request: type[Narrower]) -> Call[Narrower, Answer_co]:
        """The same call, its request read by a model of the server's own that refuses more."""
        return Call(self.path, request, self.answer, self.meaning, self.fast)


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[Request_co, Answer_co]):
    """A call of the cloud's API: bare objects both ways, the rest of the request in path and query.

    :ivar name: operation id in the API's document
    :ivar path: with its parameters in braces
    :ivar fast: hot enough for the fast edge
    """

    name: str
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    request: type[Request_co]
    answer: type[Answer_co]
    fast: bool = False
