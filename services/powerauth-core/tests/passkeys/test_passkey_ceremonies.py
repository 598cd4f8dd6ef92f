"""Ceremonies against the software authenticator (spec/device-trust.md §4.3, §4.14)."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from core_test_passkeys import (
    CHALLENGE,
    EXPECTED,
    ORIGIN,
    RP_ID,
    asserted,
    attested,
    register,
    registered,
    sign_in,
    stored,
)
from fido2 import cbor as plain_cbor

from powerauth_core.passkeys import authenticator_data, cbor, ceremony, client_data
from powerauth_core.passkeys.ceremony import RegistrationAnswer
from powerauth_core.passkeys.refusals import CeremonyFailed, CeremonyReason, Malformed, StatementInvalid
from powerauth_protocol.common.encoding import b64decode
from powerauth_sdk.authenticator import Authenticator, Counter, Flags, Format, corrupt
from powerauth_sdk.authenticator.device import DEVICE_BOUND, SYNCED
from powerauth_sdk.authenticator.keys import sign


def refused(reason: str, call: Any, *args: Any, **members: Any) -> None:
    with pytest.raises((CeremonyFailed, StatementInvalid, Malformed)) as found:
        call(*args, **members)
    assert found.value.reason == reason


@pytest.mark.parametrize("algorithm", [-7, -8, -257])
@pytest.mark.parametrize("fmt", [Format.NONE, Format.PACKED_SELF, Format.PACKED])
def test_a_passkey_registers_and_signs_in(algorithm: int, fmt: Format) -> None:
    authenticator = Authenticator(algorithm=algorithm, fmt=fmt, extensions={"credProtect": 2})
    credential = registered(register(authenticator))
    attested(register(authenticator))
    again = authenticator.sign_in(RP_ID, ORIGIN, CHALLENGE, credential.credential_id)
    assert asserted(again, stored(credential)).data.counter == 1


@pytest.mark.parametrize(
    "origin",
    [
        "https://bank.example",
        "https://login.bank.exampl",
        "https://login.bank.example/",
        "http://login.bank.example",
        "https://login.bank.example:443",
        "https://login.b\u0430nk.example",
        "https://LOGIN.bank.example",
    ],
)
def test_fi_1_another_origin(origin: str) -> None:
    refused("ORIGIN", registered, Authenticator().register(RP_ID, origin, CHALLENGE))


@pytest.mark.parametrize(
    "client",
    [
        {"topOrigin": "https://evil.example"},
        {"crossOrigin": True},
        {"topOrigin": ORIGIN, "crossOrigin": True},
    ],
)
def test_fi_1_embedded_elsewhere(client: dict[str, object]) -> None:
    refused("TOP_ORIGIN", registered, register(Authenticator(), **client))
    registered(
        register(Authenticator(), crossOrigin=True, topOrigin="https://shop.example"),
        top_origins=frozenset({"https://shop.example"}),
    )


@pytest.mark.parametrize("rp_id", ["example", "other.bank.example", "BANK.example"])
def test_fi_2_another_rp_id(rp_id: str) -> None:
    refused("RP_ID", registered, Authenticator().register(rp_id, ORIGIN, CHALLENGE))


def test_fi_3_data_of_the_other_ceremony() -> None:
    authenticator = Authenticator()
    credential = registered(register(authenticator))
    signed = replace(sign_in(authenticator), client_data_json=register(authenticator).client_data_json)
    refused("TYPE", asserted, signed, stored(credential))
    made = replace(register(authenticator), client_data_json=sign_in(authenticator).client_data_json)
    refused("TYPE", registered, made)


@pytest.mark.parametrize("challenge", [CHALLENGE.lower(), CHALLENGE[:-1], b"", CHALLENGE + b" "])
def test_fi_4_another_challenge(challenge: bytes) -> None:
    refused("CHALLENGE", registered, register(Authenticator()), challenge=challenge or b"x")


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (Flags.UV, "USER_PRESENCE"),
        (Flags.UP, "USER_VERIFICATION"),
        (Flags.UP | Flags.UV | Flags.BS, "PASSKEY_FLAGS_INVALID"),
    ],
)
def test_fi_5_flags(flags: Flags, reason: str) -> None:
    refused(reason, registered, register(Authenticator(flags=flags)))


def test_fi_5_backup_eligibility_never_changes() -> None:
    authenticator = Authenticator(flags=SYNCED)
    credential = registered(register(authenticator))
    authenticator.flags = DEVICE_BOUND
    refused("BACKUP_ELIGIBILITY", asserted, sign_in(authenticator), stored(credential))
    authenticator.flags = SYNCED & ~Flags.BS
    assert not asserted(sign_in(authenticator), stored(credential)).flags & Flags.BS
    unknown = replace(stored(credential), backup_eligible=None)
    authenticator.flags = DEVICE_BOUND
    asserted(sign_in(authenticator), unknown)


def test_fi_5_reserved_bits_are_ignored() -> None:
    authenticator = Authenticator(flags=Flags(0x22) | DEVICE_BOUND)
    assert int(registered(register(authenticator)).flags) == DEVICE_BOUND | Flags.AT


@pytest.mark.parametrize(
    ("before", "received", "holds"),
    [
        (0, 0, True),
        (0, 1, True),
        (5, 6, True),
        (5, 5, False),
        (5, 4, False),
        (5, 0, False),
        (0x7FFFFFFF, 0xFFFFFFFF, True),
        (0xFFFFFFFF, 0xFFFFFFFF, False),
    ],
)
def test_fi_6_counter(before: int, received: int, holds: bool) -> None:
    assert ceremony.counter_holds(before, received) is holds


def test_fi_6_a_forged_counter_is_refused_by_its_signature() -> None:
    authenticator = Authenticator()
    credential = registered(register(authenticator))
    authenticator.passkeys[0].counter = 0xFFFFFFFE
    forged = corrupt(sign_in(authenticator), "signature", -1)
    refused("SIGNATURE", asserted, forged, stored(credential))


def test_fi_7_two_copies_of_one_authenticator() -> None:
    authenticator = Authenticator(counter=Counter.RISING)
    credential = stored(registered(register(authenticator)))
    copy = authenticator.clone()
    seen = asserted(sign_in(authenticator), credential).data.counter
    assert not ceremony.counter_holds(seen, asserted(sign_in(copy), credential).data.counter)


def test_fi_8_another_credential() -> None:
    first, second = Authenticator(), Authenticator()
    response = replace(register(first), credential_id=register(second).credential_id)
    refused("CREDENTIAL_ID", registered, response)
    other = stored(registered(register(second)))
    refused("CREDENTIAL_ID", asserted, sign_in(first), other)
    refused("CREDENTIAL_ID", asserted, sign_in(first), None)


def test_the_special_model_signs_the_operations_data_too() -> None:
    authenticator = Authenticator()
    credential = stored(registered(register(authenticator)))
    response = sign_in(authenticator)
    digest = hashlib.sha256(response.client_data_json).digest()
    signed = response.authenticator_data + digest + b"A1*A100CZK"
    special = replace(response, signature=sign(authenticator.passkeys[0].key, signed))
    asserted(special, credential, operation_data=b"A1*A100CZK")
    refused("SIGNATURE", asserted, special, credential)
    refused("SIGNATURE", asserted, special, credential, operation_data=b"A1*A999CZK")


def test_a_handle_of_another_user() -> None:
    authenticator = Authenticator()
    credential = stored(registered(register(authenticator)))
    refused("USER_HANDLE", asserted, sign_in(authenticator), replace(credential, user_handle=b"other"))


def test_another_type() -> None:
    response = register(Authenticator())
    answer = RegistrationAnswer(
        credential_id=response.credential_id,
        client_data_json=response.client_data_json,
        attestation_object=response.attestation_object,
        type="password",
    )
    refused("CREDENTIAL_TYPE", ceremony.registration, answer, EXPECTED)


def test_fi_12_none_with_a_statement_and_an_unknown_format() -> None:
    response = register(Authenticator(fmt=Format.PACKED_SELF))
    members: Any = plain_cbor.decode(response.attestation_object)
    changed = plain_cbor.encode({**members, "fmt": "none"})
    refused("NOT_EMPTY", attested, replace(response, attestation_object=changed))


ONE = b"\xa1\x01\x02"


@pytest.mark.parametrize(
    "encoded",
    [
        ONE + b"\x00",
        b"\xa2\x01\x02\x01\x03",
        b"\xbf\x01\x02\xff",
        b"\x5f\x41\x00\xff",
        b"\x58\x05\x00",
        b"\xa1\x01",
        b"\x9b" + b"\xff" * 8,
        b"\x81" * 30_000,
        b"\xc0\x00",
        b"\xf9\x00\x00",
        b"\xa1\x41\x00\x00",
        b"\x62\xc3\x28",
        b"",
        b"\x5a\x00\x10\x00\x00" + bytes(1 << 20),
    ],
)
def test_fi_12_cbor_that_no_authenticator_writes(encoded: bytes) -> None:
    with pytest.raises(Malformed):
        cbor.decode(encoded)


def test_fi_12_bytes_that_no_flag_announces() -> None:
    data = sign_in_data()
    assert authenticator_data.parse(data).counter == 1
    for broken in (data + b"\x00", data[:-1], data[:32] + b"\xc5" + data[33:]):
        with pytest.raises(Malformed):
            authenticator_data.parse(broken)


def sign_in_data() -> bytes:
    authenticator = Authenticator()
    register(authenticator)
    return sign_in(authenticator).authenticator_data


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'{"type":"webauthn.get"}',
        b'{"type":"webauthn.get","challenge":"AA==","origin":"https://a"}',
        b'{"type":"webauthn.get","challenge":"+/","origin":"https://a"}',
        b'{"type":1,"challenge":"AA","origin":"https://a"}',
        b'{"type":"webauthn.get","challenge":"AA","origin":"https://a","origin":"https://b"}',
        b'{"type":"webauthn.get","challenge":"AA","origin":"https://a","crossOrigin":"no"}',
        b"\xff\xfe",
        b"[" * 16_000,
        b'{"type":"' + b"x" * 17_000 + b'"}',
    ],
)
def test_fi_19_client_data_that_no_browser_writes(text: bytes) -> None:
    with pytest.raises(Malformed):
        client_data.parse(text)


def test_fi_21_an_answer_of_another_session() -> None:
    refused("CHALLENGE", registered, register(Authenticator(fmt=Format.PACKED)), challenge=b"of another")


def test_fi_23_an_algorithm_that_was_not_asked_for() -> None:
    response = register(Authenticator(algorithm=-257))
    refused(CeremonyReason.ALGORITHM, registered, response, algorithms=ceremony.UPSTREAM_ALGORITHMS)


def test_the_vectors_of_the_original() -> None:
    collected = client_data.parse(
        b64decode(
            "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIiwiY2hhbGxlbmdlIjoiTTBneVVWVXRUa3BSVWpJdFZUZEpWMEl0UjBkWE5sRSIs"
            "Im9yaWdpbiI6Imh0dHA6Ly9sb2NhbGhvc3QifQ=="
        )
    )
    assert (collected.challenge, collected.origin) == (CHALLENGE, "http://localhost")
    data = authenticator_data.parse(
        b64decode(
            "SZYN5YgOjGh0NBcPZHZgW4/krrmihjLHmVzzuoMdl2NdAAAAALraVWanqkAfvZZFYZpVEg0AENntBM0k3kUGHZJgXctZB2mlAQID"
            "JiABIVggUnRRgaXiOSdKFnu6u04mUQNMDyuHWDODUdIcrt4Ca9wiWCBEq2quWbx976dPV7Ajt8yR5+4h1tnfT8X5ey7PT0utKA=="
        )
    )
    assert int(data.flags) == SYNCED | Flags.AT
    assert data.credential is not None
    assert str(data.credential.aaguid) == "bada5566-a7aa-401f-bd96-45619a55120d"
    assert data.credential.id.hex() == "d9ed04cd24de45061d92605dcb590769"
