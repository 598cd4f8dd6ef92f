"""Headers as the enrollment service passes them on: judged here, by the rules of spec/protocol-v3.md §7.2."""

from __future__ import annotations

from powerauth_core.dmz.schemas import SignatureHeaderFields, TokenHeaderFields
from powerauth_protocol.errors import ProtocolError
from powerauth_protocol.http_headers import (
    SignatureHeader,
    TokenHeader,
    parse_signature_header,
    parse_token_header,
)


def signature_header(fields: SignatureHeaderFields) -> SignatureHeader | None:
    """The header if all its fields are well-formed, None otherwise."""
    values = (
        fields.pa_activation_id,
        fields.pa_application_key,
        fields.pa_nonce,
        fields.pa_signature_type,
        fields.pa_signature,
        fields.pa_version,
    )
    try:
        # Through the text form, so that the one parser decides what is well-formed.
        return parse_signature_header(SignatureHeader(*[value or "" for value in values]).build())
    except ProtocolError:
        return None


def token_header(fields: TokenHeaderFields) -> TokenHeader | None:
    """The header if all its fields are well-formed, None otherwise."""
    values = (fields.token_id, fields.token_digest, fields.nonce, fields.timestamp, fields.version)
    try:
        return parse_token_header(TokenHeader(*[value or "" for value in values]).build())
    except ProtocolError:
        return None
