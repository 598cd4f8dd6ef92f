"""Headers as the enrollment service passes them on: judged here, by the rules of spec/protocol-v3.md §7.2."""

from __future__ import annotations

from dataclasses import dataclass

from powerauth_contracts.dmz.models import (
    EncryptionHeaderFields,
    SignatureHeaderFields,
    TokenHeaderFields,
)
from powerauth_protocol.common.errors import ProtocolError
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.http_headers import (
    EncryptionHeader,
    SignatureHeader,
    TokenHeader,
    parse_encryption_header,
    parse_signature_header,
    parse_token_header,
)


@dataclass(frozen=True, slots=True)
class ReceivedSignature(SignatureHeader):
    """A signature header and the network that it came from.

    :ivar client_network: as enrollment's limits call it; empty if it does not tell
    """

    client_network: str = ""


def signature_header(received: SignatureHeaderFields) -> ReceivedSignature | None:
    """The header if all its fields are well-formed, None otherwise."""
    values = (
        received.pa_activation_id,
        received.pa_application_key,
        received.pa_nonce,
        received.pa_signature_type,
        received.pa_signature,
        received.pa_version,
    )
    try:
        # Through the text form, so that the one parser decides what is well-formed.
        header = parse_signature_header(SignatureHeader(*[value or "" for value in values]).build())
    except ProtocolError:
        return None
    return ReceivedSignature(
        header.activation_id,
        header.application_key,
        header.nonce,
        header.signature_type,
        header.signature,
        header.version,
        received.client_network or "",
    )


def encryption_header(fields: EncryptionHeaderFields) -> EncryptionHeader | None:
    """The header of activation scope if all its fields are well-formed, None otherwise."""
    values = (fields.application_key, fields.activation_id, fields.version)
    try:
        return parse_encryption_header(
            EncryptionHeader(*[value or "" for value in values]).build(), Scope.ACTIVATION
        )
    except ProtocolError:
        return None


def token_header(fields: TokenHeaderFields) -> TokenHeader | None:
    """The header if all its fields are well-formed, None otherwise."""
    values = (fields.token_id, fields.token_digest, fields.nonce, fields.timestamp, fields.version)
    try:
        return parse_token_header(TokenHeader(*[value or "" for value in values]).build())
    except ProtocolError:
        return None
