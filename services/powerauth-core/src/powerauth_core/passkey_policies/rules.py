"""How a policy stands in the configuration (spec/device-trust.md §4.5, §4.13).

The value is a list of one element: the object of §4.7, and beside its members the number of the change that
wrote it, by whom and when. An object without them was written before they were kept: version 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from powerauth_contracts import moments
from powerauth_core.applications.config_keys import (
    FIDO2_AAGUIDS_ALLOWED,
    FIDO2_ATTESTATION_FMT_ALLOWED,
    FIDO2_ROOT_CA_CERTS,
)
from powerauth_core.kernel.errors import InvalidKeyFormat
from powerauth_core.passkeys.refusals import PolicyRefused

if TYPE_CHECKING:
    from powerauth_core.passkeys.policy import Policy

VERSION: Final = "version"
CHANGED_BY: Final = "changedBy"
CHANGED_AT: Final = "changedAt"

UPSTREAM: Final = (FIDO2_ATTESTATION_FMT_ALLOWED, FIDO2_AAGUIDS_ALLOWED, FIDO2_ROOT_CA_CERTS)
"""The original's keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPolicy:
    """A policy as it is stored.

    :ivar version: rises by one with each change
    :ivar changed_by: who changed it, if the caller said so
    :ivar changed_at: naive UTC
    """

    policy: Policy
    version: int = 0
    changed_by: str | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamKeys:
    """What the original's configuration keys say; elements that are no text count as absent ones.

    :ivar formats: ``fido2_attestation_fmt_allowed``; None: no such key, empty: none is allowed
    :ivar aaguids: ``fido2_aaguids_allowed`` in lower case, likewise
    :ivar roots: ``fido2_root_ca_certs``, PEM
    """

    formats: frozenset[str] | None = None
    aaguids: frozenset[str] | None = None
    roots: tuple[str, ...] = ()


def read(values: Sequence[Any], *, dev_mode: bool) -> StoredPolicy:
    """The policy in the values of the key.

    :raises InvalidKeyFormat: they hold none; then nothing may be decided, for without one all is allowed
    """
    from powerauth_core.passkeys import policy as policies  # noqa: PLC0415 - certificates: costs a start

    members, version = _members(values), version_of(values)
    if members is None or members.get(VERSION, 0) != version:
        raise InvalidKeyFormat
    try:
        policy = policies.read(members, root_names=(), stored=True, dev_mode=dev_mode)
        changed_at = members.get(CHANGED_AT)
        return StoredPolicy(
            policy=policy,
            version=version,
            changed_by=members.get(CHANGED_BY),
            changed_at=None if changed_at is None else moments.from_ms(changed_at),
        )
    except (PolicyRefused, ValueError, TypeError):
        raise InvalidKeyFormat from None


def version_of(values: Sequence[Any]) -> int:
    """The number of the change that wrote the values, if they hold no policy too; 0: they tell none."""
    number = (_members(values) or {}).get(VERSION)
    return number if type(number) is int and number > 0 else 0


def to_store(stored: StoredPolicy) -> list[dict[str, Any]]:
    """The values of the key."""
    from powerauth_core.passkeys import policy as policies  # noqa: PLC0415 - as above

    when = None if stored.changed_at is None else moments.to_ms(stored.changed_at)
    change = {VERSION: stored.version, CHANGED_BY: stored.changed_by, CHANGED_AT: when}
    return [policies.written(stored.policy) | {name: one for name, one in change.items() if one is not None}]


def upstream_keys(values: Mapping[str, Sequence[Any]]) -> UpstreamKeys:
    """The original's keys from their values; those that are not there say nothing."""
    formats, aaguids = values.get(FIDO2_ATTESTATION_FMT_ALLOWED), values.get(FIDO2_AAGUIDS_ALLOWED)
    return UpstreamKeys(
        formats=None if formats is None else frozenset(_texts(formats)),
        aaguids=None if aaguids is None else frozenset(text.lower() for text in _texts(aaguids)),
        roots=tuple(_texts(values.get(FIDO2_ROOT_CA_CERTS, ()))),
    )


def _members(values: Sequence[Any]) -> Mapping[str, Any] | None:
    members = values[0] if len(values) == 1 else None
    return members if isinstance(members, Mapping) else None


def _texts(values: Sequence[Any]) -> list[str]:
    return [value for value in values if isinstance(value, str)]
