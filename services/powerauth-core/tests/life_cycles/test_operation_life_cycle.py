"""The life cycle of operations, against a running core (spec/core-api.md §23).

Hypothesis plays users, devices, callers inside the network, the passing of time and the expiry job, in any
order. A small model says what each step must answer; after every step the operation is compared with it.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from core_test_api import MakeSettings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from running_core import RunningCore, run_machine

from powerauth_protocol.common.encoding import b64encode
from powerauth_sdk.phone import Phone

USERS = ["alice", "bob"]
APPLICATIONS = ["bank", "shop"]
FACTORS = ["POSSESSION_KNOWLEDGE", "POSSESSION"]
MAXIMA = [1, 2, 4]
MATCHING: dict[str, dict[str, int] | None] = {
    "none": None,
    "typed": {"digits": 2, "choices": 0},
    "chosen": {"digits": 2, "choices": 3},
}
NUMBERS = st.sampled_from(["right", "right", "wrong", "missing"])
NEXT_STATES = {"PENDING": {"PENDING", "APPROVED", "FAILED", "REJECTED", "CANCELED", "EXPIRED"}}
STORED = {"PENDING": 1, "CANCELED": 2, "EXPIRED": 3, "APPROVED": 4, "REJECTED": 5, "FAILED": 6}
EXPIRY_JOB = "expireOperationsTask"


@dataclass
class Model:
    """What an operation must look like.

    :ivar number: that an approval must bring; None: it needs none
    :ivar chosen: it is one of few, and is not to be guessed again
    :ivar stored: the state in the database, where an expiry is missing until the job has run
    :ivar status_events: events that announce a change of its state
    :ivar records: records that the audit log has of it, one for each change
    """

    id: str
    owner: str | None
    applications: list[str]
    maximum: int
    number: str | None
    chosen: bool
    stored: str = "PENDING"
    overdue: bool = False
    failures: int = 0
    reason: str | None = None
    additional_data: dict[str, Any] = field(default_factory=dict)
    status_events: int = 0
    records: int = 1

    @property
    def status(self) -> str:
        return "EXPIRED" if self.stored == "PENDING" and self.overdue else self.stored

    @property
    def pending(self) -> bool:
        return self.status == "PENDING"

    def is_known_to(self, user: str, application: str) -> bool:
        """Another's operation is unknown in every state (D31)."""
        return self.owner in (None, user) and application in self.applications

    def end(self, status: str) -> None:
        self.stored = status
        self.status_events += 1
        self.records += 1

    def claim(self, user: str) -> None:
        self.records += self.owner is None
        self.owner = user

    def brought(self, number: str) -> dict[str, str]:
        """Members of an approval with such a number."""
        right = self.number or "00"
        wrong = f"{(int(right) + 1) % 100:02}"
        return {"right": {"numberMatching": right}, "wrong": {"numberMatching": wrong}}.get(number, {})

    def accepts(self, number: str) -> bool:
        return self.number is None or number == "right"

    def fail(self, number: str = "right") -> str:
        """Count a failure; the expected result."""
        self.failures += 1
        if self.chosen and not self.accepts(number):
            self.failures = self.maximum
        if self.failures < self.maximum:
            self.records += 1
            return "APPROVAL_FAILED"
        self.end("FAILED")
        return "OPERATION_FAILED"


