"""A phone opens an activation through the door; its request passes closed (D1, device-trust §5)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from core_test_api import Api
from core_test_phones import Stored
from core_test_rows import found
from sqlalchemy import func, select

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.activations.models import Activation
from powerauth_core.applications import transfer_rules as rules
from powerauth_core.audit.models import AuditLog
from powerauth_core.container import Core
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Call, Phone

if TYPE_CHECKING:
    from dmz.conftest import Door


OTP = "sixteen-or-more-characters"
URI_ID = "/api/activation/code"
REFUSED = {"authenticated": True, "refusal": "TRANSFER_REFUSED", "envelope": None}


class Spawner:
    """A phone that asks, and the bank that allows it."""

    def __init__(self, api: Api, dmz: Api, phone: Phone, door: Door) -> None:
        self.api = api
        self.door = door
        self.dmz = dmz
        self.phone = phone

    async def allow(self, *items: dict[str, Any]) -> None:
        await self.api.ok(
            "application/config/create",
            applicationId=self.phone.app.application_id,
            key="activation_transfer",
            values=list(items),
        )

    def plaintext(self, target: str | None = None, otp: str = OTP) -> bytes:
        """What the phone wants."""
        wanted = {"applicationId": target or self.phone.app.application_id, "otp": otp}
        return json.dumps({"requestObject": wanted}).encode()

    async def request(
        self,
        target: str | None = None,
        otp: str = OTP,
        kind: SignatureType = SignatureType.POSSESSION_KNOWLEDGE,
    ) -> tuple[dict[str, Any], Any]:
        """What enrollment sends, and what opens the answer."""
        made: tuple[dict[str, Any], Any] = await self.door.inside(
            self.phone, "spawn", self.plaintext(target, otp), kind
        )
        return made

    async def spawn(self, *arguments: Any, **more: Any) -> dict[str, Any]:
        """Ask, and open the answer."""
        request, sealed = await self.request(*arguments, **more)
        answer = await self.dmz.ok("sealed/spawn", **request)
        assert (answer["authenticated"], answer["refusal"]) == (True, None)
        opened = sealed.open_json(answer["envelope"])
        assert opened["status"] == "OK"
        made: dict[str, Any] = opened["responseObject"]
        return made

    async def answer(self, *arguments: Any, **more: Any) -> dict[str, Any]:
        """Ask, and return the answer as it is."""
        request, _ = await self.request(*arguments, **more)
        result: dict[str, Any] = await self.dmz.ok("sealed/spawn", **request)
        return result

    def join(self, call: Callable[..., Any], code: str, otp: str | None = OTP) -> Any:
        """Another phone joins by the code."""
        return Phone(self.phone.app).join(call, code, otp=otp)


@pytest.fixture
def spawner(api: Api, dmz: Api, phone: Phone, door: Door) -> Spawner:
    return Spawner(api, dmz, phone, door)


@pytest.fixture
def own(phone: Phone) -> dict[str, Any]:
    """A move to another phone of the same application."""
    return {"type": "MOVE", "allowedTargetApplicationIds": [phone.app.application_id]}


@pytest.fixture
def call(api: Api) -> Call:
    async def post(path: str, request: Mapping[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = await api.ok(path, **request)
        return answer

    return post


@pytest.fixture
def refused_call(api: Api) -> Call:
    """Like `call`, but the key exchange is refused; its code is the text of the error."""

    async def post(path: str, request: Mapping[str, Any]) -> dict[str, Any]:
        if path == "activation/prepare":
            raise PermissionError(await api.error(path, **request))
        return await api.call(path, request)

    return post


async def test_child_remembers_its_parent_and_a_move_is_told(
    spawner: Spawner, own: dict[str, Any], api: Api, phone: Phone
) -> None:
    await spawner.allow(own | {"initialFlags": ["MOVED"]})
    spawned = await spawner.spawn()
    child = await api.ok("activation/status", activationId=spawned["activationId"])
    assert child["activationStatus"] == "CREATED"
    assert (child["parentActivationId"], child["transferType"]) == (phone.activation_id, "MOVE")
    assert (child["userId"], child["activationFlags"], child["commitPhase"]) == (
        "alice",
        ["MOVED"],
        "ON_KEY_EXCHANGE",
    )
    assert child["activationCode"] == spawned["activationCode"]
    joined = await spawner.join(api.call, spawned["activationCode"])
    assert joined["activationStatus"] == "ACTIVE"
    parent = await api.ok("activation/status", activationId=phone.activation_id)
    assert parent["activationStatus"] == "REMOVED"
    listed = await api.ok("activation/list", userId="alice")
    relations = {item["activationId"]: item.get("parentActivationId") for item in listed["activations"]}
    assert relations == {phone.activation_id: None, spawned["activationId"]: phone.activation_id}


async def test_transfer_is_audited_with_both_ids_and_without_secrets(
    spawner: Spawner, own: dict[str, Any], api: Api, core: Core, phone: Phone
) -> None:
    await spawner.allow(own)
    spawned = await spawner.spawn()
    await spawner.join(api.call, spawned["activationCode"])
    rows = await found(core, select(AuditLog))
    told = {row.message: json.loads(row.param or "") for row in rows if "transfer" in row.message.lower()}
    params = told["Activation transfer completed"]
    assert params["activationId"] == spawned["activationId"]
    assert params["parentActivationId"] == phone.activation_id
    assert "Init activation" in {row.message for row in rows}
    # The audit of signatures keeps what was signed, as evidence; nothing else repeats the password.
    told_without_signatures = [row.param for row in rows if row.audit_type != "signature"]
    assert OTP not in json.dumps(told_without_signatures)
    assert spawned["activationCode"] not in json.dumps([row.param for row in rows])


async def test_without_configuration_nothing_is_opened(spawner: Spawner, core: Core) -> None:
    assert await spawner.answer() == REFUSED
    async with core.database.read() as session:
        assert (await session.execute(select(func.count()).select_from(Activation))).scalar_one() == 1


@pytest.mark.parametrize("otp", ["short", "x" * 15, "", " " * 20, "x" * 256])
async def test_unusable_password_is_told_only_to_who_signed(
    spawner: Spawner, own: dict[str, Any], otp: str
) -> None:
    await spawner.allow(own)
    assert (await spawner.answer(otp=otp))["refusal"] == "REQUEST_INVALID"
    request, _ = await spawner.request(otp=otp)
    request["authorization"]["pa_signature"] = b64encode(bytes(32))
    assert (await spawner.dmz.ok("sealed/spawn", **request)) == {
        "authenticated": False,
        "refusal": None,
        "envelope": None,
    }


@pytest.mark.parametrize("kind", [SignatureType.POSSESSION, SignatureType.POSSESSION_KNOWLEDGE_BIOMETRY])
async def test_other_factors_are_not_looked_at(
    spawner: Spawner, own: dict[str, Any], kind: SignatureType, stored: Stored
) -> None:
    await spawner.allow(own)
    assert not (await spawner.answer(kind=kind))["authenticated"]
    assert (await stored(spawner.phone)).failed_attempts == 0


async def test_wrong_signature_counts_and_opens_nothing(
    spawner: Spawner, own: dict[str, Any], stored: Stored, core: Core
) -> None:
    await spawner.allow(own)
    request, _ = await spawner.request()
    request["authorization"]["pa_signature"] = b64encode(bytes(32))
    assert not (await spawner.dmz.ok("sealed/spawn", **request))["authenticated"]
    assert (await stored(spawner.phone)).failed_attempts == 1
    async with core.database.read() as session:
        assert (await session.execute(select(func.count()).select_from(Activation))).scalar_one() == 1


async def test_envelope_that_does_not_open_counts_nothing(
    spawner: Spawner, own: dict[str, Any], stored: Stored
) -> None:
    await spawner.allow(own)
    request, sealed = await spawner.request()
    broken = sealed.fields | {"mac": b64encode(bytes(32))}
    answer = await spawner.dmz.ok(
        "sealed/spawn", **(request | {"body": b64encode(json.dumps(broken).encode())})
    )
    assert not answer["authenticated"]
    assert (await stored(spawner.phone)).failed_attempts == 0


async def test_request_is_carried_out_once(spawner: Spawner, own: dict[str, Any]) -> None:
    await spawner.allow(own)
    request, _ = await spawner.request()
    assert (await spawner.dmz.ok("sealed/spawn", **request))["authenticated"]
    assert not (await spawner.dmz.ok("sealed/spawn", **request))["authenticated"]


async def test_plain_verification_does_not_vouch_for_it(spawner: Spawner, phone: Phone) -> None:
    signed = phone.sign(b"{}", uri_id=URI_ID)
    code = await spawner.dmz.error(
        "signed/verify",
        header=signed.header,
        method="POST",
        uriId=URI_ID,
        allowedSignatureTypes=["possession_knowledge"],
        body=b64encode(b"{}"),
    )
    assert code == "ERR0024"


@pytest.mark.parametrize("version", [ProtocolVersion.V3_0, ProtocolVersion.V3_1])
async def test_versions_without_replay_protection_are_refused(
    spawner: Spawner, own: dict[str, Any], phone: Phone, version: ProtocolVersion, stored: Stored
) -> None:
    await spawner.allow(own)
    phone.version = version
    assert not (await spawner.answer())["authenticated"]
    assert (await stored(phone)).failed_attempts == 0


async def test_wrong_password_is_counted_on_the_child_alone(
    spawner: Spawner, own: dict[str, Any], api: Api, refused_call: Call, phone: Phone, stored: Stored
) -> None:
    await spawner.allow(own)
    spawned = await spawner.spawn()

    for otp in (None, "wrong-password-of-16"):
        with pytest.raises(PermissionError, match="ERR0031"):
            await spawner.join(refused_call, spawned["activationCode"], otp)
    child = await api.ok("activation/status", activationId=spawned["activationId"])
    assert (child["activationStatus"], child["failedAttempts"]) == ("CREATED", 1)
    assert (await stored(phone)).activation_status is ActivationStatus.ACTIVE


@pytest.mark.parametrize("change", ["block", "remove"])
async def test_child_of_a_parent_that_is_not_active_is_removed(
    spawner: Spawner, own: dict[str, Any], api: Api, refused_call: Call, phone: Phone, change: str
) -> None:
    await spawner.allow(own)
    spawned = await spawner.spawn()
    await api.ok(f"activation/{change}", activationId=phone.activation_id)

    with pytest.raises(PermissionError, match="ERR0008"):
        await spawner.join(refused_call, spawned["activationCode"])
    child = await api.ok("activation/status", activationId=spawned["activationId"])
    assert child["activationStatus"] == "REMOVED"


async def test_items_of_an_adopted_database_that_do_not_parse_are_passed_over(phone: Phone) -> None:
    target = phone.app.application_id
    values = ["nonsense", {"type": "TELEPORT", "allowedTargetApplicationIds": [target]}, {"type": "MOVE"}]
    assert rules.choose(values, target) is None
    found = rules.choose([*values, {"type": "SPAWN", "allowedTargetApplicationIds": [target]}], target)
    assert found is not None
    assert found.type == "SPAWN"
    assert rules.choose([{"type": "SPAWN", "allowedTargetApplicationIds": [target.upper()]}], target) is None


def test_flags_decide_about_the_source() -> None:
    item = rules.read_item(
        {
            "type": "MOVE",
            "allowedTargetApplicationIds": ["a"],
            "requireFlags": ["IN", "ALSO"],
            "forbidFlags": ["OUT"],
        }
    )
    assert item is not None
    assert [item.admits(flags) for flags in (["IN", "ALSO"], ["IN"], ["IN", "ALSO", "OUT"], [])] == [
        True,
        False,
        False,
        False,
    ]
