"""The life cycle of callback events, through HTTP and the jobs (spec/core-api.md §18.4, §18.5).

A bank's endpoint accepts, fails, redirects or hangs up. Every change of an activation makes one event; what
becomes of it is read from its row after every step and compared with what the endpoint saw. Events have no
order among each other (§18.5 no. 4); the attempts of one event have.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bank_endpoint import ACCEPT, FAIL, HANG_UP, REDIRECT, BankEndpoint
from core_test_api import MakeSettings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant
from running_core import RunningCore, Sequence, run_machine

STATES = {
    None: {"PROCESSING", "PENDING", "COMPLETED", "FAILED"},
    "PROCESSING": {"PROCESSING", "PENDING", "COMPLETED", "FAILED"},
    "PENDING": {"PENDING", "PROCESSING", "COMPLETED", "FAILED"},
    "COMPLETED": {"COMPLETED"},
    "FAILED": {"FAILED"},
}
_COLUMNS = (
    "id, idempotency_key, status, attempts, timestamp_next_call, timestamp_delete_after,"
    " timestamp_rerun_after, callback_data"
)
BEHAVIOURS = (ACCEPT, FAIL, FAIL, REDIRECT, HANG_UP)
JOBS = {
    "dispatch": "dispatchPendingCallbackUrlEvents",
    "rerun": "rerunStaleCallbackUrlEvents",
    "clean": "cleanCallbackUrlEvents",
}


@dataclass
class Event:
    """What is known of one event."""

    status: str
    attempts: int = 0
    seen: list[str] = field(default_factory=list)


class CallbackLifeCycle(Sequence):
    """One callback of one application, and an activation whose changes it is told."""

    endpoint: BankEndpoint
    url: str
    numbers = iter(range(10**6))

    @initialize(maximum=st.sampled_from([1, 2, 3]), behaviour=st.sampled_from(BEHAVIOURS))
    def start(self, maximum: int, behaviour: str) -> None:
        self.application = f"application-{next(self.numbers)}"
        self.server.ok("application/create", applicationId=self.application)
        self.path = f"/{self.application}"
        self.endpoint.behaviour = behaviour
        self.maximum = self.highest = maximum
        self.callback: str | None = self.server.ok("application/callback/create", **self._settings(maximum))[
            "id"
        ]
        self.first = self.callback
        self._start_activation()
        self.events: dict[str, Event] = {}
        self.expected = 1  # the activation's start
        self.lost: set[str] = set()
        self._settle()

    def _start_activation(self) -> None:
        started = self.server.ok("activation/init", userId="user-1", applicationId=self.application)
        self.activation, self.removed = started["activationId"], False

    def _settings(self, maximum: int) -> dict[str, Any]:
        return {
            "applicationId": self.application,
            "name": "bank",
            "type": "ACTIVATION_STATUS_CHANGE",
            "callbackUrl": self.url + self.path,
            "attributes": ["activationStatus", "activationFlags"],
            "maxAttempts": maximum,
            "initialBackoff": "PT1H",
        }

    def choices(self) -> Mapping[str, int]:
        return (
            {"the_endpoint_changes": 3, "the_activation_changes": 4, "the_backoff_is_over": 4}
            | {"a_refused_call_tells_nothing": 1, "the_jobs_run_too_early": 1, "retention_is_over": 1}
            | ({"a_process_dies": 2} if self._pending() else {})
            | ({"the_callback_is_updated": 1} if self.callback is not None else {})
            | ({"the_callback_is_removed": 1} if self.callback is not None and self.expected > 3 else {})
        )

    # -- what happens --------------------------------------------------------------------------------------

    def the_endpoint_changes(self) -> None:
        self.endpoint.behaviour = self.one_of(*BEHAVIOURS)

    def the_activation_changes(self) -> None:
        """A start and a removal are told; another removal changes nothing and is not (§18.2)."""
        if self.removed:
            self.server.ok("activation/remove", activationId=self.activation)
            self._start_activation()
        else:
            self.server.ok("activation/remove", activationId=self.activation)
            self.removed = True
        self.expected += self.callback is not None
        self._settle()

    def a_refused_call_tells_nothing(self) -> None:
        refused = self.one_of("activation/commit", "activation/block")
        assert self.server.post(refused, activationId=self.activation).code in ("ERR0007", "ERR0008")
        self._settle()

    def the_backoff_is_over(self) -> None:
        self._write("timestamp_next_call = timestamp_next_call - interval '1 day'", "PENDING")
        self.server.job(JOBS["dispatch"])

    def the_jobs_run_too_early(self) -> None:
        """Nothing is due: nothing happens."""
        before = self._rows()
        for job in JOBS.values():
            self.server.job(job)
        assert self._rows() == before

    def a_process_dies(self) -> None:
        """It had started a delivery: that is repeated, and the attempt does not count."""
        [key, *_] = sorted(self._pending())
        self._write(
            "status = 'PROCESSING', timestamp_next_call = NULL,"
            " timestamp_rerun_after = timestamp_last_call - interval '1 hour'",
            "PENDING",
            f" AND idempotency_key = '{key}'",
        )
        self.server.job(JOBS["rerun"])
        self.server.job(JOBS["dispatch"])

    def the_callback_is_updated(self) -> None:
        maximum = self.one_of(1, 2, 3)
        self.server.ok("application/callback/update", id=self.callback, **self._settings(maximum))
        self.maximum, self.highest = maximum, max(self.highest, maximum)

    def the_callback_is_removed(self) -> None:
        assert self.server.ok("application/callback/remove", id=self.callback)["removed"] is True
        self.callback = None

    def retention_is_over(self) -> None:
        """Finished events go, whether they were accepted or not; unfinished ones stay."""
        for status in ("COMPLETED", "FAILED"):
            self._write("timestamp_delete_after = timestamp_delete_after - interval '60 days'", status)
        self.server.job(JOBS["clean"])
        rows = self._rows()
        finished = {key for key, event in self.events.items() if event.status in ("COMPLETED", "FAILED")}
        assert not finished & set(rows)
        self.lost |= finished

    # -- what holds after every step -----------------------------------------------------------------------

    @invariant()
    def every_change_has_one_event_that_keeps_to_its_table(self) -> None:
        rows = self._rows()
        assert len(set(rows) | self.lost) == self.expected
        for key, row in rows.items():
            event = self.events.setdefault(key, Event(row.status))
            before = event.seen[-1] if event.seen else None
            assert row.status in STATES[before]
            assert row.status != "PROCESSING", "nothing is under way between the steps"
            assert event.attempts <= row.attempts <= self.highest
            if row.attempts > event.attempts:
                # The callback's settings at the attempt decide whether there is another one.
                assert row.status != ("PENDING" if row.attempts >= self.maximum else "FAILED")
            event.status, event.attempts = row.status, row.attempts
            event.seen.append(row.status)
            finished = row.status in ("COMPLETED", "FAILED")
            assert (row.timestamp_delete_after is not None) is finished
            assert (row.timestamp_next_call is not None) is (row.status == "PENDING")
            assert row.timestamp_rerun_after is None
        self._attempts_are_what_the_endpoint_saw()

    def _attempts_are_what_the_endpoint_saw(self) -> None:
        seen: defaultdict[str, list[Any]] = defaultdict(list)
        for request in self.endpoint.received:
            if request.path == self.path:
                seen[request.key].append(request)
        assert set(seen) <= set(self.events) | self.lost
        for key, event in self.events.items():
            requests = seen[key]
            assert len(requests) == event.attempts
            assert len({str(request.body) for request in requests}) <= 1
            accepted = [request.behaviour == ACCEPT for request in requests]
            # Accepted once at most, and then never sent again.
            assert accepted.count(True) == (event.status == "COMPLETED")
            assert not any(accepted[:-1])

    def _pending(self) -> set[str]:
        return {key for key, event in self.events.items() if event.status == "PENDING"} - self.lost

    def _settle(self) -> None:
        """Wait until everything that was started has ended."""
        self.server.run(self.server.core.callbacks.idle())

    def _rows(self) -> dict[str, Any]:
        rows = self.server.rows(
            f"SELECT {_COLUMNS} FROM pa_application_callback_event WHERE application_callback_id = :id",
            id=self.first,
        )
        return {row.idempotency_key: row for row in rows}

    def _write(self, changes: str, status: str, more: str = "") -> None:
        self.server.write(
            f"UPDATE pa_application_callback_event SET {changes}"
            f" WHERE application_callback_id = :id AND status = :status{more}",
            id=self.first,
            status=status,
        )


def test_callback_events_follow_their_life_cycle(make_settings: MakeSettings) -> None:
    # The circuit breaker has tests of its own; here it would hide the attempts.
    settings = make_settings(restrict_access=False, callbacks_failure_threshold=-1)
    with RunningCore(settings).running() as server:
        endpoint = BankEndpoint()
        url = server.run(endpoint.start())
        try:
            machine = type("Machine", (CallbackLifeCycle,), {"endpoint": endpoint, "url": url})
            run_machine(machine, server)
        finally:
            server.run(endpoint.stop())
