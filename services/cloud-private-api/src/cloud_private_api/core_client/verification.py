"""Authentication codes, tokens and offline payloads (spec/core-api.md §9, §11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from cloud_private_api.core_client.activations import Scope, wire_time
from cloud_private_api.core_client.models import (
    EcdsaVerification,
    OfflinePayload,
    ProximityCheck,
    SignatureAudit,
    SignatureAuditItem,
    TokenValidation,
    Verification,
)
from cloud_private_api.core_client.transport import CoreDoor


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineCode:
    """The request of ``signature/verify``; ``data`` is the normalised request data without the secret."""

    activation_id: str
    application_key: str
    data: str
    signature: str
    signature_type: str
    signature_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineCode:
    """The request of ``signature/offline/verify``.

    :ivar data: normalised request data without the trailing ``&offline``
    :ivar signature: decimal components joined by ``-``
    """

    activation_id: str
    data: str
    signature: str
    allow_biometry: bool
    proximity_check: ProximityCheck | None = None
    proximity_step_count: int = 0


COMPONENT_LENGTH = 8


class VerificationCalls:
    """Calls below ``signature/`` and ``token/``."""

    def __init__(self, door: CoreDoor) -> None:
        self._door = door

    async def verify(self, code: OnlineCode, scope: Scope) -> Verification:
        """``signature/verify``."""
        return await self._door.ask(
            "signature/verify",
            Verification,
            {
                "activationId": code.activation_id,
                "applicationIds": scope,
                "applicationKey": code.application_key,
                "data": code.data,
                "signature": code.signature,
                "signatureType": code.signature_type,
                "signatureVersion": code.signature_version,
            },
        )

    async def verify_offline(self, code: OfflineCode, scope: Scope) -> Verification:
        """``signature/offline/verify``."""
        check = code.proximity_check
        return await self._door.ask(
            "signature/offline/verify",
            Verification,
            {
                "activationId": code.activation_id,
                "applicationIds": scope,
                "data": code.data,
                "signature": code.signature,
                "componentLength": COMPONENT_LENGTH,
                "allowBiometry": code.allow_biometry,
                "proximityCheck": check and check.to_wire(stepCount=code.proximity_step_count),
            },
        )

    async def personalized_payload(
        self,
        activation_id: str,
        scope: Scope,
        *,
        data: str,
        nonce: str | None = None,
        proximity_check: ProximityCheck | None = None,
    ) -> OfflinePayload:
        """``signature/offline/personalized/create``; ``nonce``: Base64 of 16 bytes, by default a new one."""
        return await self._door.ask(
            "signature/offline/personalized/create",
            OfflinePayload,
            {
                "activationId": activation_id,
                "applicationIds": scope,
                "data": data,
                "nonce": nonce,
                "proximityCheck": proximity_check and proximity_check.to_wire(),
            },
        )

    async def non_personalized_payload(self, application_id: str, *, data: str) -> OfflinePayload:
        """``signature/offline/non-personalized/create``."""
        members: Mapping[str, object] = {"applicationId": application_id, "data": data}
        return await self._door.ask("signature/offline/non-personalized/create", OfflinePayload, members)

    async def verify_ecdsa(
        self, activation_id: str, scope: Scope, *, data: str, signature: str, signature_format: str
    ) -> bool:
        """``signature/ecdsa/verify``; data and signature are Base64."""
        answer = await self._door.ask(
            "signature/ecdsa/verify",
            EcdsaVerification,
            {
                "activationId": activation_id,
                "applicationIds": scope,
                "data": data,
                "signature": signature,
                "signatureFormat": signature_format,
            },
        )
        return answer.signature_valid

    async def audit(
        self, user_id: str, scope: Scope, *, start: datetime, end: datetime
    ) -> Sequence[SignatureAuditItem]:
        """``signature/list`` of some applications, newest first."""
        answer = await self._door.ask(
            "signature/list",
            SignatureAudit,
            {
                "userId": user_id,
                "applicationIds": scope,
                "timestampFrom": wire_time(start),
                "timestampTo": wire_time(end),
            },
        )
        return [item for item in answer.items if item.application_id in scope]

    async def validate_token(
        self, scope: Scope, *, token_id: str, token_digest: str, nonce: str, timestamp: int, version: str
    ) -> TokenValidation:
        """``token/validate``; ``timestamp`` in epoch milliseconds."""
        return await self._door.ask(
            "token/validate",
            TokenValidation,
            {
                "tokenId": token_id,
                "applicationIds": scope,
                "tokenDigest": token_digest,
                "nonce": nonce,
                "timestamp": timestamp,
                "protocolVersion": version,
            },
        )
