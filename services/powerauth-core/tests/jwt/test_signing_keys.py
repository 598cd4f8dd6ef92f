"""Keys of signed tokens: rotation, emergencies, uploads, publication (spec/device-trust.md §2.6, §2.9)."""

from __future__ import annotations

import asyncio
from typing import Any

from core_test_api import Api, StartCore
from core_test_rows import found
from core_test_tokens import ISSUER, Later, make_client, signed_in
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import ECKey, OctKey, RSAKey
from sqlalchemy import select

from powerauth_contracts.dmz.signed_tokens import PublishedRequest
from powerauth_core.container import Core
from powerauth_core.dmz import signed_tokens as door
from powerauth_core.jwt import key_administration as administration
from powerauth_core.jwt import verification
from powerauth_core.jwt.models import JwtKey
from powerauth_core.jwt.rules import TokenKind, TokenRefused

DAY = 86_400


async def published(core: Core, application_id: str | None = None) -> list[dict[str, Any]]:
    answer = await door.jwks(core, PublishedRequest(application_id=application_id))
    assert answer.document is not None
    keys: list[dict[str, Any]] = answer.document["keys"]
    return keys


async def statuses(core: Core) -> list[str]:
    return [row.status for row in await found(core, select(JwtKey).order_by(JwtKey.timestamp_created))]


async def is_accepted(core: Core, token: str) -> bool:
    async with core.database.read() as session:
        try:
            await verification.verify(core, session, TokenKind.ACCESS, token, None)
        except TokenRefused:
            return False
    return True


async def test_tk_10_a_key_is_followed_by_one_that_was_published_before(
    issuing: Core, bank: str, later: Later
) -> None:
    await make_client(issuing, bank, access_ttl=DAY, refresh_ttl=400 * DAY)
    [first] = await published(issuing)
    await administration.rotate_due(issuing)
    assert await statuses(issuing) == ["signing"]
    later(days=89)
    await administration.rotate_due(issuing)
    await administration.rotate_due(issuing)
    assert await statuses(issuing) == ["signing", "validating"]
    assert (await published(issuing))[0] == first
    later(days=1, seconds=-10)
    before = (await signed_in(issuing, bank)).access_token
    later(seconds=20)
    await administration.rotate_due(issuing)
    assert await statuses(issuing) == ["validating", "signing"]
    assert await is_accepted(issuing, before), "signed before the switch"
    keys = await published(issuing)
    assert [key["kid"] for key in keys].index(first["kid"]) == 1
    assert all(set(key) == {"kty", "use", "alg", "kid", "n", "e"} for key in keys)
    later(seconds=DAY + 7_200 - 60)
    await administration.rotate_due(issuing)
    assert await statuses(issuing) == ["validating", "signing"]
    later(seconds=120)
    await administration.rotate_due(issuing)
    assert await statuses(issuing) == ["disabled", "signing"]
    assert first["kid"] not in [key["kid"] for key in await published(issuing)]
    later(days=30)
    await administration.rotate_due(issuing)
    assert [row.private_key is None for row in await rows_of(issuing)] == [True, False]


async def rows_of(core: Core) -> list[JwtKey]:
    return await found(core, select(JwtKey).order_by(JwtKey.timestamp_created))


async def test_tk_10_of_replicas_one_makes_a_successor(
    issuing: Core, start_core: StartCore, later: Later
) -> None:
    other = await start_core(jwt_issuer=ISSUER)
    await asyncio.gather(*[published(core) for core in (issuing, other) * 3])
    assert await statuses(issuing) == ["signing"], "the first key too"
    later(days=89)
    await asyncio.gather(*[administration.rotate_due(core) for core in (issuing, other) * 3])
    assert await statuses(issuing) == ["signing", "validating"]


async def test_tk_10_a_compromised_key_is_replaced_at_once(issuing: Core, bank: str, api: Api) -> None:
    await make_client(issuing, bank)
    old = (await signed_in(issuing, bank)).access_token
    [row] = await rows_of(issuing)
    assert (await api.ok("jwt/keys/update", id=row.id, status="disabled"))["status"] == "disabled"
    assert await statuses(issuing) == ["disabled", "signing"]
    assert not await is_accepted(issuing, old)
    assert await is_accepted(issuing, (await signed_in(issuing, bank)).access_token)
    again = await api.error("jwt/keys/update", id=row.id, status="signing")
    assert again == "ERR_JWT_KEY_STATE"
    signing = (await rows_of(issuing))[1]
    assert await api.error("jwt/keys/remove", id=signing.id) == "ERR_JWT_KEY_STATE"
    await api.ok("jwt/keys/remove", id=row.id)
    assert await statuses(issuing) == ["signing"]


