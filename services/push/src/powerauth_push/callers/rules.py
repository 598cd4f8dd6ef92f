"""What a caller may call (spec/push-api.md §1, D23)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from powerauth_contracts.push import devices, inbox


class Scope(StrEnum):
    """What credentials open.

    `ENROLLMENT` opens what a phone may ask for, with the core's statement of who asks, and nothing else;
    `CALLBACK` only the call that the core's callbacks make. The others open all calls of a subject;
    `TRUSTED_DEVICE` lets its holder say whose an activation is instead of asking the core.
    """

    ENROLLMENT = "enrollment"
    CALLBACK = "callback"
    DEVICE = "device"
    TRUSTED_DEVICE = "device:trusted"
    MESSAGE = "message"
    CAMPAIGN = "campaign"
    INBOX = "inbox"
    ADMIN = "admin"


EVERYTHING = frozenset(Scope) - {Scope.ENROLLMENT, Scope.CALLBACK}
"""What the cloud service needs."""

_OF_PHONES = frozenset(
    call.path for call in (devices.CREATE, inbox.LIST, inbox.COUNT, inbox.DETAIL, inbox.READ, inbox.READ_ALL)
)
_BY_PREFIX = (
    ("/push/device/", Scope.DEVICE),
    ("/push/message/", Scope.MESSAGE),
    ("/push/campaign/", Scope.CAMPAIGN),
    ("/inbox/", Scope.INBOX),
    ("/admin/", Scope.ADMIN),
)
_GUARDED = ("/push/", "/inbox/", "/admin/")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    :ivar name: of the integration
    """

    name: str
    scopes: frozenset[Scope]

    @property
    def speaks_for_phones(self) -> bool:
        """Whether every call needs the core's statement of who asks."""
        return Scope.ENROLLMENT in self.scopes


ANONYMOUS = Caller("anonymous", EVERYTHING)
"""Everybody, where access is not restricted."""


def is_guarded(path: str) -> bool:
    """Whether only callers with credentials reach a path, or learn whether there is one."""
    return f"{path}/".startswith(_GUARDED)


def may_call(caller: Caller, path: str) -> bool:
    """Whether one of the caller's scopes opens a path; what is of no subject is open to all callers."""
    if Scope.ENROLLMENT in caller.scopes and path in _OF_PHONES:
        return True
    if Scope.CALLBACK in caller.scopes and path == devices.UPDATE_STATUS.path:
        return True
    needed = next((scope for prefix, scope in _BY_PREFIX if path.startswith(prefix)), None)
    if needed is None:
        return not caller.scopes <= {Scope.ENROLLMENT, Scope.CALLBACK}
    return needed in caller.scopes


def scopes_text(scopes: Iterable[Scope]) -> str:
    """How scopes are stored."""
    return " ".join(sorted(scope.value for scope in scopes))


def scopes_of(text: str) -> frozenset[Scope]:
    """Stored scopes; one that this release does not know opens nothing."""
    known = {scope.value: scope for scope in Scope}
    return frozenset(known[name] for name in text.split() if name in known)
