"""What the settings must be before the public service serves, and what an operator is told about."""

from __future__ import annotations

from functools import partial
from ipaddress import ip_network
from typing import Any

from servicekit.start_rules import SECRET_LENGTH, Rule, Weight, is_unprotected
from servicekit.tls.rules import url_files_rule, url_verifies_rule

_CREDENTIALS = "the answer of `powerauth integration create enrollment --door dmz`"
_LIMIT = "limit_"
_REDIS = "rediss://:password@host/?ssl_ca_certs=/path"
_WHOLE_INTERNET = 0


def _trusts_everybody(settings: Any) -> bool:
    return any(
        ip_network(network, strict=False).prefixlen == _WHOLE_INTERNET for network in settings.trusted_proxies
    )


def _lacks_push_credentials(settings: Any) -> bool:
    secret = settings.push_client_secret.get_secret_value()
    return settings.push_enabled and not (settings.push_client_token and len(secret) >= SECRET_LENGTH)


def _is_off(setting: str, settings: Any) -> bool:
    return not getattr(settings, setting)


def limit_rules(settings_class: Any) -> tuple[Rule, ...]:
    """For every limit that is on by default: whether it is switched off."""
    return tuple(
        Rule(
            name,
            partial(_is_off, name),
            "this limit is switched off",
            str(field.default),
            Weight.NEVER,
        )
        for name, field in settings_class.model_fields.items()
        if name.startswith(_LIMIT) and isinstance(field.default, int) and field.default
    )


RULES: tuple[Rule, ...] = (
    Rule(
        "core_url",
        lambda settings: "core_url" not in settings.model_fields_set,
        "where the core is must be said",
        "https://core.internal/powerauth-java-server",
    ),
    Rule(
        "core_url",
        lambda settings: is_unprotected(settings.core_url),
        "this service's credentials go through the network unencrypted",
        "https://core.internal/powerauth-java-server",
        Weight.NEVER,
    ),
    Rule(
        "core_client_token",
        lambda settings: not settings.core_client_token,
        "the core answers only callers with credentials",
        _CREDENTIALS,
    ),
    Rule(
        "core_client_secret",
        lambda settings: len(settings.core_client_secret.get_secret_value()) < SECRET_LENGTH,
        f"missing, or shorter than {SECRET_LENGTH} characters",
        _CREDENTIALS,
    ),
    Rule(
        "push_client_secret",
        _lacks_push_credentials,
        f"the push service needs ENROLLMENT_PUSH_CLIENT_TOKEN and a secret of {SECRET_LENGTH} characters",
        "the credentials that the push service gave",
    ),
    Rule(
        "push_url",
        lambda settings: is_unprotected(settings.push_url),
        "this service's credentials go through the network unencrypted",
        "https://push.internal/powerauth-push-server",
        Weight.NEVER,
    ),
    Rule(
        "test_endpoints",
        lambda settings: settings.test_endpoints,
        "the test endpoints are not for production",
        "false",
    ),
    Rule(
        "trusted_proxies",
        _trusts_everybody,
        "every client could say which address it has",
        "10.0.0.0/8",
    ),
    Rule(
        "limit_storage_url",
        lambda settings: settings.workers > 1 and not settings.limit_storage_url.get_secret_value(),
        "each worker counts the limits for itself, so that they hold as many times as there are workers",
        "rediss://:password@host/",
        Weight.NEVER,
    ),
    Rule(
        "limit_storage_url",
        lambda settings: is_unprotected(settings.limit_storage_url.get_secret_value(), "redis"),
        "credentials go through the network unencrypted",
        "rediss://:password@host/",
        Weight.NEVER,
    ),
    url_files_rule("limit_storage_url", ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"), _REDIS),
    url_verifies_rule(
        "limit_storage_url",
        {"ssl_cert_reqs": frozenset({"required"}), "ssl_check_hostname": frozenset({"true", "1", "yes"})},
        _REDIS,
    ),
)
