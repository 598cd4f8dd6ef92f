"""Every error that a call of the core answers with (spec/core-api.md §1.2, §28).

Raise with ``keep_changes=True`` when what was written before must be committed: failed-attempt counters,
OTP failures, lazily expired activations (§1.3).
"""

from servicekit.errors import ServiceError


class CoreError(ServiceError):
    """Base of the core's errors: HTTP 400 and a code of §28, also for "not found"."""

    http_status = 400


class UnknownError(CoreError):
    """Something failed that no other code names."""

    code = "ERR0000"
    message = "Unknown error occurred."


class NoUserId(CoreError):
    """No user id was given; kept for the error list, current calls answer ERR0024."""

    code = "ERR0001"
    message = "No user ID was set."


class NoApplicationId(CoreError):
    """No application id was given; kept for the error list, current calls answer ERR0024."""

    code = "ERR0002"
    message = "No application ID was set."


class NoMasterKeyPair(CoreError):
    """The application has no master key pair."""

    code = "ERR0003"
    message = "No master server key pair configured in database."


class MasterKeyFormat(CoreError):
    """The stored master private key cannot be read."""

    code = "ERR0004"
    message = "Master server key pair contains private key in incorrect format."


class ActivationIdNotGenerated(CoreError):
    """Every generated activation id was taken."""

    code = "ERR0005"
    message = "Too many failed attempts to generate activation ID."


class ActivationCodeNotGenerated(CoreError):
    """Every generated activation code was taken."""

    code = "ERR0006"
    message = "Too many failed attempts to generate activation code."


class ActivationExpired(CoreError):
    """The activation is expired, or its application key is not usable."""

    code = "ERR0007"
    message = "This activation is already expired."


class IncorrectActivationState(CoreError):
    """The activation's state does not allow the call (§22.2)."""

    code = "ERR0008"
    message = "Incorrect activation state."


class ActivationNotFound(CoreError):
    """No such activation in the caller's scope."""

    code = "ERR0009"
    message = "Activation with given activation ID was not found."


class InvalidKeyFormat(CoreError):
    """A stored or received key cannot be read."""

    code = "ERR0010"
    message = "Key with invalid format was provided."


class InvalidInputFormat(CoreError):
    """Decrypted JSON or a vault reason is malformed."""

    code = "ERR0011"
    message = "Invalid input parameter format."


class InvalidSignature(CoreError):
    """The signature type is not allowed for the call."""

    code = "ERR0012"
    message = "Invalid Signature Provided."


class SignatureNotComputable(CoreError):
    """Unknown signature version or a failure while computing."""

    code = "ERR0013"
    message = "Unable to compute signature."


class InvalidUrl(CoreError):
    """A callback URL is not usable."""

    code = "ERR0014"
    message = "Invalid URL format."


class InvalidApplication(CoreError):
    """Unknown application or version, or an unsupported version."""

    code = "ERR0015"
    message = "Application or application version does not exist."


class TokenNotFound(CoreError):
    """Kept for the error list; current calls answer with tokenValid=false."""

    code = "ERR0016"
    message = "Token with given token ID does not exist."


class EncryptionFailed(CoreError):
    """The response cannot be encrypted."""

    code = "ERR0017"
    message = "Data encryption failed."


class DecryptionFailed(CoreError):
    """The envelope does not open, or its protocol version is unknown."""

    code = "ERR0018"
    message = "Data decryption failed."


class TokenNotGenerated(CoreError):
    """Every generated token or operation id was taken."""

    code = "ERR0019"
    message = "Token was not successfully generated."


class MasterDbKeyMissing(CoreError):
    """An encrypted record is read without a configured master key."""

    code = "ERR0020"
    message = "Master DB encryption key is not configured."


class UnsoundRecord(CoreError):
    """A record was not written by this core (D32); told like one that cannot be read."""

    code = "ERR0010"
    message = "Key with invalid format was provided."


class UnsupportedEncryptionMode(CoreError):
    """A record's encryption mode is missing or unknown."""

    code = "ERR0021"
    message = "Unsupported encryption mode."


class CryptographyFailed(CoreError):
    """A cryptographic operation failed."""

    code = "ERR0022"
    message = "Generic cryptography error occurred."


class CryptographyProviderFailed(CoreError):
    """The cryptographic provider does not work."""

    code = "ERR0023"
    message = "Cryptography provider is initialized incorrectly."


