"""Passkeys as a browser uses them, with a software authenticator (spec/device-trust.md §4.9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from powerauth_protocol.common.encoding import b64url_decode
from powerauth_sdk.authenticator.device import Authenticator
from powerauth_sdk.device import Device
from powerauth_sdk.transport import JSON_HEADERS, Transport, request_object, response_object

_OPTIONS = "/api/passkey/registration/options"


@dataclass(frozen=True, slots=True)
class PasskeyBrowser:
    """A page of an application in a browser.

    :ivar origin: of the page, as the application's policy names it
    """

    transport: Transport
    application_id: str
    origin: str
    authenticator: Authenticator

    async def register(
        self,
        name: str,
        *,
        ticket: str | None = None,
        access_token: str | None = None,
        device: Device | None = None,
        pin: str | None = None,
    ) -> dict[str, Any]:
        """Make a passkey for whom one of these proves: a ticket of the bank, an access token, or a phone that
        signs.

        :param device: an activated phone; with its `pin`
        :return: ``activationId``, ``credentialId``, ``passkeyType``, ``aaguid``, ``attestation`` …
        :raises ServerRefused: the proof is not accepted, or the policy refuses the passkey
        """
        body = request_object(applicationId=self.application_id, bindingTicket=ticket, displayName=name)
        headers = _bearer(access_token)
        if device is not None:
            headers |= await device.signed_header(method="POST", uri_id=_OPTIONS, body=body, pin=pin)
        options = await self._post(_OPTIONS, body, headers)
        asked = options["publicKey"]
        made = self.authenticator.register(
            asked["rp"]["id"],
            self.origin,
            b64url_decode(asked["challenge"]),
            b64url_decode(asked["user"]["id"]),
        )
        answer = request_object(registrationId=options["registrationId"], name=name, credential=made.json())
        return await self._post("/api/passkey/registration", answer)

    async def sign_in(self, user_id: str | None = None, **wanted: str) -> dict[str, Any]:
        """Sign in.

        :param user_id: None: the passkey names the user
        :param wanted: ``scope``, ``nonce``, ``clientId``, ``resource``
        :return: the token response, or the operation where the application has no client
        :raises NoPasskey: the authenticator has none that may be used
        :raises ServerRefused: it proves nothing, or the policy refuses it
        """
        return await self._sign(request_object(applicationId=self.application_id, userId=user_id, **wanted))

    async def approve(self, operation_id: str, access_token: str) -> dict[str, Any]:
        """Approve an operation of the user who is signed in.

        :return: ``operationId``, ``operationStatus``
        :raises ServerRefused: it is not the user's to approve
        """
        body = request_object(applicationId=self.application_id, operationId=operation_id)
        return await self._sign(body, _bearer(access_token))

    async def _sign(self, body: bytes, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        options = await self._post("/api/passkey/assertion/options", body, headers)
        asked = options["publicKey"]
        offered = {b64url_decode(one["id"]) for one in asked["allowCredentials"]}
        mine = [one.id for one in self.authenticator.passkeys if one.id in offered]
        signed = self.authenticator.sign_in(
            asked["rpId"], self.origin, b64url_decode(asked["challenge"]), mine[-1] if mine else None
        )
        answer = request_object(sessionId=options["sessionId"], credential=signed.json())
        return await self._post("/api/passkey/assertion", answer)

    async def _post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        answer = await self.transport.send("POST", path, {**JSON_HEADERS, **(headers or {})}, body)
        found: dict[str, Any] = response_object(answer)
        return found


def _bearer(token: str | None) -> dict[str, str]:
    return {} if token is None else {"Authorization": f"Bearer {token}"}
