"""Key exchanges whose layers both pass closed (D1): what comes of them, and what is refused."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from core_test_api import Api
from core_test_phones import MakeDevice
from core_test_rows import statements_of_the_driver
from sqlalchemy import func, select

from powerauth_core.activations.models import Activation
from powerauth_core.container import Core
from powerauth_core.replay.models import UniqueValue
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.v3.versions import ProtocolVersion

if TYPE_CHECKING:
    from dmz.conftest import Door

PATH = "sealed/activation/create"
VERSIONS = list(ProtocolVersion)


async def started(api: Api) -> dict[str, str]:
    """The proof that the code of a new activation is."""
    answer = await api.ok("activation/init", userId="alice", applicationId="test-application")
    return {"code": answer["activationCode"]}


async def stored(core: Core, table: type[Any]) -> int:
    async with core.database.read() as session:
        return int((await session.execute(select(func.count()).select_from(table))).scalar_one())


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_device_opens_both_layers_of_the_answer(
    api: Api, door: Door, make_device: MakeDevice, core: Core, version: ProtocolVersion
) -> None:
    device = make_device(version)
    inner = await device.layer2(door.call)
    request, outer = await door.in_both_layers(
        device, inner.fields, await started(api), customAttributes={"channel": "branch"}
    )
    answer = await door.api.ok(PATH, **request)
    layer1 = outer.open_json(answer["envelope"])
    device.accept(inner, layer1.pop("activationData"))
    assert layer1["customAttributes"] == {"channel": "branch"}
    assert layer1["userInfo"]["sub"] == "alice"
    assert (answer["activationId"], answer["activationStatus"]) == (device.activation_id, "PENDING_COMMIT")
    await api.ok("activation/commit", activationId=device.activation_id)
    assert (await door.signed(device, "operation/history", b"{}"))["authenticated"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_outer_layer_is_accepted_once_whatever_came_of_it(
    api: Api, door: Door, make_device: MakeDevice, core: Core, version: ProtocolVersion
) -> None:
    device = make_device(version)
    inner = (await device.layer2(door.call)).fields
    refused, _ = await door.in_both_layers(device, inner, {"code": "AAAAA-AAAAA-AAAAA-AAAAA"})
    assert (await door.api.error(PATH, **refused)).startswith("ERR")
    assert await stored(core, UniqueValue) == 1
    assert await door.api.error(PATH, **refused) == "ERR0024"
    request, _ = await door.in_both_layers(
        device, (await device.layer2(door.call)).fields, await started(api)
    )
    await door.api.ok(PATH, **request)
    assert await door.api.error(PATH, **request) == "ERR0024"
    assert await stored(core, Activation) == 1


@pytest.mark.dialects("postgresql")
async def test_both_layers_are_spent_by_the_statement_that_stores_the_keys(
    api: Api, door: Door, make_device: MakeDevice, core: Core
) -> None:
    device = make_device()
    inner = await device.layer2(door.call)
    request, _ = await door.in_both_layers(device, inner.fields, await started(api))
    statements = await statements_of_the_driver(core)
    await door.api.ok(PATH, **request)
    assert len(statements) == 2
    assert await stored(core, UniqueValue) == 2


@pytest.mark.dialects("postgresql")
async def test_copies_are_refused_and_undo_nothing_of_others(
    api: Api, door: Door, make_device: MakeDevice, core: Core
) -> None:
    requests = []
    for copies in (1, 4, 1):
        device = make_device()
        inner = await device.layer2(door.call)
        request, _ = await door.in_both_layers(device, inner.fields, await started(api))
        requests += [request] * copies
    statements = await statements_of_the_driver(core)
    answers = await asyncio.gather(*[door.api.post(PATH, **request) for request in requests])
    assert sorted(status for status, _ in answers) == [200, 200, 200, 400, 400, 400]
    assert {body["responseObject"].get("code") for _, body in answers} == {None, "ERR0024"}
    assert len([each for each in statements if "pa_activation a SET" in each]) <= 3


async def test_keys_are_not_handed_out_for_what_was_opened_here_nor_the_reverse(
    api: Api, door: Door, make_device: MakeDevice
) -> None:
    device = make_device()
    for first, second in ((PATH, "envelope/keys"), ("envelope/keys", PATH)):
        inner = await device.layer2(door.call)
        request, outer = await door.in_both_layers(device, inner.fields, await started(api))
        calls = {PATH: request, "envelope/keys": door.names(device) | outer.fields}
        await door.api.ok(first, **calls[first])
        assert await door.api.error(second, **calls[second]) == "ERR0024"


LAYERS: list[dict[str, Any]] = [
    {"type": None},
    {"type": "OTHER"},
    {"identityAttributes": {}},
    {"identityAttributes": {"code": 1}},
    {"identityAttributes": None},
    {"customAttributes": []},
    {"activationData": None},
    {"activationData": {}},
]


async def test_what_is_no_outer_layer_creates_nothing(
    api: Api, door: Door, make_device: MakeDevice, core: Core
) -> None:
    device, proof = make_device(), await started(api)
    for members in LAYERS:
        inner = (await device.layer2(door.call)).fields
        request, _ = await door.in_both_layers(device, inner, proof, **members)
        assert await door.api.error(PATH, **request) == "ERR0024", members
    good, _ = await door.in_both_layers(device, (await device.layer2(door.call)).fields, proof)
    envelope = json.loads(b64decode(good["body"]))
    for body, code in (
        (b"", "ERR0024"),
        (b"[]", "ERR0024"),
        (b"{", "ERR0024"),
        (json.dumps(envelope | {"unknown": 1}).encode(), "ERR0024"),
        (json.dumps(envelope | {"mac": "A" * 43 + "="}).encode(), "ERR0018"),
    ):
        assert await door.api.error(PATH, **good | {"body": b64encode(body)}) == code, body
    assert await door.api.error(PATH, **good | {"protocolVersion": "9.9"}) == "ERR0018"
    assert await door.api.error(PATH, **good | {"body": "*"}) == "ERR0024"
    assert await door.api.error(PATH, **good | {"applicationKey": "unknown"}) == "ERR0015"
    await door.api.ok(PATH, **good)


async def test_an_outer_layer_cannot_speak_for_another_application_or_version(
    api: Api, door: Door, make_device: MakeDevice
) -> None:
    device = make_device()
    inner = await device.layer2(door.call)
    request, outer = await door.in_both_layers(
        device, inner.fields, await started(api), applicationKey="other", protocolVersion="3.0"
    )
    layer1 = outer.open_json((await door.api.ok(PATH, **request))["envelope"])
    device.accept(inner, layer1["activationData"])
