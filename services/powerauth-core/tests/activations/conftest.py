"""What tests of activations share: the simulated device, and activations in every state."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from core_test_device import App, Call, Device
from sqlalchemy import update

from powerauth_core.activations.models import Activation
from powerauth_core.container import Core
from powerauth_core.enums import ActivationStatus
from powerauth_protocol.versions import ProtocolVersion
from servicekit import clock

MakeDevice = Callable[..., Device]
Activate = Callable[..., Awaitable[Device]]


@pytest.fixture
def call(api: Any) -> Call:
    """The core as devices see it: path and request object in, response object out."""

    async def post(path: str, request: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await api.ok(path, **request)
        return answer

    return post


@pytest.fixture
def app_of(application: Any) -> App:
    """The test application as a device carries it."""
    return App.of(
        application.application_id,
        application.application_key,
        application.application_secret,
        application.master_public_key,
    )


@pytest.fixture
def make_device(app_of: App) -> MakeDevice:
    """A device of the test application: ``make_device(ProtocolVersion.V3_1)``."""

    def make(version: ProtocolVersion = ProtocolVersion.V3_3) -> Device:
        return Device(app_of, version)

    return make


@pytest.fixture
def init(api: Any, application: Any) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Start an activation: ``await init(commitPhase="ON_KEY_EXCHANGE")``."""

    async def start(user_id: str = "user-1", **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await api.ok(
            "activation/init", **({"userId": user_id, "applicationId": application.application_id} | more)
        )
        return answer

    return start


@pytest.fixture
def activate(
    api: Any, call: Call, init: Callable[..., Awaitable[dict[str, Any]]], make_device: MakeDevice
) -> Activate:
    """A device with an activation in a state: ``await activate(ActivationStatus.BLOCKED)``."""

    async def make(
        status: ActivationStatus = ActivationStatus.ACTIVE,
        version: ProtocolVersion = ProtocolVersion.V3_3,
        **more: Any,
    ) -> Device:
        started = await init(**more)
        device = make_device(version)
        device.activation_id = started["activationId"]
        if status is ActivationStatus.CREATED:
            return device
        await device.join(call, started["activationCode"])
        if status is not ActivationStatus.PENDING_COMMIT:
            await api.ok("activation/commit", activationId=device.activation_id)
        if status is ActivationStatus.BLOCKED:
            await api.ok("activation/block", activationId=device.activation_id)
        if status is ActivationStatus.REMOVED:
            await api.ok("activation/remove", activationId=device.activation_id)
        return device

    return make


@pytest.fixture
def run_out_of_time(core: Core) -> Callable[[str], Awaitable[None]]:
    """Let the time of an unfinished activation be up."""

    async def expire(activation_id: str) -> None:
        past = clock.from_ms(clock.now_ms() - 1)
        async with core.database.transaction() as session:
            await session.execute(
                update(Activation)
                .where(Activation.activation_id == activation_id)
                .values(timestamp_activation_expire=past)
            )

    return expire
