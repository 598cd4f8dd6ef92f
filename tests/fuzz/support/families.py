"""The error codes of each API, from its specification."""

from __future__ import annotations

from judge import Family

_POWERAUTH_401 = (
    "SIGNATURE_INVALID",
    "HTTP_HEADER_MISSING",
    "TOKEN_INVALID",
    "TOKEN_ERROR",
    "SIGNATURE_TYPE_INVALID",
    "REQUEST_INVALID",
    "RECOVERY_CONFIRM_ERROR",
    "SIGNATURE_ERROR",
)
_POWERAUTH_400 = {
    "ERR_ACTIVATION": "POWER_AUTH_ACTIVATION_INVALID",
    "ERR_RECOVERY": "POWER_AUTH_RECOVERY_INVALID",
    "INVALID_RECOVERY_CODE": "POWER_AUTH_RECOVERY_INVALID",
    "ERR_SECURE_VAULT": "POWER_AUTH_SECURE_VAULT_INVALID",
    "ERR_ENCRYPTION": "POWER_AUTH_ENCRYPTION_FAILED",
    "ERR_UPGRADE": "POWER_AUTH_UPGRADE_FAILED",
    "ERR_USER_INFO": "POWER_AUTH_USER_INFO_ERROR",
    "ERR_TEMPORARY_KEY": "POWER_AUTH_TEMPORARY_KEY_FAILURE",
    "PUSH_REGISTRATION_FAILED": r"Push registration failed in Mobile Token API component\.",
    "APPLICATION_CONFIGURATION_ERROR": r"Unable to fetch application configuration\.",
    "INBOX_FAILED": r"Unable to process inbox request\.",
    "ACTIVATION_CODE_FAILED": r"Unable to fetch activation code\.",
    "INVALID_APPLICATION": r"No application was found with the provided identifier\.",
    "OPERATION_ALREADY_CANCELED": "Operation was already canceled",
    "OPERATION_ALREADY_FINISHED": "Operation was already completed",
    "OPERATION_ALREADY_FAILED": "Operation already failed",
    "OPERATION_EXPIRED": "Operation already expired",
    "OPERATION_REQUIRES_ACTIVATION_FLAG": (
        r"Operation requires activation flag: \S+, which is not present on activation\."
    ),
}
ENROLLMENT = Family(
    codes={
        400: frozenset({*_POWERAUTH_400, "INVALID_REQUEST", "INVALID_OPERATION", "PASSKEY_SESSION_INVALID"}),
        401: frozenset(
            {
                *("ERR_AUTHENTICATION", "POWERAUTH_AUTH_FAIL", "OPERATION_FAILED"),
                *("ACCESS_TOKEN_INVALID", "PASSKEY_FAILED"),
            }
        ),
        403: frozenset({"FEATURE_DISABLED"}),
        404: frozenset({"ERROR_NOT_FOUND", "TICKET_NOT_FOUND"}),
        405: frozenset({"ERROR_GENERIC"}),
        413: frozenset({"ERROR_GENERIC"}),
        414: frozenset({"ERROR_GENERIC"}),
        431: frozenset({"ERROR_GENERIC"}),
        415: frozenset({"ERROR_GENERIC"}),
        429: frozenset({"TOO_MANY_REQUESTS"}),
        501: frozenset({"ERROR_GENERIC"}),
    },
    messages={
        **{code: frozenset({message}) for code, message in _POWERAUTH_400.items()},
        "ERR_AUTHENTICATION": frozenset(f"POWER_AUTH_{name}" for name in _POWERAUTH_401),
        "POWERAUTH_AUTH_FAIL": frozenset({"Authentication failed"}),
        "OPERATION_FAILED": frozenset({r"PowerAuth server operation (approval|rejection) fails"}),
        "INVALID_REQUEST": frozenset(
            {r"Invalid request object\.", "Invalid request", "Template not found", "Request validation error"}
        ),
        "PASSKEY_SESSION_INVALID": frozenset({r"The session is not valid\."}),
        "PASSKEY_FAILED": frozenset({r"Authentication failed\."}),
        "ACCESS_TOKEN_INVALID": frozenset({r"Access token is invalid\."}),
        "FEATURE_DISABLED": frozenset({r"The application does not use this feature\."}),
        "TICKET_NOT_FOUND": frozenset({r"Ticket was not found\."}),
        "INVALID_OPERATION": frozenset(
            {
                r"No operation was found with the provided identifier\.",
                r"Operation not found or is in an unexpected state\.?",
            }
        ),
    },
    members=frozenset({"currentRecoveryPukIndex"}),
)
"""spec/enrollment-api.md §5.2-5.4, §10.7, §10.8, D18."""

_NEVER_THROWN = {0, 1, 2, 16, 35, 42}
_IMPACT = frozenset(
    {
        *("credentialsTotal", "credentialsBlocked", "byReason", "usersAffected", "usersLockedOut"),
        *("sampleUserIds", "unknownType", "unattestedAaguids", "effective", "warnings", "confirmation"),
        "warning",
    }
)
"""What a refused change of a passkey policy tells (spec/device-trust.md §4.13)."""

_TOLD = {"error", "maxAge", "lockedUntil"}
"""By signed tokens and passkeys in browsers (spec/device-trust.md §2, §4.9)."""

