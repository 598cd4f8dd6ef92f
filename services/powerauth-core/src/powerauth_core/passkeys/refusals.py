"""Every way in which something of a passkey is refused (spec/device-trust.md §4.2, §4.8)."""

from __future__ import annotations

from enum import StrEnum


class PasskeyRefused(Exception):
    """Base of every refusal of this room; nothing else leaves it, whatever came in.

    :ivar reason: a short name for audit, metrics and answers
    :ivar detail: which part it was; never what it contained
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason} {detail}".rstrip())
        self.reason = reason
        self.detail = detail


class Malformed(PasskeyRefused):
    """What came can not be read: ``ERROR_FIDO2_REQUEST``."""

    def __init__(self, detail: str) -> None:
        super().__init__("MALFORMED", detail)


class CeremonyReason(StrEnum):
    """What of a ceremony did not hold (spec/device-trust.md §4.3).

    The last four are said by who knows what is stored: no such challenge waits, the passkey is not active,
    its operation takes no approval, or not from this passkey.
    """

    CREDENTIAL_TYPE = "CREDENTIAL_TYPE"
    TYPE = "TYPE"
    CHALLENGE = "CHALLENGE"
    ORIGIN = "ORIGIN"
    TOP_ORIGIN = "TOP_ORIGIN"
    RP_ID = "RP_ID"
    USER_PRESENCE = "USER_PRESENCE"
    USER_VERIFICATION = "USER_VERIFICATION"
    FLAGS = "PASSKEY_FLAGS_INVALID"
    NO_CREDENTIAL = "NO_CREDENTIAL"
    CREDENTIAL_ID = "CREDENTIAL_ID"
    KEY = "KEY"
    ALGORITHM = "ALGORITHM"
    SIGNATURE = "SIGNATURE"
    BACKUP_ELIGIBILITY = "BACKUP_ELIGIBILITY"
    USER_HANDLE = "USER_HANDLE"
    COUNTER = "COUNTER"
    UNKNOWN_CHALLENGE = "UNKNOWN_CHALLENGE"
    STATE = "STATE"
    OPERATION = "OPERATION"
    NOT_ALLOWED = "NOT_ALLOWED"


class CeremonyFailed(PasskeyRefused):
    """A check of a ceremony failed: ``ERROR_FIDO2_AUTH``, and nothing more to the caller."""

    def __init__(self, reason: CeremonyReason, detail: str = "") -> None:
        super().__init__(reason, detail)


class StatementInvalid(PasskeyRefused):
    """An attestation statement does not prove what it says: forged, broken, of another key
    (spec/device-trust.md §4.10).
    """


class PolicyCode(StrEnum):
    """How the policy refuses (spec/device-trust.md §4.7, §4.8)."""

    SYNCED = "PASSKEY_SYNCED_NOT_ALLOWED"
    AAGUID_BLOCKED = "PASSKEY_AAGUID_BLOCKED"
    AAGUID_NOT_ALLOWED = "PASSKEY_AAGUID_NOT_ALLOWED"
    AAGUID_UNVERIFIED = "PASSKEY_AAGUID_UNVERIFIED"
    FORMAT = "PASSKEY_FORMAT_NOT_ALLOWED"
    DUPLICATE = "PASSKEY_DUPLICATE"
    INVALID = "PASSKEY_ATTESTATION_INVALID"
    REQUIRED = "PASSKEY_ATTESTATION_REQUIRED"
    UNTRUSTED = "PASSKEY_ATTESTATION_UNTRUSTED"
    REVOKED = "PASSKEY_ATTESTATION_REVOKED"
    MDS_UNAVAILABLE = "PASSKEY_MDS_UNAVAILABLE"
    LISTS_EXCLUSIVE = "PASSKEY_LISTS_EXCLUSIVE"
    LOCKED = "PASSKEY_ATTESTATION_LOCKED"
    VALUE = "ERROR_REQUEST"


class PolicyRefused(PasskeyRefused):
    """The application's policy refuses a passkey, or is no policy itself.

    :ivar code: the public code
    """

    def __init__(self, code: PolicyCode, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code


class MetadataRefused(PasskeyRefused):
    """A BLOB of the FIDO metadata service is not taken (spec/device-trust.md §4.11)."""
