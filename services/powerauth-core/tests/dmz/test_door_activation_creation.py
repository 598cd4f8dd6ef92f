"""Creating activations at the door, by every type (D1 rule 1; enrollment-api §6.3, §7)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from core_test_api import Api
from core_test_phones import MakeDevice, MakePhone, Stored
from sqlalchemy import func, select

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.activations.models import Activation
from powerauth_core.container import Core
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.ecies import SharedInfo1
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Phone, Sealed

if TYPE_CHECKING:
    from dmz.conftest import Door, WebServer


class Provider:
    """The operator's provider behind HTTP: records what it is asked, answers what the test says."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {}
        self.status = 200

    async def __call__(self, path: str, body: bytes) -> tuple[int, bytes]:
        step = path.rsplit("/", 1)[-1]
        self.asked.append((step, json.loads(body)))
        return self.status, json.dumps(self.answers.get(step, {})).encode()

    def steps(self) -> list[str]:
        """Names of the steps asked so far."""
        return [step for step, _ in self.asked]


@pytest_asyncio.fixture
async def provider(core: Core, web_server: WebServer) -> Provider:
    """A provider that the core's settings point at."""
    made = Provider()
    core.settings.custom_activation_provider_url = await web_server(made)
    return made


async def create(
    door: Door, device: Phone, kind: str, identity: dict[str, str], **more: Any
) -> dict[str, Any]:
    """Create and take over the keys of the answer."""
    sealed = await device.layer2(door.call)
    answer: dict[str, Any] = await door.api.ok(
        "activation/create", **creation(device, sealed, kind, identity, **more)
    )
    device.accept(sealed, answer["activationData"])
    return answer


def creation(
    device: Phone, sealed: Sealed, kind: str, identity: dict[str, str], **more: Any
) -> dict[str, Any]:
    return {
        "applicationKey": device.app.key,
        "protocolVersion": device.version.value,
        "type": kind,
        "identityAttributes": identity,
        "customAttributes": {"channel": "branch"},
        "activationData": sealed.fields,
    } | more


