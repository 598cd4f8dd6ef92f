"""Loads of passkeys: operations that they approve."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any

from powerauth_cli.bench.load import Clients
from powerauth_cli.bench.operations import create_body
from powerauth_cli.bench.prepared import APPLICATION, Prepared
from powerauth_cli.bench.target import Target
from powerauth_protocol.common.encoding import b64encode
from powerauth_sdk.authenticator import Authenticator, Counter

RP_ID = "bench.example"
ORIGIN = "https://bench.example"
TEMPLATE = {
    "templateName": "bench-passkey",
    "operationType": "bench_passkey",
    "signatureType": ["POSSESSION"],
    "dataTemplate": "A1*A${amount}${currency}",
    "expiration": 3600,
    "maxFailureCount": 5,
}
_MOST_PER_SECOND = 3_000
_PARTY = {"relyingPartyId": RP_ID, "allowedOrigins": [ORIGIN], "requiresUserVerification": True}


class PasskeyLoad:
    """``/fido2/assertions`` at the core: each client approves operations with a passkey of its own.

    Operations are made, and signed, before the measured time.
    """

    def __init__(self, target: Target, prepared: Prepared) -> None:
        self._prepared = prepared
        self._clients = Clients(target.core, target.core_auth)
        self._authenticators = [Authenticator(counter=Counter.RISING) for _ in prepared.devices]
        self._signed: list[deque[bytes]] = [deque() for _ in prepared.devices]

    async def open(self) -> None:
        """Create the template if need be, open the connections, and register the passkeys."""
        templates = await self._prepared.core.call("operation/template/list")
        if TEMPLATE["templateName"] not in {item["templateName"] for item in templates}:
            await self._prepared.core.call("operation/template/create", **TEMPLATE)
        numbers = range(len(self._authenticators))
        await self._clients.open(len(numbers))
        await asyncio.gather(*[self._register(number) for number in numbers])

    async def stock_up(self, seconds: float) -> None:
        """Make and sign what a round of this length can use up at most."""
        each = int(seconds * _MOST_PER_SECOND / len(self._signed))

        async def fill(number: int) -> None:
            while len(self._signed[number]) < each:
                self._signed[number].append(await self._sign(number))

        await asyncio.gather(*[fill(number) for number in range(len(self._signed))])

    def put_back(self) -> None:
        """Forget the operations that were not approved."""
        for signed in self._signed:
            signed.clear()

    async def one(self, number: int) -> bool:
        """Approve an operation, and see that it was."""
        signed = self._signed[number]
        body = signed.popleft() if signed else await self._sign(number)
        status, answer = await self._clients.post(number, "/fido2/assertions", body)
        return status == 200 and b'"assertionValid":true' in answer

    def close(self) -> None:
        """Close the connections."""
        self._clients.close()

    async def _register(self, number: int) -> None:
        user_id = self._prepared.devices[number].user_id
        asked = {"userId": user_id, "applicationId": APPLICATION}
        waiting = await self._call(number, "/fido2/registrations/challenge", asked)
        made = self._authenticators[number].register(RP_ID, ORIGIN, waiting["challenge"].encode())
        parameters = {
            "credentialId": b64encode(made.credential_id),
            "type": "public-key",
            "response": {
                "clientDataJSON": b64encode(made.client_data_json),
                "attestationObject": b64encode(made.attestation_object),
            },
            **_PARTY,
        }
        request = {
            "applicationId": APPLICATION,
            "activationName": "bench",
            "authenticatorParameters": parameters,
        }
        await self._call(number, "/fido2/registrations", request)

    async def _sign(self, number: int) -> bytes:
        """The body of an approval of a new operation."""
        user_id = self._prepared.devices[number].user_id
        body = create_body(user_id, str(TEMPLATE["templateName"]))
        status, answer = await self._clients.post(number, "/rest/v3/operation/create", body)
        if status != 200:
            raise RuntimeError(f"operation/create: HTTP {status}")
        operation = json.loads(answer)["responseObject"]
        challenge = f"{operation['id']}&{operation['data']}".encode()
        signed = self._authenticators[number].sign_in(RP_ID, ORIGIN, challenge)
        return _body(
            {
                "credentialId": b64encode(signed.credential_id),
                "type": "public-key",
                "response": {
                    "clientDataJSON": b64encode(signed.client_data_json),
                    "authenticatorData": b64encode(signed.authenticator_data),
                    "signature": b64encode(signed.signature),
                },
                "applicationId": APPLICATION,
                **_PARTY,
            }
        )

    async def _call(self, number: int, path: str, request: dict[str, Any]) -> Any:
        status, answer = await self._clients.post(number, path, _body(request))
        if status != 200:
            raise RuntimeError(f"{path}: HTTP {status} {answer!r}")
        return json.loads(answer)["responseObject"]


def _body(request: dict[str, Any]) -> bytes:
    return json.dumps({"requestObject": request}, separators=(",", ":")).encode()
