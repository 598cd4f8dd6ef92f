"""Every call of the push service (spec/push-api.md §5)."""

from __future__ import annotations

from typing import Any

from powerauth_contracts.push import applications, campaigns, devices, inbox, messages, system
from powerauth_contracts.push.calls import PushCall

CALLS: tuple[PushCall[Any, Any], ...] = tuple(
    call
    for subject in (devices, messages, campaigns, inbox, applications, system)
    for call in vars(subject).values()
    if isinstance(call, PushCall)
)
