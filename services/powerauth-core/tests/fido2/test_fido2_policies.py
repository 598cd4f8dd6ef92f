"""What a policy does at the core's own door: to registrations, to sign-ins, and back (spec/device-trust.md
§4.7, §4.8).
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from core_test_desk import USER, Desk, made_with_id
from core_test_passkeys import ORIGIN, RP_ID
from cryptography.hazmat.primitives.serialization import Encoding

from powerauth_core.passkey_records import repository
from powerauth_sdk.authenticator import Authenticator, Flags, Format, Maker, corrupt
from servicekit import metrics

SYNCED = Flags.UP | Flags.UV | Flags.BE | Flags.BS
MODEL, OTHER = uuid.uuid4(), uuid.uuid4()
SAMSUNG = uuid.UUID("53414d53-554e-4700-0000-000000000000")
LISTED = {"aaguidAllowList": [str(MODEL)]}


def refusal(answer: tuple[int, Any]) -> str | None:
    """The code of the policy."""
    status, found = answer
    assert (status, found.get("code")) == (400, "ERROR_FIDO2_AUTH"), found
    reason: str | None = found.get("reason")
    return reason


AT_REGISTRATION: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("PASSKEY_SYNCED_NOT_ALLOWED", {"allowSyncedPasskeys": False}, {"flags": SYNCED}),
    ("PASSKEY_SYNCED_NOT_ALLOWED", {"allowSyncedPasskeys": False}, {"aaguid": SAMSUNG}),
    ("PASSKEY_AAGUID_BLOCKED", {"aaguidBlockList": [str(MODEL)]}, {"aaguid": MODEL}),
    ("PASSKEY_AAGUID_NOT_ALLOWED", LISTED, {"aaguid": OTHER}),
    ("PASSKEY_AAGUID_UNVERIFIED", LISTED, {"aaguid": MODEL}),
    ("PASSKEY_AAGUID_UNVERIFIED", LISTED, {"aaguid": MODEL, "fmt": Format.PACKED_SELF}),
    ("PASSKEY_FORMAT_NOT_ALLOWED", {"attestationFormats": ["packed"]}, {}),
    ("PASSKEY_MDS_UNAVAILABLE", {"mdsMode": "enforce"}, {}),
]
"""FI-14, FI-23, FI-24, FI-28: a client that sends what it was not asked for."""


@pytest.mark.parametrize(("code", "policy", "sent"), AT_REGISTRATION)
async def test_fi_23_what_the_policy_does_not_want_is_refused_and_burns(
    desk: Desk, code: str, policy: dict[str, Any], sent: dict[str, Any]
) -> None:
    await desk.policy(**policy)
    waiting = await desk.waiting()
    answer = await desk.register(Authenticator(**sent), challenge=waiting["challenge"])
    assert refusal(answer) == code
    assert (await desk.state(waiting["activationId"]))[0] == "REMOVED"
    (denied,) = await desk.audit("fido2.policy.denied")
    assert (denied["reason"], denied["activationId"]) == (code, waiting["activationId"])
    # The same passkey is fine where nobody minds it.
    await desk.policy()
    assert (await desk.register(Authenticator(**sent)))[0] == 200


AT_SIGN_IN = [row for row in AT_REGISTRATION if "FORMAT" not in row[0] and "MDS" not in row[0]]


@pytest.mark.dialects("sqlite", "postgresql")
@pytest.mark.parametrize(("code", "policy", "sent"), AT_SIGN_IN)
async def test_fi_15_a_policy_stops_what_is_there_and_lets_it_go_again(
    desk: Desk, code: str, policy: dict[str, Any], sent: dict[str, Any]
) -> None:
    authenticator = Authenticator(**sent)
    activation_id = await desk.passkey(authenticator)
    await desk.policy(**policy)
    operation = await desk.operation()
    assert refusal(await desk.sign(authenticator, operation["challenge"])) == code
    assert await desk.operation_state(operation) == ("PENDING", 1)
    assert await desk.state(activation_id) == ("ACTIVE", 0, None)
    (denied,) = await desk.audit("fido2.policy.denied")
    assert (denied["reason"], denied["activationId"]) == (code, activation_id)
    await desk.policy()
    assert (await desk.sign(authenticator, operation["challenge"]))[0] == 200


async def test_fi_23_unsigned_members_decide_nothing(desk: Desk) -> None:
    await desk.policy(residentKey="required")
    status, found = await desk.register(Authenticator(), authenticatorAttachment="PLATFORM")
    assert (status, found["platform"]) == (200, "platform")


@pytest.mark.parametrize("advisory", [False, True])
async def test_fi_24_a_binding_list_wants_a_root_that_vouches(desk: Desk, advisory: bool) -> None:
    maker = Maker()
    await desk.policy(**LISTED, aaguidAllowListBinding=not advisory)
    kind = {"aaguid": MODEL, "fmt": Format.PACKED}
    answer = await desk.register(Authenticator(maker=maker, **kind))  # type: ignore[arg-type]
    assert (answer[0] == 200) is advisory
    pem = maker.root.public_bytes(Encoding.PEM).decode()
    config = {"applicationId": desk.id, "key": "fido2_root_ca_certs", "values": [pem]}
    await desk.rest.ok("application/config/create", **config)
    genuine = Authenticator(maker=maker, **kind)  # type: ignore[arg-type]
    status, found = await desk.register(genuine)
    assert (status, found["extras"]["attTrust"], found["extras"]["attVouched"]) == (200, "LOCAL", True), found
    assert (await desk.sign(genuine))[0] == 200
    async with desk.core.database.read() as session:
        stored = await repository.attestations(session, [found["activationId"]])
    attestation = stored[found["activationId"]]
    assert (attestation.fmt, len(attestation.x5c) > 0, attestation.mds_no) == ("packed", True, None)


async def test_fi_26_monitor_refuses_nothing_and_tells_everything(desk: Desk) -> None:
    await desk.policy(mdsMode="monitor")
    status, found = await desk.register(Authenticator())
    assert (status, found["extras"]["attReason"]) == (200, "PASSKEY_MDS_UNAVAILABLE"), found
    (tried,) = await desk.audit("fido2.policy.monitor")
    assert (tried["verdict"], tried["fmt"], tried["kind"], tried["trust"]) == (
        "PASSKEY_MDS_UNAVAILABLE",
        "none",
        "NONE",
        "NONE",
    )
    labels = {"application": desk.id, "verdict": "PASSKEY_MDS_UNAVAILABLE"}
    assert metrics.REGISTRY.get_sample_value("passkey_policy_monitor_total", labels) == 1
    forged = await desk.register(
        Authenticator(fmt=Format.PACKED_SELF), spoil=lambda response: corrupt(response, "sig", -1)
    )
    assert refusal(forged) == "PASSKEY_ATTESTATION_INVALID"


async def test_without_a_policy_the_originals_keys_decide(desk: Desk) -> None:
    async def keep(key: str, *values: str) -> None:
        config = {"applicationId": desk.id, "key": key, "values": list(values)}
        await desk.rest.ok("application/config/create", **config)

    assert refusal(await desk.register(Authenticator(fmt=Format.FIDO_U2F))) == "PASSKEY_FORMAT_NOT_ALLOWED"
    # No root is configured, so no certificate ends anywhere.
    assert refusal(await desk.register(Authenticator(fmt=Format.PACKED))) == "PASSKEY_ATTESTATION_UNTRUSTED"
    await keep("fido2_attestation_fmt_allowed", "packed")
    assert refusal(await desk.register(Authenticator())) == "PASSKEY_FORMAT_NOT_ALLOWED"
    own = Authenticator(fmt=Format.PACKED_SELF)
    await keep("fido2_aaguids_allowed")
    assert refusal(await desk.register(own)) == "PASSKEY_AAGUID_NOT_ALLOWED"
    await keep("fido2_aaguids_allowed", str(own.aaguid))
    assert (await desk.register(own))[0] == 200


async def test_a_credential_is_registered_once(desk: Desk) -> None:
    authenticator = Authenticator()
    await desk.passkey(authenticator)
    waiting = await desk.waiting("bert")
    again = made_with_id(authenticator, authenticator.passkeys[-1].id, waiting["challenge"])
    assert refusal(await desk.send_registration(again)) == "PASSKEY_DUPLICATE"
    assert (await desk.state(waiting["activationId"]))[0] == "REMOVED"


@pytest.mark.dialects("sqlite", "postgresql")
async def test_of_parallel_registrations_of_a_credential_one_passes(desk: Desk) -> None:
    users = USER, "bert"
    for number in range(4):
        made = [
            made_with_id(Authenticator(), bytes([number]) * 16, (await desk.waiting(user))["challenge"])
            for user in users
        ]
        answers = await asyncio.gather(*(desk.send_registration(one) for one in made))
        assert sorted(status for status, _ in answers) == [200, 400]
        [refused] = [answer for answer in answers if answer[0] == 400]
        assert refusal(refused) == "PASSKEY_DUPLICATE"


@pytest.mark.dialects("sqlite", "postgresql")
async def test_a_new_passkey_takes_the_place_of_those_before(desk: Desk) -> None:
    first, second, berts = Authenticator(), Authenticator(), Authenticator()
    await desk.passkey(first)
    await desk.passkey(berts, "bert")
    await desk.policy(replaceExistingPasskey=True)
    activation_id = await desk.passkey(second)
    listed = await desk.fido2.ok("registrations/list", userId=USER, applicationId=desk.id)
    assert [one["activationId"] for one in listed["authenticators"]] == [activation_id]
    assert (await desk.sign(first))[0] == 400
    assert (await desk.sign(second))[0] == 200
    operation = await desk.operation("bert")
    response = berts.sign_in(RP_ID, ORIGIN, operation["challenge"].encode())
    assert (await desk.send_assertion(response))[0] == 200
