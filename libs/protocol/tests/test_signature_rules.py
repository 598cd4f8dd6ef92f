"""Computing and verifying authentication codes (spec/protocol-v3.md §8)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import EncodingError, SignatureError
from powerauth_protocol.v3.counter import advance, next_counter
from powerauth_protocol.v3.keys import ActivationKeys, MasterSecret, derive_factor_keys
from powerauth_protocol.v3.signature import (
    Match,
    SignatureType,
    components,
    compute_signature,
    signing_keys,
    verify_with_lookahead,
)
from powerauth_protocol.v3.versions import SignatureFormat

KEYS = derive_factor_keys(MasterSecret(bytes(range(16))))
PK = SignatureType.POSSESSION_KNOWLEDGE
PB = SignatureType.POSSESSION_BIOMETRY
CTR = bytes(16)
DATA = b"POST&&&&secret"


def _code(
    kind: SignatureType,
    ctr: bytes = CTR,
    fmt: SignatureFormat = SignatureFormat.BASE64,
    data: bytes = DATA,
    length: int = 8,
) -> str:
    return compute_signature(data, signing_keys(KEYS, kind), ctr, fmt, length)


def _verify(
    code: str,
    types: list[SignatureType],
    ctr: bytes = CTR,
    lookahead: int = 20,
    fmt: SignatureFormat = SignatureFormat.BASE64,
) -> Match | None:
    return verify_with_lookahead([DATA], code, types, KEYS, ctr, lookahead, fmt)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(SignatureType),
    fmt=st.sampled_from(SignatureFormat),
    length=st.integers(4, 8),
    step=st.integers(0, 19),
    data=st.binary(max_size=200),
    ctr=st.binary(min_size=16, max_size=16),
)
def test_a_code_is_found_at_its_step(
    kind: SignatureType, fmt: SignatureFormat, length: int, step: int, data: bytes, ctr: bytes
) -> None:
    code = compute_signature(data, signing_keys(KEYS, kind), advance(ctr, step), fmt, length)
    match = verify_with_lookahead([data], code, [kind], KEYS, ctr, 20, fmt, length)
    assert match is not None
    # A decimal code of one factor may fit an earlier step by chance: one in 10^length per step.
    assert match.step == step or (fmt is SignatureFormat.DECIMAL and match.step < step)
    assert match.next_ctr_data == advance(ctr, match.step + 1)


def test_a_code_beyond_the_window_is_refused() -> None:
    assert _verify(_code(PK, advance(CTR, 19)), [PK]) is not None
    assert _verify(_code(PK, advance(CTR, 20)), [PK]) is None


def test_a_code_before_the_counter_is_refused() -> None:
    assert _verify(_code(PK), [PK], next_counter(CTR)) is None


def test_a_code_of_other_types_is_refused() -> None:
    for claimed in SignatureType:
        for made in SignatureType:
            assert (_verify(_code(made), [claimed]) is not None) == (claimed is made)


def test_each_factor_key_matters() -> None:
    for wrong in ("possession", "knowledge", "biometry"):
        changed = {name: getattr(KEYS, name) for name in ActivationKeys.__slots__}
        changed[wrong] = bytes(16)
        other = ActivationKeys(**changed)
        for kind in SignatureType:
            match = verify_with_lookahead([DATA], _code(kind), [kind], other, CTR, 5, SignatureFormat.BASE64)
            assert (match is None) == (wrong in kind.factors)


def test_the_first_type_in_the_list_that_matches_is_reported() -> None:
    fmt = SignatureFormat.DECIMAL
    match = _verify(_code(PB, fmt=fmt), [PK, PB], fmt=fmt)
    assert match is not None
    assert match.type is PB


def test_types_are_tried_at_each_counter_value_before_stepping() -> None:
    # The same keys for knowledge and biometry make both types match at the same step.
    twins = ActivationKeys(
        **{**{n: getattr(KEYS, n) for n in ActivationKeys.__slots__}, "biometry": KEYS.knowledge}
    )
    code = compute_signature(DATA, signing_keys(twins, PK), advance(CTR, 3), SignatureFormat.BASE64)
    match = verify_with_lookahead([DATA], code, [PB, PK], twins, CTR, 20, SignatureFormat.BASE64)
    assert match == Match(3, PB, 0, advance(CTR, 4))


def test_the_candidate_that_matches_is_reported() -> None:
    code = _code(PK, advance(CTR, 2), data=b"second")
    match = verify_with_lookahead([b"first", b"second"], code, [PK], KEYS, CTR, 20, SignatureFormat.BASE64)
    assert match == Match(2, PK, 1, advance(CTR, 3))


@pytest.mark.parametrize("kind", list(SignatureType))
def test_every_flipped_bit_of_a_base64_code_is_refused(
    kind: SignatureType, bit_flips: Callable[[bytes], Iterator[bytes]]
) -> None:
    for changed in bit_flips(b64decode(_code(kind))):
        assert _verify(b64encode(changed), [kind], lookahead=1) is None


def test_every_changed_character_of_a_base64_code_is_refused(
    bit_flips: Callable[[bytes], Iterator[bytes]],
) -> None:
    for changed in bit_flips(_code(PK).encode()):
        assert _verify(changed.decode("latin-1"), [PK], lookahead=1) is None


def test_every_changed_character_of_a_decimal_code_is_refused(
    bit_flips: Callable[[bytes], Iterator[bytes]],
) -> None:
    fmt = SignatureFormat.DECIMAL
    for changed in bit_flips(_code(PK, fmt=fmt).encode()):
        assert _verify(changed.decode("latin-1"), [PK], lookahead=1, fmt=fmt) is None


def test_a_code_in_the_format_of_another_version_is_refused() -> None:
    decimal = _code(PK, fmt=SignatureFormat.DECIMAL)
    assert _verify(decimal, [PK], fmt=SignatureFormat.BASE64) is None
    assert _verify(_code(PK), [PK], fmt=SignatureFormat.DECIMAL) is None


@settings(max_examples=60, deadline=None)
@given(code=st.text(max_size=70), fmt=st.sampled_from(SignatureFormat))
def test_an_arbitrary_code_is_refused_without_an_error(code: str, fmt: SignatureFormat) -> None:
    assert _verify(code, list(SignatureType), lookahead=1, fmt=fmt) is None


@pytest.mark.parametrize("length", [-1, 0, 3, 9, 100])
def test_component_length_is_four_to_eight(length: int) -> None:
    with pytest.raises(SignatureError):
        _code(PK, fmt=SignatureFormat.DECIMAL, length=length)
    with pytest.raises(SignatureError):
        verify_with_lookahead([DATA], "1234", [PK], KEYS, CTR, 1, SignatureFormat.DECIMAL, length)


@pytest.mark.parametrize("ctr", [b"", bytes(15), bytes(17)])
def test_the_counter_has_sixteen_bytes(ctr: bytes) -> None:
    with pytest.raises(SignatureError):
        _code(PK, ctr)
    with pytest.raises(SignatureError):
        _verify("", [PK], ctr)


@pytest.mark.parametrize("keys", [(), (bytes(16),) * 4, (bytes(15),), (bytes(16), bytes(32))])
def test_one_to_three_keys_of_sixteen_bytes(keys: tuple[bytes, ...]) -> None:
    with pytest.raises(SignatureError):
        components(DATA, keys, CTR)


def test_type_names_are_case_insensitive_but_ascii() -> None:
    assert SignatureType.parse("POSSESSION_Knowledge") is PK
    assert PK.enum_name == "POSSESSION_KNOWLEDGE"
    for wrong in ("", "knowledge_biometry", "possession ", "\u212anowledge"):
        with pytest.raises(EncodingError):
            SignatureType.parse(wrong)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=64))
def test_two_counters_give_two_codes(data: bytes) -> None:
    ctr = os.urandom(16)
    assert _code(PK, ctr, data=data) != _code(PK, next_counter(ctr), data=data)


def test_keys_do_not_show_in_representations() -> None:
    assert KEYS.possession.hex() not in repr(KEYS)
    assert "\\x" not in repr(KEYS)
    assert "\\x" not in repr(Match(0, PK, 0, bytes(range(16))))
