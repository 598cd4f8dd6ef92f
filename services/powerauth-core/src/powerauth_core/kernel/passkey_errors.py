"""Errors of passkeys in the browser (spec/device-trust.md §0.4, §4.9)."""

from __future__ import annotations

from powerauth_core.kernel.errors import CoreError


class TooManyRequests(CoreError):
    """Somebody outside asks too often (spec/device-trust.md §0.4)."""

    code = "ERROR_TOO_MANY_REQUESTS"
    message = "Too many requests."
    http_status = 429


class FeatureDisabled(CoreError):
    """The application does not have what is asked for (spec/device-trust.md §0.4)."""

    code = "ERR_FEATURE_DISABLED"
    message = "The application does not use this feature."


class PasskeySessionInvalid(CoreError):
    """No such ceremony: unknown, over, answered before, or begun for something else
    (spec/device-trust.md §4.9).
    """

    code = "ERR_PASSKEY_SESSION"
    message = "The session is not valid."


class PasskeyFailed(CoreError):
    """A passkey proved nothing, whatever the reason (spec/device-trust.md §4.9)."""

    code = "ERR_PASSKEY_FAILED"
    message = "Authentication failed."


class PasskeyLocked(CoreError):
    """Too many failures of this passkey, from there or from everywhere (spec/device-trust.md §4.9)."""

    code = "ERR_PASSKEY_LOCKED"
    message = "Too many failed attempts."

    def __init__(self, locked_until_ms: int) -> None:
        super().__init__(extra={"lockedUntil": locked_until_ms})


class PasskeyNotFound(CoreError):
    """No such passkey of this user (spec/device-trust.md §4.9)."""

    code = "ERR_PASSKEY_NOT_FOUND"
    message = "The passkey was not found."


class PasskeyDenied(CoreError):
    """The application's policy refuses a passkey; `reason` in the answer says what of it
    (spec/device-trust.md §4.8).
    """

    code = "ERR_PASSKEY_POLICY"
    message = "The passkey is not allowed."

    def __init__(self, reason: str) -> None:
        super().__init__(extra={"reason": reason})
