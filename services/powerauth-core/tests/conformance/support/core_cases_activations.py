"""Cases of the activation and recovery calls (spec/core-api.md §7, §8)."""

from __future__ import annotations

from typing import Any

import pytest
from core_cases import (
    Bad,
    Case,
    Then,
    always,
    no_master_key,
    out_of_scope,
    patched,
    present,
    same,
    temporary_keys_gone,
    unreadable_master_key,
    unreadable_server_key,
    unsupported,
)
from core_world import (
    ACTIVE,
    APP,
    APP_KEY,
    BLOCKED,
    CREATED,
    FUTURE,
    PENDING,
    REMOVED,
    USER,
    World,
    activation,
    init,
    layer2,
)

from powerauth_contracts.enums import ActivationOtpValidation, CommitPhase
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.v3 import activation_code
from powerauth_protocol.v3.versions import ProtocolVersion

UNKNOWN = Bad("0009", {"activationId": "unknown"})
NOT_FOUND = (UNKNOWN, out_of_scope("0009"))
SAME_ID = {"activationId": same("activationId")}


def wrong_state(*activations: Any, code: str = "0008") -> tuple[Bad, ...]:
    return tuple([Bad(code, {"activationId": reference}) for reference in activations])


def status_is(status: str, **members: Any) -> Then:
    return Then("activation/status", SAME_ID, {"activationStatus": status} | members)


def last_change(status: str, reason: str | None = None, by: str | None = None) -> Then:
    """The newest row of the history."""

    def newest(items: list[dict[str, Any]]) -> bool:
        item = items[0]
        return (item["activationStatus"], item["eventReason"], item["externalUserId"]) == (status, reason, by)

    return Then("activation/history", SAME_ID, {"items": newest})


_MODULE = "powerauth_core.activations.initialisation.repository"
ID_TAKEN = Bad("0005", patch=patched(f"{_MODULE}.exists_id", always))
CODE_TAKEN = Bad("0006", patch=patched(f"{_MODULE}.code_prefix_in_use", always))
IN_THE_PAST = (
    "requestObject.timestampActivationExpire - The activation expiration timestamp must be in the future"
)
NOT_POSITIVE = "requestObject.maxFailureCount - must be greater than 0"

INIT = Case(
    "activation/init",
    {
        "userId": "user-1",
        "applicationId": APP,
        "protocol": "powerauth",
        "timestampActivationExpire": FUTURE,
        "maxFailureCount": 3,
        "commitPhase": "ON_KEY_EXCHANGE",
        "activationOtp": "918273",
        "flags": ["B", "A", "B"],
        "additionalData": {"a": [1, None]},
    },
    {"userId": "user-1", "activationCode": activation_code.validate},
    (
        status_is(
            "CREATED",
            commitPhase="ON_KEY_EXCHANGE",
            maxFailedAttempts=3,
            activationFlags=["B", "A", "B"],
            additionalData={"a": [1, None]},
            activationCode=present,
            version=0,
        ),
        last_change("CREATED"),
    ),
    more=(
        ({"commitPhase": None, "activationOtpValidation": "ON_COMMIT"}, {}),
        ({"protocol": "fido2"}, {}),
        ({"maxFailureCount": None, "activationOtp": " ", "flags": None}, {}),
    ),
    bad=(
        Bad("0003", after=no_master_key),
        Bad("0004", after=unreadable_master_key),
        ID_TAKEN,
        CODE_TAKEN,
        Bad("0015", {"applicationId": "unknown"}),
        out_of_scope("0015"),
        Bad("0024", {"userId": "x" * 256}, "requestObject.userId - must have at most 255 characters"),
        Bad("0024", {"maxFailureCount": 0}, NOT_POSITIVE),
        Bad("0024", {"timestampActivationExpire": 1}, f"{IN_THE_PAST} when initiating activation"),
        Bad(
            "0024",
            {"activationOtpValidation": "ON_COMMIT"},
            "requestObject.commitPhase - must not be combined with activationOtpValidation",
        ),
        Bad(
            "0024",
            {"activationOtpValidation": "ON_COMMIT", "commitPhase": None, "activationOtp": " "},
            "requestObject.activationOtp - must not be blank",
        ),
    ),
)

# What every key exchange refuses. A broken MAC is one that decodes.
_NO_KEY = layer2(plaintext=b'{"activationName":"x"}')
_BAD_KEY = layer2(plaintext=b'{"devicePublicKey":"' + b64encode(bytes(33)).encode() + b'"}')
EXCHANGE_REFUSALS = (
    # Version 3.2 encrypts for the master key itself.
    Bad("0003", {"**": layer2(version=ProtocolVersion.V3_2)}, after=no_master_key),
    Bad("0010", {"**": _BAD_KEY}),
    Bad("0011", {"**": layer2(plaintext=b"no json")}),
    Bad("0018", {"mac": b64encode(bytes(32))}),
    Bad("0018", {"protocolVersion": "2.1"}),
    Bad("0024", {"nonce": None}),
    Bad("0024", {"**": _NO_KEY}),
    Bad("0024", {"timestamp": 1}),
    Bad("0045", after=temporary_keys_gone),
)


