"""The figures of an impact, collected passkey by passkey (spec/device-trust.md §4.13)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic.alias_generators import to_camel

from powerauth_core.passkey_administration.rules import Change
from powerauth_core.passkey_records.stored import Passkey
from powerauth_core.passkeys.classification import PasskeyType

SAMPLE = 20
"""Users who are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a change takes from users.

    :ivar credentials_total: ACTIVE passkeys
    :ivar credentials_blocked: those that work before the change and not after it; `by_reason` likewise
    :ivar sample_user_ids: some users affected, those locked out first
    """

    credentials_total: int
    credentials_blocked: int
    by_reason: dict[str, int]
    users_affected: int
    users_locked_out: int
    sample_user_ids: tuple[str, ...]
    unknown_type: int
    unattested_aaguids: int

    def members(self) -> dict[str, Any]:
        """The figures by the names that others see."""
        return {to_camel(name): value for name, value in asdict(self).items()}

    @property
    def taken(self) -> tuple[object, ...]:
        """What somebody agrees to who confirms them."""
        reasons = sorted(self.by_reason.items())
        return self.credentials_blocked, reasons, self.users_affected, self.users_locked_out


@dataclass(slots=True)
class Tally:
    """Figures that are still being collected; as large for a million passkeys as for ten."""

    change: Change
    _total: int = 0
    _unknown: int = 0
    _unattested: int = 0
    _reasons: Counter[str] = field(default_factory=Counter)
    _affected: int = 0
    _locked_out: int = 0
    _samples: dict[bool, list[str]] = field(default_factory=lambda: {True: [], False: []})

    def add(self, passkeys: Iterable[Passkey]) -> list[Passkey]:
        """Count ACTIVE passkeys; those that the change takes."""
        taken = []
        for passkey in passkeys:
            self._total += 1
            self._unknown += self.change.type_of(passkey).type is PasskeyType.UNKNOWN
            self._unattested += self.change.unattested(passkey)
            reason = self.change.takes(passkey)
            if reason is not None:
                self._reasons[str(reason)] += 1
                taken.append(passkey)
        return taken

    def add_users(self, users: Sequence[str], locked_out: Collection[str]) -> None:
        """Count users from whom the change takes a passkey, each once.

        :param locked_out: those of them who are left without anything
        """
        self._affected += len(users)
        self._locked_out += len(locked_out)
        for user in users:
            names = self._samples[user in locked_out]
            if len(names) < SAMPLE:
                names.append(user)

    def figures(self) -> Figures:
        """What was collected."""
        return Figures(
            credentials_total=self._total,
            credentials_blocked=self._reasons.total(),
            by_reason=dict(self._reasons.most_common()),
            users_affected=self._affected,
            users_locked_out=self._locked_out,
            sample_user_ids=tuple([*self._samples[True], *self._samples[False]][:SAMPLE]),
            unknown_type=self._unknown,
            unattested_aaguids=self._unattested,
        )
