"""The calls that a phone's login, payment or token make: answered by the shortest way (design §8)."""

from __future__ import annotations

from powerauth_contracts.dmz.models import (
    SignedOperationRequest,
    TokenOperationRequest,
    TokenRequest,
    VerifyRequest,
    WhoAmIRequest,
)
from powerauth_contracts.rest.tokens import ValidateTokenRequest
from powerauth_contracts.rest.verification import VerifySignatureRequest
from powerauth_core.dmz import operations, signed, tokens
from powerauth_core.edge.lean import LeanCall
from powerauth_core.tokens import service as bank_tokens
from powerauth_core.verification import service as signatures

HOT_CALLS = {
    call.path: call
    for call in (
        LeanCall("/rest/v3/signature/verify", VerifySignatureRequest, signatures.verify),
        LeanCall("/rest/v3/token/validate", ValidateTokenRequest, bank_tokens.validate_token),
        LeanCall("/dmz/v1/signed/verify", VerifyRequest, signed.verify),
        LeanCall("/dmz/v1/signed/operation/approve", SignedOperationRequest, operations.approve),
        LeanCall("/dmz/v1/signed/operation/reject", SignedOperationRequest, operations.reject),
        LeanCall("/dmz/v1/token/operation/list", TokenRequest, tokens.list_operations),
        LeanCall("/dmz/v1/token/operation/detail", TokenOperationRequest, tokens.operation_detail),
        LeanCall("/dmz/v1/token/operation/claim", TokenOperationRequest, tokens.claim_operation),
        LeanCall("/dmz/v1/token/who-am-i", WhoAmIRequest, tokens.who_am_i),
    )
}
"""By path inside the service."""
