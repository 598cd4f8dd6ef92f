"""What can go wrong on a device."""


class SdkError(Exception):
    """Base of every error of this package."""


class ServerRefused(SdkError):
    """The server answered with an error.

    :ivar http_status: HTTP status code
    :ivar code: error code of the answer, e.g. ``ERR_AUTHENTICATION``; empty if the answer had none
    :ivar extra: further fields of the error, e.g. ``currentRecoveryPukIndex``
    """

    def __init__(self, http_status: int, code: str, message: str, extra: dict[str, object]) -> None:
        super().__init__(f"HTTP {http_status} {code} {message}".rstrip())
        self.http_status = http_status
        self.code = code
        self.message = message
        self.extra = extra


class ServerUnreachable(SdkError):
    """No answer came: connection refused, broken or timed out."""


class UnexpectedAnswer(SdkError):
    """The server answered with success, but not with what the protocol promises."""


class UntrustedData(SdkError):
    """A code, QR payload or key did not carry the expected signature; nothing was sent."""


class NoPasskey(SdkError):
    """The authenticator has no passkey of that relying party, or not the one that was asked for."""


class WrongDeviceState(SdkError):
    """The call needs an activation that this device does not have, or already has."""
