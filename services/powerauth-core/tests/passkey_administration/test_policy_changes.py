"""Who may lose what by a change of the passkey policy (spec/device-trust.md §4.7, §4.13, §4.14)."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from core_test_api import Api, StartCore, TestApplication
from core_test_passkey_rows import ORIGIN, RP, SECURITY_KEY, store_passkey
from core_test_phones import Activate
from core_test_rows import found
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.applications import config_service, repository
from powerauth_core.applications.config_keys import WEBAUTHN_API
from powerauth_core.audit.models import AuditLog
from powerauth_core.container import Core
from powerauth_core.passkey_administration import confirmations
from powerauth_core.passkey_records import reads as records
from powerauth_sdk.authenticator import Maker
from servicekit import clock

POLICY = {"rpId": RP, "rpWebOrigins": [ORIGIN]}
SYNCED_REFUSED = POLICY | {"allowSyncedPasskeys": False}
SYNCED: dict[str, Any] = {"be": True, "bs": True}


class Policies:
    """The calls of one application."""

    def __init__(self, core: Core, api: Api, application: TestApplication) -> None:
        self.core, self.api, self.application_id = core, api, application.application_id

    async def impact(self, policy: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = await self.api.ok(
            "passkey/policy/impact", applicationId=self.application_id, policy=policy
        )
        return answer

    async def put(self, policy: dict[str, Any], **members: Any) -> dict[str, Any]:
        """Change it; the answer's object, with the code of a refusal."""
        path = "passkey/policy/update"
        _, body = await self.api.post(path, applicationId=self.application_id, policy=policy, **members)
        answer: dict[str, Any] = body["responseObject"]
        return answer

    async def store(self, user_id: str, **extras: Any) -> str:
        return await store_passkey(self.core, self.application_id, user_id, **extras)


@pytest.fixture
def policies(core: Core, api: Api, application: TestApplication) -> Policies:
    return Policies(core, api, application)


def figures(answer: dict[str, Any]) -> tuple[int, ...]:
    names = ("credentialsTotal", "credentialsBlocked", "usersAffected", "usersLockedOut")
    return tuple(answer[name] for name in names)


async def users(policies: Policies, activate: Activate) -> None:
    """Four with synced passkeys, who differ in what else they have; one without any."""
    for user in ("alone", "with-key", "with-phone", "blocked-key"):
        await policies.store(user, **SYNCED)
    await policies.store("alone", **SYNCED)
    await policies.store("with-key")
    await policies.store("blocked-key", status=ActivationStatus.BLOCKED)
    await policies.store("of-the-original", be=None, bs=None)
    await activate(user_id="with-phone")


