"""The life cycle of operations, against a running core (spec/core-api.md §23).

Hypothesis plays users, devices, callers inside the network, the passing of time and the expiry job, in any
order. A small model says what each step must answer; after every step the operation is compared with it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import httpx2
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import text, update

from powerauth_core.app import create_app
from powerauth_core.container import Core
from powerauth_core.enums import OperationStatus, SignatureType
from powerauth_core.errors import OperationNotFound
from powerauth_core.operations import door, service
from powerauth_core.operations.models import Operation
from powerauth_core.operations.rules import Actor
from servicekit import clock
from servicekit.serving import lifespan_of

T = TypeVar("T")

USERS = ["alice", "bob"]
APPLICATIONS = ["bank", "shop"]
FACTORS = ["POSSESSION_KNOWLEDGE", "POSSESSION"]
MAXIMA = [1, 2, 4]
NEXT_STATES = {"PENDING": {"PENDING", "APPROVED", "FAILED", "REJECTED", "CANCELED", "EXPIRED"}}


class RunningCore:
    """A core in an event loop of its own thread, so that the steps of the machine can wait for it."""

    def __init__(self, core_settings: Any) -> None:
        self._settings = core_settings
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._stack = AsyncExitStack()
        self.core: Core

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run in the core's loop and wait."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def post(self, path: str, **request_object: Any) -> tuple[str, dict[str, Any]]:
        """Call; ``OK`` or the error's code, and the response object."""
        body = self.run(self._post(path, request_object))
        answer = body.get("responseObject") or {}
        return ("OK" if body["status"] == "OK" else answer["code"]), answer

    async def _post(self, path: str, request_object: dict[str, Any]) -> dict[str, Any]:
        response = await self._http.post(path, json={"requestObject": request_object})
        body: dict[str, Any] = response.json()
        return body

    async def _start(self) -> None:
        app = create_app(self._settings)
        await self._stack.enter_async_context(lifespan_of(app))
        self.core = app.state.core
        await self.core.relay.stop()  # events stay in the outbox
        self._http = await self._stack.enter_async_context(
            httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app), base_url="http://core/powerauth-java-server/rest/v3/"
            )
        )

    @contextmanager
    def running(self) -> Iterator[RunningCore]:
        """Start, prepare applications and templates, stop."""
        self._thread.start()
        try:
            self.run(self._start())
            for application_id in APPLICATIONS:
                assert self.post("application/create", applicationId=application_id)[0] == "OK"
            for maximum in MAXIMA:
                assert (
                    self.post(
                        "operation/template/create",
                        templateName=f"max-{maximum}",
                        operationType="login",
                        dataTemplate="A2",
                        signatureType=["POSSESSION_KNOWLEDGE"],
                        maxFailureCount=maximum,
                        expiration=300,
                    )[0]
                    == "OK"
                )
            yield self
        finally:
            self.run(self._stack.aclose())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


@dataclass
class Model:
    """What an operation must look like.

    :ivar stored: the state in the database, where an expiry is missing until the job has run
    :ivar status_events: events that announce a change of its state
    """

    id: str
    owner: str | None
    applications: list[str]
    maximum: int
    stored: str = "PENDING"
    overdue: bool = False
    failures: int = 0
    reason: str | None = None
    additional_data: dict[str, Any] = field(default_factory=dict)
    status_events: int = 0

    @property
    def status(self) -> str:
        return "EXPIRED" if self.stored == "PENDING" and self.overdue else self.stored

    @property
    def pending(self) -> bool:
        return self.status == "PENDING"

    def end(self, status: str) -> None:
        self.stored = status
        self.status_events += 1

    def fail(self) -> str:
        """Count a failure; the expected result."""
        self.failures += 1
        if self.failures < self.maximum:
            return "APPROVAL_FAILED"
        self.end("FAILED")
        return "OPERATION_FAILED"


