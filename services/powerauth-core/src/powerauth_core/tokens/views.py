"""Token headers as the bank's door takes them, and what it answers (spec/core-api.md §11)."""

from __future__ import annotations

from powerauth_contracts.enums import SignatureType
from powerauth_contracts.rest.tokens import ValidateTokenRequest, ValidateTokenResponse
from powerauth_core.tokens import service
from powerauth_core.tokens.checks import TokenCheck, Verdict
from powerauth_core.tokens.ports import Ports


async def validate_token(ports: Ports, request: ValidateTokenRequest) -> ValidateTokenResponse:
    """``token/validate``; raises as `TokenCheck.of` and `service.validate`."""
    check = TokenCheck.of(
        ports.settings,
        token_id=request.token_id,
        digest=request.token_digest,
        nonce=request.nonce,
        timestamp=request.timestamp,
        version=request.protocol_version,
        application_ids=request.application_ids,
    )
    return _validation_response(await service.validate(ports, check))


def _validation_response(verdict: Verdict) -> ValidateTokenResponse:
    found = verdict.token
    if found is None:
        return ValidateTokenResponse(token_valid=False)
    return ValidateTokenResponse(
        token_valid=verdict.valid,
        activation_id=found.activation_id,
        activation_status=found.activation_status,
        blocked_reason=found.blocked_reason,
        user_id=found.user_id,
        application_id=found.application_id,
        signature_type=SignatureType(found.signature_type),
        application_roles=list(found.application_roles),
        activation_flags=list(found.activation_flags),
    )
