"""The promise of the DMZ: whoever holds the enrollment host holds nothing that opens or forges what is not
meant for it.

Everything that passes between enrollment, the core and phones is recorded; then every part of every recorded
value is tried as a key of every key exchange and of everything of activation scope, and as the base of forged
requests at the public door. After that the memory of the running process is searched for what key exchanges
held (D1, enrollment-api §2.1).
"""

import asyncio
import json
import random
import secrets
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "services/powerauth-core/tests/support"))

from dmz_attacker import Loot, opened
from e2e_identity import (
    CLIENT_ID,
    CLIENT_SECRET,
    REDIRECT_URI,
    HttpActivationService,
    IdentityProvider,
    log_in,
)
from e2e_memory import occurrences
from e2e_recording import Recording, RecordingProxy, RecordingTransport
from e2e_stacks import NO_LIMITS, REACHES_THIS_MACHINE, postgres_url

from powerauth_cli.bench.provision import CoreApi
from powerauth_cli.push_api import PushApi
from powerauth_cli.separate import SeparateProcesses, ServiceProcess
from powerauth_contracts.push.calls import STATEMENT_HEADER
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.v3 import ecies
from powerauth_protocol.v3.ecies import ClientEncryptor, Scope, SharedInfo1
from powerauth_protocol.v3.ecies_derivation import envelope_key_of
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_push.callers.rules import Scope as PushScope
from powerauth_sdk import AppConfig, Device, DeviceProfile, Inbox, register_for_push, vault
from powerauth_sdk.spawn import activation_code_for
from powerauth_sdk.transport import JSON_HEADERS, HttpTransport
from servicekit.serving import BackgroundServer
from servicekit.testing import PATIENCE_SECONDS

pytestmark = pytest.mark.e2e
PIN = "1234"
BURST = 12


@dataclass
class Dmz:
    """The stack: enrollment reaches the core through the recording proxy only.

    :ivar push: called with enrollment's credentials there
    """

    recording: Recording
    enrollment: ServiceProcess
    core: CoreApi
    push: PushApi
    identity: IdentityProvider
    own_marker: str
    application_id: str = ""
    sdk_config: str = field(default="", repr=False)

    def phone(self, version: ProtocolVersion = ProtocolVersion.V3_3) -> Device:
        """A phone whose traffic is recorded."""
        config = AppConfig.from_sdk_config(self.enrollment.url, self.sdk_config, version)
        return Device(config, RecordingTransport(self.enrollment.url, self.recording))

    async def code(self, **more: Any) -> str:
        """An activation code of a new user."""
        created = await self.core.call(
            "activation/init", userId=f"user-{uuid4()}", applicationId=self.application_id, **more
        )
        return str(created["activationCode"])


@pytest.fixture(scope="module")
async def dmz() -> AsyncIterator[Dmz]:
    recording, identity = Recording(), IdentityProvider()
    marker = f"own-{secrets.token_hex(12)}"
    async with (
        BackgroundServer(identity.app) as issuer,
        BackgroundServer(HttpActivationService().app) as provider,
        SeparateProcesses(
            postgres_url(),
            services=("core", "push"),
            settings=REACHES_THIS_MACHINE | {"CORE_CUSTOM_ACTIVATION_PROVIDER_URL": provider.url},
        ) as running,
    ):
        identity.url = issuer.url
        at_push = await running.push_credentials("enrollment", {PushScope.ENROLLMENT})
        proxy = RecordingProxy(running.dmz_url, recording)
        async with BackgroundServer(proxy.app) as front:
            enrollment = ServiceProcess(
                "enrollment",
                "/enrollment-server",
                {
                    "ENROLLMENT_CORE_URL": front.url,
                    "ENROLLMENT_CORE_CLIENT_TOKEN": running.dmz_credentials[0],
                    "ENROLLMENT_CORE_CLIENT_SECRET": running.dmz_credentials[1],
                    "ENROLLMENT_PUSH_URL": running.push_url,
                    "ENROLLMENT_PUSH_CLIENT_TOKEN": at_push[0],
                    "ENROLLMENT_PUSH_CLIENT_SECRET": at_push[1],
                    "ENROLLMENT_APPLICATION_NAME": marker,
                    "ENROLLMENT_ACTIVATION_SPAWN_ENABLED": "true",
                    **NO_LIMITS,
                },
            )
            await enrollment.start()
            dmz = Dmz(
                recording,
                enrollment,
                CoreApi(running.core_url, running.rest_credentials),
                PushApi(running.push_url, at_push),
                identity,
                marker,
            )
            await _provision(dmz)
            operator = PushApi(running.push_url, await running.push_credentials("operator"))
            await operator.call("POST", "/admin/app/create", {"appId": dmz.application_id})
            await operator.close()
            yield dmz
            await enrollment.stop()
        await proxy.close()
        await dmz.core.close()
        await dmz.push.close()


