"""Number matching: the user finds on the phone the number that the bank shows (spec/core-api.md §19.10).

What the phone shows is stored as it is; the number itself is a secret of the operation's row (D5, D13).
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, replace
from typing import Any

from powerauth_core.kernel.records import RecordCipher, operation_number_parts
from powerauth_core.operations.stored import OperationRow
from powerauth_core.templates.rules import NumberMatching

_RANDOM = secrets.SystemRandom()


@dataclass(frozen=True, slots=True)
class Made:
    """Columns of a new operation.

    :ivar shown: what the phone is told: ``digits``, and ``choices`` in the order in which it shows them
    :ivar secret: the number, encrypted as `encryption` says
    """

    shown: dict[str, Any] | None = None
    secret: str | None = None
    encryption: int = 0


def make(cipher: RecordCipher, wanted: NumberMatching | None, operation_id: str) -> Made:
    """A random number for an operation, and what the phone is to ask for; nothing if it is not wanted."""
    if wanted is None:
        return Made()
    numbers = _RANDOM.sample(range(10**wanted.digits), max(wanted.choices, 1))
    texts = [str(number).zfill(wanted.digits) for number in numbers]
    mode, secret = cipher.encrypt_text(operation_number_parts(operation_id), secrets.choice(texts))
    shown = {"digits": wanted.digits} | ({"choices": texts} if wanted.choices else {})
    return Made(shown, secret, mode.value)


def number(cipher: RecordCipher, row: OperationRow) -> str | None:
    """The number that the bank shows; None without number matching.

    :raises CoreError: as `RecordCipher.decrypt_text`
    """
    if row.number_secret is None:
        return None
    parts = operation_number_parts(row.id)
    return cipher.decrypt_text(row.number_secret_encryption, parts, row.number_secret)


def matches(cipher: RecordCipher, row: OperationRow, given: str | None) -> bool | None:
    """Whether an approval brings the right number; None without number matching.

    :raises CoreError: as `RecordCipher.decrypt_text`
    """
    right = number(cipher, row)
    return None if right is None else hmac.compare_digest(right.encode(), (given or "").encode())


def under(cipher: RecordCipher, row: OperationRow, operation_id: str) -> OperationRow:
    """A new operation under another id, to which its number is bound."""
    right = number(cipher, row)
    if right is None:
        return replace(row, id=operation_id)
    mode, secret = cipher.encrypt_text(operation_number_parts(operation_id), right)
    return replace(row, id=operation_id, number_secret=secret, number_secret_encryption=mode.value)
