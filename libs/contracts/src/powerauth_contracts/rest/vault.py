"""Wire models of the vault call (spec/core-api.md §10)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from powerauth_contracts.calls import Call
from powerauth_contracts.enums import SignatureType
from powerauth_contracts.envelopes import EnvelopeFields
from powerauth_contracts.fields import RequiredText
from powerauth_contracts.wire import MAX_LONG_TEXT, WireModel


class UnlockVaultRequest(EnvelopeFields):
    """``vault/unlock``; `signatureVersion` is also the version of the envelope."""

    activation_id: RequiredText
    application_key: RequiredText
    signed_data: Annotated[RequiredText, Field(max_length=MAX_LONG_TEXT)]
    signature: Annotated[RequiredText, Field(max_length=1024)]
    signature_type: SignatureType
    signature_version: RequiredText
    application_ids: list[str] | None = None


class UnlockVaultResponse(WireModel):
    """The envelope is null when the request was refused before its envelope was opened."""

    signature_valid: bool
    encrypted_data: str | None = None
    mac: str | None = None
    nonce: str | None = None
    timestamp: int | None = None


UNLOCK = Call(
    "/rest/v3/vault/unlock",
    UnlockVaultRequest,
    UnlockVaultResponse,
    "Verify a signature and hand out the vault key, encrypted for the device.",
)
