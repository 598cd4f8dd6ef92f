"""The life cycle of an activation, through HTTP (spec/core-api.md §22).

A device, the bank, operators and the passing of time call in any order. A model says what each call answers;
after every step the activation, its history and its counter are compared with it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from core_test_api import MakeSettings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant
from running_core import RunningCore, Sequence, run_machine

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.request_data import signature_base
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.ecies import SharedInfo1
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Phone

OTP, MAXIMUM, LOOK_AHEAD = "1234", 3, 20
POSSESSION, KNOWLEDGE = SignatureType.POSSESSION, SignatureType.POSSESSION_KNOWLEDGE

# From what to what, and whether the row says why (§22.1). Anything may follow a forced status.
TRANSITIONS = {
    None: {"CREATED"},
    "CREATED": {"CREATED", "PENDING_COMMIT", "ACTIVE", "REMOVED"},
    "PENDING_COMMIT": {"PENDING_COMMIT", "ACTIVE", "REMOVED"},
    "ACTIVE": {"ACTIVE", "BLOCKED", "REMOVED"},
    "BLOCKED": {"ACTIVE", "REMOVED"},
    "REMOVED": {"REMOVED"},
}
# What is called in which state, and how often; much of it is refused there.
ANY_STATE = ("block", "unblock", "rename", "remove", "commit", "update_otp", "prepare", "time_runs_out")
CHOICES = {
    "CREATED": dict.fromkeys(ANY_STATE, 1) | {"prepare": 6},
    "PENDING_COMMIT": dict.fromkeys(ANY_STATE, 1) | {"commit": 6, "update_otp": 2},
    "ACTIVE": dict.fromkeys(ANY_STATE, 1) | {"block": 2},
    "BLOCKED": dict.fromkeys(ANY_STATE, 1) | {"unblock": 6},
    "REMOVED": dict.fromkeys(ANY_STATE, 1),
}
DEVICE: dict[str, dict[str, int]] = {
    "CREATED": {},
    "PENDING_COMMIT": {"sign": 1},
    "ACTIVE": {"sign": 5, "sign_wrong": 4, "send_it_again": 3, "type_a_wrong_code": 3, "force": 1},
    "BLOCKED": {"sign": 1, "sign_wrong": 1, "type_a_wrong_code": 1, "force": 1},
    "REMOVED": {"removed_answers_nothing": 3, "sign": 1, "force": 2},
}
REASONS_OF_THE_SAME = {"OTP_VALUE_UPDATE", "OTP_FAILED_ATTEMPT", "ACTIVATION_NAME_UPDATED"}


class ActivationLifeCycle(Sequence):
    """One activation at a time."""

    @initialize(
        commit_phase=st.sampled_from(["ON_COMMIT", "ON_COMMIT", "ON_KEY_EXCHANGE"]),
        otp=st.booleans(),
        advanced=st.sampled_from([2, 2, 2, 1, 0]),
    )
    def start(self, commit_phase: str, otp: bool, advanced: int) -> None:
        """A new activation; most sequences begin when it is joined or ACTIVE already."""
        started = self.server.ok(
            "activation/init",
            userId="user-1",
            applicationId="bank",
            commitPhase=commit_phase,
            maxFailureCount=MAXIMUM,
            activationOtp=OTP if otp else None,
        )
        self.id, self.code = started["activationId"], started["activationCode"]
        self.device = Phone(self.server.app)
        self.status, self.failed, self.counter = "CREATED", 0, 0
        self.phase, self.otp, self.legacy = commit_phase, otp, False
        self.joined = self.overdue = False
        # History, newest last: status and reason; and the changes of the status that events announce.
        self.history: list[tuple[str, str | None]] = [("CREATED", None)]
        self.announced, self.forced = 1, 0
        self.blocked_reason: str | None = None
        self.last_good: dict[str, Any] | None = None
        if advanced > 0:
            self._prepare(OTP if otp and commit_phase == "ON_KEY_EXCHANGE" else None)
        if advanced > 1 and self.status == "PENDING_COMMIT":
            self._commit(OTP if otp else None)

    def choices(self) -> Mapping[str, int]:
        return CHOICES[self.status] | (DEVICE[self.status] if self.joined else {})

    def change(self, status: str, reason: str | None = None) -> None:
        """The model's side of a change that leaves a row in the history."""
        self.announced += status != self.status
        self.status = status
        self.history.append((status, self.blocked_reason if status == "BLOCKED" else reason))

    def call(self, path: str, **more: Any) -> str:
        return self.server.post(path, activationId=self.id, **more).code

    # -- from CREATED to ACTIVE ----------------------------------------------------------------------------

    def prepare(self) -> None:
        self._prepare(self.one_of(None, OTP, "0000"))

    def _prepare(self, otp: str | None) -> None:
        sealed = self.server.run(self.device.layer2(self.server.call, otp=otp))
        answer = self.server.post(
            "activation/prepare",
            activationCode=self.code,
            applicationKey=self.device.app.key,
            **self.device.env(sealed),
        )
        if self.status != "CREATED":
            assert answer.code == "ERR0009"
            return
        at_once = self.phase == "ON_KEY_EXCHANGE"
        if self.otp and not self._otp_passes(otp, asked_for=at_once):
            assert answer.code == "ERR0031"
            return
        assert answer["activationStatus"] == ("ACTIVE" if at_once else "PENDING_COMMIT")
        self.device.accept(sealed, answer.body)
        self.joined = True
        self.change(answer["activationStatus"])

    def commit(self) -> None:
        self._commit(self.one_of(None, OTP, "0000", "0000"))

    def _commit(self, otp: str | None) -> None:
        code = self.call("activation/commit", activationOtp=otp)
        if self.status != "PENDING_COMMIT":
            assert code == ("ERR0007" if self.status == "REMOVED" else "ERR0008")
        elif (self.otp or self.legacy) and not self._otp_passes(
            otp, asked_for=self.legacy or self.phase == "ON_COMMIT"
        ):
            assert code == "ERR0031"
        elif self.phase != "ON_COMMIT":
            assert code == "ERR0008"  # forced here: it is committed by the key exchange
        else:
            assert code == "OK"
            self.change("ACTIVE")

    def _otp_passes(self, otp: str | None, *, asked_for: bool) -> bool:
        """Whether an OTP lets a step go on; counts a wrong one (§22.3)."""
        if not asked_for:
            return otp is None
        if otp is None:
            return False
        if otp == OTP:
            self.failed = 0
            return True
        self.failed = min(self.failed + 1, MAXIMUM)
        if self.failed >= MAXIMUM:
            self.change("REMOVED", "OTP_MAX_FAILED_ATTEMPTS")
        else:
            self.change(self.status, "OTP_FAILED_ATTEMPT")
        return False

    def update_otp(self) -> None:
        code = self.call("activation/otp/update", activationOtp=OTP)
        if self.status != "PENDING_COMMIT":
            assert code == "ERR0008"
            return
        assert code == "OK"
        self.legacy = True
        self.change("PENDING_COMMIT", "OTP_VALUE_UPDATE")

    # -- the bank and its operators ------------------------------------------------------------------------

    def block(self) -> None:
        reason = self.one_of(None, "LOST_PHONE")
        code = self.call("activation/block", reason=reason)
        if self.status == "ACTIVE":
            self.blocked_reason = reason or "NOT_SPECIFIED"
            self.change("BLOCKED")
            assert code == "OK"
        else:
            assert code == ("OK" if self.status == "BLOCKED" else "ERR0008")

    def unblock(self) -> None:
        code = self.call("activation/unblock")
        if self.status == "BLOCKED":
            self.blocked_reason, self.failed = None, 0
            self.change("ACTIVE")
            assert code == "OK"
        else:
            assert code == ("OK" if self.status == "ACTIVE" else "ERR0008")

    def rename(self) -> None:
        code = self.call("activation/name/update", activationName="Mine")
        if self.status in ("PENDING_COMMIT", "ACTIVE"):
            self.change(self.status, "ACTIVATION_NAME_UPDATED")
            assert code == "OK"
        else:
            assert code == "ERR0008"

    def remove(self) -> None:
        assert self.call("activation/remove") == "OK"
        self.change("REMOVED")

    def force(self) -> None:
        """An operator forces a status, from any state (§7.9)."""
        status = self.one_of("ACTIVE", "BLOCKED", "PENDING_COMMIT")
        self.server.ok("activation/status/update", activationIds=[self.id], activationStatus=status)
        if self.status != status:
            self.forced += 1
            self.change(status)
        if self.overdue and status == "PENDING_COMMIT":
            self.change("REMOVED")  # by the next look at it

    # -- the device ----------------------------------------------------------------------------------------

    def sign(self) -> None:
        """A right signature, after some that never arrived."""
        kind = self.one_of(POSSESSION, KNOWLEDGE)
        skipped = self.one_of(0, 0, 1, LOOK_AHEAD - 1, LOOK_AHEAD)
        for _ in range(skipped):
            self.device.sign(b"lost")
        request = self.device.sign(b"body", kind=kind).request
        answer = self.server.post("signature/verify", **request)
        if self._refuses(answer):
            self._rewind()
            return
        if skipped == LOOK_AHEAD:
            self._wrong(answer, counts=kind is not POSSESSION)
            self._rewind()
            return
        assert (answer["signatureValid"], answer["activationStatus"]) == (True, "ACTIVE")
        self.counter += skipped + 1
        self.failed = self.failed if kind is POSSESSION else 0
        self.last_good = request

    def send_it_again(self) -> None:
        """A signature that was accepted before is wrong."""
        if self.last_good is None:
            self.sign()
            return
        answer = self.server.post("signature/verify", **self.last_good)
        if not self._refuses(answer):
            self._wrong(answer, counts=self.last_good["signatureType"] != "POSSESSION")

    def sign_wrong(self) -> None:
        kind = self.one_of(POSSESSION, KNOWLEDGE, KNOWLEDGE)
        request = self.device.sign(b"body", kind=kind).request | {"data": "POST&&&"}
        self._rewind()
        answer = self.server.post("signature/verify", **request)
        if not self._refuses(answer):
            self._wrong(answer, counts=kind is not POSSESSION)

    def type_a_wrong_code(self) -> None:
        answer = self.server.post(
            "signature/offline/verify",
            activationId=self.id,
            data=signature_base("POST", "/op", os.urandom(16), b"A2"),
            signature="00000000-00000000",
        )
        if not self._refuses(answer):
            self._wrong(answer, counts=True)

    def _refuses(self, answer: Any) -> bool:
        """The activation's state decides before the signature does (§9.1 rows B and C)."""
        if self.status == "ACTIVE" and self.failed < MAXIMUM:
            return False
        if self.status == "ACTIVE":
            self.blocked_reason = "MAX_FAILED_ATTEMPTS"
            self.change("BLOCKED")
        assert (answer["signatureValid"], answer["activationStatus"]) == (False, self.status)
        assert answer["userId"] is None
        return True

    def _wrong(self, answer: Any, *, counts: bool) -> None:
        self.failed += counts
        if self.failed >= MAXIMUM:
            self.blocked_reason = "MAX_FAILED_ATTEMPTS"
            self.change("BLOCKED")
        assert (answer["signatureValid"], answer["activationStatus"]) == (False, self.status)
        assert answer["remainingAttempts"] == MAXIMUM - self.failed

    def _rewind(self) -> None:
        """The device forgets signatures that the core never accepted."""
        [(stored,)] = self.server.rows(
            "SELECT ctr_data FROM pa_activation WHERE activation_id = :id", id=self.id
        )
        self.device.ctr_data = b64decode(stored)

    # -- time ----------------------------------------------------------------------------------------------

    def time_runs_out(self) -> None:
        self.server.write(
            "UPDATE pa_activation SET timestamp_activation_expire = timestamp_activation_expire"
            " - interval '6 minutes' WHERE activation_id = :id",
            id=self.id,
        )
        self.overdue = True
        if self.one_of(True, False):
            self.server.job("expireActivationsTask")
        if self.status in ("CREATED", "PENDING_COMMIT"):
            self.change("REMOVED")

    # -- what holds after every step -----------------------------------------------------------------------

    @invariant()
    def the_activation_is_as_the_model_says(self) -> None:
        found = self.server.ok("activation/status", activationId=self.id)
        assert (found["activationStatus"], found["failedAttempts"]) == (self.status, self.failed)
        assert found["failedAttempts"] <= found["maxFailedAttempts"] == MAXIMUM
        if self.status == "BLOCKED":
            assert found["blockedReason"] == self.blocked_reason

    @invariant()
    def the_history_has_one_row_for_every_change(self) -> None:
        items = self.server.ok("activation/history", activationId=self.id)["items"]
        rows = [(item["activationStatus"], item["eventReason"]) for item in reversed(items)]
        assert rows == self.history
        previous = None
        outside = 0
        for status, reason in rows:
            same = status == previous and status != "REMOVED"
            outside += status not in TRANSITIONS[previous] or (same and reason not in REASONS_OF_THE_SAME)
            previous = status
        assert outside <= self.forced

    @invariant()
    def the_counter_never_goes_back(self) -> None:
        [(stored,)] = self.server.rows(
            "SELECT counter FROM pa_activation WHERE activation_id = :id", id=self.id
        )
        assert stored == self.counter

    def removed_answers_nothing(self) -> None:
        device, server = self.device, self.server
        refused = server.post("keystore/create", jwt=device.temporary_key_request(Scope.ACTIVATION))
        assert refused.code == "ERR0009"
        # In 3.2 the envelope is encrypted for the activation's own key, which is still stored.
        signed = device.sign(b"body").request
        device.version, usual = ProtocolVersion.parse("3.2"), device.version
        try:
            envelope = device.env(device.seal(SharedInfo1.CREATE_TOKEN, b"{}"))
            ids = {"activationId": self.id, "applicationKey": device.app.key}
            token = server.post("token/create", **ids, **envelope, signatureType="POSSESSION_KNOWLEDGE")
            assert token.code == "ERR0008"
            generic = device.env(device.seal(SharedInfo1.generic(Scope.ACTIVATION), b"{}"))
            assert server.post("ecies/decryptor", **ids, **generic).code == "ERR0008"
            assert server.post("upgrade/commit", **ids).code == "ERR0008"
            vault = device.seal(SharedInfo1.VAULT_UNLOCK, b"{}").fields
            opened = server.ok(
                "vault/unlock",
                **ids,
                **vault,
                signedData=signed["data"],
                signature=signed["signature"],
                signatureType="POSSESSION_KNOWLEDGE",
                signatureVersion="3.2",
            )
            assert (opened["signatureValid"], opened["encryptedData"]) == (False, None)
        finally:
            device.version = usual
        assert (
            server.post("signature/ecdsa/sign", activationId=self.id, data=b64encode(b"x")).code == "ERR0008"
        )
        self._rewind()

    def teardown(self) -> None:
        if hasattr(self, "id"):
            [(events,)] = self.server.rows(
                "SELECT count(*) FROM outbox_event"
                " WHERE type = 'activation.status_changed' AND subject = :id",
                id=self.id,
            )
            assert events == self.announced


def test_activations_follow_their_life_cycle(make_settings: MakeSettings) -> None:
    with RunningCore(make_settings(restrict_access=False)).running() as server:
        run_machine(ActivationLifeCycle, server)
