"""What the settings must be before the private API serves, and what an operator is told about."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from servicekit.start_rules import SECRET_LENGTH, Rule, Weight, is_unprotected, is_weak_key
from servicekit.tls.rules import DATABASE_FILES, url_files_rule

_CREDENTIALS = "the answer of `powerauth integration create cloud --door rest`"
_PUSH_CREDENTIALS = "the answer of `powerauth push caller create cloud`"


def _uses_tokens(settings: Any) -> bool:
    return bool(settings.security_auth_type == "OAUTH2")


def _has_no_keys(settings: Any) -> bool:
    return _uses_tokens(settings) and not (
        settings.security_auth_oauth2_issuer_uri or settings.security_auth_oauth2_jwk_set_uri
    )


def _is_half_a_seed(settings: Any) -> bool:
    return bool(settings.admin_username) != bool(settings.admin_password_encoded.get_secret_value())


def _is_short(secret: SecretStr) -> bool:
    return len(secret.get_secret_value()) < SECRET_LENGTH


OAUTH2_RULES: tuple[Rule, ...] = (
    Rule(
        "security_auth_oauth2_issuer_uri",
        _has_no_keys,
        "OAUTH2 needs an issuer URI or a JWK set URI",
        "https://login.example/realm",
        Weight.ALWAYS,
    ),
    Rule(
        "security_auth_oauth2_audiences",
        # Without one, any token of the issuer would open this API, also one for end users.
        lambda settings: _uses_tokens(settings) and not settings.security_auth_oauth2_audiences,
        "OAUTH2 needs at least one audience",
        "powerauth-cloud",
        Weight.ALWAYS,
    ),
    Rule(
        "security_auth_oauth2_issuer_uri",
        lambda settings: is_unprotected(settings.security_auth_oauth2_issuer_uri),
        "whoever is on the way can give keys of his own and log in as anybody",
        "https://login.example/realm",
    ),
    Rule(
        "security_auth_oauth2_jwk_set_uri",
        lambda settings: is_unprotected(settings.security_auth_oauth2_jwk_set_uri),
        "whoever is on the way can give keys of his own and log in as anybody",
        "https://login.example/realm/keys",
    ),
)

RULES: tuple[Rule, ...] = (
    url_files_rule(
        "datasource_url",
        DATABASE_FILES,
        "jdbc:postgresql://host:5432/database?sslmode=verify-full&sslrootcert=/path",
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
        lambda settings: _is_short(settings.core_password),
        f"missing, or shorter than {SECRET_LENGTH} characters",
        _CREDENTIALS,
    ),
    Rule(
        "push_url",
        lambda settings: is_unprotected(settings.push_url),
        "credentials and texts for customers go through the network unencrypted",
        "https://push.internal/powerauth-push-server",
        Weight.NEVER,
    ),
    Rule(
        "push_username",
        lambda settings: settings.push_url and not settings.push_username,
        "the push service answers only callers with credentials",
        _PUSH_CREDENTIALS,
    ),
    Rule(
        "push_password",
        lambda settings: settings.push_url and _is_short(settings.push_password),
        f"missing, or shorter than {SECRET_LENGTH} characters",
        _PUSH_CREDENTIALS,
    ),
    Rule(
        "admin_password_encoded",
        _is_half_a_seed,
        "the first administrator needs both CLOUD_ADMIN_USERNAME and this hash",
        "the output of `powerauth admin hash`",
        Weight.ALWAYS,
    ),
    Rule(
        "offline_derivation_key",
        lambda settings: any(map(is_weak_key, settings.derivation_keys)),
        "the key is no random one",
        "the output of `openssl rand -base64 32`",
    ),
    Rule(
        "service_base_url",
        lambda settings: is_unprotected(settings.service_base_url),
        "phones should be sent to https only",
        "https://phones.example/enrollment-server",
        Weight.NEVER,
    ),
)
