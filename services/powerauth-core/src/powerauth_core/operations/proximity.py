"""The proximity code of an operation: seed, current code, check (spec/protocol-v3.md §8.9)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from powerauth_core.kernel.changes import PROXIMITY_OTP
from powerauth_core.kernel.errors import OperationFailure
from powerauth_core.operations.rules import ProximityResult
from powerauth_core.settings import ProtocolSettings
from powerauth_protocol.common import totp
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import EncodingError
from servicekit import clock

SEED_BYTES = 16
"""Member of the additional data in which an approval brings the code."""


def new_seed() -> str:
    """Base64 of a fresh random seed."""
    return b64encode(os.urandom(SEED_BYTES))


def current_otp(settings: ProtocolSettings, seed: str | None) -> str | None:
    """The code of this moment; None without a proximity check.

    :raises OperationFailure: the stored seed is unreadable
    """
    if seed is None:
        return None
    try:
        return totp.totp(
            b64decode(seed),
            clock.now_ms() // 1000,
            settings.proximity_check_step_seconds,
            settings.proximity_check_otp_length,
        )
    except EncodingError:
        raise OperationFailure() from None


def check(
    settings: ProtocolSettings, seed: str | None, additional_data: Mapping[str, Any]
) -> ProximityResult:
    """Compare the code in the additional data with the current and the accepted past ones."""
    if seed is None:
        return ProximityResult.DISABLED
    otp = additional_data.get(PROXIMITY_OTP)
    if otp is None:
        return ProximityResult.FAILED
    if not isinstance(otp, str):
        return ProximityResult.ERROR
    try:
        accepted = totp.validate(
            otp,
            b64decode(seed),
            clock.now_ms() // 1000,
            settings.proximity_check_step_seconds,
            settings.proximity_check_otp_length,
            settings.proximity_check_step_count,
        )
    except EncodingError:
        return ProximityResult.ERROR
    return ProximityResult.SUCCESS if accepted else ProximityResult.FAILED
