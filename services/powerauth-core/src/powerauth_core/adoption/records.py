"""Whether the configured master key reads what the original encrypted (spec/core-api.md §24)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from powerauth_core.adoption import repository
from powerauth_core.adoption.report import Report
from powerauth_core.kernel import records
from powerauth_core.kernel.errors import CoreError
from powerauth_core.kernel.records import RecordCipher
from powerauth_protocol.common.record_encryption import EncryptionMode

_SAMPLE = 50
# A private key as the original's converter writes it; a wrong key rarely yields one that short (§24).
_KEY_BYTES = 33


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column that the original encrypts, and how its rows are read.

    :ivar query: the stored text first, then what the derivation parts are made of
    :ivar named: the mode is a name and the value a text; else a number and a private key
    """

    table: str
    column: str
    mode: str
    query: str
    parts: Callable[..., tuple[str, ...]]
    named: bool = False
    text: bool = False


SEALED_COLUMNS = (
    SealedColumn(
        "pa_activation",
        "server_private_key_base64",
        "server_private_key_encryption",
        "SELECT {column}, user_id, activation_id FROM {table} t",
        records.server_private_key_parts,
    ),
    SealedColumn(
        "pa_temporary_key",
        "private_key_base64",
        "private_key_encryption",
        "SELECT {column}, id, application_key, activation_id FROM {table} t",
        records.temporary_key_parts,
    ),
    SealedColumn(
        "pa_recovery_puk",
        "puk",
        "puk_encryption",
        "SELECT {column}, c.application_id, c.user_id, c.recovery_code, t.puk_index FROM {table} t"
        " JOIN pa_recovery_code c ON c.id = t.recovery_code_id",
        records.recovery_puk_parts,
        text=True,
    ),
    SealedColumn(
        "pa_recovery_config",
        "postcard_private_key_base64",
        "postcard_priv_key_encryption",
        "SELECT {column}, application_id FROM {table} t",
        records.postcard_key_parts,
    ),
    SealedColumn(
        "pa_application_callback",
        "authentication",
        "encryption_mode",
        "SELECT {column}, a.name FROM {table} t JOIN pa_application a ON a.id = t.application_id",
        records.application_text_parts,
        named=True,
        text=True,
    ),
    SealedColumn(
        "pa_application_config",
        "config_values",
        "encryption_mode",
        "SELECT {column}, a.name FROM {table} t JOIN pa_application a ON a.id = t.application_id",
        records.application_text_parts,
        named=True,
        text=True,
    ),
)


def examine_records(connection: Connection, cipher: RecordCipher, report: Report) -> None:
    """Add to the report which encrypted columns could not be read after the adoption."""
    for column in SEALED_COLUMNS:
        name = f"{column.table}.{column.column}"
        known = {mode.name if column.named else mode.value for mode in EncryptionMode}
        unknown = set(repository.modes(connection, column.table, column.mode)) - known
        if unknown:
            report.problems.append(
                f"{name} has records of unknown encryption modes: {', '.join(sorted(map(str, unknown)))}"
            )
        unreadable = list(_unreadable(connection, cipher, column))
        if not any(unreadable):
            continue
        if not cipher.encrypts:
            report.problems.append(
                f"{name} has encrypted records, and no master encryption key is configured"
            )
        elif all(unreadable):
            report.problems.append(f"{name} is encrypted with another master key than the configured one")
        else:
            report.notices.append(
                f"{name}: {sum(unreadable)} of {len(unreadable)} encrypted records looked at are unreadable"
            )


def _unreadable(connection: Connection, cipher: RecordCipher, column: SealedColumn) -> Iterator[bool]:
    sealed = EncryptionMode.AES_HMAC
    mode = sealed.name if column.named else sealed.value
    query = column.query.format(column=column.column, table=column.table)
    query += f" WHERE t.{column.mode} = :mode AND {column.column} IS NOT NULL LIMIT :limit"
    for stored, *of_parts in repository.sample(connection, query, mode, _SAMPLE):
        yield not _reads(cipher, column, mode, column.parts(*of_parts), stored)


def _reads(
    cipher: RecordCipher, column: SealedColumn, mode: Any, parts: tuple[str, ...], stored: str
) -> bool:
    try:
        if column.text:
            return bool(cipher.decrypt_text(mode, parts, stored))
        return len(cipher.decrypt(mode, parts, stored)) <= _KEY_BYTES
    except (CoreError, UnicodeDecodeError):
        return False
