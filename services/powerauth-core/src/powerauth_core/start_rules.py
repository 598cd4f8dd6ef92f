"""What the core's settings must be before it serves, and what an operator is told about (D3, D5, D17)."""

from __future__ import annotations

from functools import partial
from typing import Any

from powerauth_protocol.generation import OLDEST_BOUND, is_at_least
from powerauth_protocol.groups import ProtocolVersion
from servicekit.start_rules import Rule, Weight, is_typed_key, is_unprotected, is_weak_key

_RANDOM_KEY = "the output of `openssl rand -base64 16`"
_MOST_ATTEMPTS = 5
_WHOLE_INTERNET = 0
_EVERY_HOST = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - what such a port meets


def _is_below(version: ProtocolVersion | None, minimum: ProtocolVersion) -> bool:
    return version is not None and not is_at_least(version, minimum)


def _has_weak_chain_key(settings: Any) -> bool:
    return any(map(is_weak_key, settings.own_chain_keys))


def _reaches_loopback(settings: Any) -> bool:
    return any(network.is_loopback for network in settings.egress_allowed_networks)


def _reaches_everything(settings: Any) -> bool:
    return any(network.prefixlen == _WHOLE_INTERNET for network in settings.egress_allowed_networks)


def _shares_a_port(settings: Any) -> bool:
    own, door = settings.host, settings.dmz_host or settings.host
    others = ((own, settings.port), (settings.management_host or own, settings.management_port))
    return settings.dmz_port is not None and any(
        settings.dmz_port == port and (door == host or not _EVERY_HOST.isdisjoint((door, host)))
        for host, port in others
    )


def _is_unprotected(setting: str, settings: Any) -> bool:
    return is_unprotected(getattr(settings, setting))


_PROVIDERS = ("custom_activation_provider_url", "user_info_rest_url", "status_custom_object_url")
_UNPROTECTED_ISSUER = Rule(
    "jwt_issuer",
    partial(_is_unprotected, "jwt_issuer"),
    "tokens and the secrets of clients would go to it unencrypted",
    "https://id.example/enrollment-server",
    Weight.NEVER,
)
_UNPROTECTED_PROVIDERS = tuple(
    Rule(
        setting,
        partial(_is_unprotected, setting),
        "what the provider is told and answers goes through the network unencrypted",
        "https://provider.example/path",
        Weight.NEVER,
    )
    for setting in _PROVIDERS
)

DOOR_RULES: tuple[Rule, ...] = (
    Rule(
        "dmz_port",
        _shares_a_port,
        "is the service's own port, or that of the management",
        "8081",
        Weight.ALWAYS,
    ),
    Rule(
        "dmz_host",
        lambda settings: settings.dmz_host is not None and settings.dmz_port is None,
        "there is no CORE_DMZ_PORT that would listen there",
        weight=Weight.ALWAYS,
    ),
    Rule(
        "dmz_tls_client_names",
        lambda settings: settings.dmz_tls_client_names and settings.dmz_port is None,
        "without a CORE_DMZ_PORT of its own the dmz door has the names of CORE_TLS_CLIENT_NAMES",
        weight=Weight.ALWAYS,
    ),
    Rule(
        "dmz_tls_client_names",
        lambda settings: settings.dmz_tls_client_names and settings.tls_client_ca_path is None,
        "names need the authority that vouches for them, in CORE_TLS_CLIENT_CA_PATH",
        weight=Weight.ALWAYS,
    ),
    Rule(
        "tls_client_names",
        lambda settings: settings.dmz_tls_client_names and not settings.tls_client_names,
        "whoever has a certificate of the authority, enrollment too, is let in at the port of the rest door",
        "cloud.bank,push.bank",
        Weight.NEVER,
    ),
)

METADATA_RULES: tuple[Rule, ...] = (
    Rule(
        "mds_file",
        lambda settings: settings.mds_source == "FILE" and settings.mds_file is None,
        "CORE_MDS_SOURCE is FILE, and there is none",
        "/etc/powerauth/blob.jwt",
        Weight.ALWAYS,
    ),
    Rule(
        "mds_url",
        partial(_is_unprotected, "mds_url"),
        "whoever stands in between can withhold newer metadata, and with it revocations",
        "https://mds3.fidoalliance.org/",
    ),
    Rule(
        "mds_trust_anchors",
        lambda settings: settings.mds_trust_anchors is not None,
        "whoever has a certificate under these roots says which authenticators are genuine",
        "",
        Weight.NEVER,
    ),
)

RULES: tuple[Rule, ...] = (
    *DOOR_RULES,
    *METADATA_RULES,
    Rule(
        "master_encryption_key",
        lambda settings: settings.master_key is None,
        "without it private keys and secrets lie in the database in clear",
        _RANDOM_KEY,
    ),
    Rule(
        "master_encryption_key",
        lambda settings: is_weak_key(settings.master_key),
        "the key is no random one",
        _RANDOM_KEY,
    ),
    Rule(
        "master_encryption_key",
        # No refusal: a database of the original may have been encrypted with such a key.
        lambda settings: is_typed_key(settings.master_key),
        "the key is text, as in examples of documentation, and can be guessed",
        _RANDOM_KEY,
        Weight.NEVER,
    ),
    Rule("audit_chain_key", _has_weak_chain_key, "a key is no random one", _RANDOM_KEY),
    Rule(
        "restrict_access",
        lambda settings: not settings.restrict_access,
        "open access is not for production: everybody in the network could call",
        "true",
    ),
    Rule(
        "replay_verification_service",
        lambda settings: settings.replay_verification_service == "none",
        "without it a recorded request can be sent again",
        "default",
    ),
    Rule(
        "egress_allowed_networks",
        _reaches_everything,
        "allows every address, so whoever configures a callback reaches everything the core reaches",
        "10.20.0.0/16",
    ),
    Rule(
        "egress_allowed_networks",
        _reaches_loopback,
        "whoever configures a callback reaches the services of this machine",
        "10.20.0.0/16",
        Weight.NEVER,
    ),
    Rule(
        "egress_loopback_allowed",
        lambda settings: settings.egress_loopback_allowed,
        "whoever configures a callback reaches the services of this machine",
        "false",
    ),
    Rule(
        "passkey_dev_mode",
        lambda settings: settings.passkey_dev_mode,
        "a page on a user's own machine may then ask for passkeys of the bank",
        "false",
    ),
    Rule(
        "signature_max_failed_attempts",
        lambda settings: settings.signature_max_failed_attempts > _MOST_ATTEMPTS,
        "strong customer authentication allows five failed attempts in a row",
        str(_MOST_ATTEMPTS),
        Weight.NEVER,
    ),
    Rule(
        "new_application_minimum_protocol_version",
        lambda settings: _is_below(settings.new_application_minimum_protocol_version, OLDEST_BOUND),
        "these versions cannot tell a repeated request from a new one",
        OLDEST_BOUND.value,
        Weight.NEVER,
    ),
    *_UNPROTECTED_PROVIDERS,
    _UNPROTECTED_ISSUER,
)
