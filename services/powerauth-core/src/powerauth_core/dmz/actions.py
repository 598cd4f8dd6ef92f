"""What a signature at the dmz door may be for: constants of the core, never of the caller (D1 rule
3).
"""

from __future__ import annotations

from dataclasses import dataclass

from powerauth_protocol.v3.http_headers import SignatureHeader
from powerauth_protocol.v3.signature import SignatureType

P = SignatureType.POSSESSION
PK = SignatureType.POSSESSION_KNOWLEDGE
PB = SignatureType.POSSESSION_BIOMETRY
PKB = SignatureType.POSSESSION_KNOWLEDGE_BIOMETRY


@dataclass(frozen=True, slots=True)
class Purpose:
    """What was signed: method and resource id of the request, and the types that may sign it."""

    uri_id: str
    types: frozenset[SignatureType]
    method: str = "POST"

    def may_sign(self, header: SignatureHeader) -> bool:
        """Whether the header's signature type is one of the purpose."""
        return SignatureType.parse(header.signature_type) in self.types


def _purpose(uri_id: str, *types: SignatureType) -> Purpose:
    return Purpose(uri_id, frozenset(types))


APPROVE_OPERATION = _purpose("/operation/authorize", P, PK, PB)
REJECT_OPERATION = _purpose("/operation/cancel", P)
OPERATION_HISTORY = _purpose("/operation/history", PK, PB)
CREATE_TOKEN = _purpose("/pa/token/create", P, PK, PB)
REMOVE_TOKEN = _purpose("/pa/token/remove", P, PK, PB, PKB)
UNLOCK_VAULT = _purpose("/pa/vault/unlock", *SignatureType)
"""Every type is looked at: the wrong ones have an error of their own (spec/core-api.md §10 step 2)."""
REMOVE_ACTIVATION = _purpose("/pa/activation/remove", PK, PB, PKB)
RENAME_ACTIVATION = _purpose("/pa/activation/rename", PK, PB)
CONFIRM_RECOVERY_CODE = _purpose("/pa/recovery/confirm", PK)
COMMIT_UPGRADE = _purpose("/pa/upgrade/commit", P)
SPAWN = _purpose("/api/activation/code", PK, PB)
EXCHANGE_SIGNED = _purpose("/exchange/v3/signed", PK, PB, PKB)
EXCHANGE_STRING = _purpose("/exchange/v3/signed/string", PK, PB, PKB)
EXCHANGE_RAW = _purpose("/exchange/v3/signed/raw", PK, PB, PKB)
EXCHANGE_GENERICS = _purpose("/exchange/v3/signed/generics", PK, PB, PKB)

RESERVED_URI_IDS = frozenset(
    purpose.uri_id
    for purpose in (
        APPROVE_OPERATION,
        REJECT_OPERATION,
        OPERATION_HISTORY,
        CREATE_TOKEN,
        REMOVE_TOKEN,
        UNLOCK_VAULT,
        REMOVE_ACTIVATION,
        RENAME_ACTIVATION,
        CONFIRM_RECOVERY_CODE,
        COMMIT_UPGRADE,
        SPAWN,
        EXCHANGE_SIGNED,
        EXCHANGE_STRING,
        EXCHANGE_RAW,
        EXCHANGE_GENERICS,
    )
)
"""Resource ids that plain verification refuses: what they sign happens here or not at all."""
