"""Passkeys at the core's own door: registration, approval, what becomes of both (spec/device-trust.md §4.2,
§4.3).
"""

from __future__ import annotations

import asyncio
import json
import secrets
import uuid
from datetime import timedelta
from typing import Any

import pytest
from core_test_desk import USER, Desk, made_with_id, with_id
from core_test_passkeys import ORIGIN, RP_ID
from core_test_rows import execute
from sqlalchemy import DateTime, bindparam, insert, text

from powerauth_core.fido2 import assertion
from powerauth_core.fido2.models import Fido2Authenticator
from powerauth_protocol.common.encoding import b64decode, b64encode, b64url_encode
from powerauth_sdk.authenticator import (
    AssertionResponse,
    Authenticator,
    Counter,
    Flags,
    Format,
    Passkey,
    corrupt,
    keys,
)
from servicekit import clock

both = pytest.mark.dialects("sqlite", "postgresql")

FAILED = {"code": "ERROR_FIDO2_AUTH", "message": "Authentication failed."}
NOTHING_WAITS = {"code": "ERROR_FIDO2_AUTH", "message": "Invalid request"}
UNREADABLE = "ERROR_FIDO2_REQUEST"
UP, UV, BE, BS = Flags.UP, Flags.UV, Flags.BE, Flags.BS
SPECIAL = uuid.UUID("dca09ba7-4992-4be8-9283-ee98cd6fb529")


def refused(answer: tuple[int, Any], wanted: dict[str, str] = FAILED) -> bool:
    status, found = answer
    assert status == 400, found
    return wanted.items() <= found.items() and "reason" not in found


def forged(response: AssertionResponse) -> AssertionResponse:
    return corrupt(response, "signature", -1)


@both
async def test_a_passkey_is_registered_and_approves(desk: Desk) -> None:
    authenticator = Authenticator(fmt=Format.PACKED_SELF)
    waiting = await desk.waiting()
    status, passkey = await desk.register(authenticator, challenge=waiting["challenge"])
    assert status == 200, passkey
    assert passkey["activationId"] == waiting["activationId"]
    assert (passkey["activationStatus"], passkey["platform"]) == ("ACTIVE", "platform")
    assert (passkey["deviceInfo"], passkey["activationName"]) == (
        "Unknown FIDO2 Authenticator",
        "Anna's phone",
    )
    assert len(b64decode(passkey["publicKeyBytes"])) == 65
    extras = passkey["extras"]
    assert (extras["relyingPartyId"], extras["origin"], extras["isCrossOrigin"]) == (RP_ID, ORIGIN, False)
    assert (extras["be"], extras["bs"], extras["uv"], extras["alg"]) == (False, False, True, -7)
    assert (extras["fmt"], extras["attType"], extras["attTrust"]) == ("packed", "SELF", "SELF")

    operation = await desk.operation()
    credential = {"credentialId": passkey["credentialId"], "type": "public-key", "transports": ["internal"]}
    assert operation["allowCredentials"] == [credential]
    assert (await desk.waiting())["excludeCredentials"] == [credential]
    status, answer = await desk.sign(authenticator, operation["challenge"])
    assert (status, answer["assertionValid"], answer["remainingAttempts"]) == (200, True, 5), answer
    detail = await desk.rest.ok("operation/detail", operationId=operation["operationId"])
    assert (detail["status"], detail["userId"]) == ("APPROVED", USER)
    additional = detail["additionalData"]
    assert additional["allowCredentials"] == [passkey["credentialId"]]
    assert (additional["credentialId"], additional["authFactor"], additional["origin"]) == (
        passkey["credentialId"],
        "possession",
        ORIGIN,
    )
    listed = await desk.fido2.ok("registrations/list", userId=USER, applicationId=desk.id)
    assert [one["activationId"] for one in listed["authenticators"]] == [passkey["activationId"]]
    shown = await desk.rest.ok("activation/list", userId=USER, protocols=["fido2"])
    assert [one["externalId"] for one in shown["activations"]] == [None, passkey["credentialId"]]
    messages = [(one["message"], one["valid"], one.get("reason")) for one in await desk.audit()]
    assert messages == [("Registration result", True, None), ("Assertion result", True, None)]


