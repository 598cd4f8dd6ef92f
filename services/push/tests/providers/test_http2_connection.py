"""The connection without I/O: what a server garbles costs the connection, and nobody waits for ever."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from powerauth_push.providers.http2.connection import ClientConnection, ConnectionUnusable, Ended
from powerauth_push.providers.http2.exchange import Answer, NoAnswer, Request, Unanswered, Unsent

STREAMS = (1, 3, 5, 7, 9)
HEADERS = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", b"localhost"), (b":path", b"/")]


def goaway(last: int) -> bytes:
    return (8).to_bytes(3, "big") + b"\x07" + bytes(5) + last.to_bytes(4, "big") + bytes(4)


class Pair:
    """A client with five requests under way, and a server that has them."""

    def __init__(self) -> None:
        self.server = H2Connection(H2Configuration(client_side=False))
        self.server.initiate_connection()
        self.client = ClientConnection(most_streams=10)
        assert self.client.capacity == 0, "the server's settings are not known yet"
        self.client.start()
        self.server.receive_data(self.client.data_to_send())
        assert list(self.client.receive(self.server.data_to_send())) == []
        assert self.client.capacity == 10
        assert tuple(self.client.submit(Request(HEADERS, b"x" * 100)) for _ in STREAMS) == STREAMS
        self.server.receive_data(self.client.data_to_send())

    def answers(self, *streams: int) -> bytes:
        """The bytes of the server's answers."""
        for number in streams:
            self.server.send_headers(number, [(":status", "200"), ("apns-id", "x")])
            self.server.send_data(number, b"done", end_stream=True)
        return self.server.data_to_send()


@pytest.fixture
def pair() -> Pair:
    return Pair()


def told(ended: Iterator[Ended]) -> dict[int, type[Answer | NoAnswer]]:
    return {number: type(result) for number, result in ended}


@pytest.mark.parametrize("size", [1, 8, 9, 10, 1000])
def test_answers_come_in_pieces_of_any_size(pair: Pair, size: int) -> None:
    data = pair.answers(1) + goaway(5) + pair.answers(3, 5)
    ended: dict[int, type[Answer | NoAnswer]] = {}
    for at in range(0, len(data), size):
        ended |= told(pair.client.receive(data[at : at + size]))
    assert ended == {1: Answer, 3: Answer, 5: Answer, 7: Unsent, 9: Unsent}
    assert not pair.client.accepting
    assert pair.client.capacity == 0


@pytest.mark.parametrize("by_settings", [True, False])
def test_a_window_that_comes_along_with_a_reset_costs_one_request(by_settings: bool) -> None:
    server = H2Connection(H2Configuration(client_side=False))
    client = ClientConnection(most_streams=10)
    client.start()
    server.initiate_connection()
    server.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 10})
    server.receive_data(client.data_to_send())
    assert told(client.receive(server.data_to_send())) == {}
    server.receive_data(client.data_to_send())
    small, large = (client.submit(Request(HEADERS, b"x" * size)) for size in (5, 50))
    server.receive_data(client.data_to_send())
    if by_settings:
        server.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1000})
    else:
        server.increment_flow_control_window(1000, large)
    server.reset_stream(large, ErrorCodes.INTERNAL_ERROR)
    assert told(client.receive(server.data_to_send())) == {large: Unsent}
    assert (client.under_way, client.capacity > 0) == (1, True)
    server.receive_data(client.data_to_send())
    server.send_headers(small, [(":status", "200")], end_stream=True)
    assert told(client.receive(server.data_to_send())) == {small: Answer}


def test_a_connection_that_is_lost_leaves_what_was_not_answered_uncertain(pair: Pair) -> None:
    assert told(pair.client.receive(pair.answers(3))) == {3: Answer}
    assert told(pair.client.lose("connection lost")) == dict.fromkeys((1, 5, 7, 9), Unanswered)
    assert told(pair.client.lose("connection lost")) == {}


def test_a_second_goaway_takes_more_back(pair: Pair) -> None:
    assert told(pair.client.receive(goaway(2**31 - 1))) == {}
    assert told(pair.client.receive(goaway(3) + pair.answers(1, 3))) == {
        5: Unsent,
        7: Unsent,
        9: Unsent,
        1: Answer,
        3: Answer,
    }


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\xff" * 9,
        goaway(1)[:3].replace(b"\x08", b"\x04") + goaway(1)[3:],
    ],
)
def test_what_is_no_http2_is_refused(pair: Pair, data: bytes) -> None:
    with pytest.raises(ConnectionUnusable):
        list(pair.client.receive(data))


def test_whatever_comes_each_request_ends_once() -> None:
    chance = random.Random(7)
    for _ in range(300):
        pair = Pair()
        data = bytearray(pair.answers(1, 3, 5, 7))
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(data))
            match chance.randrange(4):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    del data[at : at + chance.randint(1, 9)]
                case 2:
                    data[at:at] = chance.randbytes(chance.randint(1, 12))
                case _:
                    data[at:at] = goaway(chance.randrange(11))
        assert sorted(number for number, _ in everything(pair, bytes(data))) == list(STREAMS)


def everything(pair: Pair, data: bytes) -> Iterator[Ended]:
    """What ends by some bytes in two pieces, and with the connection after them."""
    try:
        for piece in (data[: len(data) // 2], data[len(data) // 2 :]):
            yield from pair.client.receive(piece)
    except ConnectionUnusable as error:
        yield from pair.client.lose(str(error))
    else:
        yield from pair.client.lose("connection lost")
