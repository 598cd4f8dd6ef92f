"""Wire models of the decryptor call (spec/core-api.md §12)."""

from __future__ import annotations

from powerauth_contracts.calls import Call
from powerauth_contracts.fields import RequiredText
from powerauth_contracts.wire import RequestModel, WireModel


class DecryptorRequest(RequestModel):
    """Request of ``ecies/decryptor``; without an activation id in application scope."""

    activation_id: str | None = None
    application_key: RequiredText
    temporary_key_id: str | None = None
    ephemeral_public_key: RequiredText
    nonce: str | None = None
    protocol_version: RequiredText
    timestamp: int | None = None
    application_ids: list[str] | None = None


class DecryptorResponse(WireModel):
    """Envelope key (48 bytes) and base of sharedInfo2 (32 bytes), Base64."""

    secret_key: str
    shared_info2: str


DECRYPTOR = Call(
    "/rest/v3/ecies/decryptor",
    DecryptorRequest,
    DecryptorResponse,
    "Hand out the envelope key of one request.",
)
