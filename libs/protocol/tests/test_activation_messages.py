"""Plaintexts of the key exchange (spec/protocol-v3.md §4.2)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.errors import EncodingError, EnvelopeFormatError
from powerauth_protocol.v3.activation import (
    ActivationLayer1Request,
    ActivationLayer1Response,
    ActivationLayer2Request,
    ActivationLayer2Response,
    ActivationRecovery,
    ActivationType,
    DeviceKeyFormatError,
)
from powerauth_protocol.v3.ecies import EciesRequest, EciesResponse
from powerauth_protocol.v3.versions import ProtocolVersion

V33 = ProtocolVersion.V3_3
REQUEST = EciesRequest("id", b"\x02" + bytes(32), bytes(16), bytes(32), bytes(16), 1700000000000)
RESPONSE = EciesResponse(bytes(16), bytes(32), bytes(16), 1700000000000)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
LAYER_1 = ActivationLayer1Request(ActivationType.CODE, {"code": "45AWJ-BVACS-SBWHS-ABANA"}, REQUEST)
LAYER_2 = ActivationLayer2Response("id", b"\x04" + bytes(64), bytes(16))


def _changed(data: bytes, **members: Any) -> bytes:
    return json.dumps({**json.loads(data), **members}).encode()


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(ActivationType),
    st.dictionaries(texts, texts, min_size=1, max_size=3),
    st.dictionaries(texts, st.none() | st.integers() | texts | st.lists(texts, max_size=2), max_size=3),
)
def test_layer_1_requests_round_trip(
    kind: ActivationType, identity: dict[str, str], custom: dict[str, Any]
) -> None:
    request = ActivationLayer1Request(kind, identity, REQUEST, custom)
    assert ActivationLayer1Request.from_json(request.to_json(), V33) == request


@settings(max_examples=30, deadline=None)
@given(st.builds(ActivationLayer2Request, st.binary(min_size=1, max_size=65), *[st.none() | texts] * 6))
def test_layer_2_requests_round_trip(request: ActivationLayer2Request) -> None:
    assert ActivationLayer2Request.from_json(request.to_json()) == request


def test_responses_round_trip_and_write_null_members() -> None:
    for response in (
        ActivationLayer1Response(RESPONSE),
        ActivationLayer1Response(RESPONSE, {"a": 1}, {"sub": "user"}),
    ):
        assert ActivationLayer1Response.from_json(response.to_json(), V33) == response
    assert json.loads(ActivationLayer1Response(RESPONSE).to_json())["userInfo"] is None
    recovery = ActivationLayer2Response("id", b"\x04", bytes(16), ActivationRecovery("CODE", "0123456789"))
    for layer_2 in (LAYER_2, recovery):
        assert ActivationLayer2Response.from_json(layer_2.to_json()) == layer_2
    assert json.loads(LAYER_2.to_json())["activationRecovery"] is None


def test_the_json_key_of_the_activation_type_is_type() -> None:
    members = json.loads(LAYER_1.to_json())
    assert set(members) == {"type", "identityAttributes", "activationData"}
    assert members["type"] == "CODE"


def test_unknown_members_are_ignored_except_in_the_envelope() -> None:
    data = LAYER_1.to_json()
    assert ActivationLayer1Request.from_json(_changed(data, future=1, customAttributes=None), V33) == LAYER_1
    envelope = {**REQUEST.to_json_dict(), "future": 1}
    with pytest.raises(EnvelopeFormatError):
        ActivationLayer1Request.from_json(_changed(data, activationData=envelope), V33)


def test_layer_2_follows_the_version_of_the_header() -> None:
    with pytest.raises(EnvelopeFormatError):
        ActivationLayer1Request.from_json(LAYER_1.to_json(), ProtocolVersion.V3_2)


@pytest.mark.parametrize(
    "members",
    [
        {"type": "code"},
        {"type": None},
        {"type": 1},
        {"identityAttributes": {}},
        {"identityAttributes": None},
        {"identityAttributes": {"code": 1}},
        {"identityAttributes": []},
        {"customAttributes": []},
        {"activationData": None},
        {"activationData": "x"},
    ],
)
def test_malformed_layer_1_requests_are_refused(members: dict[str, Any]) -> None:
    with pytest.raises(EncodingError):
        ActivationLayer1Request.from_json(_changed(LAYER_1.to_json(), **members), V33)


@pytest.mark.parametrize(
    "members",
    [
        {"activationId": None},
        {"serverPublicKey": "!"},
        {"ctrData": b64encode(bytes(15))},
        {"ctrData": None},
        {"activationRecovery": "x"},
        {"activationRecovery": {"recoveryCode": "x"}},
    ],
)
def test_malformed_layer_2_responses_are_refused(members: dict[str, Any]) -> None:
    with pytest.raises(EncodingError):
        ActivationLayer2Response.from_json(_changed(LAYER_2.to_json(), **members))


def test_a_missing_device_key_differs_from_a_malformed_one() -> None:
    for missing in (b"{}", b'{"devicePublicKey":null}', b'{"devicePublicKey":" "}'):
        assert ActivationLayer2Request.from_json(missing).device_public_key == b""
    with pytest.raises(DeviceKeyFormatError):
        ActivationLayer2Request.from_json(b'{"devicePublicKey":"AA"}')
    with pytest.raises(EncodingError):
        ActivationLayer2Request.from_json(b'{"devicePublicKey":1}')


def test_secrets_do_not_show_in_representations() -> None:
    shown = repr(ActivationLayer2Request(b"\x02", activation_otp="SECRET-OTP"))
    shown += repr(ActivationLayer1Request(ActivationType.RECOVERY, {"puk": "SECRET-PUK"}, REQUEST))
    shown += repr(
        ActivationLayer2Response("id", b"", b"SECRET-CTR", ActivationRecovery("SECRET-CODE", "SECRET-PUK"))
    )
    assert "SECRET" not in shown