async def test_another_process_forgets_a_key_that_was_changed(
    issuing: Core, bank: str, start_core: StartCore
) -> None:
    await make_client(issuing, bank)
    token = (await signed_in(issuing, bank)).access_token
    other = await start_core(jwt_issuer=ISSUER)
    assert await is_accepted(other, token)
    other.jwt_keys.clear()
    [row] = await rows_of(issuing)
    await administration.update(issuing, None, row.id, status=None, name="renamed")
    assert await is_accepted(other, token)


def upload(key: Any) -> dict[str, Any]:
    return {"name": "uploaded", "jwk": key if isinstance(key, dict) else key.as_dict(private=True)}


async def test_tk_12_only_a_private_rsa_key_of_2048_bits_is_taken(
    issuing: Core, bank: str, api: Api, pairs: list[rsa.RSAPrivateKey]
) -> None:
    await published(issuing)
    sound = RSAKey.import_key(rsa.generate_private_key(65537, 2048))
    public = sound.as_dict(private=False)
    refused: tuple[Any, ...] = (
        public,
        RSAKey.import_key(rsa.generate_private_key(65537, 1024)),
        RSAKey.import_key(rsa.generate_private_key(3, 2048)),
        ECKey.generate_key("P-256"),
        OctKey.generate_key(256),
        {"kty": "RSA"},
        {"kty": "RSA", "n": 1, "e": [], "d": None},
        sound.as_dict(private=True) | {"d": "AQAB"},
        {},
    )
    for key in refused:
        assert await api.error("jwt/keys/upload", applicationId=bank, **upload(key)) == "ERR_JWT_KEY_INVALID"
    taken = await api.ok("jwt/keys/upload", applicationId=bank, **upload(sound))
    assert (taken["status"], taken["source"]) == ("validating", "uploaded")
    assert taken["kid"] == sound.thumbprint()
    assert set(taken["publicJwk"]) == {"kty", "use", "alg", "kid", "n", "e"}
    for scope in ({"applicationId": bank}, {}):
        assert await api.error("jwt/keys/upload", **scope, **upload(sound)) == "ERR_JWT_KEY_STATE"
    promoted = await api.ok("jwt/keys/update", applicationId=bank, id=taken["id"], status="signing")
    assert promoted["status"] == "signing"
    await make_client(issuing, bank, "own", use_app_keys=True)
    assert await is_accepted(issuing, (await signed_in(issuing, bank)).access_token)
    assert [key["kid"] for key in await published(issuing, bank)] == [taken["kid"]]


async def test_keys_of_an_application_are_its_own(issuing: Core, bank: str, api: Api) -> None:
    own = await api.ok("jwt/keys/create", applicationId=bank, name="own")
    shared = await api.ok("jwt/keys/create", name="shared")
    assert own["status"] == shared["status"] == "validating"
    for scope, other in (({"applicationId": bank}, shared), ({}, own)):
        assert (
            await api.error("jwt/keys/update", **scope, id=other["id"], name="x") == "ERR_JWT_KEY_NOT_FOUND"
        )
        assert await api.error("jwt/keys/remove", **scope, id=other["id"]) == "ERR_JWT_KEY_NOT_FOUND"


async def test_the_discovery_document_is_of_its_issuer(issuing: Core, bank: str) -> None:
    found = (await door.discovery(issuing, PublishedRequest())).document
    assert found is not None
    assert (found["issuer"], found["jwks_uri"]) == (ISSUER, f"{ISSUER}/oidc/jwks")
    assert "authorization_endpoint" not in found
    await make_client(issuing, bank, use_app_keys=True)
    answer = await door.discovery(issuing, PublishedRequest(application_id=bank))
    assert answer.document is not None
    assert answer.document["jwks_uri"] == f"{ISSUER}/app/{bank}/oidc/jwks"
    unchanged = await door.discovery(issuing, PublishedRequest(application_id=bank, etag=answer.etag))
    assert (unchanged.not_modified, unchanged.document) == (True, None)


async def test_without_an_issuer_nothing_is_published(core: Core, application: Any, dmz: Api) -> None:
    for path in ("jwks", "jwt/discovery"):
        assert await dmz.error(path) == "ERR0015"
    core.settings.jwt_issuer = ISSUER
    assert await dmz.error("jwks", applicationId=application.application_id) == "ERR0015", "no own keys"
    assert await dmz.error("jwks", applicationId="nobody") == "ERR0015"
    assert (await dmz.ok("jwks"))["document"]["keys"]
