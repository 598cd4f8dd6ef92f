"""A stored secret goes only where it was meant for (D29).

An update may leave a secret out, or send the mask that answers show, to keep the stored one. It may not do so
while it changes where the secret is sent: whoever may write an address, but not read the secret, would
receive it there. Both sides of an update are members by their wire names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

MASK = "***"
"""Stands for a stored secret in answers, and in requests for the one to keep."""

HINT = "must be given anew, because the address that it is sent to changes"

Members = Mapping[str, Any]

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret that is kept when an update leaves it out.

    :ivar member: dotted path of the secret
    :ivar goes_to: everything that decides who receives the secret or what is got with it, made comparable
    """

    member: str
    goes_to: Callable[[Members], tuple[object, ...]]

    def kept(self, new: Members) -> bool:
        """Whether an update keeps the stored value. Without the section that holds it, it is cleared."""
        section, _, name = self.member.rpartition(".")
        holder = member(new, section) if section else new
        return isinstance(holder, Mapping) and is_kept(holder.get(name))


def is_kept(value: object) -> bool:
    """Whether a secret's member stands for the stored value."""
    return value is None or value == MASK


def to_be_given_anew(secrets: Sequence[StoredSecret], old: Members, new: Members) -> list[str]:
    """Paths of the secrets that an update keeps although it changes where they go.

    :param old: what is stored; a secret that is set has any value that is not empty
    """
    return [
        secret.member
        for secret in secrets
        if member(old, secret.member) and secret.kept(new) and secret.goes_to(old) != secret.goes_to(new)
    ]


def member(members: Members, path: str) -> Any:
    """The value at a dotted path, None if there is none."""
    value: Any = members
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def address(url: object) -> object:
    """What of a URL decides who is called: scheme, credentials, host, port and path."""
    if not isinstance(url, str) or not url:
        return url or None
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return url
    return parts.scheme, parts.username, parts.password, parts.hostname, port, parts.path or "/"


def _at(path: str) -> Callable[[Members], object]:
    return lambda members: address(member(members, path))


def _trusted(members: Members) -> object:
    """Whose certificates are believed: the trust store, None for the platform's."""
    certificate = member(members, "authentication.certificate") or {}
    custom = certificate.get("enabled") and certificate.get("useCustomTrustStore")
    return certificate.get("trustStoreLocation") if custom else None


def _value(path: str) -> Callable[[Members], object]:
    return lambda members: member(members, path) or None


def _all(*parts: Callable[[Members], object]) -> Callable[[Members], tuple[object, ...]]:
    return lambda members: tuple([part(members) for part in parts])


_CERTIFICATE = "authentication.certificate"
_CALLBACK, _TOKEN = _at("callbackUrl"), _at("authentication.oauth2.tokenUri")
_KEY_STORE = _value(f"{_CERTIFICATE}.keyStoreLocation")

CALLBACK_SECRETS = (
    StoredSecret("authentication.httpBasic.password", _all(_CALLBACK, _trusted)),
    # The token that it buys goes to the callback itself.
    StoredSecret("authentication.oauth2.clientSecret", _all(_TOKEN, _CALLBACK, _trusted)),
    # A key that its password opens speaks for the bank wherever it is used.
    StoredSecret(f"{_CERTIFICATE}.keyStorePassword", _all(_KEY_STORE, _CALLBACK, _TOKEN)),
    StoredSecret(
        f"{_CERTIFICATE}.keyPassword", _all(_KEY_STORE, _value(f"{_CERTIFICATE}.keyAlias"), _CALLBACK, _TOKEN)
    ),
    StoredSecret(f"{_CERTIFICATE}.trustStorePassword", _all(_value(f"{_CERTIFICATE}.trustStoreLocation"))),
)
"""Secrets of a callback: ``callbackUrl`` and ``authentication``."""


def _authentication_method(members: Members) -> object:
    return members.get("clientAuthenticationMethod") or "client_secret_basic"


OIDC_SECRETS = (
    StoredSecret(
        "clientSecret", _all(_at("issuerUri"), _at("tokenUri"), _at("userInfoUri"), _authentication_method)
    ),
)
"""Secrets of an element of the configuration ``oauth2_providers``."""
