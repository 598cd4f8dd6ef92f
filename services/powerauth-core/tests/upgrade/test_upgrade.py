"""No activation is upgraded: version 3 need not be, version 2 is not served (spec/core-api.md §14)."""

from __future__ import annotations

from typing import Any

import pytest
from core_test_api import Api
from core_test_phones import Activate
from core_test_rows import rewrite

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.container import Core
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.ecies import SharedInfo1

pytestmark = pytest.mark.dialects("sqlite", "postgresql")


async def test_every_activation_is_in_the_wrong_state_for_an_upgrade(
    api: Api, core: Core, activate: Activate
) -> None:
    device = await activate()
    await device.prepare_scope(api.call, Scope.ACTIVATION)
    ids = {"activationId": device.activation_id, "applicationKey": device.app.key}
    start = ids | device.env(device.seal(SharedInfo1.UPGRADE, b"{}"))
    for values in ({"version": 3}, {"version": 2}, {"activation_status": ActivationStatus.BLOCKED}):
        await _set(core, **values)
        assert await api.error("upgrade/start", **start) == "ERR0008", values
        assert await api.error("upgrade/commit", **ids) == "ERR0008", values


async def _set(core: Core, **values: Any) -> None:
    await rewrite(core, **values)