class OperationLifeCycle(RuleBasedStateMachine):
    """One operation at a time and everybody who can touch it."""

    server: RunningCore

    @initialize(
        owner=st.sampled_from([None, *USERS]),
        applications=st.sampled_from([["bank"], ["bank", "shop"]]),
        maximum=st.sampled_from(MAXIMA),
    )
    def create(self, owner: str | None, applications: list[str], maximum: int) -> None:
        # What earlier runs left to the job is not this run's.
        self.server.run(service.expire_operations(self.server.core, 100))
        code, created = self.server.post(
            "operation/create", userId=owner, applications=applications, templateName=f"max-{maximum}"
        )
        assert code == "OK"
        self.model = Model(created["id"], owner, applications, maximum)
        self.seen = ["PENDING"]
        self.steps = 0

    # -- callers inside the network ------------------------------------------------------------------------

    @rule(
        user=st.sampled_from(USERS),
        application=st.sampled_from(APPLICATIONS),
        data=st.sampled_from(["A2", "A2", "A2*"]),
        factor=st.sampled_from(FACTORS),
    )
    def approve(self, user: str, application: str, data: str, factor: str) -> None:
        model = self.model
        added = self._additional_data()
        code, answer = self.server.post(
            "operation/approve",
            operationId=model.id,
            userId=user,
            applicationId=application,
            data=data,
            signatureType=factor,
            additionalData=added,
        )
        if not model.pending:
            assert code == "ERR0037"
            return
        right = model.owner in (None, user) and application in model.applications
        model.additional_data |= added
        if right and data == "A2" and factor == "POSSESSION_KNOWLEDGE":
            model.owner = user
            model.end("APPROVED")
            assert answer["result"] == "APPROVED"
        else:
            assert answer["result"] == model.fail()

    @rule()
    def report_failure(self) -> None:
        added = self._additional_data()
        code, answer = self.server.post(
            "operation/approve/fail", operationId=self.model.id, additionalData=added
        )
        if not self.model.pending:
            assert code == "ERR0036"
            return
        self.model.additional_data |= added
        assert answer["result"] == self.model.fail()

    @rule(user=st.sampled_from(USERS), application=st.sampled_from(APPLICATIONS))
    def reject(self, user: str, application: str) -> None:
        model = self.model
        added = self._additional_data()
        code, answer = self.server.post(
            "operation/reject",
            operationId=model.id,
            userId=user,
            applicationId=application,
            additionalData=added,
        )
        if not model.pending:
            assert code == "ERR0038"
        elif model.owner in (None, user) and application in model.applications:
            assert answer["result"] == "REJECTED"
            model.owner = user
            model.additional_data |= added
            model.end("REJECTED")
        else:
            assert answer["result"] == "REJECT_FAILED"

    @rule(reason=st.sampled_from([None, "FRAUD"]))
    def cancel(self, reason: str | None) -> None:
        code, _ = self.server.post("operation/cancel", operationId=self.model.id, statusReason=reason)
        if self.model.pending:
            assert code == "OK"
            self.model.reason = reason
            self.model.end("CANCELED")
        else:
            assert code == "ERR0036"

    @rule(user=st.sampled_from(USERS))
    def claim(self, user: str) -> None:
        code, _ = self.server.post("operation/claim", operationId=self.model.id, userId=user)
        if self.model.pending and self.model.owner not in (None, user):
            assert code == "ERR0034"
        else:
            assert code == "OK"
            if self.model.pending:
                self.model.owner = user

    # -- devices at the dmz door ---------------------------------------------------------------------------

    @rule(
        user=st.sampled_from(USERS),
        application=st.sampled_from(APPLICATIONS),
        data=st.sampled_from(["A2", "A2", "A2*"]),
    )
    def approve_by_device(self, user: str, application: str, data: str) -> None:
        model, added = self.model, self._additional_data()
        outcome = self._at_the_door(
            door.approve,
            Actor("act", user, application),
            data=data,
            signature_type=SignatureType.POSSESSION_KNOWLEDGE,
            additional_data=added,
        )
        if model.owner not in (None, user) or application not in model.applications:
            assert outcome is None
        elif not model.pending:
            assert (outcome.result, outcome.operation_status.value) == (None, model.status)
        else:
            model.additional_data |= added
            if data == "A2":
                model.owner = user
                model.end("APPROVED")
                expected = "APPROVED"
            else:
                expected = model.fail()
            assert (outcome.result.value, outcome.operation_status.value) == (expected, model.status)

    @rule(user=st.sampled_from(USERS), application=st.sampled_from(APPLICATIONS))
    def wrong_signature_of_device(self, user: str, application: str) -> None:
        model, added = self.model, self._additional_data()
        counted = self._at_the_door(
            door.fail_approval, Actor("act", user, application), additional_data=added
        )
        if model.pending and model.owner == user and application in model.applications:
            model.additional_data |= added
            model.fail()
            assert counted.value == model.status
        else:
            assert counted is None

    # -- time ----------------------------------------------------------------------------------------------

    @rule()
    def time_runs_out(self) -> None:
        past = clock.now() - timedelta(milliseconds=1)

        async def write() -> None:
            async with self.server.core.database.transaction() as session:
                await session.execute(
                    update(Operation).where(Operation.id == self.model.id).values(timestamp_expires=past)
                )

        self.server.run(write())
        self.model.overdue = True

    @rule()
    def expiry_job_runs(self) -> None:
        expired = self.server.run(service.expire_operations(self.server.core, 100))
        due = self.model.stored == "PENDING" and self.model.overdue
        assert expired == int(due)
        if due:
            self.model.end("EXPIRED")

    # -- what holds after every step -----------------------------------------------------------------------

    @invariant()
    def the_operation_is_as_the_model_says(self) -> None:
        code, shown = self.server.post("operation/detail", operationId=self.model.id)
        assert code == "OK"
        model = self.model
        assert (shown["status"], shown["userId"], shown["failureCount"], shown["statusReason"]) == (
            model.status,
            model.owner,
            model.failures,
            model.reason,
        )
        assert shown["additionalData"] == model.additional_data
        finished = model.status in ("APPROVED", "REJECTED", "FAILED")
        assert (shown["timestampFinalized"] is not None) is finished
        self.seen.append(shown["status"])

    @invariant()
    def no_transition_leaves_the_state_machine(self) -> None:
        before, after = self.seen[-2:] if len(self.seen) > 1 else ("PENDING", "PENDING")
        assert after in NEXT_STATES.get(before, {before})

    @invariant()
    def failures_stay_within_the_maximum(self) -> None:
        row = self.server.run(self._row())
        assert row.failure_count <= row.max_failure_count
        assert (row.failure_count == row.max_failure_count) is (row.status is OperationStatus.FAILED)
        assert row.status.value == self.model.stored

    def teardown(self) -> None:
        if hasattr(self, "model"):
            assert self.server.run(self._status_events()) == self.model.status_events <= 1

    def _additional_data(self) -> dict[str, Any]:
        self.steps += 1
        return {"last": self.steps, f"step{self.steps}": True}

    def _at_the_door(self, function: Any, actor: Actor, **arguments: Any) -> Any:
        async def call() -> Any:
            async with self.server.core.database.transaction() as session:
                return await function(
                    self.server.core, session, actor=actor, operation_id=self.model.id, **arguments
                )

        try:
            return self.server.run(call())
        except OperationNotFound:
            return None

    async def _row(self) -> Operation:
        async with self.server.core.database.read() as session:
            return await session.get_one(Operation, self.model.id)

    async def _status_events(self) -> int:
        statement = text(
            "SELECT count(*) FROM outbox_event WHERE type = 'operation.status_changed' AND subject = :id"
        )
        async with self.server.core.database.read() as session:
            return int(await session.scalar(statement, {"id": self.model.id}) or 0)


def test_operations_follow_their_state_machine(make_settings: Any) -> None:
    with RunningCore(make_settings(restrict_access=False)).running() as server:
        machine = type("Machine", (OperationLifeCycle,), {"server": server})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=30,
                stateful_step_count=12,
                deadline=None,
                # A failure is at most 12 steps long as it is; making it shorter would take minutes.
                phases=(Phase.reuse, Phase.generate),
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
