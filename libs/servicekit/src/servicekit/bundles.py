"""The lines of bundles, of requests and of answers: spec/call-bundles.md §2, §3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

CONTENT_TYPE = "application/x-call-bundle"
MOST_CALLS = 64
MOST_BYTES = 256 * 1024
"""Of the bodies in a bundle; a longer one is a request by itself."""
MOST_ANSWER_BYTES = 1024 * 1024
"""Of one answer, where its reader says nothing else."""

_PARTS = 4
_NONE = b"-"
_BY_ITSELF = 0


class MalformedBundle(ValueError):
    """Bytes that are no bundle."""


class BundledCall(NamedTuple):
    """One call of a bundle."""

    number: int
    path: str
    correlation_id: str | None
    body: bytes


class BundledAnswer(NamedTuple):
    """The answer to a call.

    :ivar status: 0: the call has to be made by itself
    :ivar retry_after: in seconds
    """

    number: int
    status: int
    retry_after: str | None
    body: bytes


def write_calls(calls: Sequence[BundledCall]) -> bytes:
    """The content of a request. Paths and bodies hold no line breaks, paths no blanks."""
    return b"".join(
        [
            b"%d %s %s %s\n"
            % (number, path.encode(), correlation_id.encode() if correlation_id else _NONE, body)
            for number, path, correlation_id, body in calls
        ]
    )


def read_calls(content: bytes) -> list[BundledCall]:
    """The calls of a request.

    :raises MalformedBundle: no calls, too many, or not calls
    """
    lines = content.removesuffix(b"\n").split(b"\n")
    if len(lines) > MOST_CALLS:
        raise MalformedBundle
    calls = []
    for line in lines:
        parts = line.split(b" ", 3)
        if len(parts) != _PARTS or not parts[0].isdigit():
            raise MalformedBundle
        number, path, correlation_id, body = parts
        known = None if correlation_id == _NONE else correlation_id.decode("latin-1")
        calls.append(BundledCall(int(number[:9]), path.decode("latin-1"), known, body))
    return calls


def write_answer(number: int, status: int, retry_after: str | None, body: bytes) -> bytes:
    """The line of one answer."""
    retry = retry_after.encode("latin-1") if retry_after else _NONE
    # In JSON a line break stands between members only.
    return b"%d %d %s %s\n" % (number, status, retry, body.replace(b"\n", b" "))


def refuse(number: int) -> bytes:
    """The line that says that a call has to be made by itself."""
    return write_answer(number, _BY_ITSELF, None, _NONE)


class AnswerReader:
    """Puts lines together out of what arrives; one that is too long is passed over.

    :param most: bytes of one answer
    """

    def __init__(self, most: int = MOST_ANSWER_BYTES) -> None:
        self._most = most
        self._pieces: list[bytes] = []
        self._size = 0
        self._passes_over = False

    def feed(self, data: bytes) -> list[BundledAnswer]:
        """The answers that are complete with this.

        :raises MalformedBundle: not answers
        """
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = b"".join([*self._pieces, lines[0]])
            if self._passes_over:
                del lines[0]
            self._pieces, self._size, self._passes_over = [], 0, False
        self._keep(rest)
        answers = []
        for line in lines:
            parts = line.split(b" ", 3)
            if len(parts) != _PARTS or not parts[0].isdigit() or not parts[1].isdigit():
                raise MalformedBundle
            retry_after = None if parts[2] == _NONE else parts[2].decode("latin-1")
            answers.append(BundledAnswer(int(parts[0][:9]), int(parts[1][:3]), retry_after, parts[3]))
        return answers

    def _keep(self, piece: bytes) -> None:
        """Hold the beginning of a line until its end comes."""
        self._size += len(piece)
        if self._size > self._most:
            self._passes_over = True
        if self._passes_over:
            self._pieces = []
        else:
            self._pieces.append(piece)
