"""OpenID providers as they are configured: judged then, not at the first log-in (spec/core-api.md §6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from powerauth_core.kernel.egress import AddressPolicy, EgressRefused

CALLED_URIS = ("issuerUri", "tokenUri", "jwkSetUri")
"""Members whose addresses the core calls itself."""
HTTPS = "https://"
ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512")
"""How ID tokens may be signed: only what needs the provider's private key."""
AUTHENTICATION_METHODS = ("client_secret_basic", "client_secret_post")

Judge = Callable[[Any], str | None]
"""What is wrong with a member that is there; None if nothing is."""


def refused_member(values: Sequence[Any], policy: AddressPolicy, https_only: bool) -> tuple[str, str] | None:
    """The first member with which no log-in could ever succeed, as a path such as ``0.issuerUri``, and why.

    Elements that are no providers at all are passed over, as their readers do.
    """
    judges = _judges(policy, https_only)
    for index, provider in enumerate(values):
        if isinstance(provider, dict):
            for name, reason in _refused(provider, judges):
                return f"{index}.{name}", reason
    return None


def _refused(provider: Mapping[str, Any], judges: Mapping[str, Judge]) -> Iterator[tuple[str, str]]:
    for name, judge in judges.items():
        value = provider.get(name)
        reason = None if value is None else judge(value)
        if reason is not None:
            yield name, reason


def _judges(policy: AddressPolicy, https_only: bool) -> Mapping[str, Judge]:
    def address(uri: Any) -> str | None:
        if not isinstance(uri, str) or (https_only and not uri.startswith(HTTPS)):
            return "must be an https URL"
        try:
            policy.check_url(uri)
        except EgressRefused as error:
            return f"cannot be called: {error}"
        return None

    return {
        **dict.fromkeys(CALLED_URIS, address),
        "signatureAlgorithm": _one_of(ALGORITHMS),
        "clientAuthenticationMethod": _one_of(AUTHENTICATION_METHODS),
    }


def _one_of(known: Sequence[str]) -> Judge:
    return lambda value: None if value in known else f"must be one of {', '.join(known)}"
