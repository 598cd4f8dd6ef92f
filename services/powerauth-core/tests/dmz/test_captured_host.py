"""What a captured DMZ host can do with its credentials and with everything that passed through it: nothing
(D1 rule 8).

A phone lives through a day in every version of the protocol; the host keeps every header, body and answer,
and holds the last requests back. Then it tries all of it: every part of every value as key, as secret, as
base; the parts of all requests put together anew, refreshed, at every call of the door. That the same attacks
succeed as soon as something leaks is shown by giving the host what it must not get.
"""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from core_test_api import Api, MakeSettings
from core_test_host import FILLER, Host, Passing
from core_test_phones import MakePhone
from dmz_attacker import envelope_keys, opened, refreshed, sealed_anew
from sqlalchemy import func, select

from powerauth_core.activations.models import Activation
from powerauth_core.callbacks.models import CallbackUrlEvent
from powerauth_core.container import Core
from powerauth_core.operations.models import Operation
from powerauth_core.recovery.models import RecoveryCode
from powerauth_core.runtime import running_core
from powerauth_core.tokens.models import Token
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.ecies import (
    EciesRequest,
    SharedInfo1,
    request_shared_info2,
    response_shared_info2,
    shared_info2_base,
)
from powerauth_protocol.v3.keys import export_private_key
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Phone
from servicekit.additions import Additions

if TYPE_CHECKING:
    from dmz.conftest import Door


pytestmark = pytest.mark.dialects("sqlite")
PK = SignatureType.POSSESSION_KNOWLEDGE
OTP = "sixteen-or-more-characters"
MIXES = 150
TARGETS = (
    "signed/operation/approve",
    "signed/operation/reject",
    "signed/operation/history",
    "signed/token/remove",
    "signed/activation/remove",
    "signed/upgrade/commit",
    "sealed/token/create",
    "sealed/vault/unlock",
    "sealed/recovery/confirm",
    "sealed/upgrade/start",
    "sealed/user-info",
    "sealed/activation/detail",
    "sealed/activation/rename",
    "sealed/spawn",
    "sealed/exchange/activation",
    "sealed/exchange/signed",
    "sealed/exchange/raw",
    "token/operation/list",
    "token/operation/claim",
    "token/who-am-i",
    "envelope/keys",
    "sealed/activation/create",
)
PROVES_NOTHING = {"sealed/user-info", "sealed/exchange/activation"}
"""Calls without a signature or token: they may be answered, but only the phone can read that."""


@pytest_asyncio.fixture
async def core(make_settings: MakeSettings) -> AsyncIterator[Core]:
    """A core that does not count what the host tries."""
    async with running_core(make_settings(dmz_attempts_per_activation_per_minute=0)) as running:
        yield running


NewHost = Callable[[ProtocolVersion], Awaitable[Host]]


@pytest_asyncio.fixture
async def new_host(api: Api, door: Door, make_phone: MakePhone) -> NewHost:
    """A host at the end of a phone's day: ``await new_host(version)``."""

    async def live(version: ProtocolVersion) -> Host:
        await api.ok(
            "recovery/config/update",
            applicationId="test-application",
            activationRecoveryEnabled=True,
            recoveryPostcardEnabled=False,
            allowMultipleRecoveryCodes=False,
        )
        destination = {"type": "SPAWN", "allowedTargetApplicationIds": ["test-application"]}
        await api.ok(
            "application/config/create",
            applicationId="test-application",
            key="activation_transfer",
            values=[destination | {"maxPerDay": 20}],
        )
        phone = await make_phone(version=version)
        started = await api.ok(
            "activation/init",
            userId="alice",
            applicationId="test-application",
            commitPhase="ON_KEY_EXCHANGE",
            # The one thing that wrong headers do is that they are counted.
            maxFailureCount=MIXES + 1,
        )
        await phone.join(api.call, started["activationCode"], generateRecoveryCodes=True)
        host = Host(door, phone)
        if version.facts.temporary_keys:
            await phone.new_temporary_key(host.call, Scope.ACTIVATION)
        await _day(host, await door.operation(), door)
        return host

    return live