async def test_the_audit_knows_nothing_of_an_answer(desk: Desk) -> None:
    authenticator = Authenticator()
    await desk.passkey(authenticator)
    operation = await desk.operation()
    await desk.sign(authenticator, operation["challenge"], spoil=forged)
    written = json.dumps(await desk.audit())
    assert operation["challenge"] not in written
    assert "signature" not in written.lower().replace('"reason": "signature"', "")


async def test_an_operation_without_owner_becomes_that_of_the_passkeys_user(desk: Desk) -> None:
    authenticator = Authenticator()
    await desk.passkey(authenticator)
    operation = await desk.operation(None)
    assert (operation["allowCredentials"], operation["userId"]) == (None, None)
    assert (await desk.sign(authenticator, operation["challenge"]))[0] == 200
    detail = await desk.rest.ok("operation/detail", operationId=operation["operationId"])
    assert (detail["status"], detail["userId"]) == ("APPROVED", USER)


async def test_an_operation_that_there_is_gets_a_challenge(desk: Desk) -> None:
    authenticator = Authenticator()
    await desk.passkey(authenticator)
    made = await desk.rest.ok(
        "operation/create",
        userId=USER,
        applications=[desk.id],
        templateName="payment",
        parameters={"AMOUNT": "7"},
    )
    operation = await desk.operation(operationId=made["id"])
    assert operation["challenge"] == f"{made['id']}&{made['data']}"
    assert len(operation["allowCredentials"]) == 1
    assert (await desk.sign(authenticator, operation["challenge"]))[0] == 200


@both
async def test_without_an_application_the_handle_tells_whose_passkey_it_is(desk: Desk) -> None:
    authenticator = Authenticator()
    waiting = await desk.waiting()
    response = authenticator.register(RP_ID, ORIGIN, waiting["challenge"].encode(), USER.encode())
    assert (await desk.send_registration(response))[0] == 200
    operation = await desk.operation()
    signed = authenticator.sign_in(RP_ID, ORIGIN, operation["challenge"].encode())
    assert signed.user_handle == USER.encode()
    assert (await desk.send_assertion(signed, applicationId=None))[0] == 200
    authenticator.passkeys[-1].user_handle = b"bert"
    operation = await desk.operation()
    assert refused(await desk.sign(authenticator, operation["challenge"], applicationId=None))


@both
async def test_a_passkey_is_blocked_unblocked_and_removed_as_any_activation(desk: Desk) -> None:
    authenticator = Authenticator()
    activation_id = await desk.passkey(authenticator)
    await desk.rest.ok("activation/block", activationId=activation_id, reason="LOST")
    operation = await desk.operation()
    assert refused(await desk.sign(authenticator, operation["challenge"]))
    assert await desk.operation_state(operation) == ("PENDING", 1)
    assert await desk.state(activation_id) == ("BLOCKED", 0, "LOST")
    await desk.rest.ok("activation/unblock", activationId=activation_id)
    assert (await desk.sign(authenticator, operation["challenge"]))[0] == 200
    response = authenticator.passkeys[-1]
    await desk.rest.ok("activation/remove", activationId=activation_id)
    operation = await desk.operation()
    assert operation["allowCredentials"] is None
    assert refused(await desk.sign(authenticator, operation["challenge"]))
    # A removed one does not block its id (§4.3 row 9).
    again = await desk.waiting()
    made = authenticator.register(RP_ID, ORIGIN, again["challenge"].encode())
    renamed = made_with_id(authenticator, response.id, again["challenge"])
    assert made.credential_id != response.id
    assert (await desk.send_registration(renamed))[0] == 200


OF_THE_ORIGINAL = (
    "relyingPartyId",
    "authenticatorAttachment",
    "credentialId",
    "origin",
    "topOrigin",
    "isCrossOrigin",
    "aaguid",
    "transports",
)