@pytest.mark.dialects("sqlite", "postgresql")
async def test_fi_18_users_are_not_locked_out_unseen(
    policies: Policies, activate: Activate, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A user's passkeys stand in several batches.
    monkeypatch.setattr(records, "batches", partial(records.batches, size=2))
    await users(policies, activate)
    assert (await policies.put(POLICY))["version"] == 1

    seen = await policies.impact(SYNCED_REFUSED)
    assert figures(seen) == (7, 5, 4, 2)
    assert seen["byReason"] == {"PASSKEY_SYNCED_NOT_ALLOWED": 5}
    assert set(seen["sampleUserIds"][:2]) == {"alone", "blocked-key"}
    assert (seen["unknownType"], seen["unattestedAaguids"]) == (1, 0)
    assert seen["warnings"] == ["SYNCED_BY_CLAIM"]

    refused = await policies.put(SYNCED_REFUSED)
    assert (refused["code"], figures(refused)) == ("PASSKEY_POLICY_IMPACT", figures(seen))
    assert refused["warning"]
    # A confirmation is one of these figures and this policy.
    other = SYNCED_REFUSED | {"rpName": "Bank"}
    assert (await policies.put(other, confirmation=seen["confirmation"]))["code"] == refused["code"]
    await policies.store("later", **SYNCED)
    stale = await policies.put(SYNCED_REFUSED, confirmation=seen["confirmation"])
    assert (stale["code"], figures(stale)) == ("PASSKEY_POLICY_IMPACT", (8, 6, 5, 3))
    assert (await policies.put(SYNCED_REFUSED, confirmation=stale["confirmation"]))["version"] == 2

    # What is stopped already is not counted again, and giving back takes nothing.
    assert figures(await policies.impact(SYNCED_REFUSED | {"rpName": "Bank"})) == (8, 0, 0, 0)
    assert (await policies.put(POLICY))["version"] == 3
    assert (await policies.put(SYNCED_REFUSED, force=True, externalUserId="root"))["changedBy"] == "root"


def test_a_confirmation_has_its_time(core: Core) -> None:
    now, facts = clock.now(), ["a", 1]
    given = confirmations.issue(core.cipher, facts, now)
    late = now + confirmations.VALID
    assert confirmations.holds(core.cipher, given, facts, late - timedelta(seconds=1))
    assert not confirmations.holds(core.cipher, given, facts, late)
    assert not confirmations.holds(core.cipher, given, ["a", 2], now)
    for broken in ("", ".", "x", "9" * 20 + ".", given[:-1], f"9{given}", "٣.x"):
        assert not confirmations.holds(core.cipher, broken, facts, now), broken


@pytest.mark.parametrize(
    ("extras", "before", "after", "reason"),
    [
        ({}, {}, {"rpId": "other.example", "rpWebOrigins": []}, "RP_ID"),
        ({}, {}, {"rpWebOrigins": []}, "ORIGIN"),
        ({"lastOrigin": "https://app.bank.example"}, {}, {"rpWebOrigins": []}, None),
        ({"uv": False}, {"userVerification": "preferred"}, {}, "USER_VERIFICATION"),
        ({"uv": False}, {}, {"rpName": "Bank"}, None),
        ({"alg": -257}, {"algorithms": [-7, -257]}, {}, "ALGORITHM"),
        ({"be": False}, {}, {"aaguidBlockList": [SECURITY_KEY]}, "PASSKEY_AAGUID_BLOCKED"),
        (
            {"attTrust": "LOCAL", "attAnchor": "apple-webauthn"},
            {"mdsMode": "enforce"},
            {"mdsMode": "enforce", "localRoots": ["google-hw-rsa"]},
            "PASSKEY_ATTESTATION_REVOKED",
        ),
        (
            {"attTrust": "LOCAL", "attAnchor": "apple-webauthn", "attVouched": True},
            {"aaguidAllowList": [SECURITY_KEY]},
            {"aaguidAllowList": [SECURITY_KEY], "localRootsCount": False},
            "PASSKEY_AAGUID_UNVERIFIED",
        ),
    ],
    ids=str,
)
async def test_whatever_stops_a_passkey_is_counted(
    policies: Policies,
    extras: dict[str, Any],
    before: dict[str, Any],
    after: dict[str, Any],
    reason: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(type(policies.core.fido_metadata), "number", 1)  # what needs metadata has some
    await policies.store("anna", **extras)
    await policies.put(POLICY | before, force=True)
    seen = await policies.impact(POLICY | after)
    assert seen["byReason"] == ({} if reason is None else {reason: 1})
    assert figures(seen) == ((1, 0, 0, 0) if reason is None else (1, 1, 1, 1))


async def test_another_rp_id_has_to_be_forced(policies: Policies) -> None:
    moved = POLICY | {"rpId": "example", "rpWebOrigins": [ORIGIN]}
    await policies.put(POLICY)
    assert (await policies.put(moved))["version"] == 2  # nobody has a passkey
    await policies.put(POLICY)
    await policies.store("anna")
    seen = await policies.impact(moved)
    refused = await policies.put(moved, confirmation=seen["confirmation"])
    assert refused["code"] == "PASSKEY_POLICY_IMPACT"
    assert (await policies.put(moved, force=True))["policy"]["rpId"] == "example"


async def test_fi_25_an_allow_list_begins_to_bind(policies: Policies) -> None:
    core, application_id = policies.core, policies.application_id
    older = POLICY | {"aaguidAllowList": [SECURITY_KEY]}
    async with core.database.transaction() as session:
        row = await repository.lock_by_name(session, application_id)
        assert row is not None
        await config_service.store(core.cipher, session, row, WEBAUTHN_API, [older])
    await policies.store("anna")
    activation_id = await policies.store(
        "anna", attTrust="LOCAL", attAnchor="apple-webauthn", attVouched=True
    )
    detail = await policies.api.ok("passkey/policy/detail", applicationId=application_id)
    assert detail["policy"]["aaguidAllowListBinding"] is False
    assert (detail["version"], detail["effective"]["aaguidAllowList"]) == (0, "advisory")
    assert "AAGUID_ALLOW_LIST_NOT_BINDING" in detail["warnings"]

    bound = older | {"localRoots": ["apple-webauthn"]}
    assert (await policies.put(older))["code"] == "MDS_NOT_LOADED"
    await policies.api.ok(
        "application/config/create",
        applicationId=application_id,
        key="fido2_root_ca_certs",
        values=[Maker("Bank").root.public_bytes(Encoding.PEM).decode()],
    )
    seen = await policies.impact(bound)
    assert (figures(seen), seen["unattestedAaguids"]) == ((2, 1, 1, 0), 1)
    assert seen["effective"]["aaguidAllowList"] == "binding"
    assert (await policies.put(bound))["code"] == "PASSKEY_POLICY_IMPACT"
    changed = await policies.put(bound, confirmation=seen["confirmation"])
    assert changed["policy"]["aaguidAllowListBinding"] is True
    assert changed["policy"]["attestationType"] == "direct"

    async def blocked() -> dict[str, str | None]:
        listed = await policies.api.ok("passkey/list", userId="anna")
        return {one["activationId"]: one["blockedByPolicy"] for one in listed["passkeys"]}

    codes = await blocked()
    assert codes.pop(activation_id) is None
    assert list(codes.values()) == ["PASSKEY_AAGUID_UNVERIFIED"]
    await policies.put(bound | {"aaguidAllowListBinding": False})
    assert set((await blocked()).values()) == {None}


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"aaguidAllowList": [SECURITY_KEY], "aaguidBlockList": [SECURITY_KEY]}, "PASSKEY_LISTS_EXCLUSIVE"),
        ({"mdsMode": "enforce", "attestationType": "none"}, "PASSKEY_ATTESTATION_LOCKED"),
        ({"mdsMode": "monitor", "attestationType": "none"}, "PASSKEY_ATTESTATION_LOCKED"),
        ({"aaguidAllowList": [SECURITY_KEY], "attestationType": "none"}, "PASSKEY_ATTESTATION_LOCKED"),
        ({"mdsMode": "enforce"}, "MDS_NOT_LOADED"),
        ({"aaguidAllowList": [SECURITY_KEY]}, "MDS_NOT_LOADED"),
        ({"rpId": "Bank"}, "rpId"),
        ({"rpId": 1}, "rpId"),
        ({"rpWebOrigins": ["http://localhost"]}, "rpWebOrigins"),
        ({"localRoots": ["unknown"]}, "localRoots"),
        ({"lockoutTiers": [{"attempts": 0, "duration": 1}]}, "lockoutTiers.0.attempts"),
        ({"failuresExpireIn": 1.5}, "failuresExpireIn"),
        ({"enforceAttestation": "true"}, "enforceAttestation"),
        ({"aaguidBlockList": [str(number) for number in range(501)]}, "aaguidBlockList"),
        ({"userVerification": "always"}, "userVerification"),
    ],
    ids=str,
)
async def test_fi_13_what_is_no_policy_changes_nothing(
    policies: Policies, members: dict[str, Any], code: str
) -> None:
    answer = await policies.put(POLICY | members, force=True)
    if answer["code"] == "ERR0024":
        assert answer["message"].startswith(f"requestObject.policy.{code}")
    else:
        assert answer["code"] == code
    detail = await policies.api.ok("passkey/policy/detail", applicationId=policies.application_id)
    assert (detail["policy"], detail["version"]) == (None, 0)


