"""Decisions about applications and their configuration, without I/O (spec/cloud-api.md §11.3, §11.6)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cloud_private_api.errors import MASKED, InvalidRequest, Violation
from powerauth_contracts.cloud.applications import Application, ConfigItem, Version
from powerauth_contracts.rest import applications as contract
from servicekit.kept_secrets import HINT, OIDC_SECRETS, to_be_given_anew

DEFAULT_VERSION = "default"
OAUTH2_PROVIDERS = "oauth2_providers"

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_uuid(value: object) -> bool:
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def _is_pem(value: object) -> bool:
    return isinstance(value, str) and value.lstrip().startswith("-----BEGIN CERTIFICATE-----")


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


CONFIG_KEYS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "fido2_attestation_fmt_allowed": (_is_text, "must be strings"),
    "fido2_aaguids_allowed": (_is_uuid, "must be UUIDs"),
    "fido2_root_ca_certs": (_is_pem, "must be PEM certificates"),
    OAUTH2_PROVIDERS: (_is_object, "must be objects"),
    "activation_transfer": (_is_object, "must be objects"),
    "device_trust": (_is_object, "must be objects"),
    "minimumProtocolVersion": (_is_text, "must be strings"),
    "automaticCommit": (_is_text, "must be strings"),
}
"""Every key that may be written here, with the check of its elements."""


def check_config(key: str, values: Sequence[object]) -> None:
    """:raises InvalidRequest: unknown key, or an element of the wrong kind"""
    check_key(key)
    check, hint = CONFIG_KEYS[key]
    if not all(check(value) for value in values):
        raise InvalidRequest(Violation("values", hint))


def check_key(key: str) -> None:
    """:raises InvalidRequest: the key cannot be administered here"""
    if key not in CONFIG_KEYS:
        raise InvalidRequest(Violation("key", "is not a known configuration key", parameter=True))


def shown_config(item: contract.ConfigItem) -> ConfigItem:
    """One configuration key, secrets masked."""
    values = [masked(value) for value in item.values] if item.key == OAUTH2_PROVIDERS else item.values
    return ConfigItem(key=item.key, values=values)


def masked(provider: Any) -> Any:
    """A provider with its client secret masked."""
    if isinstance(provider, dict) and provider.get("clientSecret") is not None:
        return {**provider, "clientSecret": MASKED}
    return provider


Provider = dict[str, Any]
"""An OIDC provider as the core keeps it: members of the configuration's JSON, unknown ones too."""


def with_stored_secret(provider: Provider, stored: Sequence[Provider]) -> Provider:
    """A provider to write: a masked secret is replaced by the stored one of the same provider.

    :raises InvalidRequest: there is no stored one, or it would go to another address (D29)
    """
    if provider.get("clientSecret") != MASKED:
        return provider
    for item in stored:
        if item.get("providerId") == provider.get("providerId") and item.get("clientSecret") is not None:
            names = to_be_given_anew(OIDC_SECRETS, item, provider)
            if names:
                raise InvalidRequest(*[Violation(name, HINT) for name in names])
            return {**provider, "clientSecret": item["clientSecret"]}
    raise InvalidRequest(Violation("clientSecret", "has no stored value to keep"))


def chosen_version(
    versions: Sequence[contract.ApplicationVersionDetail],
) -> contract.ApplicationVersionDetail | None:
    """The version whose key an application is shown with: ``default``, else the first supported one."""
    for version in versions:
        if version.application_version_id == DEFAULT_VERSION:
            return version
    return next((version for version in versions if version.supported), None)


def shown_application(detail: contract.ApplicationDetail, service_base_url: str | None) -> Application:
    """An application as an administrator sees it."""
    version = chosen_version(detail.versions)
    return Application(
        id=detail.application_id,
        service_base_url=service_base_url,
        mobile_sdk_config=version and version.mobile_sdk_config,
        roles=detail.application_roles,
        app_key=version and version.application_key,
        app_secret=version and version.application_secret,
        master_server_public_key=detail.master_public_key,
    )


def shown_version(version: contract.ApplicationVersionDetail) -> Version:
    """A version as an administrator sees it."""
    return Version(
        name=version.application_version_id,
        app_key=version.application_key,
        app_secret=version.application_secret,
        mobile_sdk_config=version.mobile_sdk_config,
        supported=version.supported,
    )
