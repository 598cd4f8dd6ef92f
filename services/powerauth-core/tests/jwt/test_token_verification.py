"""Which signed tokens are accepted (spec/device-trust.md §2.7, §2.9)."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio
from core_test_api import NewApplication
from core_test_rows import rewrite
from core_test_tokens import ISSUER, Later, authentication, make_client, signed_in
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.container import Core
from powerauth_core.jwt import keys as signing_keys
from powerauth_core.jwt import repository, revocation, tokens, verification
from powerauth_core.jwt.rules import DEFAULT_RESOURCE, TokenKind, TokenRefused
from powerauth_core.kernel.token_errors import AccessTokenInvalid
from powerauth_protocol.common.encoding import b64url_decode, b64url_encode

Sign = Callable[[bytes], bytes]


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, claims, _ = token.split(".")
    return json.loads(b64url_decode(header)), json.loads(b64url_decode(claims))


async def accepted(core: Core, token: str, kind: TokenKind = TokenKind.ACCESS) -> bool:
    async with core.database.read() as session:
        try:
            await verification.verify(core, session, kind, token, (DEFAULT_RESOURCE, "web"))
        except TokenRefused:
            return False
    return True


async def ring_of(core: Core) -> signing_keys.KeyRing:
    async with core.database.read() as session:
        return await core.jwt_keys.ring(session, None)


def compact(header: Mapping[str, Any], claims: str | Mapping[str, Any], sign: Sign) -> str:
    """A token by whatever signature."""
    payload = claims if isinstance(claims, str) else json.dumps(claims)
    text = f"{b64url_encode(json.dumps(header).encode())}.{b64url_encode(payload.encode())}"
    return f"{text}.{b64url_encode(sign(text.encode()))}"


async def signed(core: Core, header: Mapping[str, Any], claims: str | Mapping[str, Any]) -> str:
    """A token of the core's own key, whatever stands in it."""
    key = (await ring_of(core)).keys[0].key.raw_value
    assert isinstance(key, rsa.RSAPrivateKey)
    return compact(header, claims, lambda text: key.sign(text, padding.PKCS1v15(), hashes.SHA256()))


@pytest_asyncio.fixture
async def web(issuing: Core, bank: str) -> str:
    """Client ``web``; the application's id."""
    await make_client(issuing, bank, "web")
    return bank


async def test_what_is_issued_is_accepted_for_what_it_is(issuing: Core, web: str) -> None:
    issued = await signed_in(issuing, web)
    assert issued.id_token is not None
    assert await accepted(issuing, issued.access_token)
    assert await accepted(issuing, issued.id_token, TokenKind.ID)
    async with issuing.database.read() as session:
        found = await verification.bearer(issuing, session, issued.access_token, "device:bind", 300)
    assert (found.user_id, found.client_id, found.application_id) == ("alice", "web", web)


async def test_tk_1_only_rs256_of_the_published_key(issuing: Core, web: str) -> None:
    header, claims = parts((await signed_in(issuing, web)).access_token)
    own = (await ring_of(issuing)).keys[0].key
    key, other = own.raw_value, rsa.generate_private_key(65537, 2048)
    assert isinstance(key, rsa.RSAPrivateKey)
    on_curve = ec.generate_private_key(ec.SECP256R1())
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    ways: list[tuple[str, Sign]] = [
        *[(name, lambda _: b"") for name in ("none", "None", "NONE", "")],
        ("HS256", lambda text: hmac.digest(own.as_pem(private=False), text, "sha256")),
        ("RS384", lambda text: key.sign(text, padding.PKCS1v15(), hashes.SHA384())),
        ("PS256", lambda text: key.sign(text, pss, hashes.SHA256())),
        ("ES256", lambda text: on_curve.sign(text, ec.ECDSA(hashes.SHA256()))),
        ("RS256", lambda text: other.sign(text, padding.PKCS1v15(), hashes.SHA256())),
        ("RS256", lambda _: b""),
    ]
    for name, sign in ways:
        assert not await accepted(issuing, compact(header | {"alg": name}, claims, sign)), name


