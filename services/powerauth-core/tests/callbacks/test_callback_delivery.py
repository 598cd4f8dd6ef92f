"""Delivery of callbacks (spec/core-api.md §18.2, §18.4 to §18.6)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
import pytest_asyncio
from core_test_api import Api, NewApplication, StartCore, TestApplication
from core_test_changes import operation_change, report_in
from core_test_changes import report as change
from core_test_rows import execute
from sqlalchemy import select, update
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from powerauth_contracts import moments
from powerauth_contracts.enums import OperationStatus
from powerauth_core import jobs
from powerauth_core.callbacks import rules
from powerauth_core.callbacks.models import CallbackUrlEvent
from powerauth_core.container import Core
from powerauth_core.kernel.changes import OperationStep
from powerauth_core.operations.user_agent import with_device
from servicekit import clock
from servicekit.serving import BackgroundServer
from servicekit.testing import PATIENCE_SECONDS

pytestmark = pytest.mark.dialects("sqlite", "postgresql")


class Receiver:
    """A bank's endpoint that remembers what it got and answers as told."""

    url: str

    def __init__(self, api: Api, application_id: str) -> None:
        self._api, self._application_id = api, application_id
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.answers: list[int] = []
        self.tokens: list[dict[str, Any]] = []
        self.token_answer: tuple[int, Any] = (200, {"access_token": "t0ken", "expires_in": 3600})
        self.gate: asyncio.Event | None = None
        self.arrived = asyncio.Event()

    async def callback(self, request: Request) -> Response:
        self.bodies.append(json.loads(await request.body()))
        self.headers.append(request.headers)
        self.arrived.set()
        if self.gate is not None:
            await self.gate.wait()
        status = self.answers.pop(0) if self.answers else 200
        return Response(status_code=status, headers={"Location": "/elsewhere"} if status == 302 else None)

    async def token(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        self.tokens.append({"form": form, "authorization": request.headers["authorization"]})
        status, content = self.token_answer
        return JSONResponse(content, status)

    async def configure(self, **changes: Any) -> str:
        """Create a callback to here."""
        fields = {
            "applicationId": self._application_id,
            "name": "callback",
            "type": "ACTIVATION_STATUS_CHANGE",
            "callbackUrl": f"{self.url}/callback",
            "attributes": ["userId", "activationStatus"],
        }
        created: str = (await self._api.ok("application/callback/create", **fields | changes))["id"]
        return created

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/callback", self.callback, methods=["POST"]),
                Route("/token", self.token, methods=["POST"]),
            ]
        )


@pytest_asyncio.fixture
async def receiver(api: Api, application: TestApplication) -> AsyncGenerator[Receiver]:
    made = Receiver(api, application.application_id)
    async with BackgroundServer(made.app()) as server:
        made.url = server.url
        yield made


async def events(core: Core) -> list[CallbackUrlEvent]:
    async with core.database.read() as session:
        statement = select(CallbackUrlEvent).order_by(CallbackUrlEvent.timestamp_created)
        return list((await session.execute(statement)).scalars())


async def only_event(core: Core) -> CallbackUrlEvent:
    [event] = await events(core)
    return event