async def _day(host: Host, made: dict[str, Any], door: Door) -> None:
    """One request of every kind passes, and is answered."""
    phone, door = host.phone, host.door
    await phone.prepare_scope(host.call, Scope.APPLICATION)
    outer = phone.seal(SharedInfo1.APPLICATION_GENERIC, FILLER, Scope.APPLICATION)
    await host.call("envelope/keys", {"applicationKey": phone.app.key, **phone.env(outer)})
    await host.call("activation/status", {"activationId": phone.activation_id})
    created = await host.over_body("token/create", SharedInfo1.CREATE_TOKEN)
    token = created.sealed.open_json((await host.forward(created))["envelope"])
    secret = token["tokenId"], b64decode(token["tokenSecret"])
    for passing in (
        await host.over_body("vault/unlock", SharedInfo1.VAULT_UNLOCK),
        await host.over_body("recovery/confirm", SharedInfo1.CONFIRM_RECOVERY_CODE, _recovery_code(phone)),
        await host.inside("activation/rename"),
        await host.inside("exchange/raw"),
        await host.unsigned("user-info"),
        await host.unsigned("activation/detail", secret),
        await host.signed("operation/approve", door.approval(made)),
        await host.signed("operation/history", b"{}"),
        Passing("token/operation/list", {"header": door.header(secret, phone.version)}),
    ):
        assert (await host.forward(passing))["authenticated"], passing.path


def _recovery_code(phone: Phone) -> bytes:
    return json.dumps({"recoveryCode": phone.open_recovery[0], "filler": "x" * 32}).encode()


def spawn_request() -> bytes:
    return json.dumps({"requestObject": {"applicationId": "test-application", "otp": OTP}}).encode()


def secrets_of(phone: Phone) -> dict[str, bytes]:
    """What no host may ever hold, as bytes that could stand in what passed."""
    assert phone.keys is not None
    base = shared_info2_base(Scope.ACTIVATION, phone.app.secret, phone.keys.transport)
    return {
        "transport key": phone.keys.transport,
        "possession key": phone.keys.possession,
        "knowledge key": phone.keys.knowledge,
        "biometry key": phone.keys.biometry,
        "vault key": phone.keys.vault,
        "base": base,
        "device key": export_private_key(phone.pair.private),
        "PUK": phone.open_recovery[1].encode(),
        "application secret": b64decode(phone.app.secret),
    }


# -- what passed, as keys ----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", list(ProtocolVersion))
async def test_no_part_of_what_passed_is_a_key_a_secret_or_a_base(
    new_host: NewHost, version: ProtocolVersion
) -> None:
    host = await new_host(version)
    assert host.reads(*host.passed) == []
    everything = b"\0".join(host.loot.values())
    assert [name for name, secret in secrets_of(host.phone).items() if secret in everything] == []
    assert secrets_of(host.phone)["base"] not in host.loot.bases(host.phone.app.secret)
    whole = [value[at : at + 32] for value in host.loot.values() for at in (0, 4) if len(value) >= at + 32]
    tried = random.Random(version).sample(sorted(set(whole)), 30)
    assert [base for base in tried if await host.forges(base)] == []


@pytest.mark.parametrize("version", list(ProtocolVersion))
@pytest.mark.parametrize("leak", ["finished value", "answer's finished value", "base", "transport key"])
async def test_a_base_that_leaks_in_any_form_is_found_and_forges(
    new_host: NewHost, version: ProtocolVersion, leak: str
) -> None:
    """The attack above works: it finds what is there."""
    host = await new_host(version)
    passing = await host.inside("exchange/raw")
    secrets, context = secrets_of(host.phone), host.context()
    request = EciesRequest.from_json_dict(passing.sealed.fields, version)
    timed = (bytes(16), 1_735_689_600_456) if version.facts.response_nonce else (None, None)
    host.loot.add(
        {
            "finished value": b64encode(request_shared_info2(context, secrets["base"], request)),
            "answer's finished value": b64encode(response_shared_info2(context, secrets["base"], *timed)),
            "base": b64encode(secrets["base"]),
            "transport key": b64encode(b"??" + secrets["transport key"] + b"??"),
        }[leak]
    )
    assert secrets["base"] in host.loot.bases(host.phone.app.secret)
    assert await host.forges(secrets["base"])


KEY_LEAKS = [
    (version, leak)
    for version in ProtocolVersion
    for leak in ("envelope key", "part of a longer value", "private key")
    if not (leak == "private key" and version.facts.temporary_keys)
]


