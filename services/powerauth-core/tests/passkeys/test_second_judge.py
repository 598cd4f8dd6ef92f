"""The same answers before another implementation, the package `webauthn` (spec/device-trust.md §4.12)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from core_test_passkeys import (
    CHALLENGE,
    NOW,
    ORIGIN,
    RP_ID,
    asserted,
    attested,
    register,
    registered,
    root_of,
    sign_in,
    stored,
)
from cryptography.hazmat.primitives.serialization import Encoding
from fido2 import cbor as plain_cbor
from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import AttestationFormat

from powerauth_core.passkeys import ceremony
from powerauth_core.passkeys.attestation import trust
from powerauth_core.passkeys.attestation.trust import Sources, Trust
from powerauth_core.passkeys.refusals import PasskeyRefused
from powerauth_sdk.authenticator import (
    AssertionResponse,
    Authenticator,
    Flags,
    Format,
    Maker,
    RegistrationResponse,
    corrupt,
)
from powerauth_sdk.authenticator.device import DEVICE_BOUND, SYNCED, TEST_MODEL
from powerauth_sdk.authenticator.statements import Shape

EXPLAINED = {
    "another id": "the id outside of what is signed is compared with nothing there",
    "bytes after the object": "read up to the end of the first item there",
    "crossOrigin without a top origin": "top origins are not looked at there",
    "none with a statement": "members that the library does not know are passed over there",
    "leaf of a CA": "what the specification demands of packed certificates is not checked there",
    "leaf of another model": "likewise",
}
"""All that is refused here and accepted there (docs/compatibility.md)."""

NOBODY = uuid.UUID(int=0)
MAKERS = {fmt: Maker() for fmt in Format}
Change = Callable[[RegistrationResponse], RegistrationResponse]


def authenticator(fmt: Format, **members: Any) -> Authenticator:
    members.setdefault("aaguid", NOBODY if fmt is Format.FIDO_U2F else TEST_MODEL)
    shape = members.pop("shape", Shape())
    if fmt is Format.ANDROID_KEY:
        shape = replace(shape, with_root=True)
    return Authenticator(fmt=fmt, maker=MAKERS[fmt], shape=shape, **members)


def with_statement(response: RegistrationResponse, **members: Any) -> RegistrationResponse:
    decoded: Any = plain_cbor.decode(response.attestation_object)
    changed = plain_cbor.encode({**decoded, "attStmt": decoded["attStmt"] | members})
    return replace(response, attestation_object=changed)


def registrations() -> Iterator[tuple[str, Format, RegistrationResponse]]:
    for fmt in Format:
        honest = register(authenticator(fmt, extensions={"credProtect": 2}))
        statement: Any = plain_cbor.decode(honest.attestation_object)
        yield "honest", fmt, honest
        yield "synced", fmt, register(authenticator(fmt, flags=SYNCED))
        yield "not present", fmt, register(authenticator(fmt, flags=Flags.UV))
        yield "not verified", fmt, register(authenticator(fmt, flags=Flags.UP))
        yield "backed up, not eligible", fmt, register(authenticator(fmt, flags=DEVICE_BOUND | Flags.BS))
        for field in {"sig", "x5c"} & set(statement["attStmt"]):
            for at in (-1, 60, 120):
                yield f"{field} wrong", fmt, corrupt(honest, field, at % 64 if field == "sig" else at)
        for at in (0, 40, 60) if fmt is not Format.NONE else (0,):
            yield f"authData wrong at {at}", fmt, corrupt(honest, "authData", at)
        yield "client data wrong", fmt, corrupt(honest, "client_data_json", 40)
        yield "another id", fmt, corrupt(honest, "credential_id")
        yield "another challenge", fmt, authenticator(fmt).register(RP_ID, ORIGIN, b"other")
        yield "another origin", fmt, authenticator(fmt).register(RP_ID, ORIGIN + "/", CHALLENGE)
        yield "another RP", fmt, authenticator(fmt).register("example", ORIGIN, CHALLENGE)
    yield "another algorithm", Format.PACKED, with_statement(register(authenticator(Format.PACKED)), alg=-257)
    yield "none with a statement", Format.NONE, with_statement(register(authenticator(Format.NONE)), x=b"")
    yield "leaf of a CA", Format.PACKED, register(authenticator(Format.PACKED, shape=Shape(leaf_ca=True)))
    other = Shape(leaf_aaguid=bytes(16))
    yield "leaf of another model", Format.PACKED, register(authenticator(Format.PACKED, shape=other))
    for shape in (Shape(challenge=bytes(32)), Shape(origin=2), Shape(all_applications=True)):
        yield f"key {shape}", Format.ANDROID_KEY, register(authenticator(Format.ANDROID_KEY, shape=shape))
    plain = register(authenticator(Format.NONE))
    yield (
        "bytes after the object",
        Format.NONE,
        replace(plain, attestation_object=plain.attestation_object + b"\0"),
    )
    twice = b"\xa4" + plain.attestation_object[1:] + b"\x63fmt\x64none"
    yield "a member twice", Format.NONE, replace(plain, attestation_object=twice)
    yield (
        "crossOrigin without a top origin",
        Format.NONE,
        register(authenticator(Format.NONE), crossOrigin=True),
    )


def accepted_here(fmt: Format, response: RegistrationResponse) -> bool:
    maker = MAKERS[fmt]
    given = [root_of(maker, fmt, aaguids=[TEST_MODEL, NOBODY])]
    try:
        credential, statement = registered(response), attested(response)
    except PasskeyRefused:
        return False
    verdict = trust.judge(statement, credential.aaguid, -7, Sources(roots=given), NOW)
    return verdict.trust is not Trust.UNVERIFIED


def accepted_there(fmt: Format, response: RegistrationResponse) -> bool:
    pems = [MAKERS[fmt].root.public_bytes(Encoding.PEM)]
    known: dict[AttestationFormat, list[bytes]] = dict.fromkeys(AttestationFormat, pems)
    try:
        verify_registration_response(
            credential=json.dumps(response.json()),
            expected_challenge=CHALLENGE,
            expected_rp_id=RP_ID,
            expected_origin=ORIGIN,
            require_user_verification=True,
            pem_root_certs_bytes_by_fmt=known,
        )
    except (WebAuthnException, ValueError):
        return False
    return True


def test_registrations_are_judged_alike() -> None:
    differing = []
    for name, fmt, response in registrations():
        here, there = accepted_here(fmt, response), accepted_there(fmt, response)
        assert here is (name in ("honest", "synced")), (name, fmt)
        if here is not there:
            differing.append(name)
    assert set(differing) == set(EXPLAINED)


@pytest.mark.parametrize("algorithm", [-7, -8, -257])
def test_sign_ins_are_judged_alike(algorithm: int) -> None:
    one = Authenticator(algorithm=algorithm)
    credential = registered(register(one))
    honest = sign_in(one)
    fields = ("signature", "authenticator_data", "client_data_json")
    broken = [corrupt(honest, field, at) for field in fields for at in (0, 33, -1, 20)]
    one.flags = Flags.UP
    for response in (honest, *broken, sign_in(one), one.sign_in(RP_ID, ORIGIN, b"other")):
        here, there = signed_in_here(response, credential), signed_in_there(response, credential)
        assert here is there is (response is honest)


def signed_in_here(response: AssertionResponse, credential: ceremony.Registered) -> bool:
    try:
        asserted(response, stored(credential))
    except PasskeyRefused:
        return False
    return True


def signed_in_there(response: AssertionResponse, credential: ceremony.Registered) -> bool:
    try:
        verify_authentication_response(
            credential=json.dumps(response.json()),
            expected_challenge=CHALLENGE,
            expected_rp_id=RP_ID,
            expected_origin=ORIGIN,
            credential_public_key=plain_cbor.encode(credential.key.cose),
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError):
        return False
    return True
