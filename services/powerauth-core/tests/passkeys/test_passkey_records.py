"""What is stored of passkeys, and what can be read of those that the original stored (spec/device-trust.md
§4.1).
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from core_test_api import TestApplication
from sqlalchemy import text as sql

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
from powerauth_core.activations import initialisation
from powerauth_core.activations.initialisation import Properties
from powerauth_core.container import Core
from powerauth_core.passkey_records import extras, reads, repository
from powerauth_core.passkeys.attestation.trust import Trust
from powerauth_core.passkeys.classification import PasskeyType, classify

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

OF_THE_ORIGINAL = (
    '{"relyingPartyId":"localhost","authenticatorAttachment":"PLATFORM","credentialId":"MTIz",'
    '"origin":"http://localhost","topOrigin":null,"isCrossOrigin":false,'
    '"aaguid":"bada5566-a7aa-401f-bd96-45619a55120d","transports":null,"more":1}'
)
ACTIVE, REMOVED = ActivationStatus.ACTIVE, ActivationStatus.REMOVED


async def store(
    core: Core, application: TestApplication, credential_id: str, text: str | None, **columns: object
) -> str:
    """A passkey of user ``anna``."""
    async with core.database.transaction() as session:
        identity = await core.application_cache.by_id(session, application.application_id)
        assert identity is not None
        known = await core.application_cache.identity(core.database, application.application_id)
        assert known is not None
        row = await initialisation.initialise(
            core, session, known, Properties(user_id="anna", protocol=ActivationProtocol.FIDO2)
        )
        row.external_id, row.extras, row.activation_status = credential_id, text, ACTIVE
        for name, value in columns.items():
            setattr(row, name, value)
    return row.activation_id


async def test_passkeys_are_found_by_user_credential_and_application(
    core: Core, application: TestApplication
) -> None:
    known = await store(core, application, "MTIz", OF_THE_ORIGINAL)
    await store(core, application, "NDU2", OF_THE_ORIGINAL, activation_status=REMOVED)
    await store(core, application, "Nzg5", "no JSON")
    later = await store(core, application, "eHl6", OF_THE_ORIGINAL)

    found = await reads.of_user(core.database.fetch, core.row_macs, "anna", [application.application_id])
    assert {one.activation_id for one in found} == {known, later}
    assert await reads.of_user(core.database.fetch, core.row_macs, "anna", ["other"]) == []
    (one,) = await reads.by_credential(
        core.database.fetch, core.row_macs, "MTIz", [application.application_id]
    )
    assert (one.activation_id, one.application_id, one.credential_id) == (
        known,
        application.application_id,
        "MTIz",
    )
    assert (
        await reads.by_credential(core.database.fetch, core.row_macs, "NDU2", [application.application_id])
        == []
    )

    batches = reads.batches(core.database.fetch, core.row_macs, application.application_id, size=1)
    assert [[each.activation_id for each in batch] async for batch in batches] == [[known], [], [later]]
    counted = await reads.count_by_aaguid(core.database.fetch, core.row_macs, application.application_id)
    assert counted == {uuid.UUID("bada5566-a7aa-401f-bd96-45619a55120d"): 2}


async def test_passkeys_of_one_id_are_of_one_batch(core: Core, application: TestApplication) -> None:
    one, *same = [
        await store(core, application, credential_id, OF_THE_ORIGINAL)
        for credential_id in ("MTIz", "NDU2", "NDU2", "NDU2")
    ]
    batches = reads.batches(core.database.fetch, core.row_macs, application.application_id, size=2)
    assert [{each.activation_id for each in batch} async for batch in batches] == [{one}, {*same}]


async def test_what_another_has_written_is_no_passkey_to_use(
    core: Core, application: TestApplication
) -> None:
    known = await store(core, application, "MTIz", OF_THE_ORIGINAL)
    async with core.database.transaction() as session:
        await session.execute(sql("UPDATE pa_activation SET device_public_key_base64 = 'BB'"))
    (one,) = await reads.of_user(core.database.fetch, core.row_macs, "anna")
    assert (one.activation_id, one.status) == (known, ActivationStatus.BLOCKED)


def test_of_the_original_the_type_is_unknown_until_a_sign_in_tells_it() -> None:
    found = extras.read(OF_THE_ORIGINAL)
    assert found is not None
    assert (found.be, found.att_trust, found.att_vouched, found.used_from) == (
        None,
        Trust.NONE,
        False,
        "http://localhost",
    )
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert classify(found.be, found.aaguid, now, {}).type is PasskeyType.UNKNOWN
    used = found.used(be=True, bs=False, uv=True, origin="https://bank.example")
    assert classify(used.be, used.aaguid, now, {}).type is PasskeyType.SYNCED
    again = extras.read(used.encoded())
    assert again == used
    assert again is not None
    assert again.used_from == "https://bank.example"
    assert '"more":1' in used.encoded()
    assert used.used(be=True, bs=False, uv=True, origin="https://bank.example") is used


@pytest.mark.parametrize("text", [None, "", "[]", '{"credentialId":1}', '{"credentialId":"a","be":"?"}'])
def test_what_is_no_passkeys_reads_as_none(text: str | None) -> None:
    assert extras.read(text) is None


async def test_a_user_handle_is_made_once_for_an_application(
    core: Core, application: TestApplication
) -> None:
    async with core.database.transaction() as session:
        identity = await core.application_cache.by_id(session, application.application_id)
        assert identity is not None
        handle = await repository.user_handle(session, identity.application_rid, "anna")
        assert len(handle) == repository.USER_HANDLE
        assert await repository.user_handle(session, identity.application_rid, "anna") == handle
        assert await repository.user_handle(session, identity.application_rid, "bert") != handle
        assert await repository.users_of_handle(session, handle, [application.application_id]) == ["anna"]
        assert await repository.users_of_handle(session, handle, ["other"]) == []