PREPARE = Case(
    "activation/prepare",
    {"activationCode": init(), "applicationKey": APP_KEY, "**": layer2(), "generateRecoveryCodes": True},
    {"userId": "user-1", "activationStatus": "PENDING_COMMIT"},
    (
        status_is(
            "PENDING_COMMIT",
            activationName="Phone",
            platform="ios",
            deviceInfo="iPhone13,2",
            extras="extra",
            version=3,
            activationCode=None,
            devicePublicKeyFingerprint=present,
        ),
        last_change("PENDING_COMMIT"),
    ),
    more=(
        ({"activationCode": init(commitPhase="ON_KEY_EXCHANGE")}, {"activationStatus": "ACTIVE"}),
        (
            {"activationCode": init(commitPhase="ON_KEY_EXCHANGE", activationOtp="1"), "**": layer2("1")},
            {"activationStatus": "ACTIVE"},
        ),
        # An OTP that nobody asked for does not activate (§7.2, §33 no. 1).
        ({"**": layer2("1")}, {"activationStatus": "PENDING_COMMIT"}),
    ),
    bad=(
        *EXCHANGE_REFUSALS,
        Bad("0007", {"applicationKey": "unknown"}),
        Bad("0007", after=unsupported),
        Bad("0009", {"activationCode": activation_code.generate()}),
        Bad("0009", {"activationCode": "AAAAA-AAAAA-AAAAA-AAAAA"}),
        out_of_scope("0009"),
        Bad(
            "0031",
            {"activationCode": init(commitPhase="ON_KEY_EXCHANGE", activationOtp="1"), "**": layer2("2")},
        ),
        Bad("0031", {"activationCode": init(commitPhase="ON_KEY_EXCHANGE", activationOtp="1")}),
        Bad("0031", {"activationCode": init(activationOtp="1"), "**": layer2("1")}),
    ),
)

CREATE = Case(
    "activation/create",
    {
        "userId": USER,
        "applicationKey": APP_KEY,
        "**": layer2(),
        "timestampActivationExpire": FUTURE,
        "maxFailureCount": 4,
        "activationOtp": "1",
        "additionalData": {"a": 1},
    },
    {"activationStatus": "PENDING_COMMIT"},
    (
        status_is("PENDING_COMMIT", maxFailedAttempts=4, additionalData={"a": 1}, commitPhase="ON_COMMIT"),
        last_change("PENDING_COMMIT"),
        Then("activation/commit", SAME_ID | {"activationOtp": "1"}, {"activated": True}),
    ),
    bad=(
        *EXCHANGE_REFUSALS,
        Bad("0004", {"**": layer2()}, after=unreadable_master_key),
        ID_TAKEN,
        CODE_TAKEN,
        Bad("0015", {"applicationKey": "unknown"}),
        Bad("0015", after=unsupported),
        out_of_scope("0015"),
        Bad("0024", {"maxFailureCount": 0}, NOT_POSITIVE),
        Bad("0024", {"timestampActivationExpire": 1}, f"{IN_THE_PAST} when creating activation"),
    ),
)