async def _provision(dmz: Dmz) -> None:
    dmz.application_id = f"dmz-{uuid4().hex[:8]}"
    await dmz.core.call("application/create", applicationId=dmz.application_id)
    detail = await dmz.core.call("application/detail", applicationId=dmz.application_id)
    dmz.sdk_config = detail["versions"][0]["mobileSdkConfig"]
    await dmz.core.call(
        "recovery/config/update",
        applicationId=dmz.application_id,
        activationRecoveryEnabled=True,
        recoveryPostcardEnabled=False,
        allowMultipleRecoveryCodes=False,
    )
    provider = {
        "providerId": "login",
        "clientId": CLIENT_ID,
        "clientSecret": CLIENT_SECRET,
        "issuerUri": dmz.identity.url,
        "redirectUri": REDIRECT_URI,
    }
    await dmz.core.call(
        "application/config/create",
        applicationId=dmz.application_id,
        key="oauth2_providers",
        values=[provider],
    )
    await dmz.core.call(
        "application/config/create",
        applicationId=dmz.application_id,
        key="activation_transfer",
        values=[{"type": "SPAWN", "allowedTargetApplicationIds": [dmz.application_id]}],
    )


async def activate_in_every_way(dmz: Dmz, version: ProtocolVersion) -> Device:
    """By code with a password, by credentials, by recovery code, by a login; one of these phones."""
    by_code = dmz.phone(version)
    code = await dmz.code(activationOtp="otp-of-layer-2", commitPhase="ON_KEY_EXCHANGE")
    first = await by_code.activate_with_code(code, PIN, otp="otp-of-layer-2")
    credentials = {"user": f"user-{uuid4()}", "pin": "2468", "commit": "yes"}
    await dmz.phone(version).activate_with_credentials(credentials, PIN)
    assert first.recovery is not None
    recovered = dmz.phone(version)
    await recovered.activate_with_recovery_code(first.recovery.recovery_code, first.recovery.puk, PIN)
    async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as http:
        public = {
            "clientId": CLIENT_ID,
            "redirectUri": REDIRECT_URI,
            "scopes": "openid",
            "authorizeUri": f"{dmz.identity.url}/authorize",
            "pkceEnabled": False,
        }
        login = await log_in(http, public, f"user-{uuid4()}")
    await dmz.phone(version).activate_with_oidc(
        provider_id="login", code=login.code, nonce=login.nonce, pin=PIN
    )
    await recovered.validate_signature(pin=PIN)
    return recovered


async def use_everything(dmz: Dmz, phone: Device, version: ProtocolVersion) -> None:
    """All that passes in activation scope."""
    await phone.token()
    assert await phone.user_info()
    await phone.rename("A name that is longer than one block", PIN)
    await phone.detail("two factors", SignatureType.POSSESSION_KNOWLEDGE, PIN)
    await vault.encryption_key(phone, 1, PIN)
    if version.facts.associated_data:
        await activation_code_for(phone, dmz.application_id, "sixteen-or-more-characters", PIN)


@pytest.mark.parametrize("version", list(ProtocolVersion), ids=str)
async def test_no_recorded_value_opens_a_key_exchange_or_what_is_an_activations(
    dmz: Dmz, version: ProtocolVersion
) -> None:
    recording = dmz.recording
    recording.clear()
    await use_everything(dmz, await activate_in_every_way(dmz, version), version)
    loot = recording.loot()
    exchanges, personal = recording.key_exchanges(version), recording.personal_envelopes(version)
    assert (len(exchanges), len(personal)) == (8, 14 if version.facts.associated_data else 12)
    assert opened([*exchanges, *personal], loot) == []


@pytest.mark.parametrize("version", list(ProtocolVersion), ids=str)
async def test_no_recorded_value_forges_a_request_at_the_public_door(
    dmz: Dmz, version: ProtocolVersion
) -> None:
    """Without any credentials, while the phone's temporary key lives and after."""
    dmz.recording.clear()
    phone = dmz.phone(version)
    await phone.activate_with_code(await dmz.code(commitPhase="ON_KEY_EXCHANGE"), PIN)
    await use_everything(dmz, phone, version)
    loot = dmz.recording.loot()
    encryptor = await phone.encryption.encryptor(
        Scope.ACTIVATION, SharedInfo1.ACTIVATION_GENERIC, phone.state
    )
    base = encryptor._base
    assert base not in loot.bases(phone.config.application_secret)
    whole = {value[at : at + 32] for value in loot.values() for at in (0, 4) if len(value) >= at + 32}
    tried = random.Random(version).sample(sorted(whole), 20)
    transport = HttpTransport(dmz.enrollment.url)
    for candidate, status in (*((candidate, 400) for candidate in tried), (base, 200)):
        forged = ClientEncryptor(encryptor._context, encryptor._public_key, candidate).encrypt(b"{}")
        headers = JSON_HEADERS | phone.encryption.header(Scope.ACTIVATION, phone.state)
        body = json.dumps(forged.to_json_dict()).encode()
        answer = await transport.send("POST", "/pa/v3/user/info", headers, body)
        assert answer.status == status
    await transport.close()


