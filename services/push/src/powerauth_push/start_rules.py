"""What the settings must be before the push service serves, and what an operator is told about (D3, D5)."""

from __future__ import annotations

from functools import partial
from typing import Any

from powerauth_push.providers.rules import DELIVERING
from servicekit.start_rules import SECRET_LENGTH, Rule, Weight, is_unprotected, is_weak_key

_CREDENTIALS = "the answer of `powerauth integration create push --door rest`"
_RANDOM_KEY = "the output of `openssl rand -base64 16`"

_PROVIDERS = (
    "apns_production_url",
    "apns_development_url",
    "fcm_send_message_url",
    "fcm_token_url",
    "hms_send_message_url",
    "hms_token_url",
)


def _is_no_https(setting: str, settings: Any) -> bool:
    url = getattr(settings, setting)
    return bool(url) and not url.startswith("https://")


def _longest_delivery(settings: Any) -> float:
    """Seconds for which one process may hold a message."""
    connects = (settings.apns_connect_timeout, settings.fcm_connect_timeout, settings.hms_connect_timeout)
    return DELIVERING.longest_delivery(settings.provider_send_timeout + max(connects))


PROVIDER_RULES: tuple[Rule, ...] = (
    *(
        Rule(
            setting,
            partial(_is_no_https, setting),
            "providers are reached over https only",
            "https://127.0.0.1:8443",
            Weight.ALWAYS,
        )
        for setting in _PROVIDERS
    ),
    Rule(
        "providers_ca_file",
        lambda settings: settings.providers_ca_file is not None,
        "who holds a key of these trust anchors can read messages and take credentials",
        weight=Weight.NEVER,
    ),
)

RULES: tuple[Rule, ...] = (
    Rule(
        "delivery_lease_seconds",
        lambda settings: settings.delivery_lease_seconds <= _longest_delivery(settings),
        "another process would send what this one is still sending: it must be longer than all attempts of a"
        " message with their pauses, each as long as connecting and PUSH_PROVIDER_SEND_TIMEOUT allow",
        "120",
    ),
    Rule(
        "core_url",
        lambda settings: "core_url" not in settings.model_fields_set,
        "where the core is must be said",
        "https://core.internal/powerauth-java-server",
    ),
    Rule(
        "core_url",
        lambda settings: is_unprotected(settings.core_url),
        "credentials and customer data go through the network unencrypted",
        "https://core.internal/powerauth-java-server",
        Weight.NEVER,
    ),
    Rule(
        "core_username",
        lambda settings: not settings.core_username,
        "the core answers only callers with credentials",
        _CREDENTIALS,
    ),
    Rule(
        "core_password",
        lambda settings: len(settings.core_password.get_secret_value()) < SECRET_LENGTH,
        f"missing, or shorter than {SECRET_LENGTH} characters",
        _CREDENTIALS,
    ),
    Rule(
        "master_encryption_key",
        lambda settings: settings.master_key is None,
        "without it the keys of the push providers lie in the database in clear",
        _RANDOM_KEY,
    ),
    Rule(
        "master_encryption_key",
        lambda settings: is_weak_key(settings.master_key),
        "the key is no random one",
        _RANDOM_KEY,
    ),
    Rule(
        "restrict_access",
        lambda settings: not settings.restrict_access,
        "open access is not for production: everybody in the network could send messages",
        "true",
    ),
)
