"""Traces: what one request causes on all its hops, recorded as spans and sent to a collector.

A trace goes on from hop to hop by its ``traceparent`` (W3C Trace Context, version 00): in the header of a
call, beside the calls of a bundle, in the row of what is done later, in a header of a message; ``tracestate``
does not go along.

Off by default, and then `current` is None everywhere and the SDK is not imported: that does `trace_export`,
where an endpoint is set. What is done in the background is recorded only as part of a trace that is.
Names and attributes are bounded, and never hold a body, an id of a user or an activation, or a secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextvars import ContextVar, Token
from enum import Enum
from types import TracebackType
from typing import Any, Protocol

HEADER = "traceparent"
CALLS_HEADER = "Call-Traceparents"
"""Of a bundle: a traceparent, or ``-``, for each of its calls, comma-separated, in their order."""
NONE = "-"

_FIRST_SERVER_ERROR = 500


class Kind(Enum):
    """What a span is to its neighbours, named as OpenTelemetry does."""

    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CLIENT = "CLIENT"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"


class Recording(Protocol):
    """A span of the SDK that is being recorded."""

    def update_name(self, name: str) -> None:
        """Name it anew."""

    def set_attribute(self, key: str, value: Any) -> None:
        """Say something of it."""

    def end(self) -> None:
        """It is over."""


class Span:
    """A step of a trace.

    :ivar trace_id: 32 hexadecimal digits
    :ivar span_id: 16 hexadecimal digits
    :ivar recording: None: this trace is not among those that are recorded, its ids are passed on all the same
    """

    __slots__ = ("recording", "span_id", "trace_id")

    def __init__(self, trace_id: str, span_id: str, recording: Recording | None) -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self.recording = recording

    @property
    def traceparent(self) -> str:
        """What makes another step its child."""
        return f"00-{self.trace_id}-{self.span_id}-{'00' if self.recording is None else '01'}"

    def note(self, key: str, value: str | int) -> None:
        """Say something of it; the value is one of few."""
        if self.recording is not None:
            self.recording.set_attribute(key, value)

    def called(self, host: str | None, status: int) -> None:
        """It was a call of another service, which was answered."""
        self.note("server.address", host or "")
        self.note("http.response.status_code", status)
        if status >= _FIRST_SERVER_ERROR:
            self.failed(str(status))

    def failed(self, kind: str) -> None:
        """It did not do what it was for.

        :param kind: the type of an error or a status, never its text
        """
        self.note("error.type", kind)


class Recorder(Protocol):
    """Makes spans; see `trace_export`."""

    def begin(
        self, name: str, kind: Kind, above: str | Span | None = None, links: Sequence[Span] = ()
    ) -> Span:
        """A new span.

        :param above: what it is a part of; without, or if this is no traceparent, it begins a trace
        :param links: what it is done for, where that is more than one
        """

    def follow(self, traceparent: str) -> Span | None:
        """A span of somebody else, if it is recorded."""


current: ContextVar[Span | None] = ContextVar("span", default=None)
"""The step of a trace that is being done."""

_recorder: Recorder | None = None


def use(recorder: Recorder | None) -> None:
    """Let a recorder make the spans of this process; None: nobody does."""
    global _recorder  # noqa: PLW0603 - of the process, as its logs are
    _recorder = recorder


def is_on() -> bool:
    """Whether this process records anything."""
    return _recorder is not None


def stored() -> str | None:
    """What makes work that is done later a part of this trace; None if that is not recorded."""
    span = current.get()
    return None if span is None or span.recording is None else span.traceparent


def arrive(traceparent: str | None, method: str) -> Token[Span | None]:
    """Begin to answer a request; `answered` ends it, `leave` what it is the current span for.

    :param traceparent: of its caller, if that is to be believed
    """
    return current.set(None if _recorder is None else _recorder.begin(method, Kind.SERVER, traceparent))


def answered(method: str, route: str | None, status: int) -> None:
    """The request that is being answered is.

    :param method: one that is known here
    :param route: its template; None: there is none
    """
    span = current.get()
    if span is None or span.recording is None:
        return
    if route is not None:
        span.recording.update_name(f"{method} {route}")
        span.note("http.route", route)
    span.note("http.request.method", method)
    span.note("http.response.status_code", status)
    if status >= _FIRST_SERVER_ERROR:
        span.failed(str(status))
    span.recording.end()


def leave(token: Token[Span | None]) -> None:
    """What is done from now on belongs to no request, or to the one around it."""
    current.reset(token)


class Step:
    """A span around a block, in which it is the current one; a block outside of traces is just run."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: Span | None) -> None:
        self._span = span
        self._token: Token[Span | None] | None = None

    def __enter__(self) -> Span | None:
        self._token = current.set(self._span)
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            current.reset(self._token)
        if self._span is not None and self._span.recording is not None:
            if kind is not None:
                self._span.failed(kind.__name__)
            self._span.recording.end()


class _Nothing:
    """A block that changes nothing: the current span, if there is one, stays it."""

    __slots__ = ()

    def __enter__(self) -> Span | None:
        return current.get()

    def __exit__(self, *_raised: object) -> None:
        pass


class Within:
    """A block that belongs to a span of somebody else, who ends it."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: Span | None) -> None:
        self._span = span

    def __enter__(self) -> Span | None:
        self._token = current.set(self._span)
        return self._span

    def __exit__(self, *_raised: object) -> None:
        current.reset(self._token)


Block = Step | Within | _Nothing
_NOTHING = _Nothing()


def step(name: str, kind: Kind = Kind.INTERNAL) -> Block:
    """A part of what is being done; nothing where no trace is recorded."""
    above = current.get()
    if above is None or above.recording is None or _recorder is None:
        return _NOTHING
    return Step(_recorder.begin(name, kind, above))


def resumed(traceparent: str | None, name: str, kind: Kind = Kind.INTERNAL, of: str = "") -> Block:
    """What is done later, by whomever, as part of the trace that it came from.

    :param traceparent: as `stored` gave it; None: it belongs to none, whatever this task was begun by
    :param of: one of few, added to the name
    """
    if _recorder is None:
        return _NOTHING
    above = None if traceparent is None else _recorder.follow(traceparent)
    return Step(None if above is None else _recorder.begin(f"{name} {of}" if of else name, kind, above))


def within(span: Span | None) -> Block:
    """What is done for one of several at a time."""
    return _NOTHING if _recorder is None else Within(span)


class Member(Protocol):
    """One of several that something is done for at once."""

    @property
    def span(self) -> Span | None:
        """What it is a part of."""


def together(name: str, members: Iterable[Member]) -> Block:
    """What is done for several at once: a trace of its own that links to theirs, if any is recorded."""
    if _recorder is None:
        return _NOTHING
    spans = [member.span for member in members]
    links = [span for span in spans if span is not None and span.recording is not None]
    return Step(_recorder.begin(name, Kind.INTERNAL, links=links) if links else None)
