"""Recovery codes: issued, guessed, redeemed, confirmed, revoked (spec/core-api.md §8)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from core_test_api import Api, TestApplication
from core_test_phones import Activate, InitActivation, MakeDevice, RunOutOfTime
from core_test_rows import execute, found
from sqlalchemy import select, update

from powerauth_contracts.enums import RecoveryCodeStatus
from powerauth_core.container import Core
from powerauth_core.recovery.models import RecoveryCode, RecoveryPuk
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3 import activation_code
from powerauth_protocol.v3 import recovery as protocol
from powerauth_protocol.v3.ecies import SharedInfo1
from powerauth_protocol.v3.keys import KeyPair, ecdh, export_public_key, generate_key_pair, import_public_key
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Phone

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

WRONG = "0000000000"


@pytest.fixture
async def printer(api: Api, application: TestApplication) -> KeyPair:
    """Recovery and postcards switched on; the printing centre's key pair."""
    pair = generate_key_pair()
    await api.ok(
        "recovery/config/update",
        applicationId=application.application_id,
        activationRecoveryEnabled=True,
        recoveryPostcardEnabled=True,
        allowMultipleRecoveryCodes=False,
        remotePostcardPublicKey=b64encode(export_public_key(pair.public)),
    )
    return pair


@pytest.fixture
async def owner(api: Api, printer: KeyPair, make_device: MakeDevice) -> Phone:
    """A device whose activation has a recovery code that can be used."""
    device: Phone = make_device()
    await device.create(api.call, "user-1")
    await api.ok("activation/commit", activationId=device.activation_id)
    await api.ok("activation/flags/create", activationId=device.activation_id, activationFlags=["VIP"])
    return device


async def _recover(api: Api, device: Phone, code: str, puk: str, **more: Any) -> dict[str, Any]:
    """Try to recover with a new device; the response object, or the error's."""
    sealed = await device.layer2(api.call)
    request = {"recoveryCode": code, "puk": puk, "applicationKey": device.app.key}
    _, body = await api.post("activation/recovery/create", **request, **device.env(sealed), **more)
    answer: dict[str, Any] = body["responseObject"]
    if "code" not in answer:
        device.accept(sealed, answer)
    return answer


async def _codes(api: Api, **request: Any) -> list[tuple[str, list[str]]]:
    answer = await api.ok("recovery/lookup", **request)
    return [(code["status"], [puk["status"] for puk in code["puks"]]) for code in answer["recoveryCodes"]]


async def test_a_recovery_code_comes_with_the_activation_and_lives_with_it(
    api: Api, printer: KeyPair, init: InitActivation, make_device: MakeDevice
) -> None:
    device = make_device()
    await device.join(api.call, (await init())["activationCode"], generateRecoveryCodes=True)
    code, puk = device.open_recovery
    assert activation_code.validate(code)
    assert len(puk) == 10
    assert puk.isdigit()
    assert await _codes(api, activationId=device.activation_id) == [("CREATED", ["VALID"])]
    await api.ok("activation/commit", activationId=device.activation_id)
    assert await _codes(api, activationId=device.activation_id) == [("ACTIVE", ["VALID"])]
    await api.ok("activation/remove", activationId=device.activation_id)
    assert await _codes(api, activationId=device.activation_id) == [("ACTIVE", ["VALID"])]
    await api.ok("activation/remove", activationId=device.activation_id, revokeRecoveryCodes=True)
    assert await _codes(api, activationId=device.activation_id) == [("REVOKED", ["INVALID"])]


async def test_an_activation_that_is_active_at_once_has_an_active_code(
    api: Api, printer: KeyPair, init: InitActivation, make_device: MakeDevice
) -> None:
    started, device = await init(commitPhase="ON_KEY_EXCHANGE"), make_device()
    await device.join(api.call, started["activationCode"], generateRecoveryCodes=True)
    assert await _codes(api, activationId=device.activation_id) == [("ACTIVE", ["VALID"])]


async def test_no_code_is_issued_unless_asked_for_and_offered(
    api: Api, printer: KeyPair, init: InitActivation, make_device: MakeDevice, application: TestApplication
) -> None:
    device = make_device()
    await device.join(api.call, (await init())["activationCode"])
    assert device.recovery is None
    await device.create(api.call, "user-1", generateRecoveryCodes=False)
    assert device.recovery is None
    await _switch(api, application, recovery=False)
    await device.create(api.call, "user-1")
    assert device.recovery is None


@pytest.mark.parametrize("ending", ["activation/remove", "expiry"])
async def test_codes_of_an_unfinished_activation_are_revoked_with_it(
    api: Api, printer: KeyPair, make_device: MakeDevice, run_out_of_time: RunOutOfTime, ending: str
) -> None:
    device: Phone = make_device()
    await device.create(api.call, "user-1")
    if ending == "expiry":
        await run_out_of_time(device.activation_id)
        await api.ok("activation/status", activationId=device.activation_id)
    else:
        await api.ok(ending, activationId=device.activation_id)
    assert await _codes(api, activationId=device.activation_id) == [("REVOKED", ["INVALID"])]


