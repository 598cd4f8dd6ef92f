"""Generations of the protocol behind one interface, and the only place that looks at a protocol version.

A request states its version, an activation stores the generation that it was made in: `generation_of` and
`generation_of_activation` find what speaks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from powerauth_protocol.common.errors import VersionError
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.groups import (
    Codes,
    Counter,
    DataSignatures,
    Envelopes,
    Exchange,
    Headers,
    KeyRequest,
    ProtocolVersion,
    SecretsOfActivations,
    ServerKeys,
    Status,
    TemporaryKeys,
    Tokens,
    Vault,
)
from powerauth_protocol.v3.generation import ACTIVATION_VERSION as V3_ACTIVATION
from powerauth_protocol.v3.generation import V3
from powerauth_protocol.v3.http_headers import EncryptionHeader, SignatureHeader, TokenHeader
from powerauth_protocol.v3.versions import ProtocolVersion as V3Version


class Generation(Protocol):
    """One version of a generation, in groups.

    :ivar version: what `codes`, `envelopes` and `tokens` belong to; the rest is the same in all versions
    :ivar activation_version: what activations of the generation store as their version
    :ivar codes: online authentication codes
    """

    @property
    def version(self) -> ProtocolVersion: ...
    @property
    def activation_version(self) -> int: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def envelopes(self) -> Envelopes: ...
    @property
    def temporary_keys(self) -> TemporaryKeys: ...
    @property
    def server_keys(self) -> ServerKeys: ...
    @property
    def secrets(self) -> SecretsOfActivations: ...
    @property
    def exchange(self) -> Exchange: ...
    @property
    def codes(self) -> Codes: ...
    @property
    def counter(self) -> Counter: ...
    @property
    def status(self) -> Status: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def data_signatures(self) -> DataSignatures: ...
    @property
    def vault(self) -> Vault: ...

    def offline_codes(self, component_length: int) -> Codes:
        """Codes that users copy.

        :param component_length: digits per factor
        """
        ...


GENERATIONS: dict[str, Generation] = {version.value: V3(version) for version in V3Version}
"""What speaks each version that a header may state."""

OLDEST: ProtocolVersion = V3Version.V3_0
NEWEST: ProtocolVersion = V3Version.V3_3
OLDEST_BOUND: ProtocolVersion = V3Version.V3_2
"""The first one whose envelopes are bound to sender and moment, so that a repeated one is known."""

_ACTIVATIONS: dict[int | None, Generation] = {V3_ACTIVATION: GENERATIONS[NEWEST]}
_OLD_COUNTER = 2
"""Found in adopted databases only: keys as in version 3, but another counter."""


def generation_of(version: str) -> Generation:
    """What speaks a version, by its text.

    :raises VersionError: nothing does
    """
    found = GENERATIONS.get(version)
    if found is None:
        raise VersionError("unknown protocol version")
    return found


def generation_of_activation(version: int | None) -> Generation:
    """What an activation's keys and counter belong to.

    :param version: as stored; None (before the key exchange) and older ones count as the oldest generation's
    """
    return _ACTIVATIONS.get(version) or GENERATIONS[OLDEST]


def generation_of_application() -> Generation:
    """What the master key pair of an application belongs to."""
    return GENERATIONS[OLDEST]


def makes_codes(version: int | None, *, by_hash_counter: bool = False) -> bool:
    """Whether an activation's codes and status can be computed.

    :param version: as stored
    :param by_hash_counter: also for one whose upgrade to the hash counter is being committed
    """
    return version in _ACTIVATIONS or (by_hash_counter and version == _OLD_COUNTER)


def forces_hash_counter(version: int | None) -> bool:
    """Whether the ``forcedSignatureVersion`` of a call asks for the hash counter."""
    return version == V3_ACTIVATION


def is_at_least(version: ProtocolVersion, minimum: str) -> bool:
    """Whether a version is not below a minimum (D17). The texts are in the order of their versions."""
    return version.value >= minimum


def version_of_members(members: Mapping[str, Any]) -> ProtocolVersion:
    """The version that an envelope has by its members, for callers that tell none (spec/core-api.md §2.2)."""
    if members.get("temporaryKeyId") is not None:
        return V3Version.V3_3
    if members.get("timestamp") is not None:
        return V3Version.V3_2
    return V3Version.V3_0 if members.get("nonce") is None else V3Version.V3_1


def read_authorization(fields: Mapping[str, str | None]) -> SignatureHeader:
    """The authorization header by the rules of the version that it states.

    :raises HeaderError: with the name of the first failed check
    """
    return _speaking(fields.get("pa_version")).headers.authorization(fields)


def read_encryption(fields: Mapping[str, str | None], scope: Scope) -> EncryptionHeader:
    """The encryption header by the rules of the version that it states.

    :raises HeaderError: with the name of the first failed check
    """
    return _speaking(fields.get("version")).headers.encryption(fields, scope)


def read_token(fields: Mapping[str, str | None]) -> TokenHeader:
    """The token header by the rules of the version that it states.

    :raises HeaderError: with the name of the first failed check
    """
    return _speaking(fields.get("version")).headers.token(fields)


def read_key_request(jwt: str) -> KeyRequest:
    """A request for a temporary key, of whatever generation.

    :raises TokenFormatError: of none
    """
    return GENERATIONS[NEWEST].temporary_keys.read(jwt)


def _speaking(version: str | None) -> Generation:
    """For headers: of a version that nothing speaks the oldest generation says what is wrong."""
    return GENERATIONS.get(version or "") or GENERATIONS[OLDEST]
