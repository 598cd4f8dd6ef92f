"""Upgrade of activations that an adopted database brings in version 2 (spec/core-api.md §14)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from powerauth_core.activations.models import Activation
from powerauth_core.container import Core
from powerauth_core.enums import ActivationStatus
from powerauth_protocol.ecies import SharedInfo1
from powerauth_protocol.encoding import b64decode
from powerauth_protocol.scope import Scope


@pytest.fixture
async def old_device(core: Core, activate: Any, call: Any) -> Any:
    """A device whose activation is of version 2."""
    device = await activate()
    await device.prepare_scope(call, Scope.ACTIVATION)
    await _set(core, version=2, ctr_data=None)
    return device


async def _set(core: Core, **values: Any) -> None:
    async with core.database.transaction() as session:
        await session.execute(update(Activation).values(**values))


def _start(device: Any) -> tuple[Any, dict[str, Any]]:
    sealed = device.seal(SharedInfo1.UPGRADE, b"{}")
    return sealed, {
        "activationId": device.activation_id,
        "applicationKey": device.app.key,
    } | device.env(sealed)


async def test_an_old_activation_gets_its_counter_and_becomes_version_3(
    api: Any, call: Any, old_device: Any
) -> None:
    commit = {"activationId": old_device.activation_id, "applicationKey": old_device.app.key}
    assert await api.error("upgrade/commit", **commit) == "ERR0008"
    counters = []
    for _ in range(2):
        sealed, request = _start(old_device)
        counters.append(sealed.open_json(await api.ok("upgrade/start", **request))["ctrData"])
    assert counters[0] == counters[1]
    assert await api.ok("upgrade/commit", **commit) == {"committed": True}
    old_device.ctr_data = b64decode(counters[0], 16)
    assert (await old_device.status(call)).current_version == 3
    newest = (await api.ok("activation/history", activationId=old_device.activation_id))["items"][0]
    assert (newest["eventReason"], newest["version"]) == ("ACTIVATION_VERSION_CHANGED", 3)
    assert await api.error("upgrade/commit", **commit) == "ERR0008"


async def test_an_activation_of_version_3_has_nothing_to_upgrade(api: Any, call: Any, activate: Any) -> None:
    device = await activate()
    await device.prepare_scope(call, Scope.ACTIVATION)
    assert await api.error("upgrade/start", **_start(device)[1]) == "ERR0008"
    commit = {"activationId": device.activation_id, "applicationKey": device.app.key}
    assert await api.error("upgrade/commit", **commit) == "ERR0008"


async def test_what_does_not_fit_is_refused(api: Any, core: Core, old_device: Any, application: Any) -> None:
    _, request = _start(old_device)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"activationId": None}, "ERR0024"),
        ({"activationId": "unknown"}, "ERR0009"),
        ({"applicationIds": ["other"]}, "ERR0009"),
        ({"applicationKey": "unknown"}, "ERR0015"),
        ({"protocolVersion": "2.1"}, "ERR0018"),
        ({"nonce": None}, "ERR0018"),
        ({"mac": request["encryptedData"]}, "ERR0018"),
        ({"temporaryKeyId": "unknown"}, "ERR0045"),
    ]
    for change, code in cases:
        assert await api.error("upgrade/start", **(request | change)) == code, change
    await _set(core, protocol="fido2")
    assert await api.error("upgrade/start", **request) == "ERR0024"
    await _set(core, protocol="powerauth", activation_status=ActivationStatus.BLOCKED)
    assert await api.error("upgrade/start", **request) == "ERR0008"
    await _set(core, activation_status=ActivationStatus.ACTIVE)
    await api.ok(
        "application/version/unsupport",
        applicationId=application.application_id,
        applicationVersionId="default",
    )
    assert await api.error("upgrade/start", **request) == "ERR0015"