async def test_tk_2_no_token_passes_for_one_of_another_kind(issuing: Core, web: str) -> None:
    issued = await signed_in(issuing, web)
    async with issuing.database.transaction() as session:
        application = await issuing.application_cache.by_id(session, web)
        assert application is not None
        device = await tokens.device_token(
            issuing,
            session,
            application,
            audience=DEFAULT_RESOURCE,
            user_id="alice",
            device_id="d",
            device_key_id="k",
        )
    of_kind = {
        TokenKind.ACCESS: issued.access_token,
        TokenKind.ID: issued.id_token or "",
        TokenKind.DEVICE: device,
    }
    for kind, token in of_kind.items():
        assert [wanted for wanted in TokenKind if await accepted(issuing, token, wanted)] == [kind]


async def test_tk_3_tokens_stay_in_their_application_and_their_scope(
    issuing: Core, web: str, new_application: NewApplication
) -> None:
    await new_application("other")
    await make_client(issuing, "other", "own-keys", use_app_keys=True)
    own = (await signed_in(issuing, "other")).access_token
    shared = (await signed_in(issuing, web)).access_token
    assert await accepted(issuing, own)
    assert parts(own)[1]["iss"] == f"{ISSUER}/app/other"
    own_header, own_claims = parts(own)
    shared_header, shared_claims = parts(shared)
    spoiled: list[tuple[dict[str, Any], dict[str, Any]]] = [
        (shared_header, own_claims),  # the other issuer's claims under the shared key
        (own_header, shared_claims),
        (shared_header, shared_claims | {"iss": f"{ISSUER}/app/other"}),
        (shared_header, shared_claims | {"iss": f"{ISSUER}/app/{web}"}),
        (shared_header, shared_claims | {"app_id": "nobody"}),
        (own_header, own_claims | {"app_id": web}),
    ]
    for header, claims in spoiled:
        assert not await accepted(issuing, await signed(issuing, header, claims))