@pytest.mark.parametrize("version", ProtocolVersion)
async def test_the_right_puk_replaces_the_activation(
    api: Api, owner: Phone, make_device: MakeDevice, version: ProtocolVersion
) -> None:
    device = make_device(version)
    answer = await _recover(api, device, *owner.open_recovery, maxFailureCount=7)
    assert (answer["activationStatus"], answer["userId"]) == ("PENDING_COMMIT", "user-1")
    old = await api.ok("activation/status", activationId=owner.activation_id)
    assert old["activationStatus"] == "REMOVED"
    new = await api.ok("activation/status", activationId=device.activation_id)
    assert (new["activationFlags"], new["maxFailedAttempts"]) == (["VIP"], 7)
    assert await _codes(api, activationId=owner.activation_id) == [("REVOKED", ["USED"])]
    assert await _codes(api, activationId=device.activation_id) == [("CREATED", ["VALID"])]
    again = await _recover(api, make_device(), *owner.open_recovery)
    assert again["code"] == "ERR0024"


async def test_parallel_guesses_do_not_pass_the_limit(
    api: Api, core: Core, owner: Phone, make_device: MakeDevice
) -> None:
    code, _ = owner.open_recovery
    answers = await asyncio.gather(
        *[_recover(api, make_device(), code, f"{guess:010d}") for guess in range(9)],
        api.ok("activation/remove", activationId=owner.activation_id),
    )
    codes = [answer["code"] for answer in answers[:-1]]
    assert sorted(codes) == ["ERR0024"] * 4 + ["ERR0028"] + ["ERR_RECOVERY"] * 4
    (row,) = await found(core, select(RecoveryCode))
    assert (row.status, row.failed_attempts) == (RecoveryCodeStatus.BLOCKED, 5)


async def test_one_of_several_recoveries_wins(api: Api, owner: Phone, make_device: MakeDevice) -> None:
    answers = await asyncio.gather(*[_recover(api, make_device(), *owner.open_recovery) for _ in range(4)])
    assert sorted(answer.get("code", "OK") for answer in answers) == ["ERR0024"] * 3 + ["OK"]


async def test_puks_are_stored_hashed_and_encrypted_for_their_row(core: Core, owner: Phone) -> None:
    async with core.database.read() as session:
        (puk,) = (await session.execute(select(RecoveryPuk))).scalars()
        (code,) = (await session.execute(select(RecoveryCode))).scalars()
    assert puk.puk_encryption == 1
    parts = (str(code.application_id), "user-1", code.recovery_code, "1")
    assert core.cipher.decrypt_text(puk.puk_encryption, parts, puk.puk or "").startswith("$argon2i$")


async def test_a_postcard_is_derived_again_by_the_printing_centre(
    api: Api, printer: KeyPair, application: TestApplication, make_device: MakeDevice, activate: Activate
) -> None:
    answer = await api.ok(
        "recovery/create", applicationId=application.application_id, userId="user-1", pukCount=3
    )
    config = await api.ok("recovery/config/detail", applicationId=application.application_id)
    secret = ecdh(printer.private, import_public_key(b64decode(config["postcardPublicKey"])))
    indexes = [puk["pukDerivationIndex"] for puk in answer["puks"]]
    printed = protocol.derive(secret, b64decode(answer["nonce"], 32), indexes)
    assert answer["recoveryCodeMasked"] == "XXXXX-XXXXX-XXXXX-" + printed.code[-5:]
    assert (answer["status"], [puk["pukIndex"] for puk in answer["puks"]]) == ("CREATED", [1, 2, 3])

    # It has to be confirmed by one of the user's devices before it can be used.
    assert (await _recover(api, make_device(), printed.code, printed.puks[0]))["code"] == "ERR0024"
    owner = await activate()
    assert await _confirm(api, owner, printed.code) == {"alreadyConfirmed": False}
    assert await _confirm(api, owner, printed.code) == {"alreadyConfirmed": True}

    for number, puk in enumerate(printed.puks):
        later = printed.puks[(number + 1) % 3]
        wrong = await _recover(api, make_device(), printed.code, later)
        assert (wrong["code"], wrong["currentRecoveryPukIndex"]) == ("ERR_RECOVERY", number + 1)
        done = await _recover(api, make_device(), printed.code, puk, generateRecoveryCodes=False)
        assert done["activationStatus"] == "PENDING_COMMIT"
    exhausted = await _recover(api, make_device(), printed.code, printed.puks[0])
    assert exhausted["code"] == "ERR0028"
    status = await api.ok("activation/status", activationId=owner.activation_id)
    assert status["activationStatus"] == "ACTIVE"


async def test_a_user_has_one_postcard_unless_more_are_allowed(
    api: Api, printer: KeyPair, application: TestApplication
) -> None:
    request = {"applicationId": application.application_id, "userId": "user-1", "pukCount": 1}
    attempts = await asyncio.gather(*[api.post("recovery/create", **request) for _ in range(3)])
    assert sorted(body["responseObject"].get("code", "OK") for _, body in attempts) == [
        "ERR0025",
        "ERR0025",
        "OK",
    ]
    await api.ok("recovery/create", **(request | {"userId": "user-2"}))
    await _switch(api, application, recovery=True, multiple=True)
    await api.ok("recovery/create", **request)