async def test_a_passkey_that_the_original_stored_works_on(desk: Desk) -> None:
    authenticator = Authenticator(flags=UP | UV | BE)
    status, passkey = await desk.register(authenticator)
    assert status == 200
    legacy = {name: passkey["extras"].get(name) for name in OF_THE_ORIGINAL}
    statement = text("UPDATE pa_activation SET extras = :extras WHERE activation_id = :id")
    await execute(desk.core, statement, {"extras": json.dumps(legacy), "id": passkey["activationId"]})
    await desk.policy(allowSyncedPasskeys=False)
    (listed,) = (await desk.fido2.ok("registrations/list", userId=USER, applicationId=desk.id))[
        "authenticators"
    ]
    assert "be" not in listed["extras"]
    # Its flag is not known, but this sign-in tells it.
    assert (await desk.sign(authenticator))[1]["reason"] == "PASSKEY_SYNCED_NOT_ALLOWED"
    await desk.policy()
    assert (await desk.sign(authenticator))[0] == 200
    (listed,) = (await desk.fido2.ok("registrations/list", userId=USER, applicationId=desk.id))[
        "authenticators"
    ]
    assert (listed["extras"]["be"], listed["extras"]["bs"]) == (True, False)


@pytest.mark.parametrize("algorithm", [-8, -257])
async def test_other_algorithms_by_policy(desk: Desk, algorithm: int) -> None:
    authenticator = Authenticator(algorithm=algorithm)
    assert refused(await desk.register(Authenticator(algorithm=algorithm)))
    await desk.policy(algorithms=[-7, algorithm])
    activation_id = await desk.passkey(authenticator)
    assert (await desk.sign(authenticator))[0] == 200
    assert await desk.state(activation_id) == ("ACTIVE", 0, None)


# -- FI-1, FI-2, FI-3, FI-4, FI-5: what a ceremony is held against -------------------------------------------

WRONG_ORIGINS = [
    {"origin": "https://evil.example"},
    {"origin": f"{ORIGIN}/"},
    {"origin": ORIGIN.replace("https", "http")},
    {"origin": f"{ORIGIN}:444"},
    {"origin": ORIGIN.removesuffix(".example")},
    {"origin": "https://login.b\u0430nk.example"},
    {"topOrigin": "https://evil.example"},
    {"crossOrigin": True},
]


@pytest.mark.parametrize("client", WRONG_ORIGINS, ids=str)
async def test_fi_1_another_origin_is_refused(desk: Desk, client: dict[str, Any]) -> None:
    authenticator = Authenticator()
    waiting = await desk.waiting()
    assert refused(await desk.register(authenticator, challenge=waiting["challenge"], client=client))
    # What fails before the policy does not burn the challenge.
    status, _ = await desk.register(authenticator, challenge=waiting["challenge"])
    assert status == 200
    operation = await desk.operation()
    assert refused(await desk.sign(authenticator, operation["challenge"], client=client))
    assert await desk.operation_state(operation) == ("PENDING", 0)


async def test_fi_1_origins_are_allowed_by_the_request_alone(desk: Desk) -> None:
    authenticator = Authenticator()
    assert refused(await desk.register(authenticator, allowedOrigins=None))
    top = "https://frame.example"
    client = {"crossOrigin": True, "topOrigin": top}
    await desk.passkey(authenticator, client=client, allowedTopOrigins=[top])
    assert (await desk.sign(authenticator, client=client, allowedTopOrigins=[top]))[0] == 200


@pytest.mark.parametrize("rp_id", ["example", "other.example"])
async def test_fi_2_another_rp_id_is_refused(desk: Desk, rp_id: str) -> None:
    authenticator = Authenticator()
    assert refused(await desk.register(authenticator, rp_id=rp_id))
    await desk.passkey(authenticator)
    assert refused(await desk.sign(authenticator, relyingPartyId=rp_id))


async def test_fi_3_data_of_the_other_ceremony_are_refused(desk: Desk) -> None:
    authenticator = Authenticator()
    assert refused(await desk.register(authenticator, client={"type": "webauthn.get"}))
    await desk.passkey(authenticator)
    assert refused(await desk.sign(authenticator, client={"type": "webauthn.create"}))
    assert refused(await desk.register(authenticator, type="password"))
    assert refused(await desk.sign(authenticator, type="password"))


