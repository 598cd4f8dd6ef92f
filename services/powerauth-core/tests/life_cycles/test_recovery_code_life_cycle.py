"""The life cycle of recovery codes and their PUKs, through HTTP (spec/core-api.md §8)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count

from core_test_api import MakeSettings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant
from running_core import Answer, RunningCore, Sequence, run_machine

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.json_text import write_json
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3 import recovery as protocol
from powerauth_protocol.v3.ecies import SharedInfo1
from powerauth_protocol.v3.keys import KeyPair, ecdh, export_public_key, generate_key_pair, import_public_key
from powerauth_sdk.phone import Phone

MAXIMUM, WRONG = 2, "0000000000"
PUKS = 3

CODE_STATES = {
    "CREATED": {"CREATED", "ACTIVE", "REVOKED"},
    "ACTIVE": {"ACTIVE", "BLOCKED", "REVOKED"},
    "BLOCKED": {"BLOCKED", "REVOKED"},
    "REVOKED": {"REVOKED"},
}
PUK_STATES = {"VALID": {"VALID", "USED", "INVALID"}, "USED": {"USED"}, "INVALID": {"INVALID"}}

_users = count(1)


class RecoveryCodeLifeCycle(Sequence):
    """One code of one user: a postcard with three PUKs, or the one of an activation with its only PUK."""

    printer: KeyPair

    @initialize(postcard=st.booleans(), confirmed=st.sampled_from([True, True, False]))
    def start(self, postcard: bool, confirmed: bool) -> None:
        self.user = f"user-{next(_users)}"
        self.owner = self.server.device(self.user)
        self.activations = {self.owner.activation_id}
        self.bound: Phone | None = None
        self.status, self.failed = "CREATED", 0
        if postcard:
            self._print()
        else:
            self._create_bound()
        self.states = ["VALID"] * len(self.puks)
        self.seen = [(self.status, list(self.states))]
        if confirmed:
            self.confirm()

    def _print(self) -> None:
        created = self.server.ok("recovery/create", applicationId="bank", userId=self.user, pukCount=PUKS)
        config = self.server.ok("recovery/config/detail", applicationId="bank")
        secret = ecdh(self.printer.private, import_public_key(b64decode(config["postcardPublicKey"])))
        indexes = [puk["pukDerivationIndex"] for puk in created["puks"]]
        printed = protocol.derive(secret, b64decode(created["nonce"]), indexes)
        self.number, self.code, self.puks = created["recoveryCodeId"], printed.code, list(printed.puks)

    def _create_bound(self) -> None:
        self.bound = Phone(self.server.app)
        self.server.run(self.bound.create(self.server.call, self.user))
        self.activations.add(self.bound.activation_id)
        assert self.bound.recovery is not None
        self.code, puk = self.bound.recovery
        self.puks = [puk]
        found = self.server.ok("recovery/lookup", activationId=self.bound.activation_id)
        self.number = found["recoveryCodes"][0]["recoveryCodeId"]

    def choices(self) -> Mapping[str, int]:
        return (
            {"enter_the_current_puk": 4, "enter_another_puk": 4, "confirm": 2}
            | ({"commit": 3} if self.bound is not None else {})
            | ({"revoke": 1} if len(self.seen) > 5 else {})
            | ({"remove_the_activation": 1} if self.bound is not None and len(self.seen) > 4 else {})
        )

    @property
    def current(self) -> int | None:
        """Index of the PUK that is asked for, from 0: the first valid one."""
        return self.states.index("VALID") if "VALID" in self.states else None

    # -- becoming usable -----------------------------------------------------------------------------------

    def confirm(self) -> None:
        """The owner has received the code; an activation's code is confirmed like a postcard (§8.4)."""
        self.server.run(self.owner.prepare_scope(self.server.call, Scope.ACTIVATION))
        sealed = self.owner.seal(SharedInfo1.CONFIRM_RECOVERY_CODE, write_json({"recoveryCode": self.code}))
        answer = self.server.post(
            "recovery/confirm",
            activationId=self.owner.activation_id,
            applicationKey=self.owner.app.key,
            **self.owner.env(sealed),
        )
        if self.status not in ("CREATED", "ACTIVE"):
            assert answer.code == "ERR0024"
            return
        assert sealed.open_json(answer.body) == {"alreadyConfirmed": self.status == "ACTIVE"}
        self.status = "ACTIVE"

    def commit(self) -> None:
        """A committed activation's code is usable."""
        assert self.bound is not None
        answer = self.server.post("activation/commit", activationId=self.bound.activation_id)
        if answer.code == "OK" and self.status == "CREATED":
            self.status = "ACTIVE"

    # -- using it ------------------------------------------------------------------------------------------

    def enter_the_current_puk(self) -> None:
        current = self.current
        answer = self._recover(self.puks[0 if current is None else current])
        if self.status != "ACTIVE":
            assert answer.code == "ERR0024"
        elif current is None:
            self._wrong(answer)
        else:
            assert answer["activationStatus"] == "PENDING_COMMIT"
            assert answer["userId"] == self.user
            self.activations.add(answer["activationId"])
            self.failed, self.states[current] = 0, "USED"
            if self.bound is not None:
                self._revoked()
                self._is_removed(self.bound)

    def enter_another_puk(self) -> None:
        """A wrong one, a later one before its turn, or one that was used."""
        puk = self.one_of(WRONG, *self.puks)
        current = self.current
        if current is not None and puk == self.puks[current]:
            puk = WRONG
        answer = self._recover(puk)
        if self.status != "ACTIVE":
            assert answer.code == "ERR0024"
        else:
            self._wrong(answer)

    def _recover(self, puk: str) -> Answer:
        device = Phone(self.server.app)
        sealed = self.server.run(device.layer2(self.server.call))
        return self.server.post(
            "activation/recovery/create",
            recoveryCode=self.code,
            puk=puk,
            applicationKey=device.app.key,
            generateRecoveryCodes=False,
            **device.env(sealed),
        )

    def _wrong(self, answer: Answer) -> None:
        self.failed += 1
        current = self.current
        if current is None:
            assert answer.code == "ERR0028"
        elif self.failed >= MAXIMUM:
            assert answer.code == "ERR0028"
            self.status, self.states[current] = "BLOCKED", "INVALID"
        else:
            assert answer.code == "ERR_RECOVERY"
            assert answer["currentRecoveryPukIndex"] == current + 1

    # -- ending it -----------------------------------------------------------------------------------------

    def revoke(self) -> None:
        answer = self.server.ok("recovery/revoke", recoveryCodeIds=[self.number])
        assert answer == {"revoked": self.status != "REVOKED"}
        self._revoked()

    def remove_the_activation(self) -> None:
        assert self.bound is not None
        with_codes = self.one_of(True, False)
        found = self.server.ok("activation/status", activationId=self.bound.activation_id)
        self.server.ok(
            "activation/remove", activationId=self.bound.activation_id, revokeRecoveryCodes=with_codes
        )
        if with_codes or found["activationStatus"] == "PENDING_COMMIT":
            self._revoked()

    def _revoked(self) -> None:
        self.status = "REVOKED"
        self.states = ["INVALID" if state == "VALID" else state for state in self.states]

    def _is_removed(self, device: Phone) -> None:
        found = self.server.ok("activation/status", activationId=device.activation_id)
        assert found["activationStatus"] == "REMOVED"

    # -- what holds after every step -----------------------------------------------------------------------

    @invariant()
    def the_code_is_as_the_model_says_and_came_there_by_the_table(self) -> None:
        found = self.server.ok("recovery/lookup", userId=self.user, applicationId="bank")
        [code] = found["recoveryCodes"]
        assert (code["recoveryCodeId"], code["status"]) == (self.number, self.status)
        assert [puk["status"] for puk in code["puks"]] == self.states
        assert code["recoveryCodeMasked"].endswith(self.code[-5:])
        before, puks_before = self.seen[-1]
        assert code["status"] in CODE_STATES[before]
        changes = zip(puks_before, self.states, strict=True)
        assert all(new in PUK_STATES[old] for old, new in changes)
        self.seen.append((code["status"], list(self.states)))

    @invariant()
    def puks_are_used_in_their_order(self) -> None:
        used = [state == "USED" for state in self.states]
        assert used == sorted(used, reverse=True)

    @invariant()
    def failures_stay_within_the_maximum(self) -> None:
        [(failed, maximum)] = self.server.rows(
            "SELECT failed_attempts, max_failed_attempts FROM pa_recovery_code WHERE id = :id", id=self.number
        )
        assert failed == self.failed
        # Once no PUK is left there is nothing to guess any more, and nothing to block.
        assert failed <= maximum == MAXIMUM or self.current is None

    @invariant()
    def nothing_but_a_right_puk_makes_an_activation(self) -> None:
        found = self.server.ok("activation/list", userId=self.user, applicationId="bank")
        assert {item["activationId"] for item in found["activations"]} == self.activations


def test_recovery_codes_follow_their_life_cycle(make_settings: MakeSettings) -> None:
    settings = make_settings(restrict_access=False, recovery_max_failed_attempts=MAXIMUM)
    with RunningCore(settings).running() as server:
        printer = generate_key_pair()
        server.ok(
            "recovery/config/update",
            applicationId="bank",
            activationRecoveryEnabled=True,
            recoveryPostcardEnabled=True,
            allowMultipleRecoveryCodes=True,
            remotePostcardPublicKey=b64encode(export_public_key(printer.public)),
        )
        run_machine(
            type("Machine", (RecoveryCodeLifeCycle,), {"printer": printer}), server, examples=15, steps=14
        )