async def one_is_pending(core: Core) -> None:
    """Wait until exactly one event is PENDING."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while [event.status for event in await events(core)].count("PENDING") != 1:  # noqa: ASYNC110 a table
            await asyncio.sleep(0.01)


async def test_changes_of_one_subject_are_told_one_after_the_other(core: Core, receiver: Receiver) -> None:
    await receiver.configure(attributes=["userId"])
    receiver.gate = asyncio.Event()
    for number in range(3):
        await change(core, user_id=f"user-{number}")
    await change(core, user_id="other", activation_id="a-2")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(receiver.bodies) < 2:
            receiver.arrived.clear()
            await receiver.arrived.wait()
    assert sorted(body["userId"] for body in receiver.bodies) == ["other", "user-0"]
    receiver.gate.set()
    await core.callbacks.idle()
    told = [body["userId"] for body in receiver.bodies if body["activationId"] == "a-1"]
    assert told == ["user-0", "user-1", "user-2"]
    assert {event.status for event in await events(core)} == {"COMPLETED"}


async def told(core: Core, **facts: Any) -> None:
    """A change, and whatever it is told to."""
    await change(core, **facts)
    await core.callbacks.idle()


async def make_due(core: Core) -> None:
    """Let the waiting time of every PENDING event be over."""
    await execute(
        core,
        update(CallbackUrlEvent)
        .where(CallbackUrlEvent.status == "PENDING")
        .values(timestamp_next_call=clock.now() - timedelta(seconds=1)),
    )


async def run(core: Core, job: str = "dispatchPendingCallbackUrlEvents") -> None:
    assert await jobs.run_job(core, job)
    await core.callbacks.idle()


async def test_a_change_is_delivered_after_its_commit(core: Core, receiver: Receiver) -> None:
    await receiver.configure()
    await told(core)
    assert receiver.bodies == [
        {"type": "ACTIVATION", "activationId": "a-1", "userId": "user", "activationStatus": "ACTIVE"}
    ]
    event = await only_event(core)
    headers = receiver.headers[0]
    assert headers["content-type"] == "application/json"
    assert headers["idempotency-key"] == event.idempotency_key
    assert (event.status, event.attempts) == ("COMPLETED", 1)
    assert event.timestamp_delete_after is not None
    assert event.timestamp_delete_after - event.timestamp_created >= timedelta(days=30)


async def test_a_change_rolled_back_sends_nothing(core: Core, receiver: Receiver) -> None:
    await receiver.configure()

    async def fail() -> None:
        async with core.database.transaction() as session:
            await report_in(core, session)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    await core.callbacks.idle()
    assert (receiver.bodies, await events(core)) == ([], [])


async def test_a_change_rolled_back_to_a_savepoint_sends_nothing(core: Core, receiver: Receiver) -> None:
    """The next event may get the number of the one that is gone."""
    await receiver.configure()

    async def fail(session: Any) -> None:
        async with session.begin_nested():
            await report_in(core, session, user_id="undone")
            raise RuntimeError

    async with core.database.transaction() as session:
        with pytest.raises(RuntimeError):
            await fail(session)
        await report_in(core, session, user_id="kept")
    await core.callbacks.idle()
    assert [body["userId"] for body in receiver.bodies] == ["kept"]
    assert [(event.status, event.attempts) for event in await events(core)] == [("COMPLETED", 1)]


async def test_only_enabled_callbacks_of_the_application_and_type_hear(
    api: Api, core: Core, receiver: Receiver, new_application: NewApplication
) -> None:
    await new_application("other")
    await receiver.configure(type="OPERATION_STATUS_CHANGE")
    await receiver.configure(applicationId="other")
    removed = await receiver.configure()
    await api.ok("application/callback/remove", id=removed)
    await told(core)
    assert receiver.bodies == []


async def test_an_operation_is_reported_to_the_callbacks_of_all_its_applications(
    core: Core, receiver: Receiver, new_application: NewApplication
) -> None:
    await new_application("other")
    attributes = ["applications", "status", "additionalData", "timestampCreated"]
    for name in ("test-application", "other"):
        await receiver.configure(applicationId=name, type="OPERATION_STATUS_CHANGE", attributes=attributes)
    moment = moments.from_ms(1735689600123)
    told = {"userAgent": "PowerAuthNetworking/1.1.7 (en; wifi) App/1 (Apple; iOS/17.4, iPhone)"}
    change = operation_change(
        step=OperationStep.APPROVED,
        status=OperationStatus.APPROVED,
        applications=("test-application", "other"),
        additional_data=with_device(told),
        created=moment,
    )
    async with core.database.transaction() as session:
        await core.listeners.operation_changed(session, change)
    await core.callbacks.idle()
    assert len(receiver.bodies) == 2
    body = receiver.bodies[0]
    assert body["applications"] == ["test-application", "other"]
    assert (body["status"], body["timestampCreated"]) == ("APPROVED", 1735689600123)
    assert body["additionalData"]["device"]["os"] == "iOS"
    assert receiver.headers[0]["idempotency-key"] != receiver.headers[1]["idempotency-key"]


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_everything_but_2xx_is_a_failure_and_one_attempt_is_the_default(
    core: Core, receiver: Receiver, status: int
) -> None:
    await receiver.configure()
    receiver.answers = [status]
    await told(core)
    event = await only_event(core)
    assert (event.status, event.attempts, event.timestamp_next_call) == ("FAILED", 1, None)
    assert event.timestamp_rerun_after is None
    assert len(receiver.bodies) == 1


async def test_retries_carry_the_same_body_and_key_until_accepted(core: Core, receiver: Receiver) -> None:
    await receiver.configure(maxAttempts=3)
    receiver.answers = [500, 503, 200]
    await told(core)
    first = await only_event(core)
    assert (first.status, first.attempts, first.timestamp_rerun_after) == ("PENDING", 1, None)
    assert first.timestamp_next_call is not None
    assert first.timestamp_last_call is not None
    assert first.timestamp_next_call - first.timestamp_last_call >= timedelta(seconds=2)
    await run(core)
    assert len(receiver.bodies) == 1  # not due yet
    for _ in range(2):
        await make_due(core)
        await run(core)
    event = await only_event(core)
    assert (event.status, event.attempts) == ("COMPLETED", 3)
    assert receiver.bodies[0] == receiver.bodies[1] == receiver.bodies[2]
    assert len({headers["idempotency-key"] for headers in receiver.headers}) == 1


async def test_the_last_failed_attempt_ends_the_event(core: Core, receiver: Receiver) -> None:
    await receiver.configure(maxAttempts=2)
    receiver.answers = [500, 500]
    await told(core)
    await make_due(core)
    await run(core)
    event = await only_event(core)
    assert (event.status, event.attempts) == ("FAILED", 2)
    assert event.timestamp_delete_after is not None


async def test_an_unreachable_receiver_is_a_failure(core: Core, receiver: Receiver) -> None:
    await receiver.configure(callbackUrl="http://127.0.0.1:1/callback")
    await told(core)
    assert (await only_event(core)).status == "FAILED"


async def test_no_answer_in_time_is_a_failure(start_core: StartCore, receiver: Receiver) -> None:
    receiver.gate = asyncio.Event()
    await receiver.configure()
    impatient = await start_core(http_response_timeout_ms=50, http_connection_timeout_ms=50)
    await told(impatient)
    receiver.gate.set()
    assert (await only_event(impatient)).status == "FAILED"


async def test_attempts_switched_off_make_no_event(
    start_core: StartCore, core: Core, receiver: Receiver
) -> None:
    await receiver.configure()
    off = await start_core(callbacks_default_max_attempts=0)
    await change(off)
    assert (await events(core), receiver.bodies) == ([], [])


async def test_a_removed_callback_ends_its_pending_events(api: Api, core: Core, receiver: Receiver) -> None:
    callback = await receiver.configure(maxAttempts=5)
    receiver.answers = [500]
    await told(core)
    await api.ok("application/callback/remove", id=callback)
    await make_due(core)
    await run(core)
    assert (await only_event(core)).status == "FAILED"
    assert len(receiver.bodies) == 1


async def test_an_update_is_used_for_the_next_attempt(api: Api, core: Core, receiver: Receiver) -> None:
    callback = await receiver.configure(maxAttempts=5, callbackUrl=f"{receiver.url}/unknown")
    await told(core)
    await api.ok(
        "application/callback/update",
        id=callback,
        applicationId="test-application",
        name="n",
        type="ACTIVATION_STATUS_CHANGE",
        callbackUrl=f"{receiver.url}/callback",
        maxAttempts=5,
    )
    await make_due(core)
    await run(core)
    assert (await only_event(core)).status == "COMPLETED"
    assert len(receiver.bodies) == 1


async def test_an_open_circuit_stores_failed_events_until_a_success(
    start_core: StartCore, receiver: Receiver
) -> None:
    core = await start_core(callbacks_failure_threshold=2, callbacks_failure_reset_timeout_ms=3_600_000)
    callback = await receiver.configure()
    receiver.answers = [500, 500]
    for _ in range(3):
        await told(core)
    statuses = [(event.status, event.attempts) for event in await events(core)]
    assert statuses == [("FAILED", 1), ("FAILED", 1), ("FAILED", 0)]
    assert len(receiver.bodies) == 2
    core.callbacks.clients._entries[callback].breaker.last_failure = -1e9  # the timeout is over
    for _ in range(2):
        await told(core)
    assert [event.status for event in await events(core)][3:] == ["COMPLETED", "COMPLETED"]


async def test_what_does_not_fit_the_queue_waits_in_the_table(
    start_core: StartCore, receiver: Receiver
) -> None:
    core = await start_core(callbacks_concurrency=1, callbacks_queue_capacity=5)
    await receiver.configure()
    receiver.gate = asyncio.Event()
    for number in range(3):
        await change(core, user_id=str(number))
    await one_is_pending(core)
    receiver.gate.set()
    await core.callbacks.idle()
    await make_due(core)
    await run(core)
    assert [event.status for event in await events(core)] == ["COMPLETED"] * 3
    assert sorted(body["userId"] for body in receiver.bodies) == ["0", "1", "2"]


async def test_stopping_puts_back_what_waits_and_finishes_what_is_under_way(
    start_core: StartCore, receiver: Receiver
) -> None:
    core = await start_core(callbacks_concurrency=1)
    await receiver.configure(maxAttempts=2)
    receiver.gate = asyncio.Event()
    for number in range(2):
        await change(core, user_id=str(number))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await receiver.arrived.wait()
    stopping = asyncio.create_task(core.callbacks.stop())
    await one_is_pending(core)
    receiver.gate.set()
    await stopping
    assert [(event.status, event.attempts) for event in await events(core)] == [
        ("COMPLETED", 1),
        ("PENDING", 0),
    ]


async def test_two_replicas_share_pending_events_and_send_each_once(
    start_core: StartCore, receiver: Receiver
) -> None:
    replicas = [await start_core(callbacks_pending_dispatch_limit=5) for _ in range(2)]
    await receiver.configure(maxAttempts=3)
    receiver.answers = [500] * 10
    for number in range(10):
        await change(replicas[0], user_id=str(number))
    await replicas[0].callbacks.idle()
    await make_due(replicas[0])
    receiver.bodies.clear()
    while "PENDING" in [event.status for event in await events(replicas[0])]:
        await asyncio.gather(*[replica.callbacks.dispatch_pending() for replica in replicas])
        await asyncio.gather(*[replica.callbacks.idle() for replica in replicas])
    assert sorted(body["userId"] for body in receiver.bodies) == [str(number) for number in range(10)]


async def set_processing(core: Core, **values: Any) -> None:
    await execute(
        core, update(CallbackUrlEvent).values(status="PROCESSING", timestamp_next_call=None, **values)
    )


async def test_a_lost_delivery_is_taken_over(core: Core, receiver: Receiver) -> None:
    await receiver.configure(maxAttempts=3)
    receiver.answers = [500]
    await told(core)
    await set_processing(core, timestamp_rerun_after=clock.now() - timedelta(seconds=1))
    await run(core, "rerunStaleCallbackUrlEvents")
    event = await only_event(core)
    assert (event.status, event.attempts, event.timestamp_rerun_after) == ("PENDING", 1, None)
    await run(core)
    assert (await only_event(core)).status == "COMPLETED"


async def test_a_delivery_under_way_is_left_alone(core: Core, receiver: Receiver) -> None:
    await receiver.configure(maxAttempts=3)
    receiver.answers = [500]
    await told(core)
    await set_processing(core, timestamp_rerun_after=clock.now() + timedelta(seconds=60))
    await run(core, "rerunStaleCallbackUrlEvents")
    assert (await only_event(core)).status == "PROCESSING"


async def test_a_lost_delivery_with_one_attempt_is_given_up_not_repeated(
    core: Core, receiver: Receiver
) -> None:
    await receiver.configure()
    await told(core)
    await set_processing(core, timestamp_rerun_after=None, timestamp_delete_after=None)
    await run(core, "rerunStaleCallbackUrlEvents")
    assert (await only_event(core)).status == "PROCESSING"
    await set_processing(core, timestamp_last_call=clock.now() - timedelta(seconds=76))
    await run(core, "rerunStaleCallbackUrlEvents")
    event = await only_event(core)
    assert event.status == "FAILED"
    assert event.timestamp_delete_after is not None
    assert len(receiver.bodies) == 1


async def test_an_outcome_that_comes_after_the_take_over_is_not_written(
    core: Core, receiver: Receiver
) -> None:
    await receiver.configure(maxAttempts=3)
    receiver.gate = asyncio.Event()
    await change(core)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await receiver.arrived.wait()
    await execute(core, update(CallbackUrlEvent).values(status="PENDING"))
    receiver.gate.set()
    await core.callbacks.idle()
    assert ((await only_event(core)).status, (await only_event(core)).attempts) == ("PENDING", 0)


async def test_finished_events_are_deleted_after_their_retention(core: Core, receiver: Receiver) -> None:
    await receiver.configure(retentionPeriod=0)
    await receiver.configure(name="keeps", retentionPeriod="P1D")
    receiver.answers = [200, 500]
    await change(core)
    await told(core)
    assert {event.status for event in await events(core)} == {"COMPLETED", "FAILED"}
    await run(core, "cleanCallbackUrlEvents")
    assert len(await events(core)) == 2


async def test_http_basic_credentials_are_sent(core: Core, receiver: Receiver) -> None:
    await receiver.configure(
        authentication={"httpBasic": {"enabled": True, "username": "u", "password": "pä:s"}}
    )
    await receiver.configure(name="off", authentication={"httpBasic": {"enabled": False, "username": "u"}})
    await told(core)
    sent = {headers.get("authorization") for headers in receiver.headers}
    assert sent == {"Basic dTpww6Q6cw==", None}


def oauth2(url: str) -> dict[str, Any]:
    return {
        "oauth2": {
            "enabled": True,
            "tokenUri": f"{url}/token",
            "clientId": "client id",
            "clientSecret": "s+cret",
            "scope": "callbacks",
        }
    }


async def test_oauth2_client_credentials_are_exchanged_once(core: Core, receiver: Receiver) -> None:
    await receiver.configure(authentication=oauth2(receiver.url))
    for _ in range(3):
        await told(core)
    assert [headers["authorization"] for headers in receiver.headers] == ["Bearer t0ken"] * 3
    assert receiver.tokens == [
        {
            "form": {"grant_type": ["client_credentials"], "scope": ["callbacks"]},
            "authorization": "Basic Y2xpZW50K2lkOnMlMkJjcmV0",
        }
    ]


async def test_an_expired_or_refused_token_is_replaced(core: Core, receiver: Receiver) -> None:
    await receiver.configure(authentication=oauth2(receiver.url))
    receiver.answers = [401]
    for _ in range(2):
        await told(core)
    assert len(receiver.tokens) == 2
    receiver.token_answer = (200, {"access_token": "short", "expires_in": 1})
    receiver.answers = [401]
    for _ in range(3):
        await told(core)
    assert receiver.headers[-1]["authorization"] == "Bearer short"
    assert len(receiver.tokens) == 4


@pytest.mark.parametrize(
    "answer",
    [
        (400, {"error": "invalid_client"}),
        (200, {}),
        (200, []),
        (200, {"access_token": 1}),
        (200, {"access_token": "line\nbreak"}),
        (200, {"access_token": "x" * 100_000}),
    ],
)
async def test_without_a_token_nothing_is_sent(
    core: Core, receiver: Receiver, answer: tuple[int, Any]
) -> None:
    await receiver.configure(authentication=oauth2(receiver.url))
    receiver.token_answer = answer
    await told(core)
    assert receiver.bodies == []
    assert (await only_event(core)).status == "FAILED"


async def test_an_address_that_is_not_allowed_any_more_is_not_called(
    start_core: StartCore, receiver: Receiver
) -> None:
    await receiver.configure()
    strict = await start_core(egress_allowed_networks=[])
    await told(strict)
    assert receiver.bodies == []
    assert (await only_event(strict)).status == "FAILED"


async def test_a_callback_that_cannot_be_prepared_does_not_fail_the_change(
    core: Core, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await receiver.configure()

    def fail(*_arguments: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr(rules, "activation_payload", fail)
    await change(core)
    assert await events(core) == []
