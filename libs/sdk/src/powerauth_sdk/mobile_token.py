"""Operations on the phone: list, show, approve, reject, and approval without a network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.v3.keys import import_public_key
from powerauth_protocol.v3.offline import KeyIndicator, OfflinePayload, parse_offline_payload
from powerauth_protocol.v3.signature import SignatureType
from powerauth_sdk.device import POSSESSION_KNOWLEDGE, Device
from powerauth_sdk.errors import UntrustedData
from powerauth_sdk.signing import sign_offline
from powerauth_sdk.state import ActivationState
from powerauth_sdk.transport import request_object, require_success

_BASE = "/api/auth/token/app/operation"


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation as the phone shows it (spec/enrollment-api.md §10.1).

    :ivar data: what the user signs, byte for byte
    :ivar content: the whole object, with the localised form
    """

    id: str
    name: str
    data: str
    status: str
    content: dict[str, Any] = field(repr=False)

    @property
    def title(self) -> str:
        """Localised title."""
        return str(self.content["formData"]["title"])

    @property
    def message(self) -> str:
        """Localised message."""
        return str(self.content["formData"]["message"])

    @property
    def number_matching(self) -> dict[str, Any] | None:
        """``digits`` of the number that the bank shows, and ``choices`` if the user chooses among some."""
        found: dict[str, Any] | None = self.content.get("ui", {}).get("numberMatching")
        return found

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Operation:
        """Read one element of an answer."""
        return cls(content["id"], content["name"], content["data"], content["status"], content)


class MobileToken:
    """The operations of a device's user.

    :param language: of the forms, as in the ``Accept-Language`` header
    """

    def __init__(self, device: Device, language: str = "en") -> None:
        self._device = device
        self._language = language

    async def pending(self) -> list[Operation]:
        """Pending operations, newest first."""
        answer = await self._device.token_call(f"{_BASE}/list", language=self._language)
        return [Operation.from_json(item) for item in answer["responseObject"]]

    async def detail(self, operation_id: str) -> Operation:
        """One operation, also one that nobody has claimed yet."""
        return await self._one("detail", operation_id)

    async def claim(self, operation_id: str) -> Operation:
        """Take over an operation that was created without a user, e.g. from a QR code."""
        return await self._one("detail/claim", operation_id)

    async def history(self, pin: str) -> list[Operation]:
        """The newest operations of every status."""
        answer = await self._device.signed_call(
            f"{_BASE}/history",
            uri_id="/operation/history",
            pin=pin,
            headers={"Accept-Language": self._language},
        )
        return [Operation.from_json(item) for item in require_success(answer)["responseObject"]]

    async def approve(
        self,
        operation: Operation,
        pin: str | None,
        *,
        signature_type: SignatureType = POSSESSION_KNOWLEDGE,
        proximity_check: dict[str, str] | None = None,
        number: str | None = None,
    ) -> None:
        """Approve an operation: sign its id and data.

        :param proximity_check: ``otp``, ``type`` and times, if the bank showed an OTP
        :param number: that the bank showed and the user typed or chose, if the operation asks for one
        :raises ServerRefused: wrong PIN, or the operation cannot be approved (any more)
        """
        body = request_object(
            id=operation.id, data=operation.data, proximityCheck=proximity_check, numberMatching=number
        )
        answer = await self._device.signed_call(
            f"{_BASE}/authorize",
            uri_id="/operation/authorize",
            body=body,
            signature_type=signature_type,
            pin=pin,
        )
        require_success(answer)

    async def reject(self, operation: Operation, reason: str = "UNKNOWN") -> None:
        """Reject an operation."""
        answer = await self._device.signed_call(
            f"{_BASE}/cancel",
            uri_id="/operation/cancel",
            body=request_object(id=operation.id, reason=reason),
            signature_type=SignatureType.POSSESSION,
        )
        require_success(answer)

    async def approve_offline(
        self,
        qr_text: str,
        pin: str | None,
        *,
        signature_type: SignatureType = POSSESSION_KNOWLEDGE,
    ) -> str:
        """Check a QR payload and compute the digits that the user types at the bank.

        :return: e.g. ``12345678-90123456``
        :raises UntrustedData: the payload is not signed by this activation's server
        """
        payload = self.trusted_payload(qr_text)

        async def compute(state: ActivationState) -> str:
            return sign_offline(state, payload, signature_type=signature_type, pin=pin)

        return await self._device.serialised(compute)

    def trusted_payload(self, qr_text: str) -> OfflinePayload:
        """Parse a QR payload and check its signature.

        :raises UntrustedData: the signature is wrong
        :raises ProtocolError: not such a payload
        """
        payload = parse_offline_payload(qr_text)
        personal = import_public_key(b64decode(self._device.state.server_public_key))
        key = personal if payload.key_indicator is KeyIndicator.SERVER else self._device.config.master_key()
        if not payload.verify(key):
            raise UntrustedData("the QR code is not signed by this activation's server")
        return payload

    async def _one(self, action: str, operation_id: str) -> Operation:
        body = request_object(id=operation_id)
        answer = await self._device.token_call(f"{_BASE}/{action}", body, language=self._language)
        return Operation.from_json(answer["responseObject"])