async def test_monitor_needs_no_metadata_yet(policies: Policies) -> None:
    stored = await policies.put(POLICY | {"mdsMode": "monitor"})
    assert (stored["version"], stored["warnings"]) == (1, ["MDS_NOT_LOADED"])


async def test_a_change_of_another_version_is_none(
    policies: Policies, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await policies.put(POLICY, version=0))["version"] == 1
    assert (await policies.put(POLICY, version=0))["code"] == "PASSKEY_POLICY_CHANGED"
    assert (await policies.put(POLICY, version=1))["version"] == 2


async def test_who_changed_what_is_audited_with_the_figures(policies: Policies) -> None:
    await policies.put(POLICY)
    await policies.store("anna", **SYNCED)
    await policies.put(SYNCED_REFUSED, force=True, externalUserId="root")
    (text,) = await found(
        policies.core,
        select(AuditLog.param)
        .where(AuditLog.message == "policy.changed")
        .order_by(AuditLog.timestamp_created.desc())
        .limit(1),
    )
    written = json.loads(text)
    assert (written["old"]["allowSyncedPasskeys"], written["new"]["allowSyncedPasskeys"]) == (True, False)
    assert written["impact"]["usersLockedOut"] == 1
    assert (written["version"], written["forced"], written["externalUserId"]) == (2, True, "root")


@pytest.mark.parametrize(
    ("broken", "version"), [("broken", 0), (POLICY | {"mdsMode": "sometimes", "version": 7}, 7)]
)
async def test_a_policy_that_cannot_be_read_is_replaced_by_force(
    policies: Policies, broken: object, version: int
) -> None:
    """Its number is counted on: a change made of an earlier version stays void."""
    core = policies.core
    async with core.database.transaction() as session:
        row = await repository.lock_by_name(session, policies.application_id)
        assert row is not None
        await config_service.store(core.cipher, session, row, WEBAUTHN_API, [broken])
    assert (
        await policies.api.error("passkey/policy/detail", applicationId=policies.application_id) == "ERR0010"
    )
    assert (await policies.put(POLICY))["code"] == "ERR0010"
    assert (await policies.put(POLICY, force=True))["version"] == version + 1


async def test_nobody_is_counted_of_another_application(
    policies: Policies, core: Core, api: Api, start_core: StartCore
) -> None:
    await api.ok("application/create", applicationId="other")
    await store_passkey(core, "other", "anna", **SYNCED)
    await policies.put(POLICY)
    assert figures(await policies.impact(SYNCED_REFUSED)) == (0, 0, 0, 0)
