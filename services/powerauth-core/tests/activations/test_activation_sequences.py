"""Any sequence of calls keeps to the state table (spec/core-api.md §22): a model runs beside the core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CALLS = (
    "prepare",
    "commit",
    "wrong_otp",
    "right_otp",
    "set_otp",
    "block",
    "unblock",
    "rename",
    "remove",
    "expire",
)
OTP, MAX_FAILURES = "1234", 2


@dataclass
class Model:
    """What the specification says about one activation."""

    status: str = "CREATED"
    otp: bool = False
    failed: int = 0

    def step(self, call: str) -> str:
        """The expected outcome of a call: ``OK`` or an error code; moves the model."""
        handler = getattr(self, call)
        outcome: str = handler()
        return outcome

    def prepare(self) -> str:
        if self.status != "CREATED":
            return "ERR0009"
        self.status = "PENDING_COMMIT"
        return "OK"

    def _commit(self, supplied: str | None) -> str:
        if self.status != "PENDING_COMMIT":
            return "ERR0007" if self.status == "REMOVED" else "ERR0008"
        if self.otp and supplied is None:
            return "ERR0031"
        if self.otp and supplied != OTP:
            self.failed += 1
            if self.failed >= MAX_FAILURES:
                self.status = "REMOVED"
            return "ERR0031"
        if self.otp:
            self.failed = 0
        self.status = "ACTIVE"
        return "OK"

    def commit(self) -> str:
        return self._commit(None)

    def wrong_otp(self) -> str:
        return self._commit("0000")

    def right_otp(self) -> str:
        return self._commit(OTP)

    def set_otp(self) -> str:
        if self.status != "PENDING_COMMIT":
            return "ERR0008"
        self.otp = True
        return "OK"

    def block(self) -> str:
        if self.status not in ("ACTIVE", "BLOCKED"):
            return "ERR0008"
        self.status = "BLOCKED"
        return "OK"

    def unblock(self) -> str:
        if self.status not in ("ACTIVE", "BLOCKED"):
            return "ERR0008"
        if self.status == "BLOCKED":
            self.failed = 0
        self.status = "ACTIVE"
        return "OK"

    def rename(self) -> str:
        return "OK" if self.status in ("PENDING_COMMIT", "ACTIVE") else "ERR0008"

    def remove(self) -> str:
        self.status = "REMOVED"
        return "OK"

    def expire(self) -> str:
        if self.status in ("CREATED", "PENDING_COMMIT"):
            self.status = "REMOVED"
        return "OK"


@given(calls=st.lists(st.sampled_from(CALLS), min_size=3, max_size=10))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
async def test_the_core_follows_the_model(
    calls: list[str], api: Any, call: Any, init: Any, make_device: Any, run_out_of_time: Any
) -> None:
    started, model, device = await init(maxFailureCount=MAX_FAILURES), Model(), make_device()
    activation_id = started["activationId"]
    paths: dict[str, tuple[str, dict[str, Any]]] = {
        "commit": ("activation/commit", {}),
        "wrong_otp": ("activation/commit", {"activationOtp": "0000"}),
        "right_otp": ("activation/commit", {"activationOtp": OTP}),
        "set_otp": ("activation/otp/update", {"activationOtp": OTP}),
        "block": ("activation/block", {}),
        "unblock": ("activation/unblock", {}),
        "rename": ("activation/name/update", {"activationName": "N"}),
        "remove": ("activation/remove", {}),
    }
    for name in calls:
        expected = model.step(name)
        if name == "expire":
            await run_out_of_time(activation_id)
        elif name == "prepare":
            sealed = await device.layer2(call)
            request = {"activationCode": started["activationCode"], "applicationKey": device.app.key}
            assert await _outcome(api, "activation/prepare", request | device.env(sealed)) == expected
        else:
            path, more = paths[name]
            assert await _outcome(api, path, {"activationId": activation_id} | more) == expected, name
        found = await api.ok("activation/status", activationId=activation_id)
        assert (found["activationStatus"], found["failedAttempts"]) == (model.status, model.failed), name
    history = await api.ok("activation/history", activationId=activation_id)
    assert history["items"][0]["activationStatus"] == model.status


async def _outcome(api: Any, path: str, request: dict[str, Any]) -> str:
    status, body = await api.post(path, **request)
    return "OK" if status == 200 else str(body["responseObject"]["code"])
