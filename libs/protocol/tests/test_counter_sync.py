"""The hash counter and its synchronisation on the client (spec/protocol-v3.md §8.3, §8.6)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.v3.counter import (
    CounterSync,
    SyncOutcome,
    advance,
    counter_hash,
    generate_ctr_data,
    hash_distance,
    next_counter,
    synchronise,
)
from powerauth_protocol.v3.keys import TransportKey

KEY = TransportKey(bytes(range(16)))
CTR = bytes(range(16, 32))
WINDOW = 20


def _sync(client_steps: int, server_steps: int, *, known: bool = True, window: int = WINDOW) -> CounterSync:
    """Synchronise a client and a server that started together and moved this far."""
    return synchronise(
        local_ctr_data=advance(CTR, client_steps),
        local_ctr_byte=client_steps % 256 if known else None,
        server_hash=counter_hash(KEY, advance(CTR, server_steps)),
        server_ctr_byte=server_steps % 256,
        look_ahead=window,
        transport_key=KEY,
    )


def test_in_step() -> None:
    assert _sync(5, 5) == CounterSync(SyncOutcome.OK, advance(CTR, 5), 5)


@pytest.mark.parametrize("ahead", [1, WINDOW // 2])
def test_a_client_a_little_ahead_is_ok(ahead: int) -> None:
    assert _sync(3 + ahead, 3).outcome is SyncOutcome.OK


@pytest.mark.parametrize("ahead", [WINDOW // 2 + 1, WINDOW])
def test_a_client_far_ahead_computes_a_code(ahead: int) -> None:
    outcome = _sync(3 + ahead, 3)
    assert outcome == CounterSync(SyncOutcome.COMPUTE_CODE, advance(CTR, 3 + ahead), 3 + ahead)


def test_a_client_beyond_the_window_is_deadlocked() -> None:
    assert _sync(3 + WINDOW + 1, 3).outcome is SyncOutcome.DEADLOCK


@pytest.mark.parametrize("behind", [1, WINDOW - 1])
def test_a_client_behind_takes_the_server_counter(behind: int) -> None:
    assert _sync(3, 3 + behind) == CounterSync(SyncOutcome.UPDATED, advance(CTR, 3 + behind), 3 + behind)


def test_a_client_too_far_behind_is_deadlocked() -> None:
    assert _sync(3, 3 + WINDOW).outcome is SyncOutcome.DEADLOCK


def test_the_byte_wraps_around() -> None:
    assert _sync(254, 258) == CounterSync(SyncOutcome.UPDATED, advance(CTR, 258), 2)
    assert _sync(258, 254).outcome is SyncOutcome.OK


def test_without_a_byte_the_client_learns_it_only_in_step() -> None:
    assert _sync(5, 5, known=False) == CounterSync(SyncOutcome.OK, advance(CTR, 5), 5)
    assert _sync(5, 7, known=False) == CounterSync(SyncOutcome.OK, advance(CTR, 5), None)


def test_contradicting_byte_and_hash_are_a_deadlock() -> None:
    sync = synchronise(
        local_ctr_data=CTR,
        local_ctr_byte=9,
        server_hash=counter_hash(KEY, CTR),
        server_ctr_byte=4,
        look_ahead=WINDOW,
        transport_key=KEY,
    )
    assert sync.outcome is SyncOutcome.DEADLOCK


@settings(max_examples=40, deadline=None)
@given(client=st.integers(127, 300), ahead=st.integers(-127, 127), window=st.integers(1, 64))
def test_an_update_always_lands_on_the_server_counter(client: int, ahead: int, window: int) -> None:
    # The byte tells distances up to 127; a client further off looks like a near one.
    server = client - ahead
    sync = _sync(client, server, window=window)
    if sync.outcome is SyncOutcome.UPDATED:
        assert sync.ctr_data == advance(CTR, server)
        assert sync.ctr_byte == server % 256
    else:
        assert sync.ctr_data == advance(CTR, client)
    assert (sync.outcome is SyncOutcome.DEADLOCK) == (ahead > window or -ahead >= window)


def test_distance_is_the_smallest_within_the_window() -> None:
    target = counter_hash(KEY, advance(CTR, 4))
    assert hash_distance(target, CTR, KEY, 5) == 4
    assert hash_distance(target, CTR, KEY, 4) is None


@pytest.mark.parametrize("ctr", [b"", bytes(15), bytes(32)])
def test_counters_have_sixteen_bytes(ctr: bytes) -> None:
    for refused in (
        lambda: next_counter(ctr),
        lambda: advance(ctr, 0),
        lambda: counter_hash(KEY, ctr),
        lambda: hash_distance(bytes(16), ctr, KEY, 1),
    ):
        with pytest.raises(EncodingError):
            refused()


def test_counters_are_random_and_not_shown() -> None:
    assert generate_ctr_data() != generate_ctr_data()
    assert "\\x" not in repr(_sync(1, 1))
