"""Somebody who can write to the database cannot sign as a user (D32)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from core_test_api import Api, Serve, TestApplication
from core_test_phones import Audited, Change, MakePhone
from core_test_rows import execute
from core_test_stores import Ways, job_of
from sqlalchemy import text

from powerauth_core.activations.models import BLOCKED_AS_UNSOUND, Activation
from powerauth_core.container import Core
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3 import activation_code
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Phone, token_request
from servicekit import clock

BODY = b'{"amount":1}'


@pytest.fixture
def write(core: Core) -> Callable[..., Awaitable[None]]:
    """Change columns of a device's activation behind the core's back."""

    async def change(device: Phone, **values: Any) -> None:
        assignments = ", ".join(f"{name} = :{name}" for name in values)
        await execute(
            core,
            text(f"UPDATE pa_activation SET {assignments} WHERE activation_id = :id"),
            {"id": device.activation_id, **values},
        )

    return change


async def stored(core: Core, device: Phone, *names: str) -> tuple[Any, ...]:
    async with core.database.read() as session:
        statement = text(f"SELECT {', '.join(names)} FROM pa_activation WHERE activation_id = :id")
        return tuple((await session.execute(statement, {"id": device.activation_id})).one())


async def verified(api: Api, device: Phone) -> dict[str, Any]:
    answer: dict[str, Any] = await api.ok("signature/verify", **device.sign(BODY).request)
    return answer


async def sound(core: Core, device: Phone) -> bool:
    async with core.database.read() as session:
        row = await session.get(Activation, device.activation_id)
        assert row is not None
        return bool(row.sound)


async def test_replaced_keys_do_not_sign_as_the_user(
    core: Core, api: Api, make_phone: MakePhone, write: Callable[..., Awaitable[None]], audited: Audited
) -> None:
    """Alice's activation gets the keys and the counter of Mallory's, of whom everything is known."""
    alice, mallory = await make_phone("alice"), await make_phone("mallory")
    assert (await verified(api, alice))["signatureValid"]
    names = ("device_public_key_base64", "ctr_data", "counter", "failed_attempts")
    values = dict(zip(names, await stored(core, mallory, *names), strict=True))
    await write(alice, **values)
    mallory.activation_id = alice.activation_id
    answer = await verified(api, mallory)
    assert (answer["signatureValid"], answer["activationStatus"]) == (False, "BLOCKED")
    assert await stored(core, alice, "activation_status", "blocked_reason") == (4, BLOCKED_AS_UNSOUND)
    row = (await audited(alice))[-1]
    assert (row.valid, row.note) == (False, "activation_invalid_state")
    status = await api.ok("activation/status", activationId=alice.activation_id)
    assert (status["activationStatus"], status["devicePublicKeyFingerprint"]) == ("BLOCKED", None)


@pytest.mark.parametrize(
    "values",
    [
        {"user_id": "victim"},
        {"server_private_key_base64": "AAAA", "server_private_key_encryption": 0},
        {"row_mac": None},
        {"row_mac": "x"},
        {"version": 4},
    ],
)
async def test_a_row_of_others_is_of_no_use(
    core: Core, api: Api, make_phone: MakePhone, write: Callable[..., Awaitable[None]], values: dict[str, Any]
) -> None:
    phone = await make_phone("mallory")
    token = await token_of(api, phone)
    await phone.prepare_scope(api.call, Scope.ACTIVATION)
    await write(phone, **values)
    assert (await api.ok("token/validate", **token()))["tokenValid"] is False
    ids = {"activationId": phone.activation_id}
    assert (await api.ok("signature/ecdsa/verify", **ids, data="AA==", signature="AA=="))[
        "signatureValid"
    ] is False
    jwt = phone.temporary_key_request(Scope.ACTIVATION)
    assert await api.error("keystore/create", jwt=jwt) == "ERR0008"
    assert await api.error("signature/ecdsa/sign", **ids, data="AA==") == "ERR0008"
    offline = await api.error("signature/offline/personalized/create", **ids, data="d")
    assert offline == "ERR0008"
    assert await api.error("activation/unblock", **ids) == "ERR0008"
    assert (await verified(api, phone))["signatureValid"] is False
    # Nothing that was done to it has made it sound, and it can be removed.
    assert await api.error("activation/unblock", **ids) == "ERR0008"
    update = {"activationIds": [phone.activation_id], "activationStatus": "ACTIVE"}
    assert await api.error("activation/status/update", **update) == "ERR0008"
    assert (await api.ok("activation/remove", **ids))["removed"] is True
    assert await stored(core, phone, "activation_status") == (5,)
    assert not await sound(core, phone)


async def test_a_blocked_activation_cannot_be_unblocked_by_its_column(
    api: Api, make_phone: MakePhone, write: Callable[..., Awaitable[None]]
) -> None:
    phone = await make_phone()
    await api.ok("activation/block", activationId=phone.activation_id)
    await write(phone, activation_status=3)
    assert (await verified(api, phone))["activationStatus"] == "BLOCKED"


async def test_blocking_by_failures_leaves_a_sound_row(core: Core, api: Api, make_phone: MakePhone) -> None:
    """The one change of a bound column that the statements of a batch make."""
    phone = await make_phone()
    wrong = phone.sign(BODY).request | {"signature": phone.sign(b"other").request["signature"]}
    for _ in range(5):
        answer = await api.ok("signature/verify", **wrong)
    assert answer["activationStatus"] == "BLOCKED"
    assert await sound(core, phone)
    await api.ok("activation/unblock", activationId=phone.activation_id)
    assert (await verified(api, phone))["signatureValid"]


@pytest.mark.parametrize(
    "values",
    [
        {"commit_phase": 1, "activation_otp": None},
        {"activation_otp": None},
        {"activation_otp_validation": 2},
        {"activation_code": activation_code.generate()},
    ],
)
async def test_who_joins_a_waiting_activation_is_not_for_others_to_say(
    core: Core,
    api: Api,
    application: TestApplication,
    make_phone: MakePhone,
    write: Callable[..., Awaitable[None]],
    values: dict[str, Any],
) -> None:
    """By whose word a device joins (code, password, commit) is bound like the keys that it brings."""
    mallory = await make_phone("mallory")
    started = await api.ok(
        "activation/init",
        userId="alice",
        applicationId=application.application_id,
        commitPhase="ON_COMMIT",
        activationOtp="1234",
    )
    waiting = Phone(mallory.app, ProtocolVersion.V3_3)
    waiting.activation_id = started["activationId"]
    await write(waiting, **values)
    sealed = await waiting.layer2(api.call)
    code = values.get("activation_code", started["activationCode"])
    prepare = {"activationCode": code, "applicationKey": waiting.app.key, **waiting.env(sealed)}
    assert await api.error("activation/prepare", **prepare) == "ERR0007"
    assert await stored(core, waiting, "device_public_key_base64") == (None,)
    assert (await api.ok("activation/status", activationId=waiting.activation_id))[
        "activationStatus"
    ] == "BLOCKED"


async def test_blocking_behind_a_right_signature_leaves_a_sound_row(
    core: Core, ways: Ways, make_phone: MakePhone, change: Change
) -> None:
    """In one batch: what the first check leaves still tells the second one what the MAC covers."""
    phone = await make_phone()
    await change(phone, failed_attempts=4)
    right, wrong = phone.sign(BODY, kind=SignatureType.POSSESSION), phone.sign(BODY)
    jobs = [job_of(right), job_of(wrong, signed_data=(right.data,))]
    outcomes = await asyncio.gather(*[core.verifier.run(job) for job in jobs])
    assert [outcome.valid for outcome in outcomes] == [True, False]
    assert ways.taken == ["optimistic", "skipping"]  # one batch
    assert await stored(core, phone, "activation_status", "blocked_reason") == (4, "MAX_FAILED_ATTEMPTS")
    assert await sound(core, phone)


async def test_a_row_without_a_mac_stays_one_until_rows_are_bound(
    serve: Serve, make_phone: MakePhone, core: Core, write: Callable[..., Awaitable[None]]
) -> None:
    """Nobody but the command vouches for what was there before."""
    phone = await make_phone()
    await write(phone, row_mac=None)
    lenient = await serve(require_bound_rows=False)
    assert (await verified(lenient, phone))["signatureValid"]
    await lenient.ok("activation/block", activationId=phone.activation_id)
    assert await stored(core, phone, "row_mac") == (None,)


async def token_of(api: Api, phone: Phone) -> Callable[[], dict[str, Any]]:
    """A token of the device: makes requests to check its header."""
    token = await phone.create_token(api.call)

    def header() -> dict[str, Any]:
        return token_request(token, clock.now_ms())

    assert (await api.ok("token/validate", **header()))["tokenValid"] is True
    return header