async def init(api: Api, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await api.ok(
        "activation/init", **({"userId": "alice", "applicationId": "test-application"} | more)
    )
    return answer


async def count(core: Core, status: ActivationStatus | None = None) -> int:
    statement = select(func.count()).select_from(Activation)
    if status is not None:
        statement = statement.where(Activation.activation_status == status)
    async with core.database.read() as session:
        return int((await session.execute(statement)).scalar_one())


@pytest.mark.parametrize("version", list(ProtocolVersion))
async def test_code_gives_a_usable_activation_after_its_commit(
    api: Api, door: Door, make_device: MakeDevice, version: ProtocolVersion
) -> None:
    started = await init(api)
    device = make_device(version)
    answer = await create(door, device, "CODE", {"code": started["activationCode"]})
    assert answer["activationStatus"] == "PENDING_COMMIT"
    assert answer["activationId"] == device.activation_id == started["activationId"]
    assert answer["customAttributes"] == {"channel": "branch"}
    assert answer["userInfo"]["sub"] == "alice"
    await api.ok("activation/commit", activationId=device.activation_id)
    history = await door.signed(device, "operation/history", b"{}")
    assert history == {"authenticated": True, "operations": []}


async def test_code_with_commit_at_key_exchange_is_active_at_once(
    api: Api, door: Door, make_device: MakeDevice
) -> None:
    started = await init(api, commitPhase="ON_KEY_EXCHANGE")
    answer = await create(door, make_device(), "CODE", {"code": started["activationCode"]})
    assert answer["activationStatus"] == "ACTIVE"


NO_PROOFS: list[tuple[str, dict[str, str]]] = [
    ("CODE", {"code": " "}),
    ("CODE", {"other": "x"}),
    ("CODE", {"code": "AAAAA-AAAAA-AAAAA-AAAAA"}),
    ("RECOVERY", {"recoveryCode": "x"}),
    ("RECOVERY", {"recoveryCode": "x", "puk": "1"}),
    ("CUSTOM", {"username": "alice"}),
    ("DIRECT", {"method": "password"}),
    ("DIRECT", {"method": "oidc"}),
    ("DIRECT", {"method": "oidc", "providerId": "none", "code": "c", "nonce": "n"}),
]


async def test_nothing_is_created_without_a_proof(door: Door, make_device: MakeDevice, core: Core) -> None:
    for kind, identity in NO_PROOFS:
        device = make_device()
        sealed = await device.layer2(door.call)
        status, body = await door.api.post("activation/create", **creation(device, sealed, kind, identity))
        assert (status, body["status"]) == (400, "ERROR"), (kind, identity)
    assert await count(core) == 0


MALFORMED: list[dict[str, Any]] = [
    {"type": "OTHER"},
    {"identityAttributes": {}},
    {"activationData": None},
    {"protocolVersion": ""},
    {"applicationKey": " "},
]


async def test_malformed_creation_is_refused(door: Door, make_device: MakeDevice) -> None:
    for changes in MALFORMED:
        device = make_device()
        request = creation(device, await device.layer2(door.call), "CODE", {"code": "x"}) | changes
        status, _ = await door.api.post("activation/create", **request)
        assert status == 400, changes


async def test_the_form_of_layer_2_is_judged_before_anybody_is_asked(
    door: Door, make_device: MakeDevice, provider: Provider
) -> None:
    broken: list[dict[str, Any]] = [{"mac": None}, {"encryptedData": "*"}, {"nonce": 5}, {"unknown": 1}]
    for members in broken:
        device = make_device()
        sealed = await device.layer2(door.call)
        request = creation(device, sealed, "CUSTOM", {"login": "x"}, activationData=sealed.fields | members)
        assert await door.api.error("activation/create", **request) == "ERR0024", members
    assert provider.asked == []


# -- recovery --------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def recoverable(api: Api, door: Door, make_device: Callable[..., Phone]) -> Phone:
    """An ACTIVE activation with a recovery code."""
    await api.ok(
        "recovery/config/update",
        applicationId="test-application",
        activationRecoveryEnabled=True,
        recoveryPostcardEnabled=False,
        allowMultipleRecoveryCodes=False,
    )
    device = make_device()
    started = await init(api, commitPhase="ON_KEY_EXCHANGE")
    await create(door, device, "CODE", {"code": started["activationCode"]})
    assert device.recovery is not None
    return device


async def test_recovery_replaces_the_activation_and_commits(
    door: Door, recoverable: Phone, make_device: MakeDevice, stored: Stored
) -> None:
    code, puk = recoverable.open_recovery
    device = make_device()
    answer = await create(door, device, "RECOVERY", {"recoveryCode": code, "puk": puk})
    assert answer["activationStatus"] == "ACTIVE"
    assert (await stored(recoverable)).activation_status is ActivationStatus.REMOVED
    assert (await stored(device)).user_id == "alice"


async def test_wrong_puk_names_the_one_to_enter(
    door: Door, recoverable: Phone, make_device: MakeDevice, core: Core
) -> None:
    code, puk = recoverable.open_recovery
    wrong = str((int(puk) + 1) % 10**10).zfill(10)
    device = make_device()
    sealed = await device.layer2(door.call)
    request = creation(device, sealed, "RECOVERY", {"recoveryCode": code, "puk": wrong})
    closed, _ = await door.in_both_layers(
        device, (await device.layer2(door.call)).fields, request["identityAttributes"], type="RECOVERY"
    )
    for path, wanted in (("activation/create", request), ("sealed/activation/create", closed)):
        _, body = await door.api.post(path, **wanted)
        assert body["responseObject"]["code"] == "ERR_RECOVERY"
        assert body["responseObject"]["currentRecoveryPukIndex"] == 1
    assert await count(core, ActivationStatus.ACTIVE) == 1


@pytest.mark.parametrize(
    ("configured", "setting", "environment", "committed"),
    [
        (None, None, "test", True),
        (None, None, "production", False),
        (None, False, "test", False),
        (None, True, "production", True),
        (["RECOVERY"], None, "production", True),
        (["CUSTOM"], True, "test", False),
        ([], True, "test", False),
    ],
)
async def test_recovery_without_a_provider_commits_as_configured(
    api: Api,
    door: Door,
    recoverable: Phone,
    make_device: MakeDevice,
    core: Core,
    configured: list[Any] | None,
    setting: bool | None,
    environment: str,
    committed: bool,
) -> None:
    settings: Any = core.settings
    settings.auto_commit_recovery, settings.environment = setting, environment
    await allow_commits(api, configured)
    code, puk = recoverable.open_recovery
    answer = await create(door, make_device(), "RECOVERY", {"recoveryCode": code, "puk": puk})
    assert answer["activationStatus"] == ("ACTIVE" if committed else "PENDING_COMMIT")


@pytest.mark.parametrize("kind", ["RECOVERY", "CUSTOM"])
@pytest.mark.parametrize("environment", ["test", "production"])
@pytest.mark.parametrize(
    ("configured", "word", "committed"),
    [
        (None, True, True),
        (None, False, False),
        ("both", True, True),
        ("both", False, False),
        ("other", True, False),
        ([], True, False),
    ],
)
async def test_providers_word_decides_where_the_application_allows_it(
    api: Api,
    door: Door,
    recoverable: Phone,
    provider: Provider,
    make_device: MakeDevice,
    core: Core,
    kind: str,
    environment: str,
    configured: Any,
    word: bool,
    committed: bool,
) -> None:
    settings: Any = core.settings
    settings.environment = environment
    types = {"RECOVERY", "CUSTOM"}
    named = {"both": sorted(types), "other": sorted(types - {kind})}
    await allow_commits(api, named.get(configured, configured) if configured else configured)
    provider.answers = {"plan": {"userId": "alice"}, "complete": {"commit": word}}
    code, puk = recoverable.open_recovery
    device = make_device()
    answer = await create(door, device, kind, {"recoveryCode": code, "puk": puk})
    assert answer["activationStatus"] == ("ACTIVE" if committed else "PENDING_COMMIT")
    assert provider.steps() == ["plan", "complete"] + ["committed"] * committed
    if committed:
        told = provider.asked[-1][1]
        assert (told["type"], told["activationId"]) == (kind, device.activation_id)


async def allow_commits(api: Api, types: list[str] | None) -> None:
    if types is not None:
        await api.ok(
            "application/config/create", applicationId="test-application", key="automaticCommit", values=types
        )


async def test_recovery_code_is_confirmed_by_a_signature_over_its_envelope(
    door: Door, recoverable: Phone
) -> None:
    plain = json.dumps({"recoveryCode": recoverable.open_recovery[0]}).encode()
    body, sealed = await door.sealed(recoverable, SharedInfo1.CONFIRM_RECOVERY_CODE, plain)
    answer = await door.signed(recoverable, "recovery/confirm", body)
    assert sealed.open_json(answer["envelope"]) == {"alreadyConfirmed": True}
    weak = await door.signed(recoverable, "recovery/confirm", body, SignatureType.POSSESSION_BIOMETRY)
    assert weak["authenticated"] is False


# -- providers -------------------------------------------------------------------------------------------


async def test_provider_names_the_user_and_commits(
    door: Door, provider: Provider, make_device: MakeDevice, stored: Stored
) -> None:
    provider.answers = {
        "plan": {
            "userId": "bob",
            "maxFailedAttempts": 3,
            "validityMs": 60_000,
            "generateRecoveryCodes": False,
        },
        "complete": {"customAttributes": {"done": True}, "flags": ["FROM-BANK"], "commit": True},
    }
    device = make_device()
    answer = await create(door, device, "DIRECT", {"login": "b", "password": "secret"})
    assert answer["activationStatus"] == "ACTIVE"
    assert answer["customAttributes"] == {"done": True}
    row = await stored(device)
    assert (row.user_id, row.max_failed_attempts, row.flags) == ("bob", 3, ["FROM-BANK"])
    assert provider.steps() == ["plan", "complete", "committed"]
    plan, complete = provider.asked[0][1], provider.asked[1][1]
    assert plan["identityAttributes"] == {"login": "b", "password": "secret"}
    assert (complete["userId"], complete["type"]) == ("bob", "CUSTOM")
    assert complete["activationId"] == device.activation_id


NOBODY: list[dict[str, Any] | list[Any]] = [
    {},
    [],
    {"userId": " "},
    {"userId": "x" * 256},
    {"userId": " " * 255 + "x"},
    {"userId": "b\x00"},
    {"userId": "\ud800"},
    {"userId": [7]},
    {"userId": "b", "validityMs": -1},
    {"userId": "b", "validityMs": 1.5},
]


async def test_provider_that_names_nobody_refuses(
    door: Door, provider: Provider, make_device: MakeDevice, core: Core
) -> None:
    for plan in NOBODY:
        provider.answers = {"plan": plan}
        device = make_device()
        request = creation(device, await device.layer2(door.call), "CUSTOM", {"login": "b"})
        assert await door.api.error("activation/create", **request) == "ERROR_PROVIDER", plan
    assert await count(core) == 0


async def test_failing_provider_refuses_and_leaves_nothing_usable(
    door: Door, provider: Provider, make_device: MakeDevice, core: Core
) -> None:
    provider.answers = {"plan": {"userId": "bob"}, "complete": {"flags": [""]}}
    device = make_device()
    request = creation(device, await device.layer2(door.call), "CUSTOM", {"login": "b"})
    assert await door.api.error("activation/create", **request) == "ERROR_PROVIDER"
    assert await count(core, ActivationStatus.REMOVED) == 1
    provider.status = 500
    request = creation(device, await device.layer2(door.call), "CUSTOM", {"login": "b"})
    assert await door.api.error("activation/create", **request) == "ERROR_PROVIDER"


async def test_captured_host_cannot_speak_for_the_provider(
    door: Door, provider: Provider, make_device: MakeDevice, stored: Stored
) -> None:
    """What the host adds reaches neither the plan nor the commit, and the provider does not see it."""
    provider.answers = {"plan": {"userId": "bob"}}
    device = make_device()
    sealed = await device.layer2(door.call)
    forged = {"userId": "mallory", "commit": True, "flags": ["ADMIN"], "plan": {"userId": "mallory"}}
    request = creation(device, sealed, "CUSTOM", {"login": "b"}, **forged)
    answer = await door.api.ok("activation/create", **request)
    device.accept(sealed, answer["activationData"])
    row = await stored(device)
    assert (row.user_id, row.activation_status) == ("bob", ActivationStatus.PENDING_COMMIT)
    assert row.flags == []
    assert not any("mallory" in json.dumps(content) for _, content in provider.asked)


async def test_captured_host_cannot_send_credentials_again(
    door: Door, provider: Provider, make_device: MakeDevice, core: Core
) -> None:
    provider.answers = {"plan": {"userId": "bob"}, "complete": {"commit": True}}
    device = make_device()
    request = creation(device, await device.layer2(door.call), "CUSTOM", {"login": "b"})
    await door.api.ok("activation/create", **request)
    assert await door.api.error("activation/create", **request) == "ERR0024"
    assert await count(core) == 1


async def test_captured_host_cannot_activate_after_the_provider_said_no(
    door: Door, provider: Provider, make_device: MakeDevice, core: Core
) -> None:
    """A refusal of the provider cannot be got round by another type with the same credentials."""
    provider.status = 403
    identity = {"login": "b", "method": "bank", "code": "AAAAA-AAAAA-AAAAA-AAAAA"}
    for kind in ("CUSTOM", "DIRECT", "CODE", "RECOVERY"):
        device = make_device()
        request = creation(device, await device.layer2(door.call), kind, identity)
        assert (await door.api.error("activation/create", **request)).startswith("ERR"), kind
    assert await count(core) == 0


async def test_provider_never_commits_a_code(
    api: Api, door: Door, provider: Provider, make_device: MakeDevice
) -> None:
    provider.answers = {"complete": {"commit": True}}
    started = await init(api)
    answer = await create(door, make_device(), "CODE", {"code": started["activationCode"]})
    assert answer["activationStatus"] == "PENDING_COMMIT"


async def test_provider_decides_about_recovery_codes_at_removal(
    door: Door, provider: Provider, recoverable: Phone, api: Api
) -> None:
    provider.answers = {"plan-removal": {"revokeRecoveryCodes": True}}
    await door.signed(recoverable, "activation/remove", b"{}")
    assert provider.steps()[-2:] == ["plan-removal", "removed"]
    found = await api.ok("recovery/lookup", userId="alice")
    assert {code["status"] for code in found["recoveryCodes"]} == {"REVOKED"}


async def test_provider_is_not_asked_about_what_cannot_be_a_removal(
    door: Door, provider: Provider, recoverable: Phone, api: Api
) -> None:
    await door.signed(recoverable, "activation/remove", b"{}", SignatureType.POSSESSION)
    await api.ok("activation/block", activationId=recoverable.activation_id)
    before = provider.steps()
    await door.signed(recoverable, "activation/remove", b"{}")
    assert provider.steps() == before
    assert "plan-removal" not in before


# -- what else passes the door ---------------------------------------------------------------------------


@pytest.mark.parametrize("version", list(ProtocolVersion))
async def test_envelope_keys_open_an_envelope_of_the_application_once(
    door: Door, make_phone: MakePhone, version: ProtocolVersion
) -> None:
    phone = await make_phone(version=version)
    await phone.prepare_scope(door.call, Scope.APPLICATION)
    sealed = phone.seal(SharedInfo1.APPLICATION_GENERIC, b'{"secret":1}', Scope.APPLICATION)
    request = {"applicationKey": phone.app.key, **phone.env(sealed)}
    keys = await door.api.ok("envelope/keys", **request)
    assert len(b64decode(keys["secretKey"])) == 48
    finished = version in (ProtocolVersion.V3_2, ProtocolVersion.V3_3)
    assert (keys["sharedInfo2"] is None) == finished
    assert (keys["requestSharedInfo2"] is not None) == finished
    assert (keys["responseTimestamp"] is not None) == finished
    assert await door.api.error("envelope/keys", **request) == "ERR0024"


async def test_public_status_decrypts_on_the_device(door: Door, phone: Phone) -> None:
    blob = await phone.status(door.call)
    assert blob.activation_status == ActivationStatus.ACTIVE.code
    unknown = await door.api.ok("activation/status", activationId="unknown")
    assert len(b64decode(unknown["encryptedStatusBlob"])) == 32


async def test_custom_object_comes_from_the_operator(
    core: Core, api: Api, door: Door, phone: Phone, web_server: WebServer
) -> None:
    seen = []

    async def told(_path: str, body: bytes) -> tuple[int, bytes]:
        seen.append(json.loads(body))
        return 200, b'{"branch":"Prague"}'

    core.settings.status_custom_object_url = await web_server(told)
    answer = await door.api.ok("activation/status", activationId=phone.activation_id)
    assert answer["customObject"] == {"branch": "Prague"}
    known = await api.ok("activation/status", activationId=phone.activation_id)
    assert seen[0].items() <= known.items()
    assert (seen[0]["userId"], len(seen[0])) == ("alice", 14)
    assert "encryptedStatusBlob" not in seen[0]
    unknown = await door.api.ok("activation/status", activationId="unknown")
    assert unknown["customObject"] is None


UNUSABLE = [
    '{"a":"\\u0000"}',
    '{"a":"\\ud800"}',
    '{"a":1,"a":2}',
    '{"a":' * 70 + "1" + "}" * 70,
    "[]",
    "7",
    "{",
    "",
]
"""Objects that no answer can hold, and what is none."""


@pytest.mark.parametrize("told", UNUSABLE)
async def test_what_an_operators_server_says_never_spoils_an_answer(
    core: Core, api: Api, door: Door, phone: Phone, make_device: MakeDevice, web_server: WebServer, told: str
) -> None:
    async def answer(path: str, _body: bytes) -> tuple[int, bytes]:
        claims = f'{{"status":"OK","responseObject":{told or "null"}}}'
        return 200, (claims if "user-claims" in path else told).encode()

    core.settings.status_custom_object_url = core.settings.user_info_rest_url = await web_server(answer)
    core.settings.user_info_provider = "REST"
    core.settings.user_info_rest_allowed_stages = ("ACTIVATION_PROCESS_ACTIVATION_CODE",)
    status = await door.api.ok("activation/status", activationId=phone.activation_id)
    assert status["customObject"] is None
    started = await init(api)
    created = await create(door, make_device(), "CODE", {"code": started["activationCode"]})
    assert created["userInfo"] == {}


async def test_numbers_of_an_operators_server_keep_their_characters(
    core: Core, door: Door, phone: Phone, web_server: WebServer
) -> None:
    async def answer(_path: str, _body: bytes) -> tuple[int, bytes]:
        return 200, b'{"balance":12345678901234567.89}'

    core.settings.status_custom_object_url = await web_server(answer)
    body = json.dumps({"requestObject": {"activationId": phone.activation_id}}).encode()
    assert '"balance":12345678901234567.89' in (await door.api.send("activation/status", body)).text


@pytest.mark.parametrize(("kind", "expected"), [("NONE", None), ("MINIMAL", "alice"), ("REST", "claimed")])
async def test_user_info_by_setting(
    core: Core,
    api: Api,
    door: Door,
    make_device: MakeDevice,
    web_server: WebServer,
    kind: str,
    expected: str | None,
) -> None:
    async def claims(path: str, _body: bytes) -> tuple[int, bytes]:
        assert path.endswith("/private/user-claims?userId=alice")
        return 200, b'{"status":"OK","responseObject":{"sub":"claimed"}}'

    settings: Any = core.settings
    settings.user_info_provider = kind
    core.settings.user_info_rest_url = await web_server(claims)
    core.settings.user_info_rest_allowed_stages = ("ACTIVATION_PROCESS_ACTIVATION_CODE",)
    started = await init(api)
    answer = await create(door, make_device(), "CODE", {"code": started["activationCode"]})
    assert (answer["userInfo"] or {}).get("sub") == expected


async def test_texts_are_told_once_per_change(api: Api, door: Door) -> None:
    await api.ok(
        "operation/text/update", placeholder="login", language="en", title="Log in", message="Confirm"
    )
    first = await door.api.ok("texts", operationType="login")
    assert [row["title"] for row in first["rows"]] == ["Log in"]
    again = await door.api.ok("texts", operationType="login", etag=first["etag"])
    assert (again["notModified"], again["rows"]) == (True, [])


async def test_upgrade_of_a_current_activation_is_refused(door: Door, phone: Phone) -> None:
    body, _ = await door.sealed(phone, SharedInfo1.UPGRADE)
    request = {"encryption": door.encryption(phone), "body": b64encode(body)}
    assert await door.api.error("sealed/upgrade/start", **request) == "ERR0008"
    for unusable in ({"body": b64encode(b"{}")}, {"encryption": None}, {"body": "%"}):
        assert await door.api.error("sealed/upgrade/start", **(request | unusable)) == "ERR0024"
