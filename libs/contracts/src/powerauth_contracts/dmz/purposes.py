"""What a signature at the dmz door may be for: constants of the contract, never of a call (D1 rule 3)."""

from __future__ import annotations

from dataclasses import dataclass

from powerauth_contracts.dmz.headers import ReceivedSignature
from powerauth_protocol.v3.signature import SignatureType

SignatureTypes = frozenset[SignatureType]

P = SignatureType.POSSESSION
PK = SignatureType.POSSESSION_KNOWLEDGE
PB = SignatureType.POSSESSION_BIOMETRY
PKB = SignatureType.POSSESSION_KNOWLEDGE_BIOMETRY


@dataclass(frozen=True, slots=True)
class Purpose:
    """What was signed: method and resource id of the request, and the types that may sign it."""

    uri_id: str
    types: SignatureTypes
    method: str = "POST"

    def may_sign(self, header: ReceivedSignature) -> bool:
        """Whether the header's signature type is one of the purpose."""
        return header.kind in self.types


def purpose(uri_id: str, *types: SignatureType) -> Purpose:
    """The purpose of a POST."""
    return Purpose(uri_id, frozenset(types))
