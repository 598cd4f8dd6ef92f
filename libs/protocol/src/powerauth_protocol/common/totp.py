"""Time-based one-time passwords of the proximity check (spec/protocol-v3.md §8.9)."""

from __future__ import annotations

import hmac

from powerauth_protocol.common.errors import EncodingError

DEFAULT_STEP_SECONDS = 30
DEFAULT_DIGITS = 8

_ALGORITHMS = {"SHA256": "sha256", "SHA512": "sha512"}


def totp(
    seed: bytes,
    unix_time: int,
    step: int = DEFAULT_STEP_SECONDS,
    digits: int = DEFAULT_DIGITS,
    algorithm: str = "SHA256",
) -> str:
    """Return the one-time password of a moment, zero padded (RFC 6238).

    :param unix_time: seconds since the epoch, 0 or more
    :param step: seconds per step
    :param digits: 1 to 8
    :param algorithm: ``SHA256`` or ``SHA512``
    :raises EncodingError: a parameter is out of range
    """
    if not 1 <= digits <= 8 or step < 1 or unix_time < 0 or algorithm not in _ALGORITHMS:
        raise EncodingError("TOTP parameter out of range")
    try:
        counter = (unix_time // step).to_bytes(8, "big")
    except OverflowError:
        raise EncodingError("TOTP parameter out of range") from None
    digest = hmac.digest(seed, counter, _ALGORITHMS[algorithm])
    offset = digest[-1] & 0x0F
    value = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{value % 10**digits:0{digits}d}"


def validate(
    otp: str,
    seed: bytes,
    unix_time: int,
    step: int = DEFAULT_STEP_SECONDS,
    digits: int = DEFAULT_DIGITS,
    backward_steps: int = 1,
    *,
    algorithm: str = "SHA256",
) -> bool:
    """Check a one-time password against the current step and the past ones, never a future one.

    :param backward_steps: number of past steps accepted
    :raises EncodingError: the password has a wrong length, or a parameter is out of range
    """
    if len(otp) != digits or backward_steps < 0:
        raise EncodingError("wrong length or number of steps")
    received = otp.encode("utf-8", "replace")
    matched = False
    for past in range(backward_steps + 1):
        moment = unix_time - past * step
        if moment < 0:
            break
        expected = totp(seed, moment, step, digits, algorithm).encode("ascii")
        matched |= hmac.compare_digest(expected, received)
    return matched
