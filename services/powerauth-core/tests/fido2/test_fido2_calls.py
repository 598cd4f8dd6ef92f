"""Passkeys at the core's own door: registration, approval, what becomes of both (spec/device-trust.md §4.2,
§4.3).
"""

from __future__ import annotations

import pytest
from core_test_desk import USER, Desk
from core_test_passkeys import RP_ID

from powerauth_protocol.common.encoding import b64decode
from powerauth_sdk.authenticator import Authenticator

pytestmark = pytest.mark.dialects("sqlite", "postgresql")


async def test_a_passkey_is_registered_and_approves(desk: Desk) -> None:
    authenticator = Authenticator()
    challenge = await desk.waiting()
    assert challenge["excludeCredentials"] == []
    status, passkey = await desk.register(authenticator, challenge=challenge["challenge"])
    assert status == 200, passkey
    assert passkey["activationId"] == challenge["activationId"]
    assert (passkey["activationStatus"], passkey["platform"]) == ("ACTIVE", "platform")
    assert len(b64decode(passkey["publicKeyBytes"])) == 65
    assert passkey["extras"]["relyingPartyId"] == RP_ID

    operation = await desk.operation()
    (allowed,) = operation["allowCredentials"]
    assert allowed == {
        "credentialId": passkey["credentialId"],
        "type": "public-key",
        "transports": ["internal"],
    }
    status, answer = await desk.sign(authenticator, operation["challenge"])
    assert (status, answer["assertionValid"], answer["remainingAttempts"]) == (200, True, 5), answer
    assert await desk.operation_state(operation) == ("APPROVED", 0)
    detail = await desk.rest.ok("operation/detail", operationId=operation["operationId"])
    assert detail["additionalData"]["credentialId"] == passkey["credentialId"]
    listed = await desk.fido2.ok("registrations/list", userId=USER, applicationId=desk.id)
    assert [one["credentialId"] for one in listed["authenticators"]] == [passkey["credentialId"]]
