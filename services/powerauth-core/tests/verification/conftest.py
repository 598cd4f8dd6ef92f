"""What tests of verification share: phones with an activation, at either door of the core."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from core_test_device import App, Call, Device
from core_test_rows import rewrite
from sqlalchemy import select

from powerauth_core.activations.models import Activation
from powerauth_core.container import Core
from powerauth_core.signatures.models import SignatureAudit
from powerauth_protocol.versions import ProtocolVersion

MakePhone = Callable[..., Awaitable[Device]]


@pytest.fixture
def call(api: Any) -> Call:
    """The core as devices see it inside the network."""

    async def post(path: str, request: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await api.ok(path, **request)
        return answer

    return post


@pytest.fixture
def make_phone(api: Any, call: Call, application: Any) -> MakePhone:
    """A device with an ACTIVE activation: ``await make_phone("alice", version=ProtocolVersion.V3_1)``."""

    async def make(
        user_id: str = "alice",
        version: ProtocolVersion = ProtocolVersion.V3_3,
        of: Any = None,
        **more: Any,
    ) -> Device:
        chosen = of or application
        app = App.of(
            chosen.application_id,
            chosen.application_key,
            chosen.application_secret,
            chosen.master_public_key,
        )
        started = await api.ok(
            "activation/init",
            userId=user_id,
            applicationId=chosen.application_id,
            commitPhase="ON_KEY_EXCHANGE",
            **more,
        )
        device = Device(app, version)
        await device.join(call, started["activationCode"])
        return device

    return make


@pytest_asyncio.fixture
async def phone(make_phone: MakePhone) -> Device:
    """A device of user ``alice`` with an ACTIVE activation, protocol 3.3."""
    return await make_phone()


@pytest.fixture
def stored(core: Core) -> Callable[[Device], Awaitable[Activation]]:
    """The activation row of a device: ``await stored(phone)``."""

    async def read(device: Device) -> Activation:
        async with core.database.read() as session:
            row = await session.get(Activation, device.activation_id)
        assert row is not None
        return row

    return read


@pytest.fixture
def change(core: Core) -> Callable[..., Awaitable[None]]:
    """Write columns of a device's activation: ``await change(phone, failed_attempts=4)``."""

    async def write(device: Device, **values: Any) -> None:
        await rewrite(core, Activation.activation_id == device.activation_id, **values)

    return write


@pytest.fixture
def audited(core: Core) -> Callable[[Device], Awaitable[list[SignatureAudit]]]:
    """Signature audit rows of a device, oldest first: ``await audited(phone)``."""

    async def read(device: Device) -> list[SignatureAudit]:
        async with core.database.read() as session:
            rows = await session.scalars(
                select(SignatureAudit)
                .where(SignatureAudit.activation_id == device.activation_id)
                .order_by(SignatureAudit.timestamp_created, SignatureAudit.id)
            )
            return list(rows)

    return read