async def test_tk_4_the_key_has_to_be_named(issuing: Core, web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    header, claims = parts((await signed_in(issuing, web)).access_token)
    reads = []
    keys_of = repository.keys_of

    async def counted(*arguments: Any, **more: Any) -> Any:
        reads.append(arguments)
        return await keys_of(*arguments, **more)

    await ring_of(issuing)
    monkeypatch.setattr(repository, "keys_of", counted)
    named = [{"kid": kid} for kid in ("x" * 43, "../../../etc/passwd", "' OR 1=1 --", "", None, 7, ["a"])]
    for change in [*named, {}]:
        unnamed = {name: value for name, value in header.items() if name != "kid"}
        spoiled = unnamed | {name: value for name, value in change.items() if value is not None}
        assert not await accepted(issuing, await signed(issuing, spoiled, claims))
    assert len(reads) == 1, "read again once for all names that nobody knows"


@pytest.mark.parametrize(
    "change", [{"jku": "https://e.example/"}, {"jwk": {}}, {"x5c": []}, {"x5u": "a"}, {"crit": ["exp"]}]
)
async def test_tk_5_a_token_does_not_say_what_verifies_it(
    issuing: Core, web: str, change: dict[str, Any]
) -> None:
    header, claims = parts((await signed_in(issuing, web)).access_token)
    assert await accepted(issuing, await signed(issuing, header, claims))
    assert not await accepted(issuing, await signed(issuing, header | change, claims))


@pytest.mark.parametrize(
    ("change", "passes"),
    [
        (lambda now: {"exp": now - 58}, True),
        (lambda now: {"exp": now - 61}, False),
        (lambda now: {"iat": now + 58}, True),
        (lambda now: {"iat": now + 65}, False),
        (lambda now: {"nbf": now + 65}, False),
        (lambda now: {"exp": str(now + 100)}, False),
        (lambda now: {"exp": now + 100.5}, False),
        (lambda now: {"exp": True}, False),
        (lambda _: {"exp": None}, False),
        (lambda _: {"aud": "payments"}, False),
        (lambda _: {"aud": ["payments", DEFAULT_RESOURCE]}, True),
        (lambda _: {"aud": []}, False),
        (lambda _: {"aud": {"a": 1}}, False),
        (lambda _: {"sub": ""}, False),
        (lambda _: {"jti": None}, False),
        (lambda _: {"sid": "nobody"}, False),
        (lambda _: {"iss": ISSUER + "/"}, False),
    ],
)
async def test_tk_6_claims_are_of_now_and_for_us(issuing: Core, web: str, change: Any, passes: bool) -> None:
    header, claims = parts((await signed_in(issuing, web)).access_token)
    changed = claims | change(claims["iat"])
    spoiled = {name: value for name, value in changed.items() if value is not None}
    assert await accepted(issuing, await signed(issuing, header, spoiled)) is passes


async def test_tk_7_what_was_taken_back_is_not_accepted(
    issuing: Core, web: str, phone: Any, later: Later
) -> None:
    def by(**members: Any) -> Any:
        return signed_in(issuing, web, authentication=authentication(**members))

    async def left(*, without: Any) -> bool:
        issued = await by(activation_id=phone.activation_id, device_id="d-1", device_key_id="k-1")
        assert await accepted(issuing, issued.access_token)
        later(seconds=1)
        async with issuing.database.transaction() as session:
            await without(session, parts(issued.access_token)[1])
        still = await accepted(issuing, issued.access_token)
        later(seconds=1)
        return still

    takings = (
        lambda session, claims: repository.revoke_token(session, claims["jti"], datetime(2100, 1, 1)),
        lambda session, claims: revocation.refuse_user(session, claims["sub"]),
        lambda session, _: revocation.refuse_device(session, "d-1"),
        lambda session, _: revocation.refuse_device(session, "k-1"),
        lambda session, _: revocation.end_sessions_of(session, phone.activation_id),
    )
    for taking in takings:
        assert not await left(without=taking)
    issued = await by(activation_id=phone.activation_id)
    assert await accepted(issuing, issued.access_token)
    await rewrite(issuing, activation_status=ActivationStatus.BLOCKED)
    assert not await accepted(issuing, issued.access_token)


async def test_a_sign_in_that_is_only_too_old_is_told_from_a_bad_token(
    issuing: Core, web: str, later: Later
) -> None:
    issued = await signed_in(issuing, web)
    later(seconds=301)

    async def refused(token: str, scope: str | None) -> int | None:
        async with issuing.database.read() as session:
            with pytest.raises(AccessTokenInvalid) as refusal:
                await verification.bearer(issuing, session, token, scope, 300)
        return refusal.value.max_age

    assert await refused(issued.access_token, "device:bind") == 300
    assert await refused(issued.access_token, "device:manage") is None
    assert await refused(issued.id_token or "", None) is None


async def test_tk_13_what_cannot_be_read_is_refused(issuing: Core, web: str) -> None:
    token = (await signed_in(issuing, web)).access_token
    header, claims = parts(token)
    twice = json.dumps(claims)[:-1] + ', "sub": "mallory"}'
    assert not await accepted(issuing, await signed(issuing, header, twice))
    deep = json.dumps(claims | {"params": "X"}).replace('"X"', "[" * 100 + "]" * 100)
    assert not await accepted(issuing, await signed(issuing, header, deep))
    for text in ("", ".", "..", "a.b", "a.b.c.d", token + "=", " " + token, "é" + token, "x" * 1_000_000):
        assert not await accepted(issuing, text)


@given(st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_a_token_or_refused(data: st.DataObject) -> None:
    """Whatever stands in three segments, reading it gives objects or the one refusal."""
    junk = st.text("AZaz09-_.=", max_size=30) | st.binary(max_size=30).map(b64url_encode)
    json_like = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=5,
    ).map(lambda value: b64url_encode(json.dumps(value).encode()))
    token = ".".join(data.draw(st.lists(junk | json_like, min_size=1, max_size=4)))
    try:
        header, claims = verification.read_token(token)
    except TokenRefused:
        return
    assert isinstance(header, dict)
    assert isinstance(claims, dict)