@both
async def test_fi_4_a_challenge_is_answered_once_in_time_and_in_its_application(desk: Desk) -> None:
    authenticator, used = Authenticator(), (await desk.waiting())["challenge"]
    await desk.passkey(authenticator, challenge=used)
    assert refused(await desk.register(authenticator, challenge=used), NOTHING_WAITS)
    waiting = (await desk.waiting())["challenge"]
    assert refused(await desk.register(authenticator, challenge=waiting.lower()), NOTHING_WAITS)
    await desk.rest.ok("application/create", applicationId="other")
    other = await desk.fido2.ok("registrations/challenge", userId=USER, applicationId="other")
    assert refused(await desk.register(authenticator, challenge=other["challenge"]), NOTHING_WAITS)
    expired = await desk.waiting()
    statement = text("UPDATE pa_activation SET timestamp_activation_expire = :then WHERE activation_id = :id")
    values = {"then": clock.now() - timedelta(seconds=1), "id": expired["activationId"]}
    await execute(desk.core, statement.bindparams(bindparam("then", type_=DateTime())), values)
    assert refused(await desk.register(authenticator, challenge=expired["challenge"]), NOTHING_WAITS)
    assert (await desk.register(authenticator, challenge=waiting))[0] == 200


async def now_of(_desk: Desk) -> Any:
    from servicekit import clock

    return clock.now()


@pytest.mark.parametrize("flags", [UV, UP | UV | BS], ids=str)
async def test_fi_5_flags_that_can_not_be_are_refused(desk: Desk, flags: Flags) -> None:
    assert refused(await desk.register(Authenticator(flags=flags)))
    authenticator = Authenticator()
    await desk.passkey(authenticator)
    authenticator.flags = flags
    assert refused(await desk.sign(authenticator))


async def test_fi_5_verification_is_demanded_by_the_request_or_the_policy(desk: Desk) -> None:
    authenticator = Authenticator(flags=UP)
    assert refused(await desk.register(authenticator, requiresUserVerification=True))
    await desk.passkey(authenticator)
    assert (await desk.sign(authenticator))[0] == 200
    assert refused(await desk.sign(authenticator, requiresUserVerification=True))
    await desk.policy(userVerification="required")
    assert refused(await desk.sign(authenticator))
    assert refused(await desk.register(Authenticator(flags=UP)))
    await desk.policy(userVerification="preferred")
    assert (await desk.sign(authenticator))[0] == 200


async def test_fi_5_backup_eligibility_never_changes(desk: Desk) -> None:
    authenticator = Authenticator(flags=UP | UV | BE)
    activation_id = await desk.passkey(authenticator)
    authenticator.flags = UP | UV | BE | BS
    assert (await desk.sign(authenticator))[0] == 200
    listed = await desk.fido2.ok("registrations/list", userId=USER, applicationId=desk.id)
    assert (listed["authenticators"][0]["extras"]["be"], listed["authenticators"][0]["extras"]["bs"]) == (
        True,
        True,
    )
    authenticator.flags = UP | UV
    operation = await desk.operation()
    assert refused(await desk.sign(authenticator, operation["challenge"]))
    assert await desk.operation_state(operation) == ("PENDING", 1)
    assert len(await desk.audit("fido2.be.changed")) == 1
    assert await desk.state(activation_id) == ("ACTIVE", 0, None)


# -- FI-6, FI-7, FI-8, FI-9, FI-10: counters, owners, failures -----------------------------------------------


@both
async def test_fi_6_the_counter_rises_and_moves_with_a_signature_alone(desk: Desk) -> None:
    authenticator = Authenticator()
    activation_id = await desk.passkey(authenticator)
    passkey = authenticator.passkeys[-1]
    for counter, holds in (
        (5, True),
        (4, False),
        (5, False),
        (0, False),
        (2**31 + 5, True),
        (2**32 - 1, True),
    ):
        passkey.counter, authenticator.counter = counter, Counter.FROZEN
        assert (await desk.sign(authenticator))[0] == (200 if holds else 400), counter
    found = await desk.audit("fido2.counter.mismatch")
    assert [(one["stored"], one["received"]) for one in found] == [(5, 4), (5, 5), (5, 0)]
    assert await desk.state(activation_id) == ("ACTIVE", 0, None)


async def test_fi_6_a_forged_counter_locks_nobody_out(desk: Desk) -> None:
    authenticator = Authenticator()
    await desk.passkey(authenticator)
    forger = authenticator.clone()
    forger.passkeys[-1].counter = 2**31
    assert refused(await desk.sign(forger, spoil=forged))
    assert (await desk.sign(authenticator))[0] == 200


