"""The core's door as a table: every path this service may call, with its answer (D1).

Method, resource id and allowed signature types of an action are constants of the core. The types stand here a
second time so that a call that must fail is never made: it would count as nothing and still cost the core a
request (spec/enrollment-api.md §4.2 step 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from enrollment.core_answers import (
    ActivationAnswer,
    ActivationCreateAnswer,
    ActivationStatusAnswer,
    DecisionAnswer,
    EnvelopeKeysAnswer,
    KeyStoreAnswer,
    OperationAnswer,
    OperationsAnswer,
    SealedAnswer,
    SignedAnswer,
    TextsAnswer,
    TokenRemoveAnswer,
    VerifyAnswer,
    WhoAmIAnswer,
)
from powerauth_contracts.wire import WireModel
from powerauth_protocol.v3.signature import SignatureType

DOOR_PREFIX = "/dmz/v1"

Answer = TypeVar("Answer", bound=WireModel)
SignatureTypes = frozenset[SignatureType]

P = SignatureType.POSSESSION
PK = SignatureType.POSSESSION_KNOWLEDGE
PB = SignatureType.POSSESSION_BIOMETRY
PKB = SignatureType.POSSESSION_KNOWLEDGE_BIOMETRY

DEFAULT_TYPES: SignatureTypes = frozenset({PK, PB, PKB})
"""Where an endpoint names none (spec/enrollment-api.md §4.2)."""


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """An unauthenticated call."""

    path: str
    answer: type[Answer]


@dataclass(frozen=True, slots=True)
class SignedCall(Generic[Answer]):
    """Signature check and action in one; `allowed` None leaves the choice of types to the core."""

    path: str
    answer: type[Answer]
    allowed: SignatureTypes | None


@dataclass(frozen=True, slots=True)
class SealedCall:
    """A request of activation scope, which only the core opens; its answer is a `SealedAnswer`.

    `allowed` as in `SignedCall`; None also where nothing is signed.
    """

    path: str
    allowed: SignatureTypes | None = None
    answer: type[SealedAnswer] = SealedAnswer


@dataclass(frozen=True, slots=True)
class TokenCall(Generic[Answer]):
    """Token check and action in one."""

    path: str
    answer: type[Answer]


KEYSTORE_CREATE = Call("keystore/create", KeyStoreAnswer)
ENVELOPE_KEYS = Call("envelope/keys", EnvelopeKeysAnswer)
ACTIVATION_CREATE = Call("activation/create", ActivationCreateAnswer)
ACTIVATION_STATUS = Call("activation/status", ActivationStatusAnswer)
APPLICATION_PUBLIC = "application/public"
TEXTS = Call("texts", TextsAnswer)

BUNDLE = "bundle"
"""Takes several of `BUNDLED` at once."""

VERIFY = SignedCall("signed/verify", VerifyAnswer, None)
OPERATION_APPROVE = SignedCall("signed/operation/approve", DecisionAnswer, frozenset({P, PK, PB}))
OPERATION_REJECT = SignedCall("signed/operation/reject", DecisionAnswer, frozenset({P}))
OPERATION_HISTORY = SignedCall("signed/operation/history", OperationsAnswer, frozenset({PK, PB}))
TOKEN_REMOVE = SignedCall("signed/token/remove", TokenRemoveAnswer, frozenset({P, PK, PB, PKB}))
ACTIVATION_REMOVE = SignedCall("signed/activation/remove", ActivationAnswer, frozenset({PK, PB, PKB}))
UPGRADE_COMMIT = SignedCall("signed/upgrade/commit", SignedAnswer, frozenset({P}))

TOKEN_CREATE = SealedCall("sealed/token/create", frozenset({P, PK, PB}))
VAULT_UNLOCK = SealedCall("sealed/vault/unlock")
RECOVERY_CONFIRM = SealedCall("sealed/recovery/confirm", frozenset({PK}))
UPGRADE_START = SealedCall("sealed/upgrade/start")
USER_INFO = SealedCall("sealed/user-info")
ACTIVATION_DETAIL = SealedCall("sealed/activation/detail")
ACTIVATION_RENAME = SealedCall("sealed/activation/rename", frozenset({PK, PB}))
SPAWN = SealedCall("sealed/spawn", frozenset({PK, PB}))
EXCHANGE_ACTIVATION = SealedCall("sealed/exchange/activation")
EXCHANGE_SIGNED = SealedCall("sealed/exchange/signed", DEFAULT_TYPES)
EXCHANGE_STRING = SealedCall("sealed/exchange/string", DEFAULT_TYPES)
EXCHANGE_RAW = SealedCall("sealed/exchange/raw", DEFAULT_TYPES)
EXCHANGE_GENERICS = SealedCall("sealed/exchange/generics", DEFAULT_TYPES)

OPERATION_LIST = TokenCall("token/operation/list", OperationsAnswer)
OPERATION_DETAIL = TokenCall("token/operation/detail", OperationAnswer)
OPERATION_CLAIM = TokenCall("token/operation/claim", OperationAnswer)
WHO_AM_I = TokenCall("token/who-am-i", WhoAmIAnswer)

SIGNATURE_VALIDATE_TYPES: SignatureTypes = frozenset({P, PK, PB, PKB})
"""`/pa/v3/signature/validate`, a plain verification (spec/enrollment-api.md §6.11)."""

DOOR_PATHS = frozenset(
    {
        entry.path
        for entry in list(globals().values())
        if isinstance(entry, Call | SignedCall | SealedCall | TokenCall)
    }
    | {APPLICATION_PUBLIC, BUNDLE}
)
"""Every path of the core that this service calls; there is no other."""

BUNDLED = frozenset(
    call.path
    for call in (
        VERIFY,
        OPERATION_APPROVE,
        OPERATION_REJECT,
        OPERATION_LIST,
        OPERATION_DETAIL,
        OPERATION_CLAIM,
    )
)
"""What a phone's login or payment calls, often enough that several are on their way at the same time."""
