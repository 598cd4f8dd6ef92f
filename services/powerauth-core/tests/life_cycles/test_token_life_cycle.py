"""The life cycle of tokens, through HTTP (spec/core-api.md §11, §15; D10)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from core_test_api import MakeSettings
from hypothesis.stateful import initialize, invariant
from running_core import RunningCore, Sequence, run_machine

from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.ecies import SharedInfo1
from powerauth_sdk.phone import token_request
from servicekit import clock

FACTORS = ["POSSESSION", "POSSESSION_KNOWLEDGE"]
TOO_OLD, TOO_NEW = -7_200_000 - 120_000, 1_800_000 + 120_000


class TokenLifeCycle(Sequence):
    """Tokens of one activation; another activation of the same user tries to use them too."""

    @initialize()
    def start(self) -> None:
        self.device = self.server.device("user-1")
        self.id = self.device.activation_id or ""
        self.other = self.server.device("user-1").activation_id
        self.status = "ACTIVE"
        # Tokens by id with secret and factor; those that are removed; headers that were accepted.
        self.tokens: dict[str, tuple[bytes, str]] = {}
        self.removed: dict[str, tuple[bytes, str]] = {}
        self.accepted: list[dict[str, Any]] = []
        for factor in FACTORS:
            self._create(factor)
        self._validate(sorted(self.tokens)[0])

    def choices(self) -> Mapping[str, int]:
        return (
            {"create": 2}
            | ({"validate": 4, "validate_wrong": 3, "remove": 2} if self.tokens else {})
            | ({"validate_again": 4} if self.accepted else {})
            | ({"validate_removed": 2} if self.removed else {})
            | {"ACTIVE": {"block": 2}, "BLOCKED": {"unblock": 5, "remove_activation": 1}}.get(self.status, {})
        )

    def create(self) -> None:
        self._create(self.one_of(*FACTORS))

    def _create(self, factor: str) -> None:
        self.server.run(self.device.prepare_scope(self.server.call, Scope.ACTIVATION))
        sealed = self.device.seal(SharedInfo1.CREATE_TOKEN, b"{}")
        answer = self.server.post(
            "token/create",
            activationId=self.id,
            applicationKey=self.device.app.key,
            signatureType=factor,
            **self.device.env(sealed),
        )
        if self.status != "ACTIVE":
            assert answer.code == "ERR0008"
            return
        opened = sealed.open_json(answer.body)
        assert opened["tokenId"] not in self.tokens | self.removed
        self.tokens[opened["tokenId"]] = b64decode(opened["tokenSecret"]), factor

    def validate(self) -> None:
        """A fresh header of a token that is there."""
        self._validate(self.one_of(*sorted(self.tokens)))

    def _validate(self, token_id: str) -> None:
        header = self._header(token_id, self.tokens[token_id][0])
        answer = self.server.ok("token/validate", **header)
        assert answer["tokenValid"] is (self.status == "ACTIVE")
        assert (answer["activationId"], answer["activationStatus"]) == (self.id, self.status)
        assert answer["signatureType"] == self.tokens[token_id][1]
        if answer["tokenValid"]:
            self.accepted.append(header)

    def validate_again(self) -> None:
        """A header is accepted once, whatever happens to the activation in between."""
        header = self.one_of(*self.accepted)
        answer = self.server.post("token/validate", **header)
        if self.status == "ACTIVE" and header["tokenId"] in self.tokens:
            assert answer.code == "ERR0024"
        else:
            assert answer["tokenValid"] is False

    def validate_removed(self) -> None:
        token_id = self.one_of(*sorted(self.removed))
        answer = self.server.ok("token/validate", **self._header(token_id, self.removed[token_id][0]))
        assert (answer["tokenValid"], answer["activationId"]) == (False, None)

    def validate_wrong(self) -> None:
        """What is wrong with a header never counts on the activation and never uses the header up."""
        token_id = self.one_of(*sorted(self.tokens))
        wrong = self.one_of("digest", "other token", "old", "new", "version")
        secret = os.urandom(16) if wrong == "digest" else self.tokens[token_id][0]
        moment = {"old": TOO_OLD, "new": TOO_NEW}.get(wrong, 0)
        header = self._header(token_id, secret, moment)
        if wrong == "other token":
            header["tokenId"] = "00000000-0000-4000-8000-000000000000"
        if wrong == "version":
            header["protocolVersion"] = "2.1"
        answer = self.server.post("token/validate", **header)
        code = {"old": "ERR0030", "new": "ERR0044", "version": "ERR0022"}.get(wrong, "OK")
        assert answer.code == code
        if code == "OK":
            assert answer["tokenValid"] is False

    def remove(self) -> None:
        """Only the token's own activation removes it, in any state (§11)."""
        token_id, owner = self.one_of(*sorted(self.tokens)), self.one_of(True, False)
        answer = self.server.ok(
            "token/remove", tokenId=token_id, activationId=self.id if owner else self.other
        )
        assert answer == {"removed": owner}
        if owner:
            self.removed[token_id] = self.tokens.pop(token_id)
            assert self.server.ok("token/remove", tokenId=token_id, activationId=self.id) == {
                "removed": False
            }

    def block(self) -> None:
        self.server.ok("activation/block", activationId=self.id)
        self.status = "BLOCKED"

    def unblock(self) -> None:
        self.server.ok("activation/unblock", activationId=self.id)
        self.status = "ACTIVE"

    def remove_activation(self) -> None:
        self.server.ok("activation/remove", activationId=self.id)
        self.status = "REMOVED"

    @invariant()
    def the_tokens_are_those_of_the_model(self) -> None:
        rows = self.server.rows(
            "SELECT token_id, signature_type FROM pa_token WHERE activation_id = :id", id=self.id
        )
        assert {row[0]: row[1] for row in rows} == {name: factor for name, (_, factor) in self.tokens.items()}

    @invariant()
    def tokens_leave_the_activation_alone(self) -> None:
        found = self.server.ok("activation/status", activationId=self.id)
        assert (found["activationStatus"], found["failedAttempts"]) == (self.status, 0)
        [(counter,)] = self.server.rows(
            "SELECT counter FROM pa_activation WHERE activation_id = :id", id=self.id
        )
        assert counter == 0

    def _header(self, token_id: str, secret: bytes, later: int = 0) -> dict[str, Any]:
        return token_request((token_id, secret), clock.now_ms() + later)


def test_tokens_follow_their_life_cycle(make_settings: MakeSettings) -> None:
    with RunningCore(make_settings(restrict_access=False)).running() as server:
        run_machine(TokenLifeCycle, server)
