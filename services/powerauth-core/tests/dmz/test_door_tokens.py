"""What a token opens at the door (D1 rule 5; enrollment-api §6.6, §10.2 to §10.4)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from core_test_api import Api, StartCore
from core_test_phones import Change
from core_test_rows import execute, found
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import select, text

from powerauth_contracts.enums import ActivationStatus, StatementAction
from powerauth_core.container import Core
from powerauth_core.statements import service as statements
from powerauth_core.statements.models import StatementKey
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.v3.keys import export_public_key, generate_key_pair
from powerauth_protocol.v3.signature import SignatureType
from powerauth_sdk.phone import Phone
from servicekit import clock

if TYPE_CHECKING:
    from dmz.conftest import Door


P, PK, PB = (SignatureType.POSSESSION, SignatureType.POSSESSION_KNOWLEDGE, SignatureType.POSSESSION_BIOMETRY)


async def test_list_shows_pending_operations_without_their_otp(door: Door, phone: Phone) -> None:
    made = await door.operation(proximityCheckEnabled=True)
    await door.operation(userId="bob")
    answer = await door.with_token(await door.token(phone), "operation/list")
    assert answer["authenticated"] is True
    assert abs(answer["timestamp"] - clock.now_ms()) < 60_000
    (shown,) = answer["operations"]
    assert (
        shown
        | {
            "id": made["id"],
            "operationType": "authorize_payment",
            "data": "A1*A100CZK",
            "status": "PENDING",
            "parameters": {"AMOUNT": "100CZK"},
            "proximityCheck": True,
            "signatureType": ["possession", "possession_knowledge", "possession_biometry"],
        }
        == shown
    )
    assert made["proximityOtp"] not in str(answer)


async def test_detail_and_claim(door: Door, phone: Phone) -> None:
    made = await door.operation(userId=None)
    token = await door.token(phone)
    detail = await door.with_token(token, "operation/detail", id=made["id"])
    assert detail["operation"]["id"] == made["id"]
    assert (await door.stored_operation(made)).user_id is None
    await door.with_token(token, "operation/claim", id=made["id"])
    assert (await door.stored_operation(made)).user_id == "alice"


async def test_token_of_an_inactive_activation_opens_nothing(
    door: Door, phone: Phone, change: Change
) -> None:
    token = await door.token(phone)
    await change(phone, activation_status=ActivationStatus.BLOCKED)
    for action, more in (("operation/list", {}), ("who-am-i", {"audience": "inbox/count"})):
        assert not (await door.with_token(token, action, **more))["authenticated"]


async def test_statement_is_signed_by_the_core_for_one_action_and_a_minute(
    api: Api, door: Door, phone: Phone
) -> None:
    answer = await door.with_token(await door.token(phone), "who-am-i", audience="inbox/count")
    keys = KeySet.import_key_set(await api.ok("statement/keys"))
    token = jwt.decode(answer["statement"], keys, algorithms=["ES256"])
    ids = {"activationId": phone.activation_id, "userId": "alice", "applicationId": "test-application"}
    assert {name: token.claims[name] for name in ids} == ids
    assert {name: answer[name] for name in ids} == ids
    assert (token.claims["aud"], token.claims["sub"]) == ("inbox/count", phone.activation_id)
    assert token.claims["exp"] - token.claims["iat"] == 60
    assert abs(token.claims["iat"] - clock.now_ms() // 1000) < 60


async def test_statement_key_is_made_once_by_all_replicas_and_encrypted_at_rest(
    core: Core, start_core: StartCore
) -> None:
    other = await start_core()
    found = await asyncio.gather(
        *[statements.public_keys(each.database, each.cipher) for each in (core, other) * 3]
    )
    assert all(keys == found[0] for keys in found)
    assert len(found[0]) == 1
    assert "d" not in found[0][0]
    async with core.database.read() as session:
        row = (await session.execute(text("SELECT * FROM statement_key"))).mappings().one()
    assert row["private_key_encryption"] == 1


async def test_key_of_others_is_not_published_for_statements(core: Core, api: Api) -> None:
    """Whoever writes a public key into the table must not sign for every device with it."""
    [published] = (await api.ok("statement/keys"))["keys"]
    foreign = b64encode(export_public_key(generate_key_pair().public))
    await execute(core, text("UPDATE statement_key SET public_key_base64 = :key"), {"key": foreign})
    assert (await api.ok("statement/keys"))["keys"] == [published]
    copied = (
        "INSERT INTO statement_key (id, key_id, private_key_base64, private_key_encryption,"
        " public_key_base64, timestamp_created) SELECT 2, 'other', private_key_base64,"
        " private_key_encryption, public_key_base64, timestamp_created FROM statement_key"
    )
    await execute(core, text(copied))
    assert await api.error("statement/keys") == "ERR0010"


async def test_published_key_verifies_statements_of_every_replica(core: Core, start_core: StartCore) -> None:
    other = await start_core()
    subject = statements.Subject("a", "u", "app")
    statement = await statements.sign(other.database, other.cipher, subject, StatementAction.COUNT_MESSAGES)
    keys: Any = {"keys": await statements.public_keys(core.database, core.cipher)}
    claims = jwt.decode(statement, KeySet.import_key_set(keys), algorithms=["ES256"]).claims
    assert claims["userId"] == "u"


@pytest.mark.parametrize("audience", ["", "push", "inbox", "inbox/message/delete"])
async def test_statement_is_for_an_action_that_the_core_knows(
    door: Door, phone: Phone, audience: str
) -> None:
    token = await door.token(phone)
    code = await door.api.error("token/who-am-i", header=door.header(token), audience=audience)
    assert code == "ERROR_HTTP_REQUEST"


async def test_a_new_statement_key_signs_once_verifiers_can_know_it(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject, now = statements.Subject("a", "u", "app"), clock.now()
    minutes = {"before": 0, "published": 1, "signing": 2, "overlap": 61, "alone": 63}

    async def at(moment: str) -> tuple[str, set[str]]:
        """Which key signs, and which are published."""
        then = now + timedelta(minutes=minutes[moment])
        monkeypatch.setattr(clock, "now", lambda: then)
        signed = await statements.sign(core.database, core.cipher, subject, StatementAction.COUNT_MESSAGES)
        keys: Any = {"keys": await statements.public_keys(core.database, core.cipher)}
        token = jwt.decode(signed, KeySet.import_key_set(keys), algorithms=["ES256"])
        return token.header["kid"], {key["kid"] for key in keys["keys"]}

    old, published = await at("before")
    assert published == {old}
    await at("published")
    new = await statements.add_key(core.database, core.cipher)
    assert await at("published") == (old, {old, new})
    assert await at("signing") == (new, {old, new})
    assert await at("overlap") == (new, {old, new})
    assert await at("alone") == (new, {new})
    await statements.add_key(core.database, core.cipher)
    assert old not in {row.key_id for row in await found(core, select(StatementKey))}
