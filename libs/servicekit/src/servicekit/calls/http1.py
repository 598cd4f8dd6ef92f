"""Reading the answers on a connection of HTTP/1.1 (RFC 9112). No I/O: bytes go in, those of a body come out.

What ends an answer decides what the next bytes on a connection are taken for. Where two readers could see
different ends, one answer could be taken for two, or a part of it for the next; so every shape has one
reading here, and what has none is refused:

| state | takes                                               | then                                      |
|-------|-----------------------------------------------------|-------------------------------------------|
| HEAD  | status line and header lines, up to an empty line   | 1xx: HEAD again; an answer to HEAD, 204,  |
|       |                                                     | 304, a length of 0: DONE; else BODY       |
| BODY  | as many bytes as the length says; chunks up to the  | DONE                                      |
|       | empty one and its trailer, which is dropped; with   |                                           |
|       | neither, everything up to the end of the connection |                                           |
| DONE  | nothing: what comes now is nobody's                 | HEAD with the next request; but after     |
|       |                                                     | what was nobody's there is none           |

Lines, lengths and chunks are read by httptools, the parser of our server too. It refuses lines that end
otherwise than with CRLF, folded ones, blanks around names, control characters, more than one length or one
that is no plain number, a length beside a transfer coding, and sizes of chunks that are no plain number.
Refused here are other versions than 1.0 and 1.1, a status below 100, 101, every transfer coding but one
chunked in 1.1, and more than :data:`MAX_HEAD_BYTES` on end without a byte of the body: that, and one piece,
is the most that is kept.
"""

from __future__ import annotations

import httptools

RawHeaders = list[tuple[bytes, bytes]]

MAX_HEAD_BYTES = 64 * 1024
"""Of all header lines together; also of what may stand between two bytes of a body, or behind it."""

_START = b"H"
_UNREADABLE = "not a readable HTTP answer"
_VERSIONS = frozenset({"1.0", "1.1"})
_FIRST, _FINAL = 100, 200


class MalformedAnswer(ValueError):
    """No answer of HTTP/1.1, or one that could be read in two ways; the text holds nothing of it."""


class AnswerReader:
    """The answers on one connection; see the module. The methods named ``on_…`` are called by the parser.

    :ivar status: of the final answer, once its head is there
    :ivar headers: of the final answer, names in lower case; blanks may stand behind a value
    :ivar complete: whether all of the answer is there
    """

    __slots__ = (
        "_chunked",
        "_delimited",
        "_in_body",
        "_keeps",
        "_parser",
        "_pieces",
        "_to_head",
        "_without_body",
        "complete",
        "headers",
        "status",
    )

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._to_head = False
        self.headers: RawHeaders = []
        self.expect()
        self.complete = True

    def expect(self, *, to_head: bool = False) -> None:
        """Another request was sent, over a connection that the answer before it keeps.

        :param to_head: it was HEAD
        """
        if self._to_head:
            # The parser waits for a body that its answer did not have.
            self._parser = httptools.HttpResponseParser(self)
        self._to_head = to_head
        self.status = self._without_body = 0
        self.headers = []
        self._pieces: list[bytes] = []
        self.complete = self._in_body = self._delimited = self._chunked = self._keeps = False

    @property
    def keeps(self) -> bool:
        """Whether the connection can carry another request after this answer."""
        return self.complete and self._keeps

    def receive(self, data: bytes) -> bytes:
        """Take what arrived.

        :return: the bytes of the body that are in it
        :raises MalformedAnswer: it is no answer; nothing more can be read then
        """
        if not self.status and not self._without_body and not _START.startswith(data[:1]):
            # The parser would pass over empty lines, and knows other protocols too.
            raise MalformedAnswer(_UNREADABLE)
        self._pieces = []
        self._without_body += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._keeps = False
            if not self.complete:
                raise MalformedAnswer(_UNREADABLE) from error
        if self._without_body > MAX_HEAD_BYTES and not self.complete:
            raise MalformedAnswer("answer head too large")
        return b"".join(self._pieces)

    def end(self) -> None:
        """The connection ended.

        :raises MalformedAnswer: in the middle of the answer
        """
        self._keeps = False
        if self._in_body and not self._delimited:
            self.complete = True
        if not self.complete:
            raise MalformedAnswer("closed before the answer was complete")

    def on_message_begin(self) -> None:
        if self.complete:
            self._keeps = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_body:
            return
        name = name.lower()
        if name == b"content-length":
            self._delimited = True
        elif name == b"transfer-encoding":
            if self._chunked or value.rstrip(b" \t").lower() != b"chunked":
                raise MalformedAnswer(_UNREADABLE)
            self._delimited = self._chunked = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        status = self._parser.get_status_code()
        version = self._parser.get_http_version()
        if status < _FIRST or version not in _VERSIONS or (self._chunked and version == "1.0"):
            raise MalformedAnswer(_UNREADABLE)
        if status >= _FINAL:
            self.status = status
            self._in_body = True
            if self._to_head:
                self.on_message_complete()

    def on_body(self, body: bytes) -> None:
        if self.complete:
            self._keeps = False
            return
        self._without_body = 0
        self._pieces.append(body)

    def on_message_complete(self) -> None:
        if self.complete:
            return
        if self._in_body:
            self.complete = True
            self._keeps = self._parser.should_keep_alive()
        else:
            self.headers = []
            self._delimited = self._chunked = False
