"""A bank with operation templates, and a view of what operations leave behind."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from core_test_api import Api
from core_test_rows import execute
from sqlalchemy import select, text, update

from powerauth_contracts import moments
from powerauth_contracts.enums import ActivationStatus
from powerauth_core.activations.models import Activation
from powerauth_core.applications.models import Application
from powerauth_core.audit.models import AuditLog
from powerauth_core.container import Core
from powerauth_core.operations.models import Operation
from servicekit import clock

PAYMENT = {
    "templateName": "payment",
    "operationType": "authorize_payment",
    "dataTemplate": "A1*A${AMOUNT}${CURRENCY}*I${IBAN}",
    "signatureType": ["POSSESSION_KNOWLEDGE", "POSSESSION_BIOMETRY"],
    "maxFailureCount": 3,
    "expiration": 300,
    "riskFlags": "XF",
}
LOGIN = {
    "templateName": "login",
    "operationType": "login",
    "dataTemplate": "A2",
    "signatureType": ["POSSESSION_KNOWLEDGE"],
    "maxFailureCount": 5,
    "expiration": 60,
}
PARAMETERS = {"AMOUNT": "100", "CURRENCY": "CZK", "IBAN": "CZ2730300000001165254011"}


@dataclass
class Bank:
    """Application ``bank`` and template ``payment`` (3 failures) and ``login`` (5) in a core."""

    api: Any
    core: Core
    application_id: str = "bank"
    templates: dict[str, int] = field(default_factory=dict)

    async def create(self, **members: Any) -> dict[str, Any]:
        """Make an operation: a payment of user ``user`` unless told otherwise."""
        request = {
            "userId": "user",
            "applications": [self.application_id],
            "templateName": "payment",
            "parameters": PARAMETERS,
        }
        created: dict[str, Any] = await self.api.ok("operation/create", **(request | members))
        return created

    def approval(self, operation: dict[str, Any], **members: Any) -> dict[str, Any]:
        """The request object of a right approval, changed by ``members``."""
        right = {
            "operationId": operation["id"],
            "userId": "user",
            "applicationId": self.application_id,
            "data": operation["data"],
            "signatureType": "POSSESSION_KNOWLEDGE",
        }
        return right | members

    async def approve(self, operation: dict[str, Any], **members: Any) -> dict[str, Any]:
        """Approve as the right user with the right data unless told otherwise."""
        answer: dict[str, Any] = await self.api.ok("operation/approve", **self.approval(operation, **members))
        return answer

    async def detail(self, operation: dict[str, Any]) -> dict[str, Any]:
        """The operation as it is now."""
        found: dict[str, Any] = await self.api.ok("operation/detail", operationId=operation["id"])
        return found

    async def stored(self, operation: dict[str, Any]) -> Operation:
        """The row of the operation."""
        async with self.core.database.read() as session:
            row = await session.get(Operation, operation["id"])
        assert row is not None
        return row

    async def change(self, operation: dict[str, Any], **values: Any) -> None:
        """Write columns of the operation behind the core's back."""
        await execute(self.core, update(Operation).where(Operation.id == operation["id"]).values(**values))

    async def let_expire(self, *operations: dict[str, Any]) -> None:
        """Put the expiry of operations into the past."""
        for operation in operations:
            await self.change(operation, timestamp_expires=clock.now() - timedelta(milliseconds=1))

    async def activation(
        self,
        activation_id: str,
        user_id: str = "user",
        flags: list[str] | None = None,
        application_id: str | None = None,
    ) -> str:
        """Put an ACTIVE activation without keys into the database."""
        now = clock.now()
        async with self.core.database.transaction() as session:
            name = application_id or self.application_id
            rid = await session.scalar(select(Application.id).where(Application.name == name))
            session.add(
                Activation(
                    activation_id=activation_id,
                    application_id=rid,
                    user_id=user_id,
                    activation_status=ActivationStatus.ACTIVE,
                    server_private_key_base64="",
                    server_public_key_base64="",
                    timestamp_activation_expire=now,
                    timestamp_created=now,
                    timestamp_last_used=now,
                    flags=flags,
                )
            )
        return activation_id

    async def audit(self) -> list[tuple[str, dict[str, Any], str | None]]:
        """Message, parameters and subject of the audit records of operations, oldest first."""
        async with self.core.database.read() as session:
            rows = await session.scalars(
                select(AuditLog)
                .where(AuditLog.audit_type == "operation")
                .order_by(AuditLog.timestamp_created, AuditLog.audit_log_id)
            )
            return [(row.message, json.loads(row.param or "{}"), row.subject_id) for row in rows]


@pytest_asyncio.fixture
async def bank(api: Api, core: Core) -> Bank:
    """The bank, with no operation yet."""
    await api.ok("application/create", applicationId="bank")
    made = Bank(api, core)
    for template in (PAYMENT, LOGIN):
        created = await api.ok("operation/template/create", **template)
        made.templates[created["templateName"]] = created["id"]
    return made


ReadEvents = Callable[[], Awaitable[list[tuple[str, dict[str, Any]]]]]


@pytest_asyncio.fixture
async def events(core: Core) -> ReadEvents:
    """Type and data of the events of operations and templates so far: ``await events()``."""
    await core.relay.stop()  # so that they stay in the outbox

    async def read() -> list[tuple[str, dict[str, Any]]]:
        statement = text("SELECT type, data FROM outbox_event WHERE type LIKE 'operation%' ORDER BY seq")
        async with core.database.read() as session:
            return [(kind, json.loads(data)) for kind, data in await session.execute(statement)]

    return read


ReadCallbacks = Callable[[], Awaitable[list[dict[str, Any]]]]


@pytest_asyncio.fixture
async def callbacks(bank: Bank) -> ReadCallbacks:
    """Bodies of the bank's operation callbacks so far, in order: ``await callbacks()``."""
    await bank.api.ok(
        "application/callback/create",
        applicationId="bank",
        name="all",
        type="OPERATION_STATUS_CHANGE",
        callbackUrl="http://127.0.0.1:9/",
        attributes=["status", "failureCount", "userId", "additionalData", "timestampFinalized"],
    )

    async def read() -> list[dict[str, Any]]:
        statement = text("SELECT callback_data FROM pa_application_callback_event ORDER BY timestamp_created")
        async with bank.core.database.read() as session:
            return [json.loads(data) for data in await session.scalars(statement)]

    return read


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Set the clock: ``at(moment)`` (naive UTC)."""

    def move(moment: datetime) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)
        monkeypatch.setattr(clock, "now_ms", lambda: moments.to_ms(moment))

    return move
