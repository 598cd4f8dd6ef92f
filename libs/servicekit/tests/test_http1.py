"""Reading answers of HTTP/1.1: one reading of every shape, however it arrives, and it is that of h11."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.calls.http1 import MAX_HEAD_BYTES, AnswerReader, MalformedAnswer

OK = b"HTTP/1.1 200 OK\r\n"
SIZED = OK + b"Content-Length: 2\r\n\r\nok"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


class Reading(NamedTuple):
    """What a reader makes of an answer; nothing, if it refuses it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    complete: bool


REFUSED = Reading(-1, [], b"", False)
STATUS_LINE_REFUSED = Reading(-2, [], b"", False)
"""h11 looks at the words behind a status, and at empty lines behind an interim answer; nobody here does."""


def read(pieces: Iterable[bytes], *, to_head: bool = False, ended: bool = False) -> tuple[Reading, bool]:
    """What our reader makes of pieces, and whether the connection is kept."""
    reader = AnswerReader()
    reader.expect(to_head=to_head)
    try:
        body = b"".join([reader.receive(piece) for piece in pieces])
        if ended:
            reader.end()
    except MalformedAnswer:
        return REFUSED, False
    headers = [(name, value.rstrip(b" \t")) for name, value in reader.headers]
    return Reading(reader.status, headers, body, reader.complete), reader.keeps


def read_by_h11(data: bytes, *, to_head: bool = False, ended: bool = False) -> tuple[Reading, bool]:
    """What h11 makes of the same."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=2 * MAX_HEAD_BYTES)
    method = "HEAD" if to_head else "GET"
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "core")]))
    connection.send(h11.EndOfMessage())
    status, headers, body = 0, [], b""
    try:
        connection.receive_data(data)
        if ended:
            connection.receive_data(b"")
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Response):
                status, headers = event.status_code, list(event.headers)
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                kept = connection.their_state is h11.DONE and not connection.trailing_data[0]
                return Reading(status, headers, body, True), kept
            elif event is h11.NEED_DATA or event is h11.PAUSED or not isinstance(event, h11.Event):
                return Reading(status, headers, body, False), False
    except h11.RemoteProtocolError as error:
        return STATUS_LINE_REFUSED if re.search("(status|response) line", str(error)) else REFUSED, False


@pytest.mark.parametrize(
    ("data", "body", "keeps"),
    [
        (SIZED, b"ok", True),
        (OK + b"Content-Length: 0\r\n\r\n", b"", True),
        (CHUNKED + b"1\r\no\r\n1;name=value\r\nk\r\n0\r\n\r\n", b"ok", True),
        (CHUNKED + b"2\r\nok\r\n0\r\nX-Trailer: 1\r\n\r\n", b"ok", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + SIZED, b"ok", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n", b"", True),
        (b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", b"", True),
        (OK + b"Connection: x, close\r\nContent-Length: 2\r\n\r\nok", b"ok", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok", False),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", b"ok", True),
        (SIZED + b"more", b"ok", False),
        (SIZED + SIZED, b"ok", False),
    ],
)
def test_shapes_of_answers(data: bytes, body: bytes, keeps: bool) -> None:
    (reading, kept) = read([data])
    assert (reading.body, reading.complete, kept) == (body, True, keeps)


@pytest.mark.parametrize("framing", [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b""])
def test_no_body_follows_the_answer_to_head(framing: bytes) -> None:
    reader = AnswerReader()
    reader.expect(to_head=True)
    assert reader.receive(OK + framing + b"\r\n") == b""
    assert (reader.complete, reader.keeps) == (True, bool(framing))
    reader.expect()
    assert (reader.receive(SIZED), reader.keeps) == (b"ok", True)


def test_without_a_length_the_end_of_the_connection_ends_a_body() -> None:
    reading, kept = read([OK + b"\r\n", b"all ", b"of it"], ended=True)
    assert (reading.body, reading.complete, kept) == (b"all of it", True, False)


@pytest.mark.parametrize(
    "data", [b"", b"HTTP/1.1 2", OK, SIZED[:-1], CHUNKED + b"2\r\nok\r\n", CHUNKED + b"2\r\nok\r\n0\r\n"]
)
def test_an_answer_that_is_cut_off_is_none(data: bytes) -> None:
    assert read([data])[0].complete is False
    assert read([data], ended=True)[0] == REFUSED


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/0.9 200 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\n\n",
        OK + b"A: b\nContent-Length: 0\r\n\r\n",
        OK + b"A: b\r\n folded\r\n\r\n",
        OK + b"A : b\r\n\r\n",
        OK + b" A: b\r\n\r\n",
        OK + b": b\r\n\r\n",
        OK + b"A\r\n\r\n",
        OK + b"A: \x00\r\n\r\n",
        OK + b"A: b\rc\r\n\r\n",
        OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        OK + b"Content-Length: 2, 2\r\n\r\nok",
        OK + b"Content-Length: +2\r\n\r\nok",
        OK + b"Content-Length: 0x2\r\n\r\nok",
        OK + b"Content-Length: 99999999999999999999\r\n\r\nok",
        OK + b"Content-Length: 1\r\n 2\r\n\r\nok",
        OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: gzip\r\n\r\nok",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        CHUNKED + b"0x2\r\nok\r\n",
        CHUNKED + b"-2\r\nok\r\n",
        CHUNKED + b"2\nok\n0\n\n",
        CHUNKED + b"2;a\nb\r\nok\r\n",
        CHUNKED + b"1\r\nok\r\n",
        CHUNKED + b"ffffffffffffffffff\r\nok",
        CHUNKED + b"0\r\nContent-Length: 5\r\n\r\n",
    ],
)
def test_what_has_no_one_reading_is_refused(data: bytes) -> None:
    assert read([data])[0] == read([bytes([byte]) for byte in data])[0] == REFUSED


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"HTTP/1.1 200 ", b"O" * 1000),
        (OK, b"X-Many: 1234567890\r\n" * 50),
        (OK + b"X-One: ", b"1" * 1000),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 50),
        (CHUNKED + b"1;name=", b"1" * 1000),
        (CHUNKED + b"0\r\n", b"X-Many: 1234567890\r\n" * 50),
        (CHUNKED + b"0\r\nX-One: ", b"1" * 1000),
    ],
    ids=["reason", "headers", "header", "interim answers", "extension", "trailers", "trailer"],
)
def test_nothing_but_a_body_grows_without_end(start: bytes, more: bytes) -> None:
    assert read([start, more])[0] != REFUSED
    assert read([start, *[more] * (MAX_HEAD_BYTES // 1000 + 2)])[0] == REFUSED


@dataclass(frozen=True)
class Answer:
    """Bytes of an answer, and whether it is one to HEAD, and the connection ends behind it."""

    data: bytes
    to_head: bool
    ended: bool


_NAMES = st.sampled_from([b"Date", b"X-One", b"x-one", b"Retry-After", b"ETag"])
_VALUES = st.sampled_from([b"", b"5", b'W/"a, b"', b"\xe4 \t b", b"Mon, 30 Nov 2026 08:00:00 GMT"])
_BODIES = st.binary(max_size=40)
_INTERIM = st.sampled_from(
    [b"", b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"]
)


def chunked(pieces: Sequence[bytes]) -> bytes:
    """A body in chunks, each of a length above zero."""
    return b"".join([b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece]) + b"0\r\n\r\n"


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Answers as a server may give them."""
    status = draw(st.sampled_from([200, 200, 201, 204, 304, 404, 500]))
    fields = draw(st.lists(st.tuples(_NAMES, _VALUES), max_size=4))
    bodies = draw(st.lists(_BODIES, max_size=3))
    kind = draw(st.sampled_from(["length", "chunks", "end"]))
    body = chunked(bodies) if kind == "chunks" else b"".join(bodies)
    if kind == "length":
        fields.append((b"Content-Length", b"%d" % len(body)))
    elif kind == "chunks":
        fields.append((b"transfer-encoding", b"chunked"))
    if draw(st.booleans()):
        fields.append((b"Connection", draw(st.sampled_from([b"close", b"keep-alive"]))))
    to_head = draw(st.booleans())
    head = b"".join([b"%s: %s\r\n" % field for field in fields])
    without_body = to_head or status in (204, 304)
    data = b"%sHTTP/1.1 %d Any\r\n%s\r\n" % (draw(_INTERIM), status, head)
    return Answer(data + (b"" if without_body else body), to_head, kind == "end" or draw(st.booleans()))