async def test_fi_6_an_authenticator_that_counts_nothing_is_fine(desk: Desk) -> None:
    authenticator = Authenticator(counter=Counter.ZERO)
    await desk.passkey(authenticator)
    for _ in range(2):
        assert (await desk.sign(authenticator))[0] == 200


@pytest.mark.parametrize(
    ("rule", "status", "state"),
    [
        ("reject", 400, ("ACTIVE", 1, None)),
        ("rejectAndBlock", 400, ("BLOCKED", 1, "CLONED_AUTHENTICATOR")),
        ("warn", 200, ("ACTIVE", 0, None)),
    ],
)
async def test_fi_7_a_clone_is_noticed(
    desk: Desk, rule: str, status: int, state: tuple[str, int, str | None]
) -> None:
    await desk.policy(counterMismatch=rule)
    authenticator = Authenticator()
    activation_id = await desk.passkey(authenticator)
    clone = authenticator.clone()
    assert (await desk.sign(authenticator))[0] == 200
    assert (await desk.sign(authenticator))[0] == 200
    operation = await desk.operation()
    assert (await desk.sign(clone, operation["challenge"]))[0] == status
    assert await desk.state(activation_id) == state
    assert await desk.operation_state(operation) == (("APPROVED", 0) if status == 200 else ("PENDING", 1))
    (found,) = await desk.audit("fido2.counter.mismatch")
    assert (found["stored"], found["received"], found["activationId"]) == (2, 1, activation_id)


@both
async def test_fi_8_a_credential_is_what_was_attested_and_burns_otherwise(desk: Desk) -> None:
    authenticator, waiting = Authenticator(), await desk.waiting()
    answer = await desk.register(
        authenticator, challenge=waiting["challenge"], credentialId=b64encode(b"another")
    )
    assert refused(answer)
    assert (await desk.state(waiting["activationId"]))[0] == "REMOVED"
    assert refused(await desk.register(authenticator, challenge=waiting["challenge"]), NOTHING_WAITS)


async def test_fi_8_only_a_passkey_of_the_operations_user_approves(desk: Desk) -> None:
    annas, berts = Authenticator(), Authenticator()
    await desk.passkey(annas)
    activation_id = await desk.passkey(berts, "bert")
    operation = await desk.operation()
    assert refused(await desk.sign(berts, operation["challenge"]))
    # Bert can not use up the attempts of Anna's operation (D14).
    assert await desk.operation_state(operation) == ("PENDING", 0)
    assert await desk.state(activation_id) == ("ACTIVE", 0, None)
    response = annas.sign_in(RP_ID, ORIGIN, operation["challenge"].encode())
    assert refused(await desk.send_assertion(with_id(response, berts.passkeys[-1].id)))
    assert (await desk.sign(annas, operation["challenge"]))[0] == 200


async def test_fi_8_only_credentials_that_were_allowed_approve(desk: Desk) -> None:
    first, second = Authenticator(), Authenticator()
    await desk.passkey(first)
    operation = await desk.operation()
    await desk.passkey(second)
    assert refused(await desk.sign(second, operation["challenge"]))
    assert await desk.operation_state(operation) == ("PENDING", 1)
    assert (await desk.sign(first, operation["challenge"]))[0] == 200


async def test_fi_9_an_operation_is_approved_once_as_it_was_shown(desk: Desk) -> None:
    authenticator = Authenticator()
    activation_id = await desk.passkey(authenticator)
    operation = await desk.operation()
    other_data = operation["challenge"].replace("A100", "A999")
    assert refused(await desk.sign(authenticator, other_data))
    assert await desk.operation_state(operation) == ("PENDING", 1)
    assert (await desk.sign(authenticator, operation["challenge"]))[0] == 200
    assert refused(await desk.sign(authenticator, operation["challenge"]))
    assert refused(await desk.sign(authenticator, "unknown&A2"))
    assert refused(await desk.sign(authenticator, "no operation"))
    assert await desk.state(activation_id) == ("ACTIVE", 0, None)


