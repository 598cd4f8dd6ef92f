"""A phone opens an activation for another application or another phone (device-trust §5), from 3.2 on."""

from __future__ import annotations

import asyncio
from secrets import token_urlsafe
from typing import Any
from uuid import uuid4

import pytest
from e2e_customer import Customer

from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk import AppConfig, Device, DeviceProfile, MobileToken, ServerRefused
from powerauth_sdk.spawn import SpawnedCode, activation_code_for

pytestmark = pytest.mark.e2e
PIN = "1234"


@pytest.fixture
def version(request: pytest.FixtureRequest) -> ProtocolVersion:
    """The versions that have it; tests of the others name them."""
    chosen: ProtocolVersion = request.param
    return chosen


@pytest.fixture
async def other(customer: Customer) -> tuple[str, AppConfig]:
    """Another application of the bank: its id and what a phone needs of it."""
    application_id = f"other-{uuid4().hex[:12]}"
    created = await customer.admin.call("POST", "/admin/applications", {"id": application_id})
    await customer.admin.call("POST", f"/admin/users/{customer.application_id}/applications/{application_id}")
    config = AppConfig.from_sdk_config(
        customer.deployment.enrollment, created["mobileSdkConfig"], customer.config.version
    )
    return application_id, config


class Transfers:
    """What the bank allows, and shorthand for asking."""

    def __init__(self, customer: Customer) -> None:
        self.customer = customer

    async def allow(self, *items: dict[str, Any]) -> None:
        path = f"/admin/applications/{self.customer.application_id}/config/activation_transfer"
        await self.customer.admin.call("PUT", path, {"values": list(items)})

    async def ask(self, target: str, otp: str | None = None, **more: Any) -> tuple[SpawnedCode, str]:
        password = otp if otp is not None else token_urlsafe(18)
        return await activation_code_for(self.customer.phone, target, password, PIN, **more), password

    async def refused(self, target: str, otp: str | None = None, **more: Any) -> tuple[int, str]:
        with pytest.raises(ServerRefused) as refusal:
            await self.ask(target, otp, **more)
        return refusal.value.http_status, refusal.value.code


@pytest.fixture
def transfers(customer: Customer) -> Transfers:
    return Transfers(customer)


SPAWNING = pytest.mark.parametrize(
    "version", [ProtocolVersion.V3_2, ProtocolVersion.V3_3], indirect=True, ids=str
)
NEWEST = pytest.mark.parametrize("version", [ProtocolVersion.V3_3], indirect=True, ids=str)


@SPAWNING
@pytest.mark.parametrize("factor", [SignatureType.POSSESSION_KNOWLEDGE, SignatureType.POSSESSION_BIOMETRY])
async def test_another_application_is_active_at_once_and_the_first_stays(
    customer: Customer, other: tuple[str, AppConfig], transfers: Transfers, factor: SignatureType
) -> None:
    target, config = other
    await customer.activate(biometry=True)
    await transfers.allow(
        {"type": "SPAWN", "allowedTargetApplicationIds": [target], "initialFlags": ["SPAWNED"]}
    )
    spawned, otp = await transfers.ask(target, signature_type=factor)
    app = Device(config)
    await app.activate_with_code(spawned.qr_text, "5678", otp=otp, profile=DeviceProfile(name="Other app"))
    assert (await app.status()).state == "ACTIVE"
    assert (await customer.phone.status()).state == "ACTIVE"
    seen = await customer.bank.registration(spawned.activation_id)
    assert (seen["userId"], seen["name"]) == (customer.user_id, "Other app")
    assert seen["flags"] == ["SPAWNED"]
    await app.validate_signature(pin="5678")
    await customer.phone.validate_signature(pin=PIN)


@SPAWNING
async def test_a_move_removes_the_old_phone_when_the_new_one_joins(
    customer: Customer, transfers: Transfers
) -> None:
    await customer.activate()
    created = await customer.operation()
    await transfers.allow({"type": "MOVE", "allowedTargetApplicationIds": [customer.application_id]})
    spawned, otp = await transfers.ask(customer.application_id)
    assert (await customer.phone.status()).state == "ACTIVE"
    new = Device(customer.config)
    await new.activate_with_code(spawned.code, PIN, otp=otp)
    assert (await new.status()).state == "ACTIVE"
    assert (await customer.phone.status()).state == "REMOVED"
    with pytest.raises(ServerRefused):
        await customer.phone.validate_signature(pin=PIN)
    with pytest.raises(ServerRefused):
        await MobileToken(customer.phone).pending()
    assert [operation.id for operation in await MobileToken(new).pending()] == [created["operationId"]]


@NEWEST
async def test_a_wrong_password_fails_up_to_removal_and_the_parent_stays(
    customer: Customer, transfers: Transfers
) -> None:
    await customer.activate()
    await transfers.allow({"type": "MOVE", "allowedTargetApplicationIds": [customer.application_id]})
    spawned, otp = await transfers.ask(customer.application_id)
    for guess in (None, "wrong", "x" * 24, "y" * 24, "z" * 24, "0" * 24, "1" * 24, otp):
        with pytest.raises(ServerRefused) as refused:
            await Device(customer.config).activate_with_code(spawned.code, PIN, otp=guess)
        assert (refused.value.http_status, refused.value.code) == (400, "ERR_ACTIVATION")
    assert (await customer.bank.registration(spawned.activation_id))["registrationStatus"] == "REMOVED"
    assert (await customer.phone.status()).state == "ACTIVE"


