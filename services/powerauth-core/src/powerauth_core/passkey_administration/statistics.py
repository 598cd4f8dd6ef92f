"""Numbers of an application's passkeys (spec/device-trust.md §4.13)."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.passkey_administration.rules import Side
from powerauth_core.passkey_records.stored import Passkey
from powerauth_core.passkeys.attestation.trust import Trust
from powerauth_core.passkeys.classification import Classified
from powerauth_core.passkeys.refusals import PolicyCode

MOST = 1_000
"""Names that are counted apart: of models their clients choose them, of reasons whoever blocks."""

_VERDICTS = frozenset(PolicyCode)


@dataclass(slots=True)
class Statistics:
    """What is counted of passkeys, as large for a million as for ten.

    :ivar side: what they are judged by
    :ivar models: by AAGUID
    :ivar names: what the models are called
    :ivar blocked: by the policy's code, or the reason of a BLOCKED activation
    :ivar monitored: what ``enforce`` would have said, under ``monitor``
    """

    side: Side
    total: int = 0
    models: Counter[uuid.UUID] = field(default_factory=Counter)
    names: dict[uuid.UUID, str | None] = field(default_factory=dict)
    types: Counter[Classified] = field(default_factory=Counter)
    trust: Counter[Trust] = field(default_factory=Counter)
    blocked: Counter[str] = field(default_factory=Counter)
    monitored: Counter[str] = field(default_factory=Counter)

    def add(self, passkeys: Iterable[Passkey]) -> None:
        """Count more of them."""
        for passkey in passkeys:
            extras = passkey.extras
            self.total += 1
            self.types[passkey.stored.classified(self.side.known_synced)] += 1
            self.trust[extras.att_trust] += 1
            if _counts(self.models, extras.aaguid):
                self.models[extras.aaguid] += 1
                self.names.setdefault(extras.aaguid, passkey.activation.device_info)
            if extras.att_reason in _VERDICTS:
                self.monitored[extras.att_reason] += 1
            reason = self._blocked(passkey)
            if reason is not None and _counts(self.blocked, reason):
                self.blocked[reason] += 1

    def _blocked(self, passkey: Passkey) -> str | None:
        if passkey.status is ActivationStatus.BLOCKED:
            return passkey.activation.blocked_reason
        return self.side.blocked(passkey)


def _counts(counter: Counter[Any], name: object) -> bool:
    """Whether there is room for one more of this name."""
    return name in counter or len(counter) < MOST
