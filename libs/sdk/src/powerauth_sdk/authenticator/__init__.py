"""A software authenticator: passkeys of every kind that a server has to judge, honest and broken ones."""

from powerauth_sdk.authenticator.device import Authenticator, Counter, Flags, Passkey
from powerauth_sdk.authenticator.makers import Maker
from powerauth_sdk.authenticator.responses import AssertionResponse, RegistrationResponse, corrupt
from powerauth_sdk.authenticator.statements import Format

__all__ = [
    "AssertionResponse",
    "Authenticator",
    "Counter",
    "Flags",
    "Format",
    "Maker",
    "Passkey",
    "RegistrationResponse",
    "corrupt",
]
