"""A request, its answer, and the ways in which there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hpack import HeaderTuple

Header = tuple[bytes, bytes] | HeaderTuple


@dataclass(slots=True)
class Request:
    """What is sent. Nothing of it is shown: it holds tokens.

    :ivar headers: pseudo-headers first, names in lower case; what may not be remembered for later requests,
        and what would only push out what is worth remembering, is an `hpack.NeverIndexedHeaderTuple`
    """

    headers: Sequence[Header] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(slots=True)
class Answer:
    """What came back.

    :ivar headers: in the order of the wire, without pseudo-headers
    """

    status: int
    headers: Sequence[tuple[bytes, bytes]] = field(repr=False)
    body: bytes = field(repr=False)

    def header(self, name: bytes) -> str | None:
        """The first header of this name in lower case."""
        for known, value in self.headers:
            if known == name:
                return value.decode("latin-1")
        return None


class NoAnswer(Exception):
    """A request without answer; the text is out of a short list and holds nothing of the exchange."""

    @property
    def reason(self) -> str:
        """Why there is none."""
        return str(self.args[0])


class Unsent(NoAnswer):
    """The server has not worked on the request, and it may be sent again without being done twice."""


class Refused(Unsent):
    """The server does not want this request now, on a connection that goes on."""


class Unanswered(NoAnswer):
    """The request left, and whether the server worked on it is not known."""


class Overdue(Unanswered):
    """The same after the time that there was; trying again at once would only take as long."""
