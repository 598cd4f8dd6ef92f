"""Temporary keys: who gets one, what it says, when it is gone (spec/core-api.md §13)."""

from __future__ import annotations

from typing import Any

import pytest
from core_test_api import Api, NewApplication, TestApplication
from core_test_phones import Activate, MakeDevice
from core_test_rows import execute, found, rewrite
from sqlalchemy import select, update

from powerauth_contracts import moments
from powerauth_contracts.enums import ActivationStatus
from powerauth_core.container import Core
from powerauth_core.temporary_keys import service
from powerauth_core.temporary_keys.models import TemporaryKey
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import TokenFormatError
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3 import temporary_key
from powerauth_protocol.v3.keys import export_public_key
from powerauth_sdk.phone import Phone
from servicekit import clock

pytestmark = pytest.mark.dialects("sqlite", "postgresql")


async def _rows(core: Core) -> list[TemporaryKey]:
    return await found(core, select(TemporaryKey))


async def test_application_scope_is_signed_by_the_master_key(
    core: Core, api: Api, make_device: MakeDevice
) -> None:
    device: Phone = make_device()
    before = clock.now_ms()
    issued = await device.new_temporary_key(api.call, Scope.APPLICATION)
    assert (issued.application_key, issued.activation_id) == (device.app.key, None)
    assert issued.challenge == "Y2hhbGxlbmdl"
    assert before <= issued.issued_at_ms <= clock.now_ms()
    assert issued.expires_at_ms - issued.issued_at_ms == 300_000
    (row,) = await _rows(core)
    assert (row.id, row.application_key, row.activation_id) == (issued.key_id, device.app.key, None)
    assert row.public_key_base64 == b64encode(export_public_key(issued.public_key))
    assert row.private_key_encryption == 1


@pytest.mark.parametrize("status", [ActivationStatus.ACTIVE, ActivationStatus.BLOCKED])
async def test_activation_scope_is_signed_by_the_server_key(
    core: Core, api: Api, activate: Activate, status: ActivationStatus
) -> None:
    device = await activate(status)
    issued = await device.new_temporary_key(api.call, Scope.ACTIVATION)
    assert issued.activation_id == device.activation_id
    assert issued.key_id in {row.id for row in await _rows(core) if row.activation_id == device.activation_id}


@pytest.mark.parametrize(
    "status", [ActivationStatus.CREATED, ActivationStatus.PENDING_COMMIT, ActivationStatus.REMOVED]
)
async def test_other_states_get_none(api: Api, activate: Activate, status: ActivationStatus) -> None:
    device = await activate(status)
    if device.keys is None:
        device.keys = (await activate()).keys
    jwt = device.temporary_key_request(Scope.ACTIVATION)
    assert await api.error("keystore/create", jwt=jwt) == "ERR0009"


async def test_a_challenge_is_not_needed(api: Api, make_device: MakeDevice) -> None:
    device = make_device()
    answer = await api.call(
        "keystore/create", {"jwt": device.temporary_key_request(Scope.APPLICATION, challenge=None)}
    )
    issued = temporary_key.verify_response_jwt(answer["jwt"], device.app.master_public_key)
    assert issued.challenge is None


async def test_what_proves_nothing_is_refused(
    api: Api, core: Core, make_device: MakeDevice, activate: Activate
) -> None:
    device, active = make_device(), await activate()
    known = len(await _rows(core))
    secret = b64decode(device.app.secret)

    def request(key: bytes = secret, **claims: Any) -> str:
        return temporary_key.build_request_jwt(
            temporary_key.TemporaryKeyRequest(**({"application_key": device.app.key} | claims)), key
        )

    good = request()
    head, body, mac = good.split(".")
    cases = [
        ("", "ERR0024"),
        ("a.b", "ERR0024"),
        (f"{head}.{body}.{mac[:-4]}AAAA", "ERR0024"),
        (f"{head}.{body}.", "ERR0024"),
        (f"{mac}.{body}.{mac}", "ERR0024"),
        (request(bytes(16)), "ERR0024"),
        (request(challenge="x" * 129), "ERR0024"),
        (request(application_key=None), "ERR0024"),
        (request(application_key=None, activation_id=active.activation_id), "ERR0015"),
        (request(application_key="unknown"), "ERR0015"),
        (request(activation_id="unknown"), "ERR0009"),
        # the application secret alone does not open activation scope
        (request(activation_id=active.activation_id), "ERR0024"),
    ]
    for jwt, code in cases:
        assert await api.error("keystore/create", jwt=jwt) == code, jwt
    assert await api.error("keystore/create") == "ERR0024"
    assert len(await _rows(core)) == known


async def test_an_unsupported_version_gets_none(
    api: Api, make_device: MakeDevice, application: TestApplication
) -> None:
    device = make_device()
    await api.ok(
        "application/version/unsupport",
        applicationId=application.application_id,
        applicationVersionId="default",
    )
    jwt = device.temporary_key_request(Scope.APPLICATION)
    assert await api.error("keystore/create", jwt=jwt) == "ERR0015"


async def test_an_activation_of_another_application_or_protocol_gets_none(
    api: Api, core: Core, activate: Activate, new_application: NewApplication
) -> None:
    device = await activate()
    other = await new_application("other")
    own, device.app = device.app, other.app
    assert await api.error("keystore/create", jwt=device.temporary_key_request(Scope.ACTIVATION)) == "ERR0009"
    device.app = own
    jwt = device.temporary_key_request(Scope.ACTIVATION)
    assert await api.error("keystore/create", jwt=jwt, applicationIds=["other"]) == "ERR0015"
    await rewrite(core, protocol="fido2")
    assert await api.error("keystore/create", jwt=jwt) == "ERR0009"


async def test_removing_is_confirmed_also_for_unknown_ids(
    api: Api, core: Core, make_device: MakeDevice
) -> None:
    issued = await make_device().new_temporary_key(api.call, Scope.APPLICATION)
    for key_id in (issued.key_id, issued.key_id, "unknown"):
        assert await api.ok("keystore/remove", id=key_id) == {"id": key_id, "removed": True}
    assert await _rows(core) == []


async def test_the_job_deletes_expired_keys_only(core: Core, api: Api, make_device: MakeDevice) -> None:
    device = make_device()
    kept = await device.new_temporary_key(api.call, Scope.APPLICATION)
    expired = await device.new_temporary_key(api.call, Scope.APPLICATION)
    await execute(
        core,
        update(TemporaryKey)
        .where(TemporaryKey.id == expired.key_id)
        .values(timestamp_expires=moments.from_ms(clock.now_ms() - 1)),
    )
    assert await service.delete_expired(core.database) == 1
    assert [row.id for row in await _rows(core)] == [kept.key_id]


async def test_the_answer_cannot_be_mistaken_for_another_applications(
    api: Api, make_device: MakeDevice, new_application: NewApplication
) -> None:
    other = await new_application("other")
    answer = await api.ok("keystore/create", jwt=make_device().temporary_key_request(Scope.APPLICATION))
    with pytest.raises(TokenFormatError):
        temporary_key.verify_response_jwt(answer["jwt"], other.app.master_public_key)
