"""The daily look at stored attestations (spec/device-trust.md §4.11, §4.14)."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from core_test_api import Api
from core_test_attested import Bank
from core_test_metadata import entry
from core_test_tokens import ISSUER, authentication, make_client, signed_in
from sqlalchemy import select, update

from powerauth_contracts.enums import ActivationStatus
from powerauth_core import jobs
from powerauth_core.activations.models import Activation
from powerauth_core.audit.models import AuditLog
from powerauth_core.callbacks.models import CallbackUrlEvent
from powerauth_core.jwt.models import JwtSession
from powerauth_core.passkey_records import reads
from powerauth_core.passkey_records.models import Fido2Attestation
from powerauth_core.passkey_revalidation import repository, revalidation, rules
from powerauth_core.passkey_revalidation.batches import Judged, judged
from powerauth_core.passkey_revalidation.models import PasskeyRevalidation
from powerauth_core.passkeys.attestation.trust import Trust
from powerauth_sdk.authenticator import Maker
from powerauth_sdk.authenticator.device import TEST_MODEL
from servicekit import clock

ENFORCE = {"mdsMode": "enforce"}
OTHER_MODEL = uuid.UUID("11111111-2222-3333-4444-555555555555")
_JUDGED = "powerauth_core.passkey_revalidation.revalidation.judged"
NOON = datetime(2026, 11, 30, 12)


def figures(row: PasskeyRevalidation) -> tuple[str, int, int, int]:
    return row.status, row.checked, row.invalidated, row.restored


async def messages(bank: Bank) -> list[tuple[str, dict[str, Any]]]:
    async with bank.core.database.read() as session:
        asked = select(AuditLog).where(AuditLog.audit_type == "fido2").order_by(AuditLog.timestamp_created)
        rows = (await session.scalars(asked)).all()
    return [(row.message, json.loads(row.param or "{}")) for row in rows]


async def ready(bank: Bank, count: int, **policy: Any) -> list[str]:
    """So many sound passkeys of one model, and one of another."""
    await bank.set_policy(**(ENFORCE | policy))
    ids = await bank.passkeys(count)
    return [*ids, *await bank.passkeys(1, OTHER_MODEL)]


@pytest.mark.dialects("sqlite", "postgresql")
async def test_fi_17_a_revoked_model_loses_its_trust_and_gets_it_back(bank: Bank, api: Api) -> None:
    await ready(bank, 4)
    (other,) = await bank.passkeys(1, OTHER_MODEL)
    good = entry(OTHER_MODEL, bank.maker.root)
    await bank.publish(bank.model, good)
    assert figures(await revalidation.run(bank.core)) == ("DONE", 6, 0, 0)
    # One model of two lost in six is over a fifth: the brake's own test is below.
    bank.core.settings.passkey_revalidation_max_invalid_share = 0.5
    callback = {"type": "PASSKEY_POLICY_CHANGE", "callbackUrl": "http://127.0.0.1:1/", "name": "passkeys"}
    attributes = ["userId", "trust", "previousTrust", "reason", "mdsNo", "aaguid"]
    application_id = bank.application.application_id
    await api.ok(
        "application/callback/create", applicationId=application_id, attributes=attributes, **callback
    )
    await bank.publish(bank.model, entry(OTHER_MODEL, bank.maker.root, status="REVOKED"))
    assert figures(await revalidation.run(bank.core)) == ("DONE", 6, 2, 0)
    assert (await bank.trusts())[other] == (Trust.INVALIDATED, "REVOKED")
    async with bank.core.database.read() as session:
        event = (await session.scalars(select(CallbackUrlEvent))).first()
    assert event is not None
    told = json.loads(event.callback_data)
    assert {name: told[name] for name in ("type", "trust", "previousTrust", "reason", "mdsNo", "aaguid")} == {
        "type": "PASSKEY",
        "trust": "INVALIDATED",
        "previousTrust": "VERIFIED",
        "reason": "REVOKED",
        "mdsNo": 2,
        "aaguid": str(OTHER_MODEL),
    }
    # Nothing is done twice, and what is good again comes back.
    assert figures(await revalidation.run(bank.core)) == ("DONE", 6, 0, 0)
    await bank.publish(bank.model, good)
    assert figures(await revalidation.run(bank.core)) == ("DONE", 6, 0, 2)
    assert {trust for trust, _ in (await bank.trusts()).values()} == {Trust.VERIFIED}
    names = [name for name, _ in await messages(bank)]
    assert names.count("fido2.attestation.invalidated") == 2
    assert names.count("fido2.attestation.restored") == 2


async def test_fi_17_nothing_changes_when_too_many_would(bank: Bank) -> None:
    await ready(bank, 3)
    await bank.publish(entry(OTHER_MODEL, bank.maker.root))
    assert figures(await revalidation.run(bank.core)) == ("ABORTED", 4, 0, 0)
    assert {trust for trust, _ in (await bank.trusts()).values()} == {Trust.VERIFIED}
    name, told = (await messages(bank))[-1]
    assert (name, told["outcome"], told["foundInvalid"]) == ("fido2.revalidation", "ABORTED", 3)
    assert await jobs.revalidate_passkeys(bank.core, force=True)
    found = await bank.trusts()
    assert sorted(reason or "" for _, reason in found.values()) == ["", *["ENTRY_GONE"] * 3]


async def test_fi_17_exactly_a_fifth_is_not_too_many(bank: Bank) -> None:
    await ready(bank, 4)
    await bank.publish(bank.model)
    assert figures(await revalidation.run(bank.core)) == ("DONE", 5, 1, 0)


async def test_tokens_of_a_passkey_without_trust_end(bank: Bank) -> None:
    bank.core.settings.jwt_issuer = ISSUER
    await make_client(bank.core, bank.application.application_id)
    (one,) = await bank.passkeys(1)
    await bank.set_policy(**ENFORCE)
    signed = authentication(activation_id=one)
    await signed_in(bank.core, bank.application.application_id, "user-0", authentication=signed)
    await bank.publish(entry(OTHER_MODEL))
    await revalidation.run(bank.core, force=True)
    async with bank.core.database.read() as session:
        assert (await session.scalars(select(JwtSession.revoked))).all() == [1]


async def test_fi_26_monitor_only_records(bank: Bank) -> None:
    await ready(bank, 1, mdsMode="monitor")
    await bank.publish(
        entry(OTHER_MODEL, bank.maker.root), entry(TEST_MODEL, bank.maker.root, status="REVOKED")
    )
    for _ in range(2):
        assert figures(await revalidation.run(bank.core)) == ("DONE", 2, 0, 0)
    found = sorted((await bank.trusts()).values(), key=str)
    assert found == [(Trust.VERIFIED, "PASSKEY_ATTESTATION_REVOKED"), (Trust.VERIFIED, None)]
    told = [params for name, params in await messages(bank) if name == "fido2.policy.monitor"]
    assert [(one["verdict"], one["trust"]) for one in told] == [("PASSKEY_ATTESTATION_REVOKED", "VERIFIED")]


async def test_without_usable_metadata_nothing_is_judged(bank: Bank) -> None:
    await ready(bank, 1)
    assert figures(await revalidation.run(bank.core)) == ("SKIPPED", 0, 0, 0)
    await bank.publish(next_update="2020-01-01")
    assert figures(await revalidation.run(bank.core, force=True)) == ("SKIPPED", 0, 0, 0)
    assert {trust for trust, _ in (await bank.trusts()).values()} == {Trust.VERIFIED}


@pytest.mark.parametrize(
    "policy", [{}, {"aaguidAllowList": [str(TEST_MODEL)], "aaguidAllowListBinding": False}]
)
async def test_policies_that_rest_on_no_metadata_are_left_alone(bank: Bank, policy: dict[str, Any]) -> None:
    await bank.passkeys(1)
    await bank.set_policy(**policy)
    await bank.publish()
    assert figures(await revalidation.run(bank.core)) == ("DONE", 0, 0, 0)


@pytest.mark.parametrize("trust", [Trust.NONE, Trust.SELF, Trust.UNVERIFIED])
async def test_what_was_never_verified_is_never_touched(bank: Bank, trust: Trust) -> None:
    await bank.passkeys(1, att_trust=trust)
    await bank.set_policy(**ENFORCE)
    await bank.publish()
    assert figures(await revalidation.run(bank.core, force=True)) == ("DONE", 0, 0, 0)


async def test_a_local_root_that_is_gone_takes_its_trust_along(bank: Bank) -> None:
    await bank.passkeys(1, att_trust=Trust.LOCAL, att_anchor="root-of-old")
    await bank.passkeys(1, att_trust=Trust.LOCAL, att_anchor="apple-webauthn")
    await bank.passkeys(1, att_trust=Trust.LOCAL, att_anchor="ab" * 32)
    await bank.set_policy(**ENFORCE)
    await bank.publish(entry(OTHER_MODEL))
    assert figures(await revalidation.run(bank.core, force=True)) == ("DONE", 1, 1, 0)
    lost = [one for one in (await bank.trusts()).values() if one[0] is Trust.INVALIDATED]
    assert lost == [(Trust.INVALIDATED, rules.ROOT_GONE)]


async def test_blocked_passkeys_and_lost_statements(bank: Bank) -> None:
    first, second = await bank.passkeys(2)
    await bank.set_policy(**ENFORCE)
    await bank.publish(bank.model)
    async with bank.core.database.transaction() as session:
        row = await session.get(Activation, first)
        assert row is not None
        row.activation_status = ActivationStatus.BLOCKED
        stored = await session.get(Fido2Attestation, second)
        await session.delete(stored)
    assert figures(await revalidation.run(bank.core, force=True)) == ("DONE", 1, 1, 0)
    assert (await bank.trusts())[first] == (Trust.VERIFIED, None)


async def test_a_stopped_run_goes_on_where_it_was(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    await ready(bank, 6)
    await bank.publish(entry(OTHER_MODEL, bank.maker.root))
    monkeypatch.setattr(reads.batches, "__kwdefaults__", {"after": "", "size": 2})
    left = 6  # 4 batches counted, 2 written

    async def stops(*arguments: Any) -> Judged:
        nonlocal left
        left -= 1
        if left < 0:
            raise ConnectionError
        return await judged(*arguments)

    monkeypatch.setattr(_JUDGED, stops)
    with pytest.raises(ConnectionError):
        await revalidation.run(bank.core, force=True)
    async with bank.core.database.read() as session:
        stopped = await repository.newest(session)
    assert stopped is not None
    assert (stopped.status, stopped.checked, stopped.found_invalid) == ("APPLYING", 7, 6)
    monkeypatch.setattr(_JUDGED, judged)
    await revalidation.run_when_due(bank.core)
    async with bank.core.database.read() as session:
        (ended,) = (await session.scalars(select(PasskeyRevalidation))).all()
    assert figures(ended) == ("DONE", 7, 6, 0)


async def test_newer_metadata_makes_a_run_begin_anew(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    await ready(bank, 4)
    await bank.publish(entry(OTHER_MODEL, bank.maker.root))
    published = False

    async def publishes(*arguments: Any) -> Judged:
        nonlocal published
        if not published:
            published = True
            await bank.publish(bank.model, entry(OTHER_MODEL, bank.maker.root))
        return await judged(*arguments)

    monkeypatch.setattr(_JUDGED, publishes)
    assert figures(await revalidation.run(bank.core, force=True)) == ("DONE", 5, 0, 0)
    async with bank.core.database.read() as session:
        states = (await session.scalars(select(PasskeyRevalidation.status))).all()
    assert sorted(states) == ["DONE", "REPLACED"]


@pytest.mark.parametrize(
    ("started", "expected"),
    [
        (None, False),
        (NOON - timedelta(hours=8, minutes=29), False),
        (NOON - timedelta(hours=8, minutes=31), True),
        (NOON - timedelta(days=3), True),
    ],
)
def test_once_a_day_from_a_time_on(started: datetime | None, expected: bool) -> None:
    assert rules.due(NOON, "03:30", started) is expected
    assert rules.due(NOON, "12:00", None)
    assert not rules.due(NOON, "13:00", None)


async def test_when_due_runs_once(bank: Bank) -> None:
    bank.core.settings.passkey_revalidation_at = clock.now().strftime("%H:%M")
    for _ in range(2):
        await revalidation.run_when_due(bank.core)
    async with bank.core.database.transaction() as session:
        (row,) = (await session.scalars(select(PasskeyRevalidation))).all()
        await session.execute(update(PasskeyRevalidation).values(started_at=clock.now() - timedelta(days=1)))
    assert row.status == "SKIPPED"
    await revalidation.run_when_due(bank.core)
    async with bank.core.database.read() as session:
        assert len((await session.scalars(select(PasskeyRevalidation))).all()) == 2


async def test_what_a_blob_would_do_is_told_and_not_done(bank: Bank, api: Api) -> None:
    await ready(bank, 3)
    await bank.publish(bank.model, entry(OTHER_MODEL, bank.maker.root))
    blob = bank.publisher.sign([bank.model], 9, "2050-01-01").decode()
    tried = await api.ok("mds/load", blob=blob, dryRun=True)
    assert (tried["no"], tried["entries"], tried["impact"]["checked"]) == (9, 1, 4)
    assert (tried["impact"]["invalidated"], tried["impact"]["sampleUserIds"]) == (1, ["user-0"])
    assert (await api.ok("mds/status"))["no"] == 1
    loaded = await api.ok("mds/load", blob=blob, loadedBy="admin")
    assert (loaded["no"], loaded["impact"]) == (9, None)
    status = await api.ok("mds/status")
    assert (status["no"], status["state"], status["history"][0]["loadedBy"]) == (9, "CURRENT", "admin")
    (one,) = (await api.ok("mds/entries", aaguid=str(TEST_MODEL)))["entries"]
    assert one["metadataStatement"]["description"] == "Test Authenticator"
    forged = Bank(bank.core, bank.application, type(bank.publisher)(maker=Maker()))
    bad = forged.publisher.sign([], 10, "2050-01-01").decode()
    for request in ({"blob": bad}, {"blob": bad, "dryRun": True}):
        _, answer = await api.post("mds/load", **request)
        assert answer["responseObject"]["code"] == "MDS_INVALID"
        assert answer["responseObject"]["reason"] == "CHAIN"
    bank.core.settings.mds_source = "OFF"
    _, answer = await api.post("mds/load", blob=blob)
    assert answer["responseObject"]["reason"] == "SOURCE"
