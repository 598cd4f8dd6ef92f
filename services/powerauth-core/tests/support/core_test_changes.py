"""Changes as listeners hear of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus, OperationStatus
from powerauth_core.container import Core
from powerauth_core.kernel.changes import ActivationChanged, Cause, OperationChanged, OperationStep

MOMENT = datetime(2025, 1, 1)


def activation_change(**facts: Any) -> ActivationChanged:
    """A change of an ACTIVE activation ``a-1`` of ``user`` in ``test-application``."""
    usual = {
        "activation_id": "a-1",
        "application_id": "test-application",
        "user_id": "user",
        "protocol": ActivationProtocol.POWERAUTH,
        "status": ActivationStatus.ACTIVE,
        "previous_status": None,
        "cause": Cause.OTHER,
        "notify": True,
        "changed": MOMENT,
        "flags": (),
        "failed_attempts": 0,
        "max_failed_attempts": 5,
    }
    absent: dict[str, Any] = dict.fromkeys(ActivationChanged.__slots__)
    return ActivationChanged(**(absent | usual | facts))


def operation_change(**facts: Any) -> OperationChanged:
    """A change of the PENDING operation ``o-1``, of the type ``login``."""
    usual = {
        "step": OperationStep.CREATED,
        "operation_id": "o-1",
        "applications": ("a",),
        "operation_type": "login",
        "template_name": "t",
        "data": "A1",
        "parameters": {},
        "additional_data": {},
        "signature_types": ("POSSESSION",),
        "status": OperationStatus.PENDING,
        "failure_count": 2,
        "max_failure_count": 5,
        "created": MOMENT,
        "expires": MOMENT,
    }
    absent: dict[str, Any] = dict.fromkeys(OperationChanged.__slots__)
    return OperationChanged(**(absent | usual | facts))


async def report(core: Core, **facts: Any) -> None:
    """Let all listeners hear of a change of an activation, in a transaction of its own."""
    async with core.database.transaction() as session:
        await report_in(core, session, **facts)


async def report_in(core: Core, session: AsyncSession, **facts: Any) -> None:
    """Let all listeners hear of a change of an activation, of a core that has heard of every callback."""
    core.callbacks.recheck()  # cores of a test do not share a bus
    await core.listeners.activation_changed(session, activation_change(**facts))
