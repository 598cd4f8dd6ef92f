"""Errors of signed tokens and binding tickets (spec/device-trust.md §0.4, §1.7, §2)."""

from __future__ import annotations

from typing import Literal

from powerauth_core.kernel.errors import CoreError

OAuthCode = Literal[
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "invalid_scope",
    "invalid_target",
    "unauthorized_client",
    "unsupported_grant_type",
]
"""Codes of RFC 6749 and RFC 8707."""


class GrantRefused(CoreError):
    """No token is issued; the answer names the code that OAuth has for it.

    :ivar error: that code
    """

    code = "ERR_JWT_GRANT"
    message = "Tokens cannot be issued."

    def __init__(self, error: OAuthCode, message: str, *, keep_changes: bool = False) -> None:
        super().__init__(message, extra={"error": error}, keep_changes=keep_changes)
        self.error: OAuthCode = error


class AccessTokenInvalid(CoreError):
    """A bearer token is not accepted.

    :ivar max_age: it is sound, but the sign-in is older than so many seconds; None: it is not sound
    """

    code = "ERR_ACCESS_TOKEN"
    message = "Access token is invalid."

    def __init__(self, *, max_age: int | None = None) -> None:
        super().__init__(extra=None if max_age is None else {"maxAge": max_age})
        self.max_age = max_age


class SigningKeyNotFound(CoreError):
    """No such signing key in this scope."""

    code = "ERR_JWT_KEY_NOT_FOUND"
    message = "Signing key was not found."


class SigningKeyWrongState(CoreError):
    """The key's state does not allow the change, or the same key is there already."""

    code = "ERR_JWT_KEY_STATE"
    message = "Signing key state is invalid for the requested change."


class SigningKeyUnusable(CoreError):
    """An uploaded key is no private RSA key of the kind that signs."""

    code = "ERR_JWT_KEY_INVALID"
    message = "Signing key cannot be used."


class OidcClientNotFound(CoreError):
    """No such client of the application."""

    code = "ERR_OIDC_CLIENT_NOT_FOUND"
    message = "Client was not found."


class OidcClientExists(CoreError):
    """The client's id is taken, by a client or as a resource."""

    code = "ERR_OIDC_CLIENT_EXISTS"
    message = "Client already exists."


class TicketInvalid(CoreError):
    """A binding ticket is unknown, over or used: one answer."""

    code = "ERR_TICKET_INVALID"
    message = "Binding ticket was not found."
