"""The hot calls of the core's REST door (spec/core-api.md §9, §14)."""

from __future__ import annotations

from powerauth_contracts.calls import Call
from powerauth_contracts.rest.tokens import ValidateTokenRequest, ValidateTokenResponse
from powerauth_contracts.rest.verification import VerifySignatureRequest, VerifySignatureResponse

VERIFY_SIGNATURE = Call(
    "/rest/v3/signature/verify",
    VerifySignatureRequest,
    VerifySignatureResponse,
    "Verify a signature.",
    fast=True,
)
VALIDATE_TOKEN = Call(
    "/rest/v3/token/validate", ValidateTokenRequest, ValidateTokenResponse, "Validate a token.", fast=True
)