class InvalidRequest(CoreError):
    """The request is malformed, replayed or not applicable; the message may be replaced."""

    code = "ERR0024"
    message = "Invalid request received."


class RecoveryCodeExists(CoreError):
    """The user already has a postcard recovery code."""

    code = "ERR0025"
    message = "Recovery code already exists."


class RecoveryCodeNotGenerated(CoreError):
    """Every generated recovery code was taken."""

    code = "ERR0026"
    message = "Too many failed attempts to generate recovery code."


class RecoveryCodeNotFound(CoreError):
    """No such recovery code."""

    code = "ERR0027"
    message = "Recovery code was not found."


class InvalidRecoveryCode(CoreError):
    """No usable PUK is left."""

    code = "ERR0028"
    message = "Invalid recovery code."


class RecoveryConfigurationIncomplete(CoreError):
    """Postcard keys are missing."""

    code = "ERR0029"
    message = "Recovery code configuration is missing or incomplete."


class TokenTimestampTooOld(CoreError):
    """The token header's timestamp is before the window."""

    code = "ERR0030"
    message = "Token timestamp is too old."


class OtpMismatch(CoreError):
    """The activation OTP is wrong, missing or unexpected (§22.3)."""

    code = "ERR0031"
    message = "Activation OTP does not match value stored in database."


class OtpWrongMode(CoreError):
    """The OTP cannot be changed in this validation mode."""

    code = "ERR0032"
    message = "Activation OTP used in the wrong OTP validation mode."


class TemplateNotFound(CoreError):
    """No such operation template."""

    code = "ERR0033"
    message = "Operation template was not found."


class OperationNotFound(CoreError):
    """No such operation in the caller's scope."""

    code = "ERR0034"
    message = "Operation was not found."


class OperationIdNotGenerated(CoreError):
    """Kept for the error list; current calls answer ERR0019."""

    code = "ERR0035"
    message = "Too many failed attempts to generate operation ID."


class OperationWrongState(CoreError):
    """The operation is not pending."""

    code = "ERR0036"
    message = "Operation state is invalid for the requested change."


class OperationNotApprovable(CoreError):
    """The operation is unknown or not pending."""

    code = "ERR0037"
    message = "Operation cannot be approved."


class OperationNotRejectable(CoreError):
    """The operation is unknown or not pending."""

    code = "ERR0038"
    message = "Operation cannot be rejected."


class TemplateExists(CoreError):
    """The template name is taken."""

    code = "ERR0039"
    message = "Operation template already exists."


class ActivationPropertiesInvalid(CoreError):
    """Kept for the error list; a maximum of failures that is not positive is ERR0024 (§31.1)."""

    code = "ERR0040"
    message = "Activation cannot be created with the specified properties."


class OperationFailure(CoreError):
    """The proximity code of an operation cannot be computed."""

    code = "ERR0041"
    message = "Operation related error occurred."


class TemplateFailure(CoreError):
    """Kept for the error list."""

    code = "ERR0042"
    message = "Operation template related error occurred."


class DuplicateApplication(CoreError):
    """The application or version name is taken."""

    code = "ERR0043"
    message = "Duplicate application or application version."


class TokenTimestampTooNew(CoreError):
    """The token header's timestamp is after the window."""

    code = "ERR0044"
    message = "Token timestamp is too much in the future."


class TemporaryKeyMissing(CoreError):
    """The temporary key is unknown, expired or bound to something else."""

    code = "ERR0045"
    message = "Missing temporary key pair."


class RecoveryPukMismatch(CoreError):
    """A wrong PUK while another attempt is possible; the answer names the PUK to enter (§8.2).

    :param current_puk_index: index of the PUK that is current now
    """

    code = "ERR_RECOVERY"
    message = "Invalid recovery code."

    def __init__(self, current_puk_index: int, *, keep_changes: bool = True) -> None:
        super().__init__(keep_changes=keep_changes, extra={"currentRecoveryPukIndex": current_puk_index})


class TelemetryError(CoreError):
    """A telemetry report is unknown or its parameters are not usable (§17)."""

    code = "ERROR_TELEMETRY"
    message = "Telemetry report failed."


class TooManyOperations(CoreError):
    """The user is asked too often (§19.10)."""

    code = "ERROR_TOO_MANY_REQUESTS"
    message = "Too many operations of this user."
    http_status = 429
    retry_after = 60