async def test_fi_9_a_factor_that_is_not_allowed_counts(desk: Desk) -> None:
    authenticator = Authenticator()
    await desk.passkey(authenticator)
    operation = await desk.operation(templateName="strict")
    assert refused(await desk.sign(authenticator, operation["challenge"]))
    assert await desk.operation_state(operation) == ("PENDING", 1)
    await desk.policy(uvSignatureType="POSSESSION_KNOWLEDGE")
    authenticator.flags = UP
    await desk.policy(uvSignatureType="POSSESSION_KNOWLEDGE", userVerification="preferred")
    assert refused(await desk.sign(authenticator, operation["challenge"]))
    authenticator.flags = UP | UV
    assert (await desk.sign(authenticator, operation["challenge"]))[0] == 200


@both
async def test_fi_10_five_wrong_signatures_block_the_passkey_and_end_the_operation(desk: Desk) -> None:
    authenticator = Authenticator()
    activation_id = await desk.passkey(authenticator)
    assert refused(await desk.sign(authenticator, spoil=forged))
    assert await desk.state(activation_id) == ("ACTIVE", 1, None)
    assert (await desk.sign(authenticator))[0] == 200
    assert await desk.state(activation_id) == ("ACTIVE", 0, None)
    operation = await desk.operation()
    for _ in range(5):
        answer = await desk.sign(authenticator, operation["challenge"], spoil=forged)
        assert refused(answer)
    assert await desk.state(activation_id) == ("BLOCKED", 5, "MAX_FAILED_ATTEMPTS")
    assert await desk.operation_state(operation) == ("FAILED", 5)
    history = await desk.rest.ok("activation/history", activationId=activation_id, **EVER)
    assert history["items"][0]["eventReason"] == "MAX_FAILED_ATTEMPTS"


EVER = {"timestampFrom": 0, "timestampTo": 4_102_444_800_000}

# -- FI-12, FI-19, FI-21, FI-22 ------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", [b"", b"\xa0", b"\xbf\xff", b"\xa1\x61a\x01\x00", bytes(40_000)], ids=len)
async def test_fi_12_broken_cbor_is_an_unreadable_answer(desk: Desk, broken: bytes) -> None:
    waiting = await desk.waiting()
    authenticator = Authenticator()
    response = {"attestationObject": b64encode(broken)}
    made = authenticator.register(RP_ID, ORIGIN, waiting["challenge"].encode())
    response["clientDataJSON"] = b64encode(made.client_data_json)
    status, found = await desk.send_registration(made, response=response)
    assert (status, found["code"]) == (400, UNREADABLE)
    assert (await desk.register(authenticator, challenge=waiting["challenge"]))[0] == 200


async def test_fi_12_what_is_too_long_is_refused(desk: Desk) -> None:
    made = Authenticator().register(RP_ID, ORIGIN, b"A")
    response = {
        "attestationObject": b64encode(bytes(100_000)),
        "clientDataJSON": b64encode(made.client_data_json),
    }
    status, found = await desk.send_registration(made, response=response)
    assert (status, found["code"]) == (400, "ERR0024")


async def test_fi_19_the_other_alphabet_is_refused(desk: Desk) -> None:
    authenticator = Authenticator()
    # Three bytes that differ between the alphabets.
    waiting = await desk.waiting()
    made = authenticator.register(RP_ID, ORIGIN, waiting["challenge"].encode(), b"user", more="~~~???")
    response = {
        "clientDataJSON": b64url_encode(made.client_data_json),
        "attestationObject": b64encode(made.attestation_object),
    }
    status, found = await desk.send_registration(made, response=response)
    assert (status, found["code"]) == (400, UNREADABLE)


async def test_fi_21_a_passkey_of_another_session_is_refused(desk: Desk) -> None:
    berts = (await desk.waiting("bert"))["challenge"]
    annas = await desk.waiting()
    made = Authenticator().register(RP_ID, ORIGIN, annas["challenge"].encode())
    status, found = await desk.fido2.post(
        "registrations",
        applicationId=desk.id,
        activationName="phone",
        expectedChallenge=berts,
        authenticatorParameters={
            "credentialId": b64encode(made.credential_id),
            "type": "public-key",
            "response": {
                "clientDataJSON": b64encode(made.client_data_json),
                "attestationObject": b64encode(made.attestation_object),
            },
            "relyingPartyId": RP_ID,
            "allowedOrigins": [ORIGIN],
        },
    )
    assert refused((status, found["responseObject"]))


