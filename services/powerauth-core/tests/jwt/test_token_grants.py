"""The token endpoint: grants, clients, introspection and revocation (spec/device-trust.md §2.5, §2.9)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from core_test_api import Api, StartCore
from core_test_passkey_rows import ORIGIN, RP, store_passkey
from core_test_rows import rewrite
from core_test_tokens import ISSUER, Later, authentication, make_client, signed_in
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey
from sqlalchemy import select, update

from powerauth_contracts.dmz.signed_tokens import FormRequest, OAuthAnswer, UserInfoRequest
from powerauth_contracts.enums import ActivationStatus, ClientAuthMethod, OidcGrant
from powerauth_core.audit.models import AuditLog
from powerauth_core.container import Core
from powerauth_core.dmz import signed_tokens as door
from powerauth_core.jwt import revocation
from powerauth_core.jwt.client_authentication import ASSERTION_TYPE, shown_client
from powerauth_core.jwt.rules import seconds_of
from powerauth_core.kernel.token_errors import GrantRefused
from powerauth_core.operations.models import Operation
from servicekit import clock

Form = Mapping[str, str]


class Party:
    """A client with its secret, as it talks to the token endpoints of a core."""

    def __init__(self, core: Core, client_id: str, secret: str | None) -> None:
        self.core = core
        self.client_id = client_id
        self.secret = secret

    def request(self, form: Form) -> FormRequest:
        if self.secret is None:
            return FormRequest(form=urlencode({"client_id": self.client_id, **form}))
        basic = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
        return FormRequest(form=urlencode(form), authorization=f"Basic {basic}")

    async def ask(self, form: Form, core: Core | None = None) -> OAuthAnswer:
        return await door.token(core or self.core, self.request(form))

    async def token(self, **form: str) -> dict[str, Any]:
        answer = await self.ask(form)
        assert answer.status == 200, answer.content
        assert answer.content is not None
        return answer.content

    async def error(self, **form: str) -> str:
        answer = await self.ask(form)
        assert answer.status == (401 if answer.authenticate else 400)
        assert answer.content is not None
        error: str = answer.content["error"]
        return error

    async def refreshed(self, token: str, **form: str) -> dict[str, Any]:
        return await self.token(grant_type="refresh_token", refresh_token=token, **form)

    async def refused(self, token: str, **form: str) -> str:
        return await self.error(grant_type="refresh_token", refresh_token=token, **form)

    async def told(self, token: str) -> dict[str, Any]:
        answer = await door.introspect(self.core, self.request({"token": token}))
        assert answer.content is not None
        return answer.content


@pytest_asyncio.fixture
async def web(issuing: Core, bank: str) -> Party:
    """A confidential client of the application."""
    made = await make_client(issuing, bank, "web")
    return Party(issuing, "web", made.secret)


def refresh_token_of(issued: Any) -> str:
    assert issued.refresh_token is not None
    found: str = issued.refresh_token
    return found


async def test_tk_8_each_use_of_a_refresh_token_gives_the_next_one(
    web: Party, bank: str, later: Later
) -> None:
    first = refresh_token_of(await signed_in(web.core, bank))
    assert len(first) == 43
    second = await web.refreshed(first)
    again = await web.refreshed(first)
    assert again["refresh_token"] == second["refresh_token"] != first, "its answer may have been lost"
    third = (await web.refreshed(second["refresh_token"]))["refresh_token"]
    later(seconds=11)
    assert await web.refused(second["refresh_token"]) == "invalid_grant"
    assert await web.refused(third) == "invalid_grant", "the whole family"
    assert await web.told(second["access_token"]) == {"active": False}
    async with web.core.database.read() as session:
        record = await session.scalar(select(AuditLog).where(AuditLog.message == "token.refresh.reuse"))
    assert record is not None


async def test_tk_8_nothing_is_refreshed_for_who_may_not_sign_in(
    web: Party, bank: str, phone: Any, later: Later
) -> None:
    async def of(**members: Any) -> str:
        later(seconds=1)
        return refresh_token_of(await signed_in(web.core, bank, authentication=authentication(**members)))

    token = await of(device_id="d-1")
    later(seconds=1)
    async with web.core.database.transaction() as session:
        await revocation.refuse_device(session, "d-1")
    assert await web.refused(token) == "invalid_grant"
    token = await of(activation_id=phone.activation_id)
    token = (await web.refreshed(token))["refresh_token"]
    await rewrite(web.core, activation_status=ActivationStatus.BLOCKED)
    assert await web.refused(token) == "invalid_grant"


async def test_tk_8_a_policy_stops_what_a_passkey_signed_in_to(web: Party, bank: str, api: Api) -> None:
    passkey = await store_passkey(web.core, bank, "alice", be=True, bs=True)
    signed = authentication(activation_id=passkey)
    token = refresh_token_of(await signed_in(web.core, bank, authentication=signed))
    policy = {"rpId": RP, "rpWebOrigins": [ORIGIN]}

    async def allow(synced: bool) -> None:
        wanted = policy | {"allowSyncedPasskeys": synced}
        await api.ok("passkey/policy/update", applicationId=bank, policy=wanted, force=True)

    await allow(False)
    assert await web.refused(token) == "invalid_grant"
    await allow(True)
    assert await web.refreshed(token), "no status was written"


async def test_refresh_tokens_end(web: Party, bank: str, later: Later) -> None:
    token = refresh_token_of(await signed_in(web.core, bank))
    for _ in range(4):
        later(days=6)
        token = (await web.refreshed(token))["refresh_token"]
    later(days=6, seconds=1)
    assert await web.refused(token) == "invalid_grant", "thirty days after the sign-in"
    token = refresh_token_of(await signed_in(web.core, bank))
    later(days=7, seconds=1)
    assert await web.refused(token) == "invalid_grant", "seven days unused"


async def test_a_refreshed_scope_is_no_wider(web: Party, bank: str) -> None:
    token = refresh_token_of(await signed_in(web.core, bank, scope="openid offline_access"))
    assert await web.refused(token, scope="openid device:bind") == "invalid_scope"
    assert await web.refused(token, resource="elsewhere") == "invalid_target"
    narrow = await web.refreshed(token, scope="offline_access", resource="payments")
    assert narrow["scope"] == "offline_access"
    assert "id_token" not in narrow
    assert (await web.refreshed(narrow["refresh_token"]))["scope"] == "openid offline_access"


@pytest.mark.parametrize("spoil", [lambda t: t[:-1] + ("E" if t[-1] == "A" else "A"), str.swapcase])
async def test_a_forged_refresh_token_ends_nothing(web: Party, bank: str, spoil: Any) -> None:
    token = refresh_token_of(await signed_in(web.core, bank))
    assert await web.refused(spoil(token)) == "invalid_grant"
    assert await web.refreshed(token)


async def test_tokens_of_one_client_are_nothing_to_another(web: Party, bank: str) -> None:
    made = await make_client(web.core, bank, "other", grant_types=[OidcGrant.REFRESH], resources=())
    other = Party(web.core, "other", made.secret)
    issued = await signed_in(web.core, bank, client_id="web", scope="openid offline_access")
    assert await other.refused(refresh_token_of(issued)) == "invalid_grant"
    assert await other.told(issued.access_token) == {"active": False}
    assert (await door.revoke(other.core, other.request({"token": issued.access_token}))).status == 200
    assert (await web.told(issued.access_token))["sub"] == "alice"
    told = await web.told(refresh_token_of(issued))
    assert (told["active"], told["token_type"], told["username"]) == (True, "refresh_token", "alice")


async def test_a_token_that_was_taken_back_is_inactive(web: Party, bank: str) -> None:
    issued = await signed_in(web.core, bank)
    assert (await web.told(issued.access_token))["active"]
    for token in ("nonsense", issued.access_token):
        assert (await door.revoke(web.core, web.request({"token": token}))).status == 200
    assert await web.told(issued.access_token) == {"active": False}
    assert await web.refreshed(refresh_token_of(issued)), "only that token"
    issued = await signed_in(web.core, bank)
    await door.revoke(web.core, web.request({"token": refresh_token_of(issued)}))
    assert await web.told(issued.access_token) == {"active": False}, "its session with all tokens"


@pytest_asyncio.fixture
async def approved(api: Api, bank: str) -> Any:
    """Make an operation, approved unless told otherwise; its id."""
    template = {
        "templateName": "login",
        "operationType": "login",
        "dataTemplate": "A2",
        "signatureType": ["POSSESSION_KNOWLEDGE"],
        "maxFailureCount": 5,
        "expiration": 300,
        "issueTokens": True,
    }
    assert (await api.ok("operation/template/create", **template))["issueTokens"] is True
    await api.ok("operation/template/create", **template | {"templateName": "silent", "issueTokens": False})

    async def make(
        *,
        name: str = "login",
        approve: bool = True,
        created: Mapping[str, Any] | None = None,
        **said: Any,
    ) -> str:
        made = await api.ok(
            "operation/create",
            userId="alice",
            applications=[bank],
            templateName=name,
            parameters={},
            additionalData=created,
        )
        if approve:
            await api.ok(
                "operation/approve",
                operationId=made["id"],
                userId="alice",
                applicationId=bank,
                data=made["data"],
                signatureType="POSSESSION_KNOWLEDGE",
                additionalData={"authFactor": "possession_knowledge", "username": "Alice"} | said,
            )
        operation_id: str = made["id"]
        return operation_id

    return make


GRANT = OidcGrant.OPERATION.value


async def test_tk_9_an_approved_operation_is_exchanged_once(
    web: Party, approved: Any, later: Later, api: Api
) -> None:
    operation = await approved()
    issued = await web.token(grant_type=GRANT, operation_id=operation, scope="openid", nonce="n")
    claims = (await web.told(issued["access_token"])) | {}
    assert (claims["sub"], claims["amr"], claims["acr"]) == ("alice", ["swk", "pin", "mfa"], "urn:pa:2fa")
    for refused in (
        operation,
        await approved(approve=False),
        await approved(name="silent"),
        str(uuid.uuid4()),
    ):
        assert await web.error(grant_type=GRANT, operation_id=refused) == "invalid_grant"
    operation = await approved()
    assert await web.error(grant_type=GRANT, operation_id=operation, activation_id="x") == "invalid_grant"
    await api.ok("application/create", applicationId="elsewhere")
    made = await make_client(web.core, "elsewhere", "stranger")
    stranger = Party(web.core, "stranger", made.secret)
    assert await stranger.error(grant_type=GRANT, operation_id=operation) == "invalid_grant"
    later(seconds=61)
    assert await web.error(grant_type=GRANT, operation_id=operation) == "invalid_grant", "a minute later"


async def test_only_an_approval_says_how_it_was_made(web: Party, approved: Any, phone: Any) -> None:
    """Who creates an operation does not choose what its tokens claim."""
    chosen = {"authFactor": "possession_biometry", "activationId": phone.activation_id, "credentialId": "x"}
    operation = await approved(created=chosen, authFactor=None)
    wrong = await web.error(grant_type=GRANT, operation_id=operation, activation_id=phone.activation_id)
    assert wrong == "invalid_grant"
    told = await web.told((await web.token(grant_type=GRANT, operation_id=operation))["access_token"])
    assert (told["amr"], told.get("acr")) == ([], None)


async def test_tk_9_of_replicas_one_exchanges_an_operation(
    web: Party, approved: Any, start_core: StartCore
) -> None:
    other = await start_core(jwt_issuer=ISSUER)
    form = {"grant_type": GRANT, "operation_id": await approved()}
    answers = await asyncio.gather(*[web.ask(form, core) for core in (web.core, other) * 4])
    assert sorted(answer.status for answer in answers) == [200, *[400] * 7]


async def test_an_operation_needs_a_client_that_shows_who_it_is(issuing: Core, bank: str, api: Api) -> None:
    public = {"applicationId": bank, "authMethod": "none", "grantTypes": [GRANT]}
    assert await api.error("jwt/clients/create", **public) == "ERR0024"


async def test_a_client_gets_a_token_of_its_own(web: Party, bank: str) -> None:
    issued = await web.token(grant_type="client_credentials", scope="device:bind", resource="payments")
    assert set(issued) == {"access_token", "token_type", "expires_in", "scope"}
    told = await web.told(issued["access_token"])
    assert (told["sub"], told["aud"], told["scope"]) == ("web", "payments", "device:bind")
    for scope in ("openid", "offline_access", "elsewhere"):
        assert await web.error(grant_type="client_credentials", scope=scope) == "invalid_scope"
    user_info = UserInfoRequest(authorization=f"Bearer {issued['access_token']}")
    assert (await door.user_info(web.core, user_info)).status == 401, "nobody's"


async def test_user_info_tells_what_the_scope_allows(web: Party, bank: str) -> None:
    issued = await signed_in(web.core, bank, scope="openid profile", username="Alice")
    asked = UserInfoRequest(authorization=f"Bearer {issued.access_token}")
    told = await door.user_info(web.core, asked)
    assert told.content is not None
    assert (told.content["sub"], told.content["preferred_username"]) == ("alice", "Alice")
    assert "roles" not in told.content


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "urn:pa:sign-in"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "client_secret": "x"}, "invalid_request"),
        ({"grant_type": "refresh_token", "client_id": "other"}, "invalid_request"),
    ],
)
async def test_what_the_endpoint_refuses(web: Party, form: Form, error: str) -> None:
    assert await web.error(**form) == error


@pytest.mark.parametrize(
    "text", ["%", "a=1&a=2", "a", "&".join(f"a{n}=1" for n in range(99)), "a=%00", "a=%ff"]
)
async def test_a_form_is_read_strictly(web: Party, text: str) -> None:
    answer = await door.token(web.core, FormRequest(form=text))
    assert (answer.status, (answer.content or {}).get("error")) == (400, "invalid_request")


async def test_a_client_has_to_know_its_secret(web: Party, api: Api, bank: str) -> None:
    known = {"grant_type": "client_credentials"}
    assert await Party(web.core, "web", "wrong").error(**known) == "invalid_client"
    assert await Party(web.core, "web", None).error(**known) == "invalid_client", "not its method"
    assert await Party(web.core, "nobody", "x").error(**known) == "invalid_client"
    assert await web.token(**known)
    assert await web.token(**known), "of memory"
    renewed = await api.ok("jwt/clients/secret", applicationId=bank, clientId="web")
    assert await web.error(**known) == "invalid_client"
    assert await Party(web.core, "web", renewed["clientSecret"]).token(**known)


async def test_a_client_asserts_itself_once(issuing: Core, bank: str, later: Later) -> None:
    keys: list[tuple[str, Key]] = [
        ("ES256", ECKey.generate_key("P-256", {"kid": "e"})),
        ("PS256", RSAKey.generate_key(2048, {"kid": "r"})),
    ]
    jwks = {"keys": [key.as_dict(private=False) for _, key in keys]}
    method = ClientAuthMethod.PRIVATE_KEY_JWT
    await make_client(issuing, bank, "signing", auth_method=method, jwks=jwks)
    party = Party(issuing, "signing", None)
    now = seconds_of(clock.now())
    sound = {"iss": "signing", "sub": "signing", "aud": f"{ISSUER}/oidc/token", "exp": now + 60}

    def asserted(key: int = 0, **change: Any) -> dict[str, str]:
        algorithm, signer = keys[key]
        claims = sound | {"jti": str(uuid.uuid4())} | change
        header = {"alg": algorithm, "kid": signer.kid}
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": jwt.encode(header, claims, signer, algorithms=[algorithm]),
        }

    for number in range(len(keys)):
        shown = asserted(number)
        assert await party.token(**shown)
        assert await party.error(**shown) == "invalid_client", "a second time"
    assert await party.token(**asserted(aud=[ISSUER]))
    for change in (
        {"iss": "web"},
        {"sub": "web"},
        {"aud": "https://elsewhere.example"},
        {"exp": now - 61},
        {"exp": now + 3_600},
        {"jti": ""},
        {"iat": now + 100},
    ):
        assert await party.error(**asserted(**change)) in ("invalid_client", "invalid_request"), change
    later(seconds=200)
    assert await party.error(**asserted()) == "invalid_client"


async def test_operations_are_not_touched(web: Party, approved: Any) -> None:
    operation = await approved()
    async with web.core.database.transaction() as session:
        await session.execute(update(Operation).values(template_name=None))
    assert await web.error(grant_type=GRANT, operation_id=operation) == "invalid_grant", "of no template"


SHOWN = st.dictionaries(
    st.sampled_from(["client_id", "client_secret", "client_assertion", "client_assertion_type", "x"]),
    st.text(max_size=20) | st.just(ASSERTION_TYPE),
    max_size=4,
)
HEADERS = (
    st.none()
    | st.text(max_size=30)
    | st.binary(max_size=30).map(lambda raw: f"Basic {base64.b64encode(raw).decode()}")
)


@given(HEADERS, SHOWN, st.text("ab=&%+0", max_size=30))
@settings(max_examples=300, deadline=None)
def test_whatever_is_shown_names_a_client_or_is_refused(header: str | None, form: Form, text: str) -> None:
    for read in (lambda: shown_client(header, form), lambda: door.form_members(text)):
        with contextlib.suppress(GrantRefused):
            assert read() is not None
