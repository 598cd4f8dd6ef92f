"""Whatever is sent, no call of these domains fails with a 500 (D6)."""

from __future__ import annotations

from typing import Any

import pytest

from powerauth_core.activations.routes import router as activations
from powerauth_core.envelopes.routes import router as envelopes
from powerauth_core.recovery.routes import router as recovery
from powerauth_core.temporary_keys.routes import router as keystore
from powerauth_core.upgrade.routes import router as upgrade

ROUTES = [
    route for router in (activations, envelopes, keystore, recovery, upgrade) for route in router.routes
]
ODD: tuple[Any, ...] = (
    None,
    "",
    "x" * 5000,
    "\u0000",
    "ž🦊",
    -1,
    2**64,
    1.5,
    True,
    [None],
    {"x": None},
)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
async def test_odd_values_are_refused_not_stumbled_over(api: Any, activate: Any, route: Any) -> None:
    device = await activate()
    sound = {
        "activationId": device.activation_id,
        "activationIds": [device.activation_id],
        "activationStatus": "ACTIVE",
        "activationName": "N",
        "activationFlags": ["A"],
        "activationCode": "AAAAA-AAAAA-AAAAA-AAAAA",
        "activationOtp": "1",
        "userId": "user-1",
        "userIds": ["user-1"],
        "applicationId": device.app.application_id,
        "applicationKey": device.app.key,
        "protocolVersion": "3.2",
        "ephemeralPublicKey": "A" * 44,
        "encryptedData": "A" * 44,
        "mac": "A" * 44,
        "nonce": "AAAAAAAAAAAAAAAAAAAAAA==",
        "timestamp": 1,
        "jwt": "a.b.c",
        "id": "id",
        "recoveryCode": "AAAAA-AAAAA-AAAAA-AAAAA",
        "puk": "1234567890",
        "pukCount": 1,
        "recoveryCodeIds": [1],
        "activationRecoveryEnabled": True,
        "recoveryPostcardEnabled": False,
        "allowMultipleRecoveryCodes": False,
    }
    model = route.body_field.field_info.annotation.model_fields["request_object"].annotation
    path = route.path.removeprefix("/rest/v3/")
    for name, info in model.model_fields.items():
        member = info.alias or name
        for value in ODD:
            status, body = await api.post(path, **(sound | {member: value}))
            assert status in (200, 400), (member, value, body)