@pytest.mark.parametrize(("version", "leak"), KEY_LEAKS)
async def test_a_key_that_leaks_is_found_and_opens(
    new_host: NewHost, core: Core, version: ProtocolVersion, leak: str
) -> None:
    host = await new_host(version)
    passing = host.keep(await host.inside("exchange/raw"))
    key = passing.sealed.encryptor._envelope_key
    if leak == "private key":
        async with core.database.read() as session:
            row = await session.get_one(Activation, host.phone.activation_id)
        # In full length: one key in 512 is stored with a byte less.
        key = export_private_key(core.activation_keys.keys_of(row).server_private).rjust(32, b"\0")
    host.loot.add(b64encode(b"?" * 7 + key if leak == "part of a longer value" else key))
    assert FILLER[16:] in host.reads(passing)


# -- what passed, put together anew ------------------------------------------------------------------------


@pytest.mark.parametrize("held", [False, True], ids=["after it passed", "before it passes"])
@pytest.mark.parametrize("version", list(ProtocolVersion))
async def test_parts_of_requests_put_together_do_nothing(
    new_host: NewHost, core: Core, door: Door, version: ProtocolVersion, held: bool
) -> None:
    host = await new_host(version)
    target = await door.operation(userId=None)
    waiting = []
    if held:
        waiting = [
            host.keep(await host.inside("exchange/raw")),
            host.keep(await host.over_body("token/create", SharedInfo1.CREATE_TOKEN)),
            host.keep(await host.signed("operation/history", b"{}")),
        ]
    before, sealed = await state_of(core), []
    for path, request in mixes(host, target, random.Random(f"{version}{held}")):
        status, content = await host.door.api.post(path, **request)
        assert status in (200, 400), content
        answer = content["responseObject"]
        if status == 200 and path in PROVES_NOTHING:
            host.loot.add(content)
            point = json.loads(b64decode(request["body"]))["ephemeralPublicKey"]
            sealed.append(host.envelope(answer["envelope"] | {"ephemeralPublicKey": point}, path))
        else:
            assert status == 400 or answer["authenticated"] is False, (path, request, answer)
    assert await state_of(core) == before
    assert opened(sealed, host.loot) == []
    for passing in waiting:
        assert (await host.forward(passing))["authenticated"], passing.path


def mixes(host: Host, target: dict[str, Any], chance: random.Random) -> Iterator[tuple[str, dict[str, Any]]]:
    """Headers, bodies and calls that did not belong together, in a random order that is always the same."""
    headers = [passing.request for passing in host.passed]
    bodies = [passing.body for passing in host.passed]
    bodies += [refreshed(body) for body in bodies] + [FILLER, spawn_request(), b"", b"{}"]
    bodies += [json.dumps({"requestObject": {"id": target["id"], "data": target["data"]}}).encode()]
    own = {(passing.path, _authorization(passing.request)): passing.body for passing in host.passed}
    made = 0
    while made < MIXES:
        path, parts, body = chance.choice(TARGETS), chance.choice(headers), chance.choice(bodies)
        authorization = _changed(_authorization_members(parts), chance)
        request = _assembled(host, path, authorization, parts, chance.choice(headers), body, target)
        if own.get((path, _authorization(request))) == body:
            continue
        made += 1
        yield path, request


def _assembled(
    host: Host,
    path: str,
    authorization: dict[str, str] | None,
    parts: dict[str, Any],
    others: dict[str, Any],
    body: bytes,
    target: dict[str, Any],
) -> dict[str, Any]:
    if path == "envelope/keys":
        members = json.loads(body) if body.startswith(b'{"') and b"ephemeralPublicKey" in body else {}
        return {"applicationKey": host.phone.app.key, "protocolVersion": host.phone.version.value, **members}
    if path.startswith("token/"):
        header = parts.get("token") or (parts.get("header") if path.startswith("token/") else None) or {}
        return {"header": header, "id": target["id"], "audience": "inbox/count"}
    if path.startswith("signed/"):
        return {"header": authorization or {}, "body": b64encode(body)}
    encryption = parts.get("encryption") or others.get("encryption")
    token = parts.get("token") or others.get("token")
    return {"authorization": authorization, "token": token, "encryption": encryption, "body": b64encode(body)}


def _changed(header: dict[str, str] | None, chance: random.Random) -> dict[str, str] | None:
    """Sometimes with another signature type or version in it."""
    if header is None or chance.random() < 0.6:
        return header
    if chance.random() < 0.5:
        return header | {"pa_signature_type": chance.choice(list(SignatureType)).value}
    return header | {"pa_version": chance.choice(list(ProtocolVersion)).value}


def _authorization_members(request: dict[str, Any]) -> dict[str, str] | None:
    header = request.get("authorization") or request.get("header")
    return header if header is not None and "pa_signature" in header else None


