"""Every call of the dmz door (D1): what it takes and answers, and what its signature or token is for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from powerauth_contracts.calls import Answer_co, Call, Request_co
from powerauth_contracts.dmz.models import (
    ActivationActionAnswer,
    ActivationStatusAnswer,
    ActivationStatusRequest,
    ApplicationPublicAnswer,
    ApplicationPublicRequest,
    CreateActivationAnswer,
    CreateActivationRequest,
    EnvelopeKeysAnswer,
    EnvelopeKeysRequest,
    OperationActionAnswer,
    OperationDetailAnswer,
    OperationHistoryAnswer,
    OperationListAnswer,
    SealedAnswer,
    SealedCreationAnswer,
    SealedCreationRequest,
    SealedRequest,
    SignedAnswer,
    SignedOperationRequest,
    SignedRequest,
    TextsAnswer,
    TextsRequest,
    TokenOperationRequest,
    TokenRemoveAnswer,
    TokenRequest,
    VerifyAnswer,
    VerifyRequest,
    WhoAmIAnswer,
    WhoAmIRequest,
)
from powerauth_contracts.dmz.passkeys import (
    PasskeyActionAnswer,
    PasskeyAssertionAnswer,
    PasskeyAssertionOptionsAnswer,
    PasskeyAssertionOptionsRequest,
    PasskeyAssertionRequest,
    PasskeyListAnswer,
    PasskeyListRequest,
    PasskeyRegistrationAnswer,
    PasskeyRegistrationOptionsAnswer,
    PasskeyRegistrationOptionsRequest,
    PasskeyRegistrationRequest,
    PasskeyRemoveRequest,
    PasskeyRenameRequest,
)
from powerauth_contracts.dmz.purposes import PB, PK, PKB, P, Purpose, SignatureTypes, purpose
from powerauth_contracts.dmz.signed_tokens import (
    FormRequest,
    OAuthAnswer,
    PublishedAnswer,
    PublishedRequest,
    UserInfoRequest,
)
from powerauth_contracts.rest.temporary_keys import CreateTemporaryKeyRequest, CreateTemporaryKeyResponse
from powerauth_protocol.v3.signature import SignatureType

DOOR = "/dmz/v1"
BUNDLE = f"{DOOR}/bundle"
"""Takes several fast calls at once."""

ANY_TYPE: SignatureTypes = frozenset(SignatureType)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCall(Call[Request_co, Answer_co]):
    """Signature check and action in one.

    :ivar purpose: what the signature covers beside the body, and who may sign. Enrollment looks at the types
        too, so that a call that must fail is never made (spec/enrollment-api.md §4.2 step 3)
    """

    purpose: Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCall(Call[Request_co, Answer_co]):
    """Token check and action in one.

    :ivar types: signature types with which the token may have been created
    """

    types: SignatureTypes = ANY_TYPE


KEYSTORE_CREATE = Call(
    f"{DOOR}/keystore/create",
    CreateTemporaryKeyRequest,
    CreateTemporaryKeyResponse,
    "Issue a temporary key.",
    fast=True,
)
ENVELOPE_KEYS = Call(
    f"{DOOR}/envelope/keys",
    EnvelopeKeysRequest,
    EnvelopeKeysAnswer,
    "Keys of one generic envelope.",
    fast=True,
)
ACTIVATION_CREATE = Call(
    f"{DOOR}/activation/create",
    CreateActivationRequest,
    CreateActivationAnswer,
    "Create an activation.",
    fast=True,
)
ACTIVATION_CREATE_SEALED = Call(
    f"{DOOR}/sealed/activation/create",
    SealedCreationRequest,
    SealedCreationAnswer,
    "Create an activation: open and seal both layers.",
    fast=True,
)
ACTIVATION_STATUS = Call(
    f"{DOOR}/activation/status",
    ActivationStatusRequest,
    ActivationStatusAnswer,
    "Encrypted status of an activation.",
    fast=True,
)
APPLICATION_PUBLIC = Call(
    f"{DOOR}/application/public",
    ApplicationPublicRequest,
    ApplicationPublicAnswer,
    "Public fields of an identity provider.",
)
TEXTS = Call(f"{DOOR}/texts", TextsRequest, TextsAnswer, "Localised texts of an operation type.")
VERIFY = Call(
    f"{DOOR}/signed/verify",
    VerifyRequest,
    VerifyAnswer,
    "Verify a signature that belongs to no action of the core.",
    fast=True,
)
"""The only signed call that names resource id and types itself."""

OPERATION_APPROVE = SignedCall(
    f"{DOOR}/signed/operation/approve",
    SignedOperationRequest,
    OperationActionAnswer,
    "Approve the operation that the signed body names.",
    fast=True,
    purpose=purpose("/operation/authorize", P, PK, PB),
)
OPERATION_REJECT = SignedCall(
    f"{DOOR}/signed/operation/reject",
    SignedOperationRequest,
    OperationActionAnswer,
    "Reject the operation that the signed body names.",
    fast=True,
    purpose=purpose("/operation/cancel", P),
)
OPERATION_HISTORY = SignedCall(
    f"{DOOR}/signed/operation/history",
    SignedRequest,
    OperationHistoryAnswer,
    "Operations of the signing user.",
    purpose=purpose("/operation/history", PK, PB),
)
TOKEN_REMOVE = SignedCall(
    f"{DOOR}/signed/token/remove",
    SignedRequest,
    TokenRemoveAnswer,
    "Remove a token of the signing activation.",
    purpose=purpose("/pa/token/remove", P, PK, PB, PKB),
)
ACTIVATION_REMOVE = SignedCall(
    f"{DOOR}/signed/activation/remove",
    SignedRequest,
    ActivationActionAnswer,
    "Remove the signing activation.",
    purpose=purpose("/pa/activation/remove", PK, PB, PKB),
)
UPGRADE_COMMIT = SignedCall(
    f"{DOOR}/signed/upgrade/commit",
    SignedRequest,
    SignedAnswer,
    "Verify the signature and refuse: there are no protocol upgrades.",
    purpose=purpose("/pa/upgrade/commit", P),
)


def _sealed(path: str, meaning: str, signed: Purpose) -> SignedCall[SealedRequest, SealedAnswer]:
    return SignedCall(f"{DOOR}/sealed/{path}", SealedRequest, SealedAnswer, meaning, purpose=signed)


TOKEN_CREATE = _sealed(
    "token/create", "Issue a token of the type that signed.", purpose("/pa/token/create", P, PK, PB)
)
VAULT_UNLOCK = _sealed(
    "vault/unlock", "Hand out the vault key to the device.", purpose("/pa/vault/unlock", *SignatureType)
)
"""Every type is looked at: the wrong ones have an error of their own (spec/core-api.md §10 step 2)."""
RECOVERY_CONFIRM = _sealed(
    "recovery/confirm", "Make a recovery code usable that came by post.", purpose("/pa/recovery/confirm", PK)
)
UPGRADE_START = Call(
    f"{DOOR}/sealed/upgrade/start",
    SealedRequest,
    SealedAnswer,
    "Kept for wire compatibility: there are no protocol upgrades, so this is refused.",
)
USER_INFO = Call(f"{DOOR}/sealed/user-info", SealedRequest, SealedAnswer, "Claims about the device's user.")
ACTIVATION_DETAIL = TokenCall(
    f"{DOOR}/sealed/activation/detail",
    SealedRequest,
    SealedAnswer,
    "Id and name of the token's activation.",
    types=frozenset({PK, PB}),
)
ACTIVATION_RENAME = _sealed(
    "activation/rename", "Rename the signing activation.", purpose("/pa/activation/rename", PK, PB)
)
SPAWN = _sealed(
    "spawn",
    "Open an activation for another application or another phone of the user.",
    purpose("/api/activation/code", PK, PB),
)

OPERATION_LIST = TokenCall(
    f"{DOOR}/token/operation/list",
    TokenRequest,
    OperationListAnswer,
    "Pending operations of the token's user.",
    fast=True,
)
OPERATION_DETAIL = TokenCall(
    f"{DOOR}/token/operation/detail",
    TokenOperationRequest,
    OperationDetailAnswer,
    "One operation that concerns the token's activation.",
    fast=True,
)
OPERATION_CLAIM = TokenCall(
    f"{DOOR}/token/operation/claim",
    TokenOperationRequest,
    OperationDetailAnswer,
    "Make the token's user the owner of an operation without one.",
    fast=True,
)
WHO_AM_I = TokenCall(
    f"{DOOR}/token/who-am-i",
    WhoAmIRequest,
    WhoAmIAnswer,
    "Ids behind a token, with a statement for another service.",
    fast=True,
    types=frozenset({P, PK, PB}),
)

JWT_TOKEN = Call(f"{DOOR}/jwt/token", FormRequest, OAuthAnswer, "Issue signed tokens for a grant.")
JWT_INTROSPECT = Call(
    f"{DOOR}/jwt/introspect", FormRequest, OAuthAnswer, "Tell a client of a signed token or refresh token."
)
JWT_REVOKE = Call(f"{DOOR}/jwt/revoke", FormRequest, OAuthAnswer, "Take a client's token back.")
JWT_USER_INFO = Call(
    f"{DOOR}/jwt/user-info", UserInfoRequest, OAuthAnswer, "Claims about the user of an access token."
)
JWT_DISCOVERY = Call(
    f"{DOOR}/jwt/discovery", PublishedRequest, PublishedAnswer, "Discovery document of an issuer."
)
JWKS = Call(f"{DOOR}/jwks", PublishedRequest, PublishedAnswer, "Public keys of signed tokens.")
PASSKEY_REGISTRATION_OPTIONS = SignedCall(
    f"{DOOR}/passkey/registration/options",
    PasskeyRegistrationOptionsRequest,
    PasskeyRegistrationOptionsAnswer,
    "Begin to register a passkey, for whom a signature, an access token or a ticket names.",
    purpose=purpose("/api/passkey/registration/options", PK, PB),
)
PASSKEY_REGISTRATION = Call(
    f"{DOOR}/passkey/registration",
    PasskeyRegistrationRequest,
    PasskeyRegistrationAnswer,
    "Register a passkey.",
)
PASSKEY_ASSERTION_OPTIONS = Call(
    f"{DOOR}/passkey/assertion/options",
    PasskeyAssertionOptionsRequest,
    PasskeyAssertionOptionsAnswer,
    "Begin to sign in, or to approve an operation, with a passkey.",
)
PASSKEY_ASSERTION = Call(
    f"{DOOR}/passkey/assertion",
    PasskeyAssertionRequest,
    PasskeyAssertionAnswer,
    "Sign in, or approve an operation, with a passkey.",
)
PASSKEY_LIST = Call(
    f"{DOOR}/passkey/list", PasskeyListRequest, PasskeyListAnswer, "Passkeys of the access token's user."
)
PASSKEY_RENAME = Call(
    f"{DOOR}/passkey/rename", PasskeyRenameRequest, PasskeyActionAnswer, "Rename one of them."
)
PASSKEY_REMOVE = Call(
    f"{DOOR}/passkey/remove", PasskeyRemoveRequest, PasskeyActionAnswer, "Remove one of them."
)

EXCHANGE_ACTIVATION = Call(
    f"{DOOR}/sealed/exchange/activation", SealedRequest, SealedAnswer, "Echo an encrypted object."
)
EXCHANGE_SIGNED, EXCHANGE_STRING, EXCHANGE_RAW, EXCHANGE_GENERICS = (
    _sealed(
        f"exchange/{name}",
        "Echo what was signed and encrypted.",
        purpose(f"/exchange/v3/{resource}", PK, PB, PKB),
    )
    for name, resource in (
        ("signed", "signed"),
        ("string", "signed/string"),
        ("raw", "signed/raw"),
        ("generics", "signed/generics"),
    )
)

CALLS: tuple[Call[Any, Any], ...] = (
    KEYSTORE_CREATE,
    ENVELOPE_KEYS,
    ACTIVATION_CREATE,
    ACTIVATION_CREATE_SEALED,
    ACTIVATION_STATUS,
    APPLICATION_PUBLIC,
    TEXTS,
    VERIFY,
    OPERATION_APPROVE,
    OPERATION_REJECT,
    OPERATION_HISTORY,
    TOKEN_REMOVE,
    ACTIVATION_REMOVE,
    UPGRADE_COMMIT,
    TOKEN_CREATE,
    VAULT_UNLOCK,
    RECOVERY_CONFIRM,
    UPGRADE_START,
    USER_INFO,
    ACTIVATION_DETAIL,
    ACTIVATION_RENAME,
    SPAWN,
    OPERATION_LIST,
    OPERATION_DETAIL,
    OPERATION_CLAIM,
    WHO_AM_I,
    JWT_TOKEN,
    JWT_INTROSPECT,
    JWT_REVOKE,
    JWT_USER_INFO,
    JWT_DISCOVERY,
    JWKS,
    PASSKEY_REGISTRATION_OPTIONS,
    PASSKEY_REGISTRATION,
    PASSKEY_ASSERTION_OPTIONS,
    PASSKEY_ASSERTION,
    PASSKEY_LIST,
    PASSKEY_RENAME,
    PASSKEY_REMOVE,
)
EXAMPLES: tuple[Call[Any, Any], ...] = (
    EXCHANGE_ACTIVATION,
    EXCHANGE_SIGNED,
    EXCHANGE_STRING,
    EXCHANGE_RAW,
    EXCHANGE_GENERICS,
)
"""Echoes for compatibility tests; not in production (D1 rule 4)."""

DOOR_PATHS = frozenset(call.path for call in (*CALLS, *EXAMPLES)) | {BUNDLE}
"""Every path of the core that the enrollment service calls; there is no other."""

RESERVED_URI_IDS = frozenset(
    call.purpose.uri_id for call in (*CALLS, *EXAMPLES) if isinstance(call, SignedCall)
)
"""Resource ids that plain verification refuses: what they sign happens at its own call or not at all."""