@pytest.mark.parametrize("leaked", ["envelope key", "shared secret"])
async def test_a_leaked_key_of_a_key_exchange_would_be_noticed(
    dmz: Dmz, monkeypatch: pytest.MonkeyPatch, leaked: str
) -> None:
    derived: dict[str, bytes] = {}
    derive = envelope_key_of

    def spy(secret: bytes, point: bytes, sh1: str, version: ProtocolVersion) -> bytes:
        key = derive(secret, point, sh1, version)
        if sh1 == ecies.SharedInfo1.APPLICATION_GENERIC:
            derived.update({"shared secret": secret, "envelope key": key})
        return key

    monkeypatch.setattr(ecies, "envelope_key_of", spy)
    dmz.recording.clear()
    await dmz.phone().activate_with_code(await dmz.code(), PIN)
    request, _answer = dmz.recording.key_exchanges(ProtocolVersion.V3_3)
    ((_, plaintext),) = opened([request], Loot([b64encode(derived[leaked])]))
    assert b"activationData" in plaintext


async def test_the_core_tells_enrollment_nothing_of_a_key_exchange(dmz: Dmz) -> None:
    dmz.recording.clear()
    name, extras = f"name-{secrets.token_hex(8)}", f"extras-{secrets.token_hex(8)}"
    phone = dmz.phone()
    await phone.activate_with_code(await dmz.code(), PIN, profile=DeviceProfile(name=name, extras=extras))
    told = json.dumps(dmz.recording.everything)
    assert phone.state.activation_id in told
    for inner in (name, extras, phone.state.server_public_key, phone.state.ctr_data):
        assert inner not in told


async def test_a_recorded_statement_opens_nothing_more_at_push(dmz: Dmz) -> None:
    """Whoever holds the host has enrollment's credentials at push and every statement that passed."""
    dmz.recording.clear()
    phone = dmz.phone()
    await phone.activate_with_code(await dmz.code(commitPhase="ON_KEY_EXCHANGE"), PIN)
    await register_for_push(phone, "fcm", "token of the phone")
    assert await Inbox(phone).messages() == []
    answers = [content["responseObject"] for _, content in dmz.recording.from_core]
    registering, listing = (answer["statement"] for answer in answers if "statement" in answer)
    user, device = {"userId": "somebody"}, {"platform": "fcm", "token": "token of the attacker"}
    device |= {"appId": dmz.application_id, "activationId": phone.state.activation_id}
    query = {"userId": "somebody", "applications": dmz.application_id}
    head, claims, signature = registering.split(".")
    for statement in (registering, listing, f"{head}.{claims[:-2]}.{signature}", ""):
        headers = {STATEMENT_HEADER: statement}
        for attempt in (
            dmz.push.call("POST", "/push/device/create", device, headers),
            dmz.push.call("GET", "/inbox/messages/list", None, headers, **query),
            dmz.push.call("POST", "/inbox/messages/read-all", query | user, headers),
            dmz.push.call("POST", "/push/message/send", {}, headers),
        ):
            with pytest.raises(RuntimeError, match="HTTP 403"):
                await attempt


async def test_memory_of_the_running_process_holds_nothing_of_key_exchanges(dmz: Dmz) -> None:
    markers = await asyncio.gather(*(_activate_with_markers(dmz, number) for number in range(BURST)))
    secret = {label: value for of_phone in markers for label, value in of_phone.items()}
    found = occurrences(dmz.enrollment.pid, secret | {"application name": dmz.own_marker.encode()})
    # The search sees what is there: the process's own settings.
    assert found["application name"] > 0
    assert {label: found[label] for label in secret if found[label]} == {}


async def _activate_with_markers(dmz: Dmz, number: int) -> dict[str, bytes]:
    """What the layers of a new activation held."""
    name, extras, otp, attribute = (f"{kind}-{secrets.token_hex(12)}" for kind in ("n", "e", "o", "a"))
    phone = dmz.phone()
    await phone.activate_with_code(
        await dmz.code(activationOtp=otp, commitPhase="ON_KEY_EXCHANGE"),
        PIN,
        otp=otp,
        profile=DeviceProfile(name=name, extras=extras),
        custom_attributes={"marker": attribute},
    )
    held = {
        "custom attribute": attribute,
        "device name": name,
        "extras": extras,
        "password": otp,
        "counter": phone.state.ctr_data,
        "server key": phone.state.server_public_key,
    }
    return {f"{label} {number}": value.encode() for label, value in held.items()}
