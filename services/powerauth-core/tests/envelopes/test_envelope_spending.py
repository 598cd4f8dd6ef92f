"""Envelopes that come together: each accepted once, and only while its temporary key is there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from core_test_api import Api
from core_test_phones import MakeDevice
from core_test_rows import execute, statements_of_the_driver
from sqlalchemy import update

from powerauth_core.container import Core
from powerauth_core.envelopes import handout
from powerauth_core.envelopes.spending import SPEND
from powerauth_core.kernel.errors import InvalidRequest, TemporaryKeyMissing
from powerauth_core.temporary_keys.memory import TemporaryKeys
from powerauth_core.temporary_keys.models import TemporaryKey
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.generation import generation_of
from powerauth_protocol.v3.ecies import SharedInfo1
from powerauth_sdk.phone import Phone
from servicekit import clock

if TYPE_CHECKING:
    from collections.abc import Sequence

TOGETHER = 8
both = pytest.mark.dialects("sqlite", "postgresql")


async def sealed(api: Api, device: Phone) -> dict[str, Any]:
    """A new generic envelope of application scope."""
    await device.prepare_scope(api.call, Scope.APPLICATION)
    return device.seal(SharedInfo1.APPLICATION_GENERIC, b"{}", Scope.APPLICATION).fields


async def outcomes(core: Core, device: Phone, envelopes: Sequence[dict[str, Any]]) -> list[type]:
    """What comes of envelopes whose keys are asked for at the same time."""
    read = generation_of(device.version).envelopes.read
    asked = [
        handout.hand_out_keys(core, envelope=read(members), application_key=device.app.key)
        for members in envelopes
    ]
    return [type(outcome) for outcome in await asyncio.gather(*asked, return_exceptions=True)]


@both
async def test_one_of_several_copies_is_accepted(core: Core, api: Api, make_device: MakeDevice) -> None:
    device = make_device()
    first, second = await sealed(api, device), await sealed(api, device)
    found = await outcomes(core, device, [first, first, second, first])
    assert found == [dict, InvalidRequest, dict, InvalidRequest]
    assert await outcomes(core, device, [second]) == [InvalidRequest]


async def test_envelopes_that_come_together_are_one_statement(
    core: Core, api: Api, make_device: MakeDevice
) -> None:
    device = make_device()
    envelopes = [await sealed(api, device) for _ in range(TOGETHER)]
    statements = await statements_of_the_driver(core)
    assert await outcomes(core, device, envelopes) == [dict] * TOGETHER
    assert statements == [SPEND]


@both
async def test_a_key_that_has_gone_opens_nothing_though_it_is_in_memory(
    core: Core, api: Api, make_device: MakeDevice
) -> None:
    gone, kept = make_device(), make_device()
    envelopes = [await sealed(api, device) for device in (gone, kept)]
    await api.ok("keystore/remove", id=envelopes[0]["temporaryKeyId"])
    assert await outcomes(core, gone, envelopes) == [TemporaryKeyMissing, dict]


@both
async def test_a_key_ends_when_its_row_says_so(core: Core, api: Api, make_device: MakeDevice) -> None:
    device = make_device()
    envelope = await sealed(api, device)
    await execute(core, update(TemporaryKey).values(timestamp_expires=clock.now()))
    assert await outcomes(core, device, [envelope]) == [TemporaryKeyMissing]


@both
async def test_a_key_that_another_process_has_issued_is_read(
    core: Core, api: Api, make_device: MakeDevice
) -> None:
    device = make_device()
    envelope = await sealed(api, device)
    core.temporary_keys = TemporaryKeys(core)
    assert await outcomes(core, device, [envelope]) == [dict]
    other = make_device()
    strange = dict(await sealed(api, other), temporaryKeyId="unknown")
    assert await outcomes(core, other, [strange]) == [TemporaryKeyMissing]
