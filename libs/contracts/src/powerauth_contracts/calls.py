"""A call of a door as a row of its table: what the serving route and every client need to know of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from powerauth_contracts.wire import WireModel

Request_co = TypeVar("Request_co", bound=WireModel, covariant=True)
Answer_co = TypeVar("Answer_co", bound=WireModel, covariant=True)


@dataclass(frozen=True, slots=True)
class Call(Generic[Request_co, Answer_co]):
    """``{"requestObject": request}`` posted to a path, ``{"status":"OK","responseObject": answer}`` back.

    :ivar path: inside the service
    :ivar meaning: a sentence for the description of the API
    :ivar fast: hot enough for the fast edge; at the dmz door it may come in a bundle too
    """

    path: str
    request: type[Request_co]
    answer: type[Answer_co]
    meaning: str
    fast: bool = False
