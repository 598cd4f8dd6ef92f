"""What an operator counts: once for each change, with the commit, and nothing that was undone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from core_test_api import Api, TestApplication

from powerauth_core.callbacks import dispatcher
from powerauth_core.callbacks.models import CallbackUrlEvent
from powerauth_core.container import Core
from powerauth_core.kernel.enums import CallbackUrlEventStatus
from servicekit import clock, metrics

pytestmark = pytest.mark.dialects("sqlite", "postgresql")


def _counted(name: str, **labels: str) -> Callable[[], float]:
    """How much a sample has grown since."""
    before = metrics.REGISTRY.get_sample_value(name, labels) or 0.0
    return lambda: (metrics.REGISTRY.get_sample_value(name, labels) or 0.0) - before


async def test_operations_count_by_step_and_by_the_factors_that_they_ask_for(
    api: Api, application: TestApplication
) -> None:
    await api.ok(
        "operation/template/create",
        templateName="counted",
        operationType="counted",
        dataTemplate="A2",
        signatureType=["POSSESSION_KNOWLEDGE", "POSSESSION_KNOWLEDGE_BIOMETRY"],
        maxFailureCount=3,
        expiration=300,
    )
    made = _counted("powerauth_operations_total", step="created", factors="2")
    ended = _counted("powerauth_operations_total", step="canceled", factors="2")
    operation = await api.ok(
        "operation/create", userId="u", applications=[application.application_id], templateName="counted"
    )
    assert (made(), ended()) == (1, 0)
    for _ in range(2):
        await api.post("operation/cancel", operationId=operation["id"])
    assert (made(), ended()) == (1, 1)


async def test_activations_count_by_their_new_status(api: Api, application: TestApplication) -> None:
    created = _counted("powerauth_activations_total", status="CREATED")
    removed = _counted("powerauth_activations_total", status="REMOVED")
    made = await api.ok("activation/init", userId="u", applicationId=application.application_id)
    for _ in range(2):
        await api.post("activation/remove", activationId=made["activationId"])
    assert (created(), removed()) == (1, 1)


async def test_the_oldest_callback_that_waits_tells_its_age(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "_OBSERVED_SECONDS", 0.0)
    now = clock.now()
    async with core.database.transaction() as session:
        for number, waited in enumerate((30, 90)):
            session.add(
                CallbackUrlEvent(
                    application_callback_id="gone",
                    callback_data="{}",
                    status=CallbackUrlEventStatus.PENDING.value,
                    timestamp_created=now - timedelta(seconds=waited),
                    timestamp_next_call=now + timedelta(hours=1),
                    idempotency_key=f"key-{number}",
                )
            )
    await core.callbacks.dispatch_pending()
    assert 90 <= (metrics.REGISTRY.get_sample_value("callback_oldest_seconds") or 0) < 90 + 3600
