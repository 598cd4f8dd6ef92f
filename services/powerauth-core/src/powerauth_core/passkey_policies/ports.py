"""What rooms above use of this one."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.passkey_policies.cache import PasskeyPolicies


class WithPasskeyPolicies(Protocol):
    """Has `passkey_policies`."""

    @property
    def passkey_policies(self) -> PasskeyPolicies: ...