@both
async def test_fi_22_of_parallel_answers_to_one_challenge_one_counts(desk: Desk) -> None:
    waiting = (await desk.waiting())["challenge"]
    authenticators = [Authenticator() for _ in range(4)]
    answers = await asyncio.gather(*(desk.register(one, challenge=waiting) for one in authenticators))
    assert sorted(status for status, _ in answers) == [200, 400, 400, 400]
    registered = next(one for one, (status, _) in zip(authenticators, answers, strict=True) if status == 200)
    operation = await desk.operation()
    copies = [registered.clone() for _ in range(4)]
    signed = await asyncio.gather(*(desk.sign(one, operation["challenge"]) for one in copies))
    assert sorted(status for status, _ in signed) == [200, 400, 400, 400]
    assert await desk.operation_state(operation) == ("APPROVED", 0)
    listed = await desk.fido2.ok("registrations/list", userId=USER, applicationId=desk.id)
    assert [one["failedAttempts"] for one in listed["authenticators"]] == [0]


@both
async def test_fi_22_parallel_sign_ins_of_one_passkey_are_all_counted(desk: Desk) -> None:
    authenticator = Authenticator(counter=Counter.ZERO)
    activation_id = await desk.passkey(authenticator)
    operations = [(await desk.operation())["challenge"] for _ in range(4)]
    answers = await asyncio.gather(*(desk.sign(authenticator, one, spoil=forged) for one in operations))
    assert [status for status, _ in answers] == [400] * 4
    assert await desk.state(activation_id) == ("ACTIVE", 4, None)
    answers = await asyncio.gather(*(desk.sign(authenticator, one) for one in operations))
    assert [status for status, _ in answers] == [200] * 4


async def test_locks_are_for_those_who_met_somebody(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    authenticator = Authenticator()
    activation_id = await desk.passkey(authenticator)
    monkeypatch.delattr(assertion, "_under_locks")
    assert (await desk.sign(authenticator))[0] == 200
    assert refused(await desk.sign(authenticator, spoil=forged))
    assert refused(await desk.sign(Authenticator(passkeys=[stranger()])))
    assert await desk.state(activation_id) == ("ACTIVE", 1, None)
    results = [one["valid"] for one in await desk.audit("Assertion result")]
    assert sorted(results) == [False, False, True]


def stranger() -> Passkey:
    """A passkey that nobody registered."""
    return Passkey(secrets.token_bytes(32), keys.generate(-7), RP_ID, b"user")


# -- models (§4.4) -------------------------------------------------------------------------------------------


async def test_a_model_in_the_table_has_a_name_and_a_factor(desk: Desk) -> None:
    aaguid = uuid.uuid4()
    row = {
        "aaguid": str(aaguid),
        "description": "Bank's key",
        "signature_type": "POSSESSION_KNOWLEDGE",
        "transports": '["nfc"]',
    }
    await execute(desk.core, insert(Fido2Authenticator).values(row))
    authenticator = Authenticator(aaguid=aaguid)
    status, passkey = await desk.register(authenticator)
    assert (status, passkey["deviceInfo"]) == (200, "Bank's key")
    operation = await desk.operation(templateName="strict")
    assert (await desk.sign(authenticator, operation["challenge"]))[0] == 200


async def test_the_special_model_signs_the_operation_too(desk: Desk) -> None:
    authenticator = Authenticator(aaguid=SPECIAL)
    status, passkey = await desk.register(authenticator)
    assert (status, passkey["deviceInfo"]) == (200, "Wultra Authenticator 1")
    operation = await desk.operation(templateName="strict")
    data = operation["challenge"].partition("&")[2].encode()
    shown = b64decode(operation["allowCredentials"][0]["credentialId"])
    assert shown == b64decode(passkey["credentialId"]) + data
    assert refused(await desk.sign(authenticator, operation["challenge"]))
    response = signed_with(authenticator, operation["challenge"], data)
    assert (await desk.send_assertion(with_id(response, shown)))[0] == 200


def signed_with(authenticator: Authenticator, challenge: str, data: bytes) -> AssertionResponse:
    """A sign-in whose signature covers the operation's data too."""
    from powerauth_sdk.authenticator import keys

    sign = keys.sign
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "sign", lambda key, message: sign(key, message + data))
        return authenticator.sign_in(RP_ID, ORIGIN, challenge.encode())
