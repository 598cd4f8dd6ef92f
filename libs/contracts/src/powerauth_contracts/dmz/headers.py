"""The PowerAuth headers of a phone's request on their way from the enrollment service to the core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from powerauth_protocol.generation import generation_of, read_authorization
from powerauth_protocol.v3.http_headers import (
    ENCRYPTION_FIELDS,
    TOKEN_FIELDS,
    EncryptionHeader,
    SignatureHeader,
    TokenHeader,
)
from powerauth_protocol.v3.signature import SignatureType

Header = SignatureHeader | TokenHeader | EncryptionHeader

CLIENT_NETWORK = "client_network"

# The fields of the headers stand in the order of their wire names.
_signature_values, _encryption_values, _token_values = (
    attrgetter(*(field.name for field in fields(kind)))
    for kind in (SignatureHeader, EncryptionHeader, TokenHeader)
)


@dataclass(slots=True)
class ReceivedSignature(SignatureHeader):
    """A well-formed signature header and the network that it came from.

    :ivar kind: its signature type
    :ivar client_network: as enrollment's limits call it (D15); empty if it does not tell
    """

    kind: SignatureType
    client_network: str

    @classmethod
    def received(cls, members: Mapping[str, str | None], client_network: str) -> ReceivedSignature:
        """Judge the members by the rules of the text form (spec/protocol-v3.md §7.2).

        :raises HeaderError: with the name of the failed check
        """
        header = read_authorization(members)
        return cls(
            header.activation_id,
            header.application_key,
            header.nonce,
            header.signature_type,
            header.signature,
            header.version,
            SignatureType.parse(header.signature_type),
            client_network,
        )


_WIRE: dict[type[Header], tuple[tuple[str, ...], attrgetter[Any]]] = {
    EncryptionHeader: (ENCRYPTION_FIELDS, _encryption_values),
    TokenHeader: (TOKEN_FIELDS, _token_values),
}


def members_of(header: Header) -> dict[str, Any]:
    """The fields of a header by their wire names, as received; of `ReceivedSignature` its network too."""
    if not isinstance(header, SignatureHeader):
        names, values = _WIRE[type(header)]
        return dict(zip(names, values(header), strict=True))
    names = generation_of(header.version).headers.authorization_fields
    members = dict(zip(names, _signature_values(header), strict=True))
    if isinstance(header, ReceivedSignature):
        members[CLIENT_NETWORK] = header.client_network
    return members