LIFE_CYCLE = (
    Case(
        "activation/otp/update",
        {"activationId": PENDING, "activationOtp": "2", "externalUserId": "op-1"},
        {"updated": True},
        (
            status_is("PENDING_COMMIT", activationOtpValidation="ON_COMMIT"),
            last_change("PENDING_COMMIT", "OTP_VALUE_UPDATE", "op-1"),
        ),
        bad=(
            *wrong_state(CREATED, ACTIVE, BLOCKED, REMOVED),
            *NOT_FOUND,
            Bad(
                "0032",
                after=lambda world: world.change(
                    activation_otp_validation=ActivationOtpValidation.ON_KEY_EXCHANGE
                ),
            ),
        ),
    ),
    Case(
        "activation/commit",
        {"activationId": PENDING, "externalUserId": "op-1"},
        {"activated": True},
        (status_is("ACTIVE"), last_change("ACTIVE", None, "op-1")),
        more=(({"activationId": activation("PENDING_COMMIT", activationOtp="1"), "activationOtp": "1"}, {}),),
        bad=(
            *wrong_state(CREATED, ACTIVE, BLOCKED),
            *wrong_state(REMOVED, code="0007"),
            *NOT_FOUND,
            Bad(
                "0031",
                {"activationId": activation("PENDING_COMMIT", activationOtp="1"), "activationOtp": "2"},
            ),
            Bad("0031", {"activationId": activation("PENDING_COMMIT", activationOtp="1")}),
            Bad("0008", after=lambda world: world.change(commit_phase=CommitPhase.ON_KEY_EXCHANGE)),
        ),
    ),
    Case(
        "activation/block",
        {"activationId": ACTIVE, "reason": "LOST_PHONE", "externalUserId": "op-17"},
        {"activationStatus": "BLOCKED", "blockedReason": "LOST_PHONE"},
        (status_is("BLOCKED", blockedReason="LOST_PHONE"), last_change("BLOCKED", "LOST_PHONE", "op-17")),
        more=(
            ({"reason": None}, {"blockedReason": "NOT_SPECIFIED"}),
            ({"activationId": BLOCKED}, {"activationStatus": "BLOCKED", "blockedReason": "NOT_SPECIFIED"}),
        ),
        bad=(*wrong_state(CREATED, PENDING, REMOVED), *NOT_FOUND),
    ),
    Case(
        "activation/unblock",
        {"activationId": BLOCKED, "externalUserId": "op-17"},
        {"activationStatus": "ACTIVE"},
        (status_is("ACTIVE", blockedReason=None, failedAttempts=0), last_change("ACTIVE", None, "op-17")),
        more=(({"activationId": ACTIVE}, {"activationStatus": "ACTIVE"}),),
        bad=(*wrong_state(CREATED, PENDING, REMOVED), *NOT_FOUND),
    ),
    Case(
        "activation/remove",
        {"activationId": ACTIVE, "externalUserId": "op-17", "revokeRecoveryCodes": True},
        {"removed": True},
        (status_is("REMOVED"), last_change("REMOVED", None, "op-17")),
        more=tuple(
            [({"activationId": reference}, {"removed": True}) for reference in (CREATED, BLOCKED, REMOVED)]
        ),
        bad=NOT_FOUND,
    ),
    Case(
        "activation/name/update",
        {"activationId": ACTIVE, "activationName": "Mine", "externalUserId": "op-17"},
        {"activationName": "Mine", "activationStatus": "ACTIVE"},
        (
            status_is("ACTIVE", activationName="Mine"),
            last_change("ACTIVE", "ACTIVATION_NAME_UPDATED", "op-17"),
        ),
        more=(({"activationId": PENDING, "externalUserId": None}, {"activationStatus": "PENDING_COMMIT"}),),
        bad=(*wrong_state(CREATED, BLOCKED, REMOVED), *NOT_FOUND),
    ),
    Case(
        "activation/status/update",
        {"activationIds": [ACTIVE, CREATED, "unknown"], "activationStatus": "REMOVED"},
        {"updated": True},
        (
            # Out of the caller's scope they are passed over like unknown ones.
            Then(
                "activation/status/update",
                {"activationIds": same("activationIds"), "activationStatus": "ACTIVE"}
                | {"applicationIds": ["other"]},
                {"updated": True},
            ),
            Then(
                "activation/lookup",
                {"userIds": ["user-1"], "applicationIds": [APP], "activationStatus": "REMOVED"},
                {"activations": lambda found: len(found) == 2},
            ),
        ),
        more=(({"applicationIds": ["other"]}, {"updated": True}),),
    ),
)


