"""Opening an activation of the same user for another application or phone (spec/device-trust.md §5.1)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from powerauth_protocol.v3.signature import SignatureType
from powerauth_sdk.errors import UnexpectedAnswer
from powerauth_sdk.transport import request_object

if TYPE_CHECKING:
    from powerauth_sdk.device import Device

_PATH = "/api/activation/code"


@dataclass(frozen=True, slots=True)
class SpawnedCode:
    """An activation that waits for another device.

    :ivar signature: Base64 of the DER signature over the code, by the destination's master key
    """

    activation_id: str
    code: str = field(repr=False)
    signature: str

    @property
    def qr_text(self) -> str:
        """What the other device scans or gets by a link: code and signature."""
        return f"{self.code}#{self.signature}"


async def activation_code_for(
    device: Device,
    application_id: str,
    otp: str,
    pin: str | None,
    *,
    signature_type: SignatureType = SignatureType.POSSESSION_KNOWLEDGE,
) -> SpawnedCode:
    """Ask for an activation code, from protocol 3.2 on.

    :param application_id: the destination; the device's own application for another phone
    :param otp: random, at least 16 characters; the other device activates with the code and this
    :raises ServerRefused: the destination is not allowed, or the request was not accepted
    """
    plaintext = await device.signed_then_encrypted_call(
        _PATH,
        uri_id=_PATH,
        plaintext=request_object(applicationId=application_id, otp=otp),
        signature_type=signature_type,
        pin=pin,
    )
    try:
        content = json.loads(plaintext)["responseObject"]
        return SpawnedCode(content["activationId"], content["activationCode"], content["activationSignature"])
    except (ValueError, KeyError, TypeError):
        raise UnexpectedAnswer("the decrypted answer is no activation code") from None