CORE = Family(
    codes={
        400: frozenset(f"ERR{number:04}" for number in range(46) if number not in _NEVER_THROWN)
        | {"ERR_RECOVERY", "ERROR_TELEMETRY", "ERROR_HTTP_REQUEST", "ERROR_PROVIDER"}
        | {"ERROR_FIDO2_AUTH", "ERROR_FIDO2_REQUEST", "MDS_NOT_LOADED", "PASSKEY_POLICY_CHANGED"}
        | {"PASSKEY_LISTS_EXCLUSIVE", "PASSKEY_ATTESTATION_LOCKED", "PASSKEY_POLICY_IMPACT"}
        | {"MDS_INVALID", "MDS_ROLLBACK"}
        | {"ERR_FEATURE_DISABLED", "ERR_PASSKEY_SESSION", "ERR_PASSKEY_FAILED", "ERR_PASSKEY_LOCKED"}
        | {"ERR_PASSKEY_NOT_FOUND", "ERR_PASSKEY_POLICY", "ERR_ACCESS_TOKEN", "ERR_TICKET_INVALID"}
        | {"ERR_JWT_GRANT", "ERR_JWT_KEY_NOT_FOUND", "ERR_JWT_KEY_STATE", "ERR_JWT_KEY_INVALID"}
        | {"ERR_OIDC_CLIENT_NOT_FOUND", "ERR_OIDC_CLIENT_EXISTS"},
        401: frozenset({"ERR_AUTHENTICATION"}),
        404: frozenset({"ERROR_NOT_FOUND"}),
        405: frozenset({"ERROR_METHOD_NOT_ALLOWED"}),
        413: frozenset({"ERROR_REQUEST_TOO_LARGE"}),
        414: frozenset({"ERROR_REQUEST_TOO_LARGE"}),
        431: frozenset({"ERROR_REQUEST_TOO_LARGE"}),
        415: frozenset({"ERROR_UNSUPPORTED_MEDIA_TYPE"}),
        429: frozenset({"ERROR_TOO_MANY_REQUESTS"}),
        501: frozenset({"ERROR_NOT_IMPLEMENTED"}),
    },
    members=_IMPACT | {"localizedMessage", "currentRecoveryPukIndex", "missingParameters", "reason", *_TOLD},
    challenge=True,
)
"""spec/core-api.md §1.2, §28, without the codes that only say "unknown error"; ``ERROR_PROVIDER`` is the
door's own, for an activation that its provider refuses (D1 rule 2)."""

CLOUD = Family(
    codes={
        400: frozenset(
            {
                "ERROR_REQUEST",
                "ERROR_REGISTRATION",
                "ERROR_REGISTRATION_NOT_FOUND",
                "ERROR_REGISTRATION_NOT_ALLOWED",
                "ERROR_REGISTRATION_CHANGE",
                "ERROR_OTP_INVALID",
                "ERROR_OPERATION_NOT_FOUND",
                "ERROR_OPERATION_STATE_CHANGE",
                "ERROR_SIGNATURE_INVALID",
                "ERROR_TOKEN_INVALID",
                "ERROR_AUDIT",
                "MDS_INVALID",
                "ERROR_PUSH_MESSAGE",
                "ERROR_INBOX",
                "ERROR_INBOX_NOT_FOUND",
                "ERROR_FIDO2",
                "ERROR_HTTP_REQUEST",
                "PASSKEY_LISTS_EXCLUSIVE",
                "PASSKEY_ATTESTATION_LOCKED",
            }
        ),
        401: frozenset({"HTTP_401"}),
        403: frozenset({"HTTP_403"}),
        404: frozenset({"ERROR_NOT_FOUND", "SIGNING_KEY_NOT_FOUND", "OIDC_CLIENT_NOT_FOUND"}),
        405: frozenset({"HTTP_405"}),
        406: frozenset({"HTTP_406"}),
        409: frozenset(
            {
                *("MDS_NOT_LOADED", "MDS_ROLLBACK", "PASSKEY_POLICY_IMPACT"),
                *("SIGNING_KEY_STATE_INVALID", "OIDC_CLIENT_EXISTS"),
            }
        ),
        412: frozenset({"HTTP_412"}),
        413: frozenset({"ERROR_REQUEST"}),
        414: frozenset({"ERROR_REQUEST"}),
        431: frozenset({"ERROR_REQUEST"}),
        415: frozenset({"HTTP_415"}),
        501: frozenset({"HTTP_501"}),
    },
    members=_IMPACT | {"violations", "reason"},
    challenge=True,
)
"""spec/cloud-api.md §1.2, §1.5, §1.6."""

PUSH = Family(
    codes={
        400: frozenset({"ERROR_GENERIC", "ERROR_REQUEST", "ERROR_APP_NOT_FOUND", "ERROR_MESSAGE_NOT_FOUND"}),
        401: frozenset({"HTTP_401"}),
        403: frozenset({"HTTP_403"}),
        404: frozenset({"HTTP_404"}),
        405: frozenset({"HTTP_405"}),
        409: frozenset({"ERROR_DATA_INTEGRITY"}),
        413: frozenset({"ERROR_REQUEST"}),
        414: frozenset({"ERROR_REQUEST"}),
        415: frozenset({"HTTP_415"}),
        431: frozenset({"ERROR_REQUEST"}),
        501: frozenset({"HTTP_501"}),
    },
    members=frozenset({"violations"}),
    challenge=True,
)
"""spec/push-api.md §3."""
