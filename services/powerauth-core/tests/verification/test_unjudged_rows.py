"""A row of a master key that this core was not given keeps nobody else from being served (D34)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from core_test_api import Api, Serve, TestApplication, create_test_application
from core_test_phones import InitActivation, MakePhone, RunOutOfTime
from core_test_rows import execute, found
from core_test_stores import Ways, job_of
from sqlalchemy import select, text

from powerauth_contracts.enums import ActivationStatus
from powerauth_core import jobs
from powerauth_core.activations.models import Activation
from powerauth_core.callbacks.models import CallbackUrlEvent
from powerauth_core.container import Core
from powerauth_sdk.phone import Phone, token_request
from servicekit import clock
from servicekit.row_macs import RowKeyUnknown

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

OTHERS = "0123456789abcdef:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
BODY = b"{}"


async def of_another_key(core: Core, table: str, condition: str = "true") -> None:
    """Let rows be bound with a key that nobody here has."""
    await execute(core, text(f"UPDATE {table} SET row_mac = '{OTHERS}' WHERE {condition}"))


async def row_of(core: Core, activation_id: str) -> tuple[Any, ...]:
    async with core.database.read() as session:
        statement = text(
            "SELECT activation_status, counter, row_mac FROM pa_activation WHERE activation_id = :id"
        )
        return tuple((await session.execute(statement, {"id": activation_id})).one())


@pytest.mark.parametrize("acts", [False, True], ids=["checks", "under locks"])
async def test_one_row_fails_its_own_check_and_no_other_of_the_batch(
    core: Core, make_phone: MakePhone, ways: Ways, acts: bool
) -> None:
    class Action:
        lock_key = ""

        async def prepare(self, _session: Any, activation: Any) -> tuple[()]:
            prepared.append(activation.activation_id)
            return ()

        async def accepted(self, *_: Any) -> str:
            return "done"

        refused = accepted

    phones, prepared = [await make_phone() for _ in range(3)], list[str]()
    unjudged = phones[1].activation_id
    await of_another_key(core, "pa_activation", f"activation_id = '{unjudged}'")
    before = await row_of(core, unjudged)
    signed = [job_of(phone.sign(BODY), action=Action() if acts else None) for phone in phones]
    answers = await asyncio.gather(*map(core.verifier.run, signed), return_exceptions=True)
    ways_of_one_batch = ["skipping"] if acts and core.database.dialect == "postgresql" else ways.taken[:1]
    assert ways.taken == ways_of_one_batch
    assert isinstance(answers[1], RowKeyUnknown)
    assert [answer.valid for answer in (answers[0], answers[2]) if not isinstance(answer, BaseException)] == [
        True,
        True,
    ]
    assert unjudged not in prepared
    assert await row_of(core, unjudged) == before


async def test_one_row_fails_the_check_of_its_own_token(core: Core, api: Api, make_phone: MakePhone) -> None:
    phones = [await make_phone() for _ in range(2)]
    tokens = [await phone.create_token(api.call) for phone in phones]
    await of_another_key(core, "pa_activation", f"activation_id = '{phones[0].activation_id}'")
    shown = [api.post("token/validate", **token_request(token, clock.now_ms())) for token in tokens]
    (refused, _), (status, body) = await asyncio.gather(*shown)
    assert (refused, status) == (503, 200)
    assert body["responseObject"]["tokenValid"] is True


async def test_who_asks_for_the_row_is_told_and_lists_pass_it_over(
    core: Core, api: Api, make_phone: MakePhone
) -> None:
    kept, unjudged = await make_phone("alice"), await make_phone("alice")
    await of_another_key(core, "pa_activation", f"activation_id = '{unjudged.activation_id}'")
    before = await row_of(core, unjudged.activation_id)
    for call in ("status", "block", "remove"):
        status, _ = await api.post(f"activation/{call}", activationId=unjudged.activation_id)
        assert status == 503, call
    listed = (await api.ok("activation/list", userId="alice"))["activations"]
    looked_up = (await api.ok("activation/lookup", userIds=["alice"]))["activations"]
    for activations in (listed, looked_up):
        assert [each["activationId"] for each in activations] == [kept.activation_id]
    assert await row_of(core, unjudged.activation_id) == before


async def test_a_callback_that_cannot_be_judged_stops_no_change(
    core: Core, application: TestApplication, serve: Serve
) -> None:
    api = await serve()
    owner = {"applicationId": application.application_id}
    callback = {"name": "n", "callbackUrl": "https://bank.example/", "type": "ACTIVATION_STATUS_CHANGE"}
    await api.ok("application/callback/create", **owner, **callback)
    await of_another_key(core, "pa_application_callback")
    made = await (await serve()).ok("activation/init", userId="alice", **owner)
    assert made["activationId"]
    [event] = await found(core, select(CallbackUrlEvent))
    assert event.status != "FAILED"  # it waits for a core with that key
    listed = (await api.ok("application/callback/list", **owner))["callbackUrlList"]
    assert [each["authentication"] is None or "https" in each["callbackUrl"] for each in listed] == [True]


async def test_what_is_overdue_expires_around_it(
    core: Core, init: InitActivation, run_out_of_time: RunOutOfTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("powerauth_core.activations.expiry.BATCH", 1)
    unjudged, *others = [(await init())["activationId"] for _ in range(3)]
    for activation_id in (unjudged, *others):
        await run_out_of_time(activation_id)
    await of_another_key(core, "pa_activation", f"activation_id = '{unjudged}'")
    before = await row_of(core, unjudged)
    assert await jobs.run_job(core, "expireActivationsTask")
    removed = select(Activation.activation_id).where(Activation.activation_status == ActivationStatus.REMOVED)
    assert set(await found(core, removed)) == set(others)
    assert await row_of(core, unjudged) == before


async def test_a_configuration_that_cannot_be_judged_stops_its_own_application_alone(
    core: Core, api: Api, phone: Phone, make_phone: MakePhone
) -> None:
    other = await create_test_application(api, "other")
    theirs = await make_phone(of=other)
    async with core.database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO pa_application_config (id, application_id, config_key, config_values, row_mac)"
                f" SELECT 1000, id, 'minimumProtocolVersion', '[\"3.0\"]', '{OTHERS}' FROM pa_application"
                " WHERE name = :name"
            ),
            {"name": other.application_id},
        )
    core.application_cache.clear()
    answers = await asyncio.gather(
        *[core.verifier.run(job_of(each.sign(BODY))) for each in (phone, theirs)], return_exceptions=True
    )
    assert isinstance(answers[1], RowKeyUnknown)
    assert not isinstance(answers[0], BaseException)
    assert answers[0].valid
