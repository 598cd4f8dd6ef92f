"""Activations without a code: credentials of the bank, recovery codes, OpenID Connect; in every version."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from e2e_identity import (
    CLIENT_ID,
    CLIENT_SECRET,
    REDIRECT_URI,
    HttpActivationService,
    IdentityProvider,
    Login,
    log_in,
)
from e2e_stacks import DEPLOYMENTS, REACHES_THIS_MACHINE, Stack, running

from powerauth_cli.demo.bank import Bank
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.v3 import recovery
from powerauth_protocol.v3.activation import ActivationType
from powerauth_protocol.v3.keys import ecdh, export_public_key, generate_key_pair, import_public_key
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk import ActivationResult, AppConfig, Device, ServerRefused, identity_provider, vault
from servicekit.serving import BackgroundServer
from servicekit.testing import PATIENCE_SECONDS

pytestmark = pytest.mark.e2e
PIN = "1234"
PROVIDER_ID = "bank-login"
REFUSED = (400, "ERR_ACTIVATION")


@dataclass
class World:
    """A stack, what it calls, and one application."""

    stack: Stack
    identity: IdentityProvider
    service: HttpActivationService
    application_id: str
    sdk_config: str


@pytest.fixture(scope="module", params=DEPLOYMENTS)
async def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    identity, service = IdentityProvider(), HttpActivationService()
    folder = tmp_path_factory.mktemp("types")
    async with BackgroundServer(identity.app) as issuer, BackgroundServer(service.app) as provider:
        identity.url = issuer.url
        settings = REACHES_THIS_MACHINE | {"CORE_CUSTOM_ACTIVATION_PROVIDER_URL": provider.url}
        async with running(request.param, folder, settings) as stack:
            admin = stack.bank()
            application_id = f"types-{uuid4().hex[:8]}"
            created = await admin.call("POST", "/admin/applications", {"id": application_id})
            await _offer_login(admin, application_id, identity)
            yield World(stack, identity, service, application_id, created["mobileSdkConfig"])
            await admin.close()


async def _offer_login(admin: Bank, application_id: str, identity: IdentityProvider) -> None:
    provider = {
        "providerId": PROVIDER_ID,
        "clientId": CLIENT_ID,
        "clientSecret": CLIENT_SECRET,
        "issuerUri": identity.url,
        "redirectUri": REDIRECT_URI,
        "scopes": "openid",
        "pkceEnabled": True,
    }
    path = f"/admin/applications/{application_id}/oidc-providers/{PROVIDER_ID}"
    await admin.call("PUT", path, provider)


NewPhone = Callable[[], Device]


@pytest.fixture
def new_phone(world: World, version: ProtocolVersion) -> NewPhone:
    """Another phone of the application: ``new_phone()``."""
    config = AppConfig.from_sdk_config(world.stack.enrollment, world.sdk_config, version)
    return lambda: Device(config)


@pytest.fixture
def phone(new_phone: NewPhone) -> Device:
    return new_phone()


async def refusal(activation: Awaitable[object]) -> tuple[int, str]:
    with pytest.raises(ServerRefused) as refused:
        await activation
    return refused.value.http_status, refused.value.code


async def status_of(world: World, phone: Device) -> Any:
    return await world.stack.core.call("activation/status", activationId=phone.state.activation_id)


class TestCredentials:
    """A provider of the bank behind HTTP."""

    @pytest.mark.parametrize("kind", [ActivationType.CUSTOM, ActivationType.DIRECT])
    async def test_the_bank_names_the_user_and_commits(
        self, world: World, phone: Device, kind: ActivationType
    ) -> None:
        user = f"user-{uuid4().hex[:8]}"
        result = await phone.activate_with_credentials(
            {"user": user, "pin": "2468", "commit": "yes"},
            PIN,
            activation_type=kind,
            custom_attributes={"channel": "branch"},
        )
        assert result.custom_attributes == {"seen": ["channel"], "user": user}
        seen = await status_of(world, phone)
        assert (seen["userId"], seen["activationStatus"]) == (user, "ACTIVE")
        assert seen["activationFlags"] == ["BY-HTTP"]
        assert seen["maxFailedAttempts"] == 3
        await phone.validate_signature(pin=PIN)
        assert [item["activationId"] for item in world.service.heard("committed")][-1] == result.activation_id

    async def test_without_a_commit_the_phone_waits_for_the_bank(self, world: World, phone: Device) -> None:
        user = f"user-{uuid4().hex[:8]}"
        result = await phone.activate_with_credentials({"user": user, "pin": "2468"}, PIN)
        assert (await phone.status()).state == "PENDING_COMMIT"
        await world.stack.core.call("activation/commit", activationId=result.activation_id)
        await phone.validate_signature(pin=PIN)

    @pytest.mark.parametrize(
        "identity",
        [
            {"user": "alice", "pin": "0000"},
            {"pin": "2468"},
            {"user": "", "pin": "2468"},
            {"user": "x" * 256, "pin": "2468"},
        ],
    )
    async def test_the_bank_refuses(self, world: World, phone: Device, identity: dict[str, Any]) -> None:
        before = len(world.service.heard("complete"))
        assert await refusal(phone.activate_with_credentials(identity, PIN)) == REFUSED
        assert len(world.service.heard("complete")) == before

    async def test_the_bank_hears_of_a_removal(self, world: World, phone: Device) -> None:
        identity = {"user": f"user-{uuid4().hex[:8]}", "pin": "2468", "commit": "yes"}
        result = await phone.activate_with_credentials(identity, PIN)
        await phone.remove(PIN)
        owned = world.service.heard("removed")[-1]
        assert (owned["activationId"], owned["userId"]) == (result.activation_id, identity["user"])
        assert owned["applicationId"] == world.application_id


class PostOffice:
    """Prints recovery postcards: it derives codes and PUKs from what the core gives out."""

    def __init__(self, world: World) -> None:
        self._core = world.stack.core
        self._application_id = world.application_id
        self._keys = generate_key_pair()

    async def open(self) -> None:
        await self._core.call(
            "recovery/config/update",
            applicationId=self._application_id,
            activationRecoveryEnabled=True,
            recoveryPostcardEnabled=True,
            allowMultipleRecoveryCodes=True,
            remotePostcardPublicKey=b64encode(export_public_key(self._keys.public)),
        )

    async def postcard(self, user: str, puks: int) -> recovery.RecoveryCode:
        config = await self._core.call("recovery/config/detail", applicationId=self._application_id)
        created = await self._core.call(
            "recovery/create", applicationId=self._application_id, userId=user, pukCount=puks
        )
        secret = ecdh(self._keys.private, import_public_key(b64decode(config["postcardPublicKey"])))
        indexes = [puk["pukDerivationIndex"] for puk in created["puks"]]
        return recovery.derive(secret, b64decode(created["nonce"]), indexes)


@pytest.fixture
async def post_office(world: World) -> PostOffice:
    office = PostOffice(world)
    await office.open()
    return office


async def activated_by_code(world: World, phone: Device, user: str) -> ActivationResult:
    created = await world.stack.core.call("activation/init", userId=user, applicationId=world.application_id)
    result = await phone.activate_with_code(created["activationCode"], PIN)
    await world.stack.core.call("activation/commit", activationId=result.activation_id)
    return result


class TestRecovery:
    """Recovery codes of activations and of postcards."""

    async def test_a_lost_phone_is_replaced_by_its_recovery_code(
        self, world: World, post_office: PostOffice, phone: Device, new_phone: NewPhone
    ) -> None:
        user = f"user-{uuid4().hex[:8]}"
        first = await activated_by_code(world, phone, user)
        assert first.recovery is not None
        new = new_phone()
        second = await new.activate_with_recovery_code(first.recovery.recovery_code, first.recovery.puk, PIN)
        assert (await new.status()).state == "ACTIVE"
        assert (await phone.status()).state == "REMOVED"
        assert (await status_of(world, new))["userId"] == user
        await new.validate_signature(pin=PIN)
        assert second.recovery is not None
        assert second.recovery.recovery_code != first.recovery.recovery_code
        again = new_phone().activate_with_recovery_code(first.recovery.recovery_code, first.recovery.puk, PIN)
        assert await refusal(again) == REFUSED
        assert (await new.status()).state == "ACTIVE"

    async def test_the_index_of_the_puk_that_is_due_is_told(
        self, world: World, post_office: PostOffice, phone: Device, new_phone: NewPhone
    ) -> None:
        user = f"user-{uuid4().hex[:8]}"
        await activated_by_code(world, phone, user)
        card = await post_office.postcard(user, 3)
        premature = new_phone().activate_with_recovery_code(card.code, card.puks[0], PIN)
        assert await refusal(premature) == REFUSED
        assert await vault.confirm_recovery_code(phone, card.code, PIN) is False
        for due, wrong in ((1, 1), (1, 2)):
            with pytest.raises(ServerRefused) as refused:
                await new_phone().activate_with_recovery_code(card.code, card.puks[wrong], PIN)
            assert (refused.value.http_status, refused.value.code) == (400, "INVALID_RECOVERY_CODE")
            assert refused.value.extra["currentRecoveryPukIndex"] == due
        await new_phone().activate_with_recovery_code(card.code, card.puks[0], PIN)
        with pytest.raises(ServerRefused) as refused:
            await new_phone().activate_with_recovery_code(card.code, card.puks[0], PIN)
        assert refused.value.extra["currentRecoveryPukIndex"] == 2
        third = new_phone()
        await third.activate_with_recovery_code(card.code, card.puks[1], PIN)
        await third.validate_signature(pin=PIN)

    @pytest.mark.usefixtures("post_office")
    async def test_guessing_ends_the_code(self, world: World, phone: Device, new_phone: NewPhone) -> None:
        result = await activated_by_code(world, phone, f"user-{uuid4().hex[:8]}")
        assert result.recovery is not None
        code = result.recovery.recovery_code
        seen = set()
        for _ in range(10):
            guess = new_phone().activate_with_recovery_code(code, "0000000000", PIN)
            seen.add(await refusal(guess))
        assert seen == {(400, "INVALID_RECOVERY_CODE"), REFUSED}
        right = new_phone().activate_with_recovery_code(code, result.recovery.puk, PIN)
        assert await refusal(right) == REFUSED
        assert (await phone.status()).state == "ACTIVE"


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        yield client


class Customer:
    """Somebody who logs in at the identity provider."""

    def __init__(self, phone: Device, http: httpx2.AsyncClient) -> None:
        self.phone = phone
        self.http = http
        self.user = f"oidc|{uuid4().hex[:8]}"

    async def configuration(self) -> dict[str, Any]:
        return await identity_provider(self.phone, PROVIDER_ID)

    async def log_in(self) -> Login:
        return await log_in(self.http, await self.configuration(), self.user)

    async def activate(self, login: Login, **changed: Any) -> ActivationResult:
        members = {"code": login.code, "nonce": login.nonce, "code_verifier": login.code_verifier}
        return await self.phone.activate_with_oidc(provider_id=PROVIDER_ID, pin=PIN, **(members | changed))


@pytest.fixture
def somebody(world: World, phone: Device, http: httpx2.AsyncClient) -> Iterator[Customer]:
    world.identity.overrides.clear()
    yield Customer(phone, http)
    world.identity.overrides.clear()


class TestOpenIdConnect:
    """A login at an identity provider; the core redeems the code."""

    async def test_a_login_activates_at_once(self, world: World, somebody: Customer) -> None:
        await somebody.activate(await somebody.log_in())
        seen = await status_of(world, somebody.phone)
        assert (seen["userId"], seen["activationStatus"]) == (somebody.user, "ACTIVE")
        await somebody.phone.validate_signature(pin=PIN)

    async def test_a_code_is_redeemed_once(self, somebody: Customer, new_phone: NewPhone) -> None:
        login = await somebody.log_in()
        await somebody.activate(login)
        again = Customer(new_phone(), somebody.http)
        assert await refusal(again.activate(login)) == REFUSED

    async def test_a_wrong_nonce_or_verifier_is_refused(self, somebody: Customer) -> None:
        for wrong in ({"nonce": "of somebody else"}, {"code_verifier": "x" * 43}, {"code_verifier": None}):
            login = await somebody.log_in()
            assert await refusal(somebody.activate(login, **wrong)) == REFUSED

    async def test_without_a_verifier_the_code_is_not_even_used(
        self, world: World, somebody: Customer
    ) -> None:
        login = await somebody.log_in()
        calls = world.identity.token_calls
        assert await refusal(somebody.activate(login, code_verifier=None)) == REFUSED
        assert world.identity.token_calls == calls
        await somebody.activate(login)

    async def test_rotated_keys_are_followed(self, world: World, somebody: Customer) -> None:
        world.identity.rotate()
        await somebody.activate(await somebody.log_in())

    async def test_a_key_that_was_withdrawn_signs_nothing(self, world: World, somebody: Customer) -> None:
        world.identity.rotate(sign_with_old=True)
        assert await refusal(somebody.activate(await somebody.log_in())) == REFUSED
        world.identity.rotate()

    async def test_one_code_and_two_phones(self, somebody: Customer, new_phone: NewPhone) -> None:
        login = await somebody.log_in()
        rivals = [somebody, Customer(new_phone(), somebody.http)]
        outcomes = await asyncio.gather(*(rival.activate(login) for rival in rivals), return_exceptions=True)
        assert sorted(isinstance(outcome, ServerRefused) for outcome in outcomes) == [False, True]
