"""Whose a registration is, and which one it replaces (spec/push-api.md §6.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from powerauth_contracts.enums import ActivationStatus
from powerauth_contracts.push.devices import Platform
from powerauth_push.providers.messages import Environment

PROVIDERS: Mapping[str, str] = {
    Platform.APNS.value: "apns",
    Platform.IOS.value: "apns",
    Platform.FCM.value: "fcm",
    Platform.ANDROID.value: "fcm",
    Platform.HMS.value: "hms",
    Platform.HUAWEI.value: "hms",
}
"""Who delivers to a platform."""
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class NewDevice:
    """What an app says of itself.

    :ivar app_number: row of the application
    """

    app_number: int
    app_id: str
    token: str = field(repr=False)
    platform: Platform
    environment: Environment | None

    @property
    def digest(self) -> str:
        """What its token is looked up by."""
        return token_digest(self.token)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose an activation is.

    :ivar active: None: what the core says when it is registered
    """

    activation_id: str
    user_id: str
    active: bool | None


def token_digest(token: str) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


def masked(token: str) -> str:
    """What logs show of a token."""
    return f"{token[:_SHOWN]}…" if len(token) > 2 * _SHOWN else "…"


def is_active(status: str) -> bool:
    """Whether personal messages go to an activation."""
    return status == ActivationStatus.ACTIVE
