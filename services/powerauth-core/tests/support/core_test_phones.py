"""What tests of activations and of what they do share: simulated devices in every state, at either door."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from core_test_api import Api, TestApplication
from core_test_rows import execute, rewrite
from core_test_snapshots import Snapshots
from sqlalchemy import select, update

from powerauth_contracts import moments
from powerauth_contracts.enums import ActivationStatus
from powerauth_core.activations.models import Activation
from powerauth_core.audit.signatures import SignatureAudit
from powerauth_core.container import Core
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Phone
from servicekit import clock

MakePhone = Callable[..., Awaitable[Phone]]
MakeDevice = Callable[..., Phone]
Activate = Callable[..., Awaitable[Phone]]


@pytest.fixture
def make_device(application: TestApplication) -> MakeDevice:
    """A device of the test application: ``make_device(ProtocolVersion.V3_1)``."""

    def make(version: ProtocolVersion = ProtocolVersion.V3_3) -> Phone:
        return Phone(application.app, version)

    return make


InitActivation = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def init(api: Api, application: TestApplication) -> InitActivation:
    """Start an activation: ``await init(commitPhase="ON_KEY_EXCHANGE")``."""

    async def start(user_id: str = "user-1", **more: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await api.ok(
            "activation/init", **({"userId": user_id, "applicationId": application.application_id} | more)
        )
        return answer

    return start


@pytest.fixture
def activate(api: Api, init: InitActivation, make_device: MakeDevice) -> Activate:
    """A device with an activation in a state: ``await activate(ActivationStatus.BLOCKED)``."""

    async def make(
        status: ActivationStatus = ActivationStatus.ACTIVE,
        version: ProtocolVersion = ProtocolVersion.V3_3,
        **more: Any,
    ) -> Phone:
        started = await init(**more)
        device = make_device(version)
        device.activation_id = started["activationId"]
        if status is ActivationStatus.CREATED:
            return device
        await device.join(api.call, started["activationCode"])
        if status is not ActivationStatus.PENDING_COMMIT:
            await api.ok("activation/commit", activationId=device.activation_id)
        if status is ActivationStatus.BLOCKED:
            await api.ok("activation/block", activationId=device.activation_id)
        if status is ActivationStatus.REMOVED:
            await api.ok("activation/remove", activationId=device.activation_id)
        return device

    return make


RunOutOfTime = Callable[[str], Awaitable[None]]


@pytest.fixture
def run_out_of_time(core: Core) -> RunOutOfTime:
    """Let the time of an unfinished activation be up."""

    async def expire(activation_id: str) -> None:
        past = moments.from_ms(clock.now_ms() - 1)
        await execute(
            core,
            update(Activation)
            .where(Activation.activation_id == activation_id)
            .values(timestamp_activation_expire=past),
        )

    return expire


@pytest.fixture
def make_phone(api: Api, application: TestApplication) -> MakePhone:
    """A device with an ACTIVE activation: ``await make_phone("alice", version=ProtocolVersion.V3_1)``."""

    async def make(
        user_id: str = "alice", version: ProtocolVersion = ProtocolVersion.V3_3, of: Any = None, **more: Any
    ) -> Phone:
        chosen = of or application
        app = chosen.app
        started = await api.ok(
            "activation/init",
            userId=user_id,
            applicationId=chosen.application_id,
            commitPhase="ON_KEY_EXCHANGE",
            **more,
        )
        device = Phone(app, version)
        await device.join(api.call, started["activationCode"])
        return device

    return make


@pytest_asyncio.fixture
async def phone(
    make_phone: MakePhone, application: TestApplication, core: Core, snapshots: Snapshots
) -> Phone:
    """A device of user ``alice`` with an ACTIVE activation, protocol 3.3."""
    made = await snapshots.made(core, f"phone of {application.application_key}", make_phone)
    return replace(made, temporary=dict(made.temporary))


Stored = Callable[[Phone], Awaitable[Activation]]


@pytest.fixture
def stored(core: Core) -> Stored:
    """The activation row of a device: ``await stored(phone)``."""

    async def read(device: Phone) -> Activation:
        async with core.database.read() as session:
            row = await session.get(Activation, device.activation_id)
        assert row is not None
        return row

    return read


Change = Callable[..., Awaitable[None]]


@pytest.fixture
def change(core: Core) -> Change:
    """Write columns of a device's activation: ``await change(phone, failed_attempts=4)``."""

    async def write(device: Phone, **values: Any) -> None:
        await rewrite(core, Activation.activation_id == device.activation_id, **values)

    return write


Audited = Callable[[Phone], Awaitable[list[SignatureAudit]]]


@pytest.fixture
def audited(core: Core) -> Audited:
    """Signature audit rows of a device, oldest first: ``await audited(phone)``."""

    async def read(device: Phone) -> list[SignatureAudit]:
        async with core.database.read() as session:
            rows = await session.scalars(
                select(SignatureAudit)
                .where(SignatureAudit.activation_id == device.activation_id)
                .order_by(SignatureAudit.timestamp_created, SignatureAudit.id)
            )
            return list(rows)

    return read