def without_master_key_pair(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The core runs without the key that the records are encrypted with."""
    world.core.activation_keys._entries.clear()
    monkeypatch.setattr(world.core.cipher, "_master_key", None)


READING = (
    Case(
        "activation/status",
        {"activationId": ACTIVE, "challenge": b64encode(bytes(16))},
        {
            "activationStatus": "ACTIVE",
            "protocol": "powerauth",
            "encryptedStatusBlobNonce": present,
            "devicePublicKeyFingerprint": lambda digits: len(digits) == 8,
            "version": 3,
        },
        more=(
            ({"activationId": CREATED}, {"activationStatus": "CREATED", "activationCode": present}),
            (
                {"activationId": "unknown"},
                {
                    "activationStatus": "REMOVED",
                    "userId": "unknown",
                    "activationName": "unknown",
                    "applicationId": None,
                    "protocol": None,
                    "timestampCreated": "1970-01-01T00:00:00.000+00:00",
                    "failedAttempts": 0,
                    "maxFailedAttempts": 5,
                    "version": 0,
                    "encryptedStatusBlobNonce": present,
                },
            ),
            ({"applicationIds": ["other"]}, {"activationStatus": "REMOVED", "userId": "unknown"}),
            ({"challenge": None}, {"encryptedStatusBlobNonce": None}),
        ),
        bad=(
            Bad("0003", {"activationId": CREATED}, after=no_master_key),
            Bad("0008", after=lambda world: world.change(version=2)),
            Bad("0010", after=unreadable_server_key),
            Bad("0020", patch=without_master_key_pair),
            Bad(
                "0021",
                after=lambda world: world.change(
                    server_private_key_base64="AAAAAAAAAAAAAAAAAAAAAAAAAAA=", server_private_key_encryption=7
                ),
            ),
            Bad("0024", {"challenge": "AAAA"}),
            Bad("0024", {"challenge": "AAAA", "activationId": "unknown"}),
        ),
    ),
    Case(
        "activation/list",
        {
            "userId": "user-1",
            "applicationId": APP,
            "protocols": ["powerauth"],
            "pageNumber": 0,
            "pageSize": 1,
        },
        {"userId": "user-1", "activations": [{"activationStatus": "ACTIVE", "applicationName": None}]},
        before=lambda world: _ignored(ACTIVE(world)),
        more=(
            ({"protocols": None, "activationStatuses": ["ACTIVE"]}, {"activations": [{"version": 3}]}),
            ({"protocols": ["fido2"]}, {"activations": []}),
            ({"activationStatuses": ["REMOVED"]}, {"activations": []}),
            ({"applicationId": "unknown"}, {"activations": []}),
            ({"applicationIds": ["other"]}, {"activations": []}),
            ({"pageNumber": 1}, {"activations": []}),
        ),
        bad=(
            Bad(
                "0024",
                {"pageNumber": -1},
                "requestObject.pageNumber - must be greater than or equal to 0",
            ),
            Bad("0024", {"pageSize": 0}, "requestObject.pageSize - must be greater than or equal to 1"),
        ),
    ),
    Case(
        "activation/lookup",
        {"userIds": ["user-1"], "applicationIds": [APP], "activationFlags": ["A"]},
        {"activations": [{"activationFlags": ["A", "B"]}]},
        before=lambda world: _ignored(activation("ACTIVE", flags=["A", "B"])(world)),
        more=(
            ({"activationFlags": ["A", "X"]}, {"activations": []}),
            ({"activationStatus": "BLOCKED"}, {"activations": []}),
            ({"timestampLastUsedBefore": 1}, {"activations": []}),
            ({"timestampLastUsedAfter": FUTURE}, {"activations": []}),
        ),
        bad=(
            Bad(
                "0024",
                {"userIds": []},
                "requestObject.userIds - must not be empty",
            ),
        ),
    ),
    Case(
        "activation/history",
        {"activationId": BLOCKED, "timestampFrom": 0, "timestampTo": FUTURE},
        {
            "items": [
                {"activationStatus": "BLOCKED", "eventReason": "NOT_SPECIFIED", "version": 3},
                {"activationStatus": "ACTIVE"},
                {"activationStatus": "PENDING_COMMIT", "activationName": "Phone"},
                {"activationStatus": "CREATED", "version": None},
            ]
        },
        more=(
            ({"activationId": "unknown"}, {"items": []}),
            ({"timestampTo": 1}, {"items": []}),
            ({"applicationIds": ["other"]}, {"items": []}),
            ({"timestampFrom": None, "timestampTo": None}, {"items": lambda items: len(items) == 4}),
        ),
    ),
)


async def _ignored(result: Any) -> None:
    await result


FLAGGED = activation("ACTIVE", flags=["C", "A"])
FLAGS = (
    Case("activation/flags/list", {"activationId": FLAGGED}, {"activationFlags": ["C", "A"]}, bad=NOT_FOUND),
    Case(
        "activation/flags/create",
        {"activationId": FLAGGED, "activationFlags": ["B", "A"]},
        {"activationFlags": ["A", "B", "C"]},
        (status_is("ACTIVE", activationFlags=["A", "B", "C"]),),
        more=(({"activationFlags": ["A"]}, {"activationFlags": ["C", "A"]}),),
        bad=(
            *NOT_FOUND,
            Bad("0024", {"activationFlags": ["x" * 252]}, "requestObject.activationFlags - must be shorter"),
        ),
    ),
    Case(
        "activation/flags/update",
        {"activationId": FLAGGED, "activationFlags": ["B", "A", "A"]},
        {"activationFlags": ["A", "A", "B"]},
        (status_is("ACTIVE", activationFlags=["A", "A", "B"]),),
        bad=NOT_FOUND,
    ),
    Case(
        "activation/flags/remove",
        {"activationId": FLAGGED, "activationFlags": ["C", "X"]},
        {"activationFlags": ["A"]},
        (status_is("ACTIVE", activationFlags=["A"]),),
        bad=NOT_FOUND,
    ),
)


CASES = (INIT, PREPARE, CREATE, *LIFE_CYCLE, *READING, *FLAGS)