class OperationLifeCycle(RuleBasedStateMachine):
    """One operation at a time and everybody who can touch it."""

    server: RunningCore
    devices: dict[tuple[str, str], Phone]

    @initialize(
        owner=st.sampled_from([None, *USERS]),
        applications=st.sampled_from([["bank"], ["bank", "shop"]]),
        maximum=st.sampled_from(MAXIMA),
        matching=st.sampled_from(sorted(MATCHING)),
    )
    def create(self, owner: str | None, applications: list[str], maximum: int, matching: str) -> None:
        # What earlier runs left to the job is not this run's.
        self.server.job(EXPIRY_JOB)
        template = f"max-{maximum}-{matching}"
        created = self.server.ok(
            "operation/create", userId=owner, applications=applications, templateName=template
        )
        number = created["numberMatching"]
        self.model = Model(created["id"], owner, applications, maximum, number, matching == "chosen")
        self.seen = ["PENDING"]
        self.steps = 0

    # -- callers inside the network ------------------------------------------------------------------------

    @rule(
        user=st.sampled_from(USERS),
        application=st.sampled_from(APPLICATIONS),
        data=st.sampled_from(["A2", "A2", "A2*"]),
        factor=st.sampled_from(FACTORS),
        number=NUMBERS,
    )
    def approve(self, user: str, application: str, data: str, factor: str, number: str) -> None:
        model = self.model
        added = self._additional_data()
        answer = self.server.post(
            "operation/approve",
            operationId=model.id,
            userId=user,
            applicationId=application,
            data=data,
            signatureType=factor,
            additionalData=added,
            **model.brought(number),
        )
        if not (model.pending and model.is_known_to(user, application)):
            assert answer.code == "ERR0037"
            return
        model.additional_data |= added
        if data == "A2" and factor == "POSSESSION_KNOWLEDGE" and model.accepts(number):
            model.owner = user
            model.end("APPROVED")
            assert answer["result"] == "APPROVED"
        else:
            assert answer["result"] == model.fail(number)

    @rule()
    def report_failure(self) -> None:
        added = self._additional_data()
        answer = self.server.post("operation/approve/fail", operationId=self.model.id, additionalData=added)
        if not self.model.pending:
            assert answer.code == "ERR0036"
            return
        self.model.additional_data |= added
        assert answer["result"] == self.model.fail()

    @rule(
        user=st.sampled_from(USERS),
        application=st.sampled_from(APPLICATIONS),
        reason=st.sampled_from([None, "UNEXPECTED_OPERATION"]),
    )
    def reject(self, user: str, application: str, reason: str | None) -> None:
        model = self.model
        added = self._additional_data()
        answer = self.server.post(
            "operation/reject",
            operationId=model.id,
            userId=user,
            applicationId=application,
            additionalData=added,
            statusReason=reason,
        )
        if not (model.pending and model.is_known_to(user, application)):
            assert answer.code == "ERR0038"
            return
        assert answer["result"] == "REJECTED"
        model.owner = user
        model.additional_data |= added
        model.reason = reason
        model.end("REJECTED")

    @rule(reason=st.sampled_from([None, "FRAUD"]))
    def cancel(self, reason: str | None) -> None:
        answer = self.server.post("operation/cancel", operationId=self.model.id, statusReason=reason)
        if self.model.pending:
            assert answer.code == "OK"
            self.model.reason = reason
            self.model.end("CANCELED")
        else:
            assert answer.code == "ERR0036"

    @rule(user=st.sampled_from(USERS))
    def claim(self, user: str) -> None:
        answer = self.server.post("operation/claim", operationId=self.model.id, userId=user)
        if self.model.owner not in (None, user):
            assert answer.code == "ERR0034"
        else:
            assert answer.code == "OK"
            if self.model.pending:
                self.model.claim(user)

    # -- devices at the dmz door ---------------------------------------------------------------------------

    @rule(
        user=st.sampled_from(USERS),
        application=st.sampled_from(APPLICATIONS),
        data=st.sampled_from(["A2", "A2", "A2*"]),
        number=NUMBERS,
    )
    def approve_by_device(self, user: str, application: str, data: str, number: str) -> None:
        model, device, added = self.model, self.devices[user, application], self._additional_data()
        body = self._body(data=data, mobileTokenData=added, **model.brought(number))
        signed = device.sign(body, uri_id="/operation/authorize")
        answer = self.server.dmz("signed/operation/approve", header=signed.header, body=b64encode(body))
        if not model.is_known_to(user, application):
            assert answer.code == "ERR0034"
        elif not model.pending:
            assert (answer["authenticated"], answer["result"]) == (True, None)
            assert answer["operationStatus"] == model.status
        else:
            model.additional_data |= {
                "activationId": device.activation_id,
                "applicationId": application,
                "authFactor": "possession_knowledge",
                "mobileTokenData": added,
            }
            if data == "A2" and model.accepts(number):
                model.owner = user
                model.end("APPROVED")
                expected = "APPROVED"
            else:
                expected = model.fail(number)
            assert (answer["result"], answer["operationStatus"]) == (expected, model.status)

    @rule(user=st.sampled_from(USERS), application=st.sampled_from(APPLICATIONS))
    def wrong_signature_of_device(self, user: str, application: str) -> None:
        """It counts on an operation of this user and application, never on one without owner (D14)."""
        model, device = self.model, self.devices[user, application]
        counter = device.ctr_data
        signed = device.sign(b"something else", uri_id="/operation/authorize")
        device.ctr_data = counter
        answer = self.server.dmz(
            "signed/operation/approve",
            header=signed.header,
            body=b64encode(self._body(data="A2")),
            userAgent="app",
        )
        assert answer["authenticated"] is False
        if model.pending and model.owner == user and application in model.applications:
            model.additional_data |= {"userAgent": "app"}
            model.fail()
            assert answer["operationStatus"] == model.status
        else:
            assert answer["operationStatus"] is None

    # -- time ----------------------------------------------------------------------------------------------

    @rule()
    def time_runs_out(self) -> None:
        self.server.write(
            "UPDATE pa_operation SET timestamp_expires = timestamp_expires - interval '1 hour'"
            " WHERE id = :id",
            id=self.model.id,
        )
        self.model.overdue = True

    @rule()
    def expiry_job_runs(self) -> None:
        self.server.job(EXPIRY_JOB)
        if self.model.stored == "PENDING" and self.model.overdue:
            self.model.end("EXPIRED")

    # -- what holds after every step -----------------------------------------------------------------------

    @invariant()
    def the_operation_is_as_the_model_says(self) -> None:
        shown = self.server.ok("operation/detail", operationId=self.model.id)
        model = self.model
        assert (shown["status"], shown["userId"], shown["failureCount"], shown["statusReason"]) == (
            model.status,
            model.owner,
            model.failures,
            model.reason,
        )
        assert (shown["additionalData"], shown["numberMatching"]) == (model.additional_data, model.number)
        finished = model.status in ("APPROVED", "REJECTED", "FAILED")
        assert (shown["timestampFinalized"] is not None) is finished
        assert shown["status"] in NEXT_STATES.get(self.seen[-1], {self.seen[-1]})
        self.seen.append(shown["status"])

    @invariant()
    def failures_stay_within_the_maximum(self) -> None:
        [(failures, maximum, status)] = self.server.rows(
            "SELECT failure_count, max_failure_count, status FROM pa_operation WHERE id = :id",
            id=self.model.id,
        )
        assert failures <= maximum
        assert (failures == maximum) is (status == STORED["FAILED"])
        assert status == STORED[self.model.stored]

    def teardown(self) -> None:
        if hasattr(self, "model"):
            count = "SELECT count(*) FROM"
            [(events,)] = self.server.rows(
                f"{count} outbox_event WHERE type = 'operation.status_changed' AND subject = :id",
                id=self.model.id,
            )
            assert events == self.model.status_events <= 1
            [(records,)] = self.server.rows(
                f"{count} audit_log WHERE audit_type = 'operation' AND param LIKE :id",
                id=f'%"{self.model.id}"%',
            )
            assert records == self.model.records

    def _additional_data(self) -> dict[str, Any]:
        self.steps += 1
        return {"last": self.steps, f"step{self.steps}": True}

    def _body(self, **members: Any) -> bytes:
        return json.dumps({"requestObject": {"id": self.model.id, **members}}).encode()


def test_operations_follow_their_life_cycle(make_settings: MakeSettings) -> None:
    with RunningCore(make_settings(restrict_access=False)).running() as server:
        apps = {"bank": server.app, "shop": server.new_application("shop")}
        devices = {
            (user, name): server.device(user, app, maxFailureCount=1_000_000)
            for user in USERS
            for name, app in apps.items()
        }
        for maximum, matching in itertools.product(MAXIMA, MATCHING):
            server.ok(
                "operation/template/create",
                templateName=f"max-{maximum}-{matching}",
                operationType="login",
                dataTemplate="A2",
                signatureType=["POSSESSION_KNOWLEDGE"],
                maxFailureCount=maximum,
                expiration=300,
                numberMatching=MATCHING[matching],
            )
        run_machine(type("Machine", (OperationLifeCycle,), {"devices": devices}), server, steps=12)
