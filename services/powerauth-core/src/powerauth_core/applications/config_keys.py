"""Keys of application configuration and what their values may be (spec/core-api.md §6, D17, D1
rule 1, device-trust §4.5, §5.2). The policy of passkeys, `WEBAUTHN_API`, is stored beside them and shown with
them, but has calls of its own, so that nobody writes it without its impact.
"""

from collections.abc import Callable, Sequence
from typing import Any

from powerauth_core.applications import transfer_rules as transfers
from powerauth_protocol.generation import GENERATIONS

FIDO2_ATTESTATION_FMT_ALLOWED = "fido2_attestation_fmt_allowed"
FIDO2_AAGUIDS_ALLOWED = "fido2_aaguids_allowed"
FIDO2_ROOT_CA_CERTS = "fido2_root_ca_certs"
OAUTH2_PROVIDERS = "oauth2_providers"
ACTIVATION_TRANSFER = "activation_transfer"
DEVICE_TRUST = "device_trust"
WEBAUTHN_API = "webauthn_api"
MINIMUM_PROTOCOL_VERSION = "minimumProtocolVersion"
AUTOMATIC_COMMIT = "automaticCommit"
_COMMITTED_TYPES = frozenset({"CUSTOM", "RECOVERY"})

Check = Callable[[Sequence[Any]], bool]


def _anything(_values: Sequence[Any]) -> bool:
    # Consumers of the original's keys ignore elements that do not parse.
    return True


def _one_object(values: Sequence[Any]) -> bool:
    return len(values) == 1 and isinstance(values[0], dict)


def _one_protocol_version(values: Sequence[Any]) -> bool:
    return len(values) == 1 and values[0] in list(GENERATIONS)


def _activation_types(values: Sequence[Any]) -> bool:
    return all(isinstance(value, str) and value in _COMMITTED_TYPES for value in values)


ALLOWED_KEYS: dict[str, Check] = {
    FIDO2_ATTESTATION_FMT_ALLOWED: _anything,
    FIDO2_AAGUIDS_ALLOWED: _anything,
    FIDO2_ROOT_CA_CERTS: _anything,
    OAUTH2_PROVIDERS: _anything,
    ACTIVATION_TRANSFER: transfers.is_usable,
    DEVICE_TRUST: _one_object,
    MINIMUM_PROTOCOL_VERSION: _one_protocol_version,
    AUTOMATIC_COMMIT: _activation_types,
}
"""Every key that may be written, with the check of its values."""