@NEWEST
async def test_a_code_serves_once_and_only_its_application(
    customer: Customer, other: tuple[str, AppConfig], transfers: Transfers
) -> None:
    target, config = other
    await customer.activate()
    await transfers.allow({"type": "SPAWN", "allowedTargetApplicationIds": [target]})
    spawned, otp = await transfers.ask(target)
    with pytest.raises(ServerRefused):
        await Device(customer.config).activate_with_code(spawned.code, PIN, otp=otp)
    await Device(config).activate_with_code(spawned.code, PIN, otp=otp)
    with pytest.raises(ServerRefused):
        await Device(config).activate_with_code(spawned.code, PIN, otp=otp)


@NEWEST
async def test_a_newer_code_replaces_the_unused_one(customer: Customer, transfers: Transfers) -> None:
    await customer.activate()
    await transfers.allow({"type": "MOVE", "allowedTargetApplicationIds": [customer.application_id]})
    first, first_otp = await transfers.ask(customer.application_id)
    second, second_otp = await transfers.ask(customer.application_id)
    with pytest.raises(ServerRefused):
        await Device(customer.config).activate_with_code(first.code, PIN, otp=first_otp)
    assert (await customer.bank.registration(first.activation_id))["registrationStatus"] == "REMOVED"
    await Device(customer.config).activate_with_code(second.code, PIN, otp=second_otp)


@NEWEST
async def test_a_parent_that_was_blocked_meanwhile_lets_nobody_join(
    customer: Customer, transfers: Transfers
) -> None:
    result = await customer.activate()
    await transfers.allow({"type": "MOVE", "allowedTargetApplicationIds": [customer.application_id]})
    spawned, otp = await transfers.ask(customer.application_id)
    registration = f"/v2/registrations/{result.activation_id}"
    await customer.bank.call("PUT", registration, {"change": "BLOCK"})
    with pytest.raises(ServerRefused):
        await Device(customer.config).activate_with_code(spawned.code, PIN, otp=otp)
    assert (await customer.bank.registration(spawned.activation_id))["registrationStatus"] == "REMOVED"
    await customer.bank.call("PUT", registration, {"change": "UNBLOCK"})
    with pytest.raises(ServerRefused):
        await Device(customer.config).activate_with_code(spawned.code, PIN, otp=otp)
    await customer.phone.validate_signature(pin=PIN)


@NEWEST
async def test_children_racing_to_active_remove_the_parent_once(
    customer: Customer, other: tuple[str, AppConfig], transfers: Transfers
) -> None:
    target, config = other
    result = await customer.activate()
    await transfers.allow(
        {"type": "MOVE", "allowedTargetApplicationIds": [customer.application_id]},
        {"type": "SPAWN", "allowedTargetApplicationIds": [target]},
    )
    moved, move_otp = await transfers.ask(customer.application_id)
    spawned, spawn_otp = await transfers.ask(target)
    outcomes = await asyncio.gather(
        Device(customer.config).activate_with_code(moved.code, PIN, otp=move_otp),
        Device(config).activate_with_code(spawned.code, PIN, otp=spawn_otp),
        return_exceptions=True,
    )
    assert not isinstance(outcomes[0], BaseException)
    seen = await customer.bank.registration(spawned.activation_id)
    joined = not isinstance(outcomes[1], BaseException)
    assert seen["registrationStatus"] == ("ACTIVE" if joined else "REMOVED")
    assert (await customer.bank.registration(result.activation_id))["registrationStatus"] == "REMOVED"


@NEWEST
async def test_only_what_the_source_application_allows(
    customer: Customer, other: tuple[str, AppConfig], transfers: Transfers
) -> None:
    target, _ = other
    result = await customer.activate()
    refused = (400, "ACTIVATION_CODE_FAILED")
    assert await transfers.refused(target) == refused
    await transfers.allow({"type": "SPAWN", "allowedTargetApplicationIds": [target.upper(), "gone"]})
    assert await transfers.refused(target) == refused
    assert await transfers.refused("gone") == refused
    await transfers.allow(
        {"type": "SPAWN", "allowedTargetApplicationIds": [target], "requireFlags": ["TRUSTED"]}
    )
    assert await transfers.refused(target) == refused
    flags = f"/v2/registrations/{result.activation_id}/flags"
    await customer.bank.call("POST", flags, {"flags": ["TRUSTED"]})
    await transfers.ask(target)
    await transfers.allow(
        {"type": "SPAWN", "allowedTargetApplicationIds": [target], "forbidFlags": ["TRUSTED"]}
    )
    assert await transfers.refused(target) == refused


@NEWEST
async def test_five_codes_a_day(customer: Customer, transfers: Transfers) -> None:
    await customer.activate()
    await transfers.allow({"type": "MOVE", "allowedTargetApplicationIds": [customer.application_id]})
    for _ in range(5):
        await transfers.ask(customer.application_id)
    assert await transfers.refused(customer.application_id) == (400, "ACTIVATION_CODE_FAILED")


@NEWEST
async def test_the_request_is_judged_only_when_signed_by_two_factors(
    customer: Customer, transfers: Transfers
) -> None:
    await customer.activate()
    target = customer.application_id
    await transfers.allow({"type": "MOVE", "allowedTargetApplicationIds": [target]})
    unauthenticated = (401, "ERR_AUTHENTICATION")
    assert await transfers.refused(target, signature_type=SignatureType.POSSESSION) == unauthenticated
    assert (await customer.phone.status()).failed_attempts == 0
    with pytest.raises(ServerRefused) as refused:
        await activation_code_for(customer.phone, target, "x" * 16, "9999")
    assert (refused.value.http_status, refused.value.code) == unauthenticated
    assert (await customer.phone.status()).failed_attempts == 1
    for otp in ("x" * 15, " " * 16):
        assert await transfers.refused(target, otp) == (400, "INVALID_REQUEST")
    assert await transfers.refused(" ") == (400, "INVALID_REQUEST")
