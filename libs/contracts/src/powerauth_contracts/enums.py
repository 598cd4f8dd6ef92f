"""Enumerations of the API and their numbers in the core's database (spec/core-api.md §2.1)."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from powerauth_protocol.v3 import signature


class CodedEnum(StrEnum):
    """Wire text plus the number that the database holds for it."""

    code: int

    def __new__(cls, text: str, code: int) -> Self:
        """Make a member from its wire text and database number."""
        member = str.__new__(cls, text)
        member._value_ = text
        member.code = code
        return member

    @classmethod
    def from_code(cls, code: int) -> Self:
        """The member with this database number; ValueError if there is none."""
        for member in cls:
            if member.code == code:
                return member
        raise ValueError(f"{code} is not a {cls.__name__} number")


class ActivationStatus(CodedEnum):
    """State of an activation; the numbers are also those of the status blob."""

    CREATED = "CREATED", 1
    PENDING_COMMIT = "PENDING_COMMIT", 2
    ACTIVE = "ACTIVE", 3
    BLOCKED = "BLOCKED", 4
    REMOVED = "REMOVED", 5


class ActivationOtpValidation(CodedEnum):
    """When the OTP of an activation is checked (deprecated form)."""

    NONE = "NONE", 0
    ON_KEY_EXCHANGE = "ON_KEY_EXCHANGE", 1
    ON_COMMIT = "ON_COMMIT", 2


class CommitPhase(CodedEnum):
    """Which step makes an activation ACTIVE."""

    ON_COMMIT = "ON_COMMIT", 0
    ON_KEY_EXCHANGE = "ON_KEY_EXCHANGE", 1


class TransferType(StrEnum):
    """What becomes of the activation that opened another one (spec/device-trust.md §5.2)."""

    SPAWN = "SPAWN"
    MOVE = "MOVE"


class ActivationProtocol(StrEnum):
    """Protocol of an activation: the same lower-case text on the wire and in the database."""

    POWERAUTH = "powerauth"
    FIDO2 = "fido2"


class SignatureType(StrEnum):
    """Signature type as the core's API writes it: upper case exactly; headers have it in lower case."""

    POSSESSION = "POSSESSION"
    KNOWLEDGE = "KNOWLEDGE"
    BIOMETRY = "BIOMETRY"
    POSSESSION_KNOWLEDGE = "POSSESSION_KNOWLEDGE"
    POSSESSION_BIOMETRY = "POSSESSION_BIOMETRY"
    POSSESSION_KNOWLEDGE_BIOMETRY = "POSSESSION_KNOWLEDGE_BIOMETRY"

    @property
    def kind(self) -> signature.SignatureType:
        """The protocol's type of this name."""
        return signature.SignatureType[self.name]

    @classmethod
    def of(cls, kind: signature.SignatureType) -> SignatureType:
        """The name of a type of the protocol."""
        return cls[kind.name]


class EcdsaSignatureFormat(StrEnum):
    """Encoding of an ECDSA signature (wire enum ``ECDSASignatureFormat``)."""

    DER = "DER"
    JOSE = "JOSE"


class RecoveryCodeStatus(CodedEnum):
    """State of a recovery code."""

    CREATED = "CREATED", 1
    ACTIVE = "ACTIVE", 2
    BLOCKED = "BLOCKED", 3
    REVOKED = "REVOKED", 4


class RecoveryPukStatus(CodedEnum):
    """State of one PUK of a recovery code."""

    VALID = "VALID", 1
    USED = "USED", 2
    INVALID = "INVALID", 3


class StatementAction(StrEnum):
    """What a device asks another service for by way of the enrollment service: the audience of the core's
    statement (D1 rule 5), the path of the device's request below ``/api``.
    """

    REGISTER_DEVICE = "push/device/register"
    COUNT_MESSAGES = "inbox/count"
    LIST_MESSAGES = "inbox/message/list"
    READ_MESSAGE = "inbox/message/detail"
    MARK_READ = "inbox/message/read"
    MARK_ALL_READ = "inbox/message/read-all"


class OperationStatus(CodedEnum):
    """State of an operation."""

    PENDING = "PENDING", 1
    CANCELED = "CANCELED", 2
    EXPIRED = "EXPIRED", 3
    APPROVED = "APPROVED", 4
    REJECTED = "REJECTED", 5
    FAILED = "FAILED", 6


class UserActionResult(StrEnum):
    """Outcome of a user's approval or rejection."""

    APPROVED = "APPROVED"
    APPROVAL_FAILED = "APPROVAL_FAILED"
    REJECTED = "REJECTED"
    REJECT_FAILED = "REJECT_FAILED"
    OPERATION_FAILED = "OPERATION_FAILED"


class UnexpectedAction(StrEnum):
    """What becomes of an activation whose user rejects an operation as unexpected."""

    BLOCK = "BLOCK"
    FLAG = "FLAG"


UNEXPECTED_OPERATION = "UNEXPECTED_OPERATION"
"""Why an operation was rejected: "that was not me"; also the flag and the block reason of its activation."""


class CallbackUrlType(StrEnum):
    """What a callback reports."""

    ACTIVATION_STATUS_CHANGE = "ACTIVATION_STATUS_CHANGE"
    OPERATION_STATUS_CHANGE = "OPERATION_STATUS_CHANGE"
    PASSKEY_POLICY_CHANGE = "PASSKEY_POLICY_CHANGE"
    """Trust in a passkey's model was lost or came back (spec/device-trust.md §4.11)."""


class IntegrationKind(StrEnum):
    """Which door of the core an integration's credentials open (D1 rule 7)."""

    REST = "rest"
    DMZ = "dmz"


class Refusal(StrEnum):
    """Why an authenticated device's request was refused before the operation was touched."""

    VERIFICATION_PENDING = "VERIFICATION_PENDING"
    ACTIVATION_FLAG_MISSING = "ACTIVATION_FLAG_MISSING"


class AuditLevel(StrEnum):
    """Severity of a record."""

    ERROR = "ERROR"
    WARN = "WARN"
    INFO = "INFO"
    DEBUG = "DEBUG"
    TRACE = "TRACE"

    def and_above(self) -> list[str]:
        """The names of this level and of the more severe ones."""
        names = [level.value for level in AuditLevel]
        return names[: names.index(self.value) + 1]


class AttributeType(StrEnum):
    """How an attribute of an operation's text is shown."""

    AMOUNT = "AMOUNT"
    AMOUNT_CONVERSION = "AMOUNT_CONVERSION"
    HEADING = "HEADING"
    KEY_VALUE = "KEY_VALUE"
    NOTE = "NOTE"
    ALERT = "ALERT"
    IMAGE = "IMAGE"
    PARTY_INFO = "PARTY_INFO"


class OidcGrant(StrEnum):
    """What a client may get tokens for."""

    SIGN_IN = "urn:pa:sign-in"
    REFRESH = "refresh_token"
    CLIENT_CREDENTIALS = "client_credentials"
    OPERATION = "urn:pa:grant-type:operation"


class ClientAuthMethod(StrEnum):
    """How a client shows who it is (RFC 7591)."""

    SECRET_BASIC = "client_secret_basic"  # noqa: S105 a method
    SECRET_POST = "client_secret_post"  # noqa: S105 a method
    PRIVATE_KEY_JWT = "private_key_jwt"
    NONE = "none"


class SigningKeyStatus(StrEnum):
    """State of a key that signs tokens (spec/device-trust.md §2.6)."""

    VALIDATING = "validating"
    SIGNING = "signing"
    DISABLED = "disabled"