def _authorization(request: dict[str, Any]) -> str:
    return json.dumps(_authorization_members(request), sort_keys=True)


async def state_of(core: Core) -> list[Any]:
    """What an attacker would want to change."""
    columns = (
        Activation.activation_id,
        Activation.activation_status,
        Activation.activation_name,
        Activation.user_id,
        Activation.counter,
    )
    async with core.database.read() as session:
        activations = (await session.execute(select(*columns).order_by(columns[0]))).all()
        operations = (await session.execute(select(Operation.id, Operation.status, Operation.user_id))).all()
        codes = (await session.execute(select(RecoveryCode.id, RecoveryCode.status))).all()
        tokens = await session.scalar(select(func.count()).select_from(Token))
    return [*activations, *sorted(operations), *codes, tokens]


# -- the attack that this is about -------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ProtocolVersion.V3_2, ProtocolVersion.V3_3])
@pytest.mark.parametrize("leaks", [False, True], ids=["as it is", "were keys handed out"])
async def test_a_spawn_that_is_held_back_gives_its_code_to_nobody_else(
    new_host: NewHost, version: ProtocolVersion, leaks: bool
) -> None:
    """The host seals the passing request anew under the phone's signature header and sends that first."""
    host = await new_host(version)
    passing = host.keep(await host.inside("spawn", spawn_request()))
    request, context = EciesRequest.from_json_dict(passing.sealed.fields, version), host.context()
    base = secrets_of(host.phone)["base"]
    if leaks:
        handed_out = {
            "secretKey": b64encode(passing.sealed.encryptor._envelope_key),
            "requestSharedInfo2": b64encode(request_shared_info2(context, base, request)),
        }
        host.loot.add(handed_out)
    bases = [part for part in host.loot.bases(host.phone.app.secret) if part == base]
    keys = [key for part in bases for key in envelope_keys(host.loot, part, context, request)]
    assert bool(keys) == leaks
    assert bool(host.reads(passing)) == leaks
    if not leaks:
        assert (await host.forward(passing))["authenticated"]
        return
    anew = sealed_anew(context, keys[0], bases[0], request, spawn_request())
    stolen = passing.request | {"body": b64encode(json.dumps(anew.to_json_dict()).encode())}
    answer = await host.door.api.ok("sealed/spawn", **stolen)
    assert answer["authenticated"]
    members = answer["envelope"] | {"ephemeralPublicKey": anew.to_json_dict()["ephemeralPublicKey"]}
    (read,) = opened([host.envelope(members, "sealed/spawn")], host.loot)
    assert b"activationCode" in read[1]


# -- what remains is told ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["CODE", "RECOVERY"])
async def test_an_activation_that_the_host_makes_of_a_passing_proof_is_told_at_once(
    api: Api, core: Core, new_host: NewHost, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """By an event with its user, for the user's other activations, and by a callback of the bank."""
    host = await new_host(ProtocolVersion.V3_3)
    callback = {"type": "ACTIVATION_STATUS_CHANGE", "callbackUrl": "http://127.0.0.1:1/callback"}
    ids = {"applicationId": "test-application", "name": "bank", "attributes": ["activationStatus"]}
    await api.ok("application/callback/create", **callback, **ids)
    told: list[Any] = []

    def remember(_additions: Additions, event: Any) -> None:
        told.append(event)

    started = await api.ok("activation/init", userId="alice", applicationId="test-application")
    code, puk = host.phone.open_recovery
    proofs = {"CODE": {"code": started["activationCode"]}, "RECOVERY": {"recoveryCode": code, "puk": puk}}
    monkeypatch.setattr("servicekit.outbox.put_event", remember)
    thief = Phone(host.phone.app)
    sealed = await thief.layer2(host.door.call)
    answer = await host.door.api.ok(
        "activation/create",
        applicationKey=thief.app.key,
        protocolVersion=thief.version.value,
        type=kind,
        identityAttributes=proofs[kind],
        activationData=sealed.fields,
    )
    activation_id = answer["activationId"]
    events = [event.data for event in told if event.data.get("activationId") == activation_id]
    assert {event["userId"] for event in events} == {"alice"}
    assert events[-1]["activationStatus"] == answer["activationStatus"]
    async with core.database.read() as session:
        rows = (await session.execute(select(CallbackUrlEvent.callback_data))).scalars()
        called = [data for row in rows if (data := json.loads(row))["activationId"] == activation_id]
    assert called[-1]["activationStatus"] == answer["activationStatus"]