async def _confirm(api: Api, device: Phone, code: str) -> Any:
    await device.prepare_scope(api.call, Scope.ACTIVATION)
    sealed = device.seal(SharedInfo1.CONFIRM_RECOVERY_CODE, json.dumps({"recoveryCode": code}).encode())
    request = {"activationId": device.activation_id, "applicationKey": device.app.key}
    _, body = await api.post("recovery/confirm", **request, **device.env(sealed))
    answer = body["responseObject"]
    if "code" in answer:
        return answer["code"]
    assert (answer["activationId"], answer["userId"]) == (device.activation_id, "user-1")
    return sealed.open_json(answer)


async def test_only_the_users_own_usable_codes_are_confirmed(
    api: Api, core: Core, printer: KeyPair, activate: Activate, make_device: MakeDevice
) -> None:
    device, stranger = await activate(), make_device()
    await stranger.create(api.call, "user-2")
    assert await _confirm(api, device, stranger.open_recovery[0]) == "ERR0024"
    await device.create(api.call, "user-1")
    await api.ok("activation/commit", activationId=device.activation_id)
    for status in (RecoveryCodeStatus.BLOCKED, RecoveryCodeStatus.REVOKED):
        await execute(core, update(RecoveryCode).values(status=status))
        assert await _confirm(api, device, device.open_recovery[0]) == "ERR0024"


async def test_lookup_filters_by_user_activation_application_and_states(
    api: Api, printer: KeyPair, owner: Phone, application: TestApplication
) -> None:
    await api.ok("recovery/create", applicationId=application.application_id, userId="user-1", pukCount=2)
    bound, postcard = ("ACTIVE", ["VALID"]), ("CREATED", ["VALID", "VALID"])
    cases: list[tuple[dict[str, Any], list[Any]]] = [
        ({"userId": "user-1"}, [postcard, bound]),
        ({"userId": "user-2"}, []),
        ({"activationId": owner.activation_id}, [bound]),
        ({"userId": "user-1", "activationId": owner.activation_id}, [bound]),
        ({"userId": "user-1", "applicationId": application.application_id}, [postcard, bound]),
        ({"userId": "user-1", "applicationIds": ["other"]}, []),
        ({"userId": "user-1", "recoveryCodeStatus": "ACTIVE"}, [bound]),
        ({"userId": "user-1", "recoveryPukStatus": "USED"}, []),
    ]
    for request, expected in cases:
        assert await _codes(api, **request) == expected, request
    (found,) = (await api.ok("recovery/lookup", activationId=owner.activation_id))["recoveryCodes"]
    assert found["recoveryCodeMasked"] == "XXXXX-XXXXX-XXXXX-" + owner.open_recovery[0][-5:]
    assert (found["userId"], found["applicationId"]) == ("user-1", application.application_id)
    assert found["puks"] == [{"pukIndex": 1, "pukDerivationIndex": 0, "status": "VALID"}]


async def test_configuration_starts_switched_off_and_keeps_its_keys(
    api: Api, application: TestApplication
) -> None:
    request = {"applicationId": application.application_id}
    off = {
        "applicationId": application.application_id,
        "activationRecoveryEnabled": False,
        "recoveryPostcardEnabled": False,
        "allowMultipleRecoveryCodes": False,
        "postcardPublicKey": None,
        "remotePostcardPublicKey": None,
    }
    assert await api.ok("recovery/config/detail", **request) == off
    remote = b64encode(export_public_key(generate_key_pair().public))
    await _switch(api, application, recovery=True, remotePostcardPublicKey=remote)
    first = await api.ok("recovery/config/detail", **request)
    assert first["remotePostcardPublicKey"] == remote
    assert first["postcardPublicKey"] is not None
    await _switch(api, application, recovery=True)
    assert await api.ok("recovery/config/detail", **request) == first
    await _switch(api, application, recovery=True, remotePostcardPublicKey="")
    cleared = await api.ok("recovery/config/detail", **request)
    assert cleared == first | {"remotePostcardPublicKey": None}


async def _switch(
    api: Api,
    application: TestApplication,
    *,
    recovery: bool = True,
    postcard: bool = True,
    multiple: bool = False,
    **more: Any,
) -> None:
    await api.ok(
        "recovery/config/update",
        applicationId=application.application_id,
        activationRecoveryEnabled=recovery,
        recoveryPostcardEnabled=postcard,
        allowMultipleRecoveryCodes=multiple,
        **more,
    )


async def test_a_switch_that_is_absent_or_null_is_off(api: Api, application: TestApplication) -> None:
    await _switch(api, application, recovery=True, postcard=True, multiple=True)
    named = {"applicationId": application.application_id}
    await api.ok("recovery/config/update", **named, recoveryPostcardEnabled=None)
    shown = await api.ok("recovery/config/detail", **named)
    assert not any(shown[name] for name in shown if name.endswith(("Enabled", "Codes")))
