"""Policies of applications: how they are stored and remembered (spec/device-trust.md §4.5, §4.13)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from core_test_api import Api, TestApplication

from powerauth_core.applications import config_service, repository
from powerauth_core.applications.config_keys import WEBAUTHN_API
from powerauth_core.container import Core
from powerauth_core.kernel.errors import InvalidKeyFormat
from powerauth_core.passkey_policies import rules, service
from powerauth_core.passkey_policies.cache import ApplicationPolicy
from powerauth_core.passkey_policies.rules import StoredPolicy
from powerauth_core.passkeys import policy as policies

OBJECT = {
    "rpId": "bank.example",
    "rpWebOrigins": ["https://bank.example"],
    "aaguidAllowList": ["EE882879-721C-4913-9775-3DFCCE97072A"],
}
CHANGED = datetime(2026, 11, 30, 12)


def policy_of(**members: Any) -> policies.Policy:
    return policies.read(OBJECT | members, root_names=policies.DEFAULT_ROOTS)


async def of(core: Core, application: TestApplication) -> ApplicationPolicy:
    found = await core.passkey_policies.of(core.database, application.application_id)
    assert found is not None
    return found


async def write(core: Core, application_id: str, values: list[Any]) -> None:
    """Write values of the key past the calls that judge them."""
    async with core.database.transaction() as session:
        row = await repository.lock_by_name(session, application_id)
        assert row is not None
        await config_service.store(core.cipher, session, row, WEBAUTHN_API, values)


async def store(core: Core, application: TestApplication, policy: StoredPolicy) -> None:
    async with core.database.transaction() as session:
        row = await repository.lock_by_name(session, application.application_id)
        assert row is not None
        await service.store(core.cipher, core.application_cache, session, row, policy)


async def test_a_change_is_known_at_once_and_shown_with_the_configuration(
    core: Core, api: Api, application: TestApplication
) -> None:
    before = await of(core, application)
    assert (before.policy, before.version) == (None, 0)
    stored = StoredPolicy(policy=policy_of(), version=7, changed_by="admin", changed_at=CHANGED)
    await store(core, application, stored)
    after = await of(core, application)
    assert (after.policy, after.version) == (policy_of(), 7)
    assert core.passkey_policies.known(application.application_id) is after
    detail = await api.ok("application/config/detail", applicationId=application.application_id)
    [shown] = detail["applicationConfigs"]
    assert shown["key"] == WEBAUTHN_API
    assert rules.read(shown["values"], dev_mode=False) == stored
    assert shown["values"][0]["aaguidAllowList"] == ["ee882879-721c-4913-9775-3dfcce97072a"]


async def test_the_originals_keys_are_read_with_it(
    core: Core, api: Api, application: TestApplication
) -> None:
    name = {"applicationId": application.application_id}
    assert (await of(core, application)).upstream == rules.UpstreamKeys()
    keys = {
        "fido2_attestation_fmt_allowed": ["packed", 1],
        "fido2_aaguids_allowed": [],
        "fido2_root_ca_certs": ["PEM"],
    }
    for key, values in keys.items():
        await api.ok("application/config/create", **name, key=key, values=values)
    assert (await of(core, application)).upstream == rules.UpstreamKeys(
        formats=frozenset({"packed"}), aaguids=frozenset(), roots=("PEM",)
    )


async def test_there_is_nothing_of_an_unknown_application(core: Core) -> None:
    assert await core.passkey_policies.of(core.database, "unknown") is None


@pytest.mark.parametrize(
    "values",
    [
        [],
        [OBJECT, OBJECT],
        ["bank.example"],
        [OBJECT | {"rpId": "Bank"}],
        [OBJECT | {"version": "x"}],
        [OBJECT | {"version": True}],
        [OBJECT | {"enforceAttestation": True, "mdsMode": "off"}],
        [OBJECT | {"rpWebOrigins": ["http://localhost"], "rpId": "localhost"}],
    ],
    ids=str,
)
async def test_a_policy_that_cannot_be_read_is_not_none(
    core: Core, application: TestApplication, values: list[Any]
) -> None:
    """Without a policy everything is allowed, so that would be the wrong end to fail at."""
    await write(core, application.application_id, values)
    with pytest.raises(InvalidKeyFormat):
        await of(core, application)


async def test_what_could_not_be_read_again_is_not_written(core: Core, application: TestApplication) -> None:
    unreadable = policy_of().model_copy(update={"rp_id": "Bank"})
    with pytest.raises(InvalidKeyFormat):
        await store(core, application, StoredPolicy(policy=unreadable))
    assert (await of(core, application)).policy is None


def test_an_older_object_keeps_what_it_meant() -> None:
    """FI-25: its allow-list does not bind; and a root that has left its file stops nobody."""
    older = rules.read([OBJECT | {"localRoots": ["gone"], "rpName": None}], dev_mode=False)
    assert (older.version, older.policy.binding, older.policy.local_roots) == (0, False, ("gone",))
    again = rules.read(rules.to_store(older), dev_mode=False)
    assert again == older