_SNIPPETS = st.sampled_from(
    [
        *(b"\r\n", b"\n", b"\r", b"\r\n ", b"\x00", b":", b" ", b"\xff", b"g", b"2, 2"),
        *(b"Content-Length: 3\r\n", b"Content-Length: 0\r\n", b"Content-Length:\r\n 3\r\n"),
        *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n", b"Transfer-Encoding : x\r\n"),
        *(b"0\r\n\r\n", b"1;a\r\n", b"HTTP/1.0 200 OK\r\n", SIZED, CHUNKED),
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> Answer:
    """Answers with parts cut out, repeated or put in."""
    answer = draw(answers())
    data = answer.data
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 20)))
        data = (
            data[:start] + draw(st.one_of(_SNIPPETS, st.just(data[start:end] * 2), st.just(b""))) + data[end:]
        )
    return Answer(data, answer.to_head, answer.ended)


def split(data: bytes, draw: st.DataObject) -> list[bytes]:
    """The same bytes in pieces."""
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=6)))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@given(answers(), st.data())
def test_an_answer_is_read_alike_in_any_pieces_and_as_by_h11(answer: Answer, draw: st.DataObject) -> None:
    how = {"to_head": answer.to_head, "ended": answer.ended}
    reading, kept = read([answer.data], **how)
    assert read(split(answer.data, draw), **how) == (reading, kept)
    assert read_by_h11(answer.data, **how)[0] == reading
    assert reading.complete
    if not answer.ended and not answer.to_head:
        assert read_by_h11(answer.data, **how)[1] == kept


@given(
    st.one_of(mutated(), st.builds(Answer, st.binary(max_size=200), st.booleans(), st.booleans())), st.data()
)
def test_what_is_not_refused_is_read_alike_in_any_pieces_and_as_by_h11(
    answer: Answer, draw: st.DataObject
) -> None:
    how = {"to_head": answer.to_head, "ended": answer.ended}
    reading, kept = read([answer.data], **how)
    assert read(split(answer.data, draw), **how) == (reading, kept)
    if reading.complete:
        assert read_by_h11(answer.data, **how)[0] in (reading, STATUS_LINE_REFUSED)
