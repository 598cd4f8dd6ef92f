"""MAC tokens at the bank's door (spec/core-api.md §11, protocol-v3 §10; D4, D5)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import pytest_asyncio
from core_test_api import Api, NewApplication, StartCore, TestApplication
from core_test_phones import Change, MakePhone, Stored
from core_test_rows import execute, found
from sqlalchemy import select, text

from powerauth_contracts.enums import ActivationStatus
from powerauth_contracts.rest.tokens import ValidateTokenRequest
from powerauth_core.audit.models import AuditLog
from powerauth_core.container import Core
from powerauth_core.replay.service import delete_expired
from powerauth_core.tokens.models import Token
from powerauth_core.tokens.views import validate_token
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.ecies import SharedInfo1
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Phone, Sealed, token_request
from servicekit import clock

pytestmark = pytest.mark.dialects("sqlite", "postgresql")


async def create(api: Api, phone: Phone, **more: Any) -> tuple[str, bytes]:
    await phone.prepare_scope(api.call, Scope.ACTIVATION)
    sealed = phone.seal(SharedInfo1.CREATE_TOKEN, b"{}")
    answer = await api.ok("token/create", **(creation(phone, sealed) | more))
    opened = sealed.open_json(answer)
    return opened["tokenId"], b64decode(opened["tokenSecret"])


def creation(phone: Phone, sealed: Sealed) -> dict[str, Any]:
    return {
        "activationId": phone.activation_id,
        "applicationKey": phone.app.key,
        "signatureType": "POSSESSION_KNOWLEDGE",
        **phone.env(sealed),
    }


def header(
    token: tuple[str, bytes], version: ProtocolVersion = ProtocolVersion.V3_3, **changes: Any
) -> dict[str, Any]:
    """The request object of ``token/validate``; the digest fits what `changes` leave alone."""
    return token_request(token, changes.pop("timestamp", clock.now_ms()), version) | changes


@pytest_asyncio.fixture
async def token(api: Api, phone: Phone) -> tuple[str, bytes]:
    return await create(api, phone)


@pytest_asyncio.fixture
async def other_application(new_application: NewApplication) -> TestApplication:
    return await new_application("other-application")


@pytest.mark.parametrize("version", list(ProtocolVersion))
async def test_token_of_every_version_is_created_and_validates(
    api: Api, make_phone: MakePhone, version: ProtocolVersion
) -> None:
    phone = await make_phone(version=version)
    token = await create(api, phone)
    assert await api.ok("token/validate", **header(token, version)) == {
        "tokenValid": True,
        "activationId": phone.activation_id,
        "activationStatus": "ACTIVE",
        "blockedReason": None,
        "userId": "alice",
        "applicationId": "test-application",
        "signatureType": "POSSESSION_KNOWLEDGE",
        "applicationRoles": [],
        "activationFlags": [],
    }


async def test_secret_is_encrypted_at_rest_and_bound_to_its_row(api: Api, phone: Phone, core: Core) -> None:
    first, second = await create(api, phone), await create(api, phone)
    async with core.database.transaction() as session:
        rows = {row.token_id: row for row in await session.scalars(select(Token))}
        assert rows[first[0]].token_secret_encryption == 1
        assert rows[first[0]].token_secret != b64encode(first[1])
        rows[second[0]].token_secret = rows[first[0]].token_secret
    status, body = await api.post("token/validate", **header((second[0], first[1])))
    assert not (status == 200 and body["responseObject"]["tokenValid"])


@pytest.fixture
def unbound(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    """As before `db encrypt`: secrets in clear are taken."""
    monkeypatch.setattr(core.cipher, "_reads_clear", True)


@pytest.mark.usefixtures("unbound")
async def test_adopted_plain_secret_is_read(api: Api, token: tuple[str, bytes], core: Core) -> None:
    await execute(
        core,
        text("UPDATE pa_token SET token_secret = :secret, token_secret_encryption = 0"),
        {"secret": b64encode(token[1])},
    )
    assert (await api.ok("token/validate", **header(token)))["tokenValid"]


async def test_header_is_accepted_once_for_its_whole_life(
    api: Api, token: tuple[str, bytes], monkeypatch: pytest.MonkeyPatch, core: Core
) -> None:
    request = header(token)
    assert (await api.ok("token/validate", **request))["tokenValid"]
    assert await api.error("token/validate", **request) == "ERR0024"
    later = clock.now_ms() + 7_100_000
    monkeypatch.setattr(clock, "now_ms", lambda: later)
    await delete_expired(core.database)
    assert await api.error("token/validate", **request) == "ERR0024"


async def test_header_is_accepted_once_of_many_at_the_same_time(api: Api, token: tuple[str, bytes]) -> None:
    request = header(token)
    answers = await asyncio.gather(*[api.post("token/validate", **request) for _ in range(10)])
    assert sum(status == 200 and body["responseObject"]["tokenValid"] for status, body in answers) == 1


async def test_wrong_digest_is_no_error_and_does_not_use_the_nonce_up(
    api: Api, token: tuple[str, bytes], stored: Stored, phone: Phone
) -> None:
    right = header(token)
    wrong = right | {"tokenDigest": b64encode(bytes(32))}
    answer = await api.ok("token/validate", **wrong)
    assert (answer["tokenValid"], answer["userId"]) == (False, "alice")
    assert (await api.ok("token/validate", **right))["tokenValid"]
    assert (await stored(phone)).failed_attempts == 0


@pytest.mark.parametrize(
    ("offset", "code"),
    [(-7_200_100, "ERR0030"), (1_830_000, "ERR0044"), (-7_190_000, None), (1_700_000, None)],
)
async def test_timestamp_has_limits_on_both_sides(
    api: Api, token: tuple[str, bytes], offset: int, code: str | None
) -> None:
    request = header(token, timestamp=clock.now_ms() + offset)
    if code is None:
        assert (await api.ok("token/validate", **request))["tokenValid"]
    else:
        assert await api.error("token/validate", **request) == code


async def test_token_of_an_inactive_activation_is_invalid(
    api: Api, token: tuple[str, bytes], phone: Phone, change: Change
) -> None:
    await change(phone, activation_status=ActivationStatus.BLOCKED, blocked_reason="LOST")
    answer = await api.ok("token/validate", **header(token))
    assert (answer["tokenValid"], answer["activationStatus"], answer["blockedReason"]) == (
        False,
        "BLOCKED",
        "LOST",
    )


async def test_a_refused_creation_does_not_use_the_envelope_up(api: Api, phone: Phone) -> None:
    await phone.prepare_scope(api.call, Scope.ACTIVATION)
    request = creation(phone, phone.seal(SharedInfo1.CREATE_TOKEN, b"{}"))
    for changed, code in (
        ({"applicationKey": "unknown"}, "ERR0015"),
        ({"mac": b64encode(bytes(32))}, "ERR0018"),
    ):
        assert await api.error("token/create", **(request | changed)) == code
    await api.ok("token/create", **request)


async def test_creation_and_removal_are_audited_without_the_secret(
    api: Api, token: tuple[str, bytes], phone: Phone, core: Core
) -> None:
    await api.ok("token/remove", tokenId=token[0], activationId=phone.activation_id)
    rows = await found(core, select(AuditLog).where(AuditLog.audit_type == "token"))
    assert sorted((row.message, row.subject_id) for row in rows) == [
        ("Token created", "alice"),
        ("Token removed", "alice"),
    ]
    assert not any(b64encode(token[1]) in (row.param or "") for row in rows)


async def test_headers_of_one_batch_are_judged_each_for_itself(
    api: Api, make_phone: MakePhone, other_application: TestApplication
) -> None:
    phones = [
        await make_phone("alice"),
        await make_phone("bob"),
        await make_phone("carol", of=other_application),
    ]
    tokens = [await create(api, phone) for phone in phones]
    good, repeated, outside = [header(token) for token in tokens]
    wrong = header(tokens[0]) | {"tokenDigest": b64encode(bytes(32))}
    unknown = good | {"tokenId": "7c3e2f5a-0000-4000-8000-000000000000"}
    scope = {"applicationIds": ["test-application"]}
    asked = [
        good,
        repeated,
        repeated,
        wrong,
        unknown,
        outside | scope,
        good | scope | {"nonce": b64encode(bytes(16))},
    ]
    answers = await asyncio.gather(*[api.post("token/validate", **request) for request in asked])
    valid = [body["responseObject"].get("tokenValid") for _, body in answers]
    assert valid[0] is True
    assert sorted(map(str, valid[1:3])) == ["None", "True"]
    assert valid[3:] == [False, False, False, False]
    assert (await api.ok("token/validate", **outside))["tokenValid"], "a refusal spent the header"


@pytest.mark.usefixtures("unbound")
async def test_rewritten_secret_is_read_again(api: Api, token: tuple[str, bytes], core: Core) -> None:
    assert (await api.ok("token/validate", **header(token)))["tokenValid"]
    for changed, expected in (
        ({"secret": b64encode(bytes(16))}, False),
        ({"secret": b64encode(token[1])}, True),
    ):
        await execute(
            core, text("UPDATE pa_token SET token_secret = :secret, token_secret_encryption = 0"), changed
        )
        assert (await api.ok("token/validate", **header(token)))["tokenValid"] is expected


async def test_headers_of_more_tokens_than_are_kept_in_memory_are_checked_together(
    api: Api, make_phone: MakePhone, start_core: StartCore
) -> None:
    forgetful = await start_core(token_secret_cache_size=1)
    tokens = [await create(api, await make_phone(name)) for name in "abcdef"]
    requests = [ValidateTokenRequest.model_validate(header(token)) for token in tokens]
    answers = await asyncio.gather(*[validate_token(forgetful, request) for request in requests])
    assert [answer.token_valid for answer in answers] == [True] * 6