class PasskeyListsExclusive(CoreError):
    """A passkey policy has both lists of models (spec/device-trust.md §4.7)."""

    code = "PASSKEY_LISTS_EXCLUSIVE"
    message = "There can be one list of AAGUIDs, of those allowed or of those blocked."


class PasskeyAttestationLocked(CoreError):
    """A passkey policy that looks at attestations asks browsers for none."""

    code = "PASSKEY_ATTESTATION_LOCKED"
    message = "The attestation type is direct while the policy depends on attestations."


class PasskeyPolicyImpact(CoreError):
    """A change of a passkey policy takes passkeys from users, and nobody said that it may
    (spec/device-trust.md §4.13); the answer has the figures.
    """

    code = "PASSKEY_POLICY_IMPACT"
    message = "The change would stop passkeys that work today."


class PasskeyPolicyChanged(CoreError):
    """A passkey policy is of another version than the one that the change was made for."""

    code = "PASSKEY_POLICY_CHANGED"
    message = "The policy has been changed meanwhile."


class MdsNotLoaded(CoreError):
    """A passkey policy needs metadata, and no BLOB was ever loaded (spec/device-trust.md §4.11)."""

    code = "MDS_NOT_LOADED"
    message = "The policy needs metadata of authenticators, and none is loaded."


class MdsInvalid(CoreError):
    """A BLOB of the metadata service is not taken (spec/device-trust.md §4.11).

    :param reason: what of it did not hold
    """

    code = "MDS_INVALID"
    message = "The metadata is not valid."

    def __init__(self, reason: str) -> None:
        super().__init__(extra={"reason": reason})


class MdsRollback(CoreError):
    """A BLOB is older than the one in force, or another one of its number."""

    code = "MDS_ROLLBACK"
    message = "The metadata is not newer than what is in force."


class Fido2AuthenticationFailed(CoreError):
    """A ceremony of a passkey failed, or the policy refuses it (spec/device-trust.md §4.2, §4.8).

    :param reason: code of the policy, told to the caller; None: what failed is for the audit only
    """

    code = "ERROR_FIDO2_AUTH"
    message = "Authentication failed."

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(extra={} if reason is None else {"reason": reason})


class Fido2InvalidRequest(Fido2AuthenticationFailed):
    """Nothing waits for this answer."""

    message = "Invalid request"


class Fido2Unreadable(CoreError):
    """What an authenticator or a browser made can not be decoded (spec/device-trust.md §4.2)."""

    code = "ERROR_FIDO2_REQUEST"
    message = "The answer of the authenticator cannot be read."


class AuthenticationFailed(ServiceError):
    """The caller has no valid integration credentials for this door (§1.1)."""

    code = "ERR_AUTHENTICATION"
    message = "Authentication failed"
    http_status = 401


SERVICE_ERRORS: tuple[type[CoreError], ...] = (
    UnknownError,
    NoUserId,
    NoApplicationId,
    NoMasterKeyPair,
    MasterKeyFormat,
    ActivationIdNotGenerated,
    ActivationCodeNotGenerated,
    ActivationExpired,
    IncorrectActivationState,
    ActivationNotFound,
    InvalidKeyFormat,
    InvalidInputFormat,
    InvalidSignature,
    SignatureNotComputable,
    InvalidUrl,
    InvalidApplication,
    TokenNotFound,
    EncryptionFailed,
    DecryptionFailed,
    TokenNotGenerated,
    MasterDbKeyMissing,
    UnsupportedEncryptionMode,
    CryptographyFailed,
    CryptographyProviderFailed,
    InvalidRequest,
    RecoveryCodeExists,
    RecoveryCodeNotGenerated,
    RecoveryCodeNotFound,
    InvalidRecoveryCode,
    RecoveryConfigurationIncomplete,
    TokenTimestampTooOld,
    OtpMismatch,
    OtpWrongMode,
    TemplateNotFound,
    OperationNotFound,
    OperationIdNotGenerated,
    OperationWrongState,
    OperationNotApprovable,
    OperationNotRejectable,
    TemplateExists,
    ActivationPropertiesInvalid,
    OperationFailure,
    TemplateFailure,
    DuplicateApplication,
    TokenTimestampTooNew,
    TemporaryKeyMissing,
)
"""The errors of §28 in the order of their codes, as ``error/list`` reports them."""
