"""The offline payload and its proximity check, without I/O (spec/cloud-api.md §14)."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

from cloud_private_api.operations.rules import allows_biometry
from powerauth_contracts.rest.operations import OperationDetailResponse
from powerauth_protocol.common.encoding import b64encode

NONCE_BYTES = 16
PROXIMITY_STEP_SECONDS = 30
PROXIMITY_STEP_COUNT = 2
"""Typing takes longer than an online approval: the current and two past steps are accepted."""

_UI_FLAGS = "XFC"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class OfflineSecrets:
    """What both the payload and its verification derive for one operation and registration.

    :ivar nonce: 16 bytes
    :ivar seed: of the proximity OTP, Base64
    """

    nonce: bytes
    seed: str

    def proximity_check(self, **further: int) -> dict[str, object]:
        """The member ``proximityCheck`` of the core's requests; a step in seconds."""
        return {"seed": self.seed, "stepLength": PROXIMITY_STEP_SECONDS, **further}


def derive(key: bytes, operation_id: str, registration_id: str) -> OfflineSecrets:
    """Nonce and proximity seed from the installation's key (§14.3).

    :param key: 32 bytes
    """

    def part(label: str) -> bytes:
        return hmac.digest(key, f"{label}|{operation_id}|{registration_id}".encode(), hashlib.sha256)

    return OfflineSecrets(part("nonce")[:NONCE_BYTES], b64encode(part("seed")))


def payload_data(operation: OperationDetailResponse, title: str, message: str) -> str:
    """The five lines that the device shows and signs (§14.1), and the number that stands for an OTP."""
    lines = (operation.id, _line(title), _line(message), operation.data, _flags(operation))
    return "\n".join((*lines, *_number(operation)))


def signed_data(operation: OperationDetailResponse) -> str:
    """What the device signs of the operation, but for the proximity OTP (§14.2)."""
    return "&".join((operation.id, operation.data, *_number(operation)))


def _number(operation: OperationDetailResponse) -> tuple[str, ...]:
    """Its one line holds an OTP where there is one: that proves more than the number does (§14.4)."""
    number = operation.number_matching
    return () if number is None or operation.proximity_otp is not None else (number,)


def _line(text: str) -> str:
    """One line of text: line ends and backslashes escaped, other control characters left out."""
    return _CONTROL.sub("", text.replace("\\", "\\\\").replace("\n", "\\n"))


def _flags(operation: OperationDetailResponse) -> str:
    risk = operation.risk_flags or ""
    return ("B" if allows_biometry(operation) else "") + "".join(flag for flag in _UI_FLAGS if flag in risk)
