"""Secrets of integrations at rest (D1 rule 7, D5, D13).

Secrets are random UUIDs: a plain SHA-256 cannot be searched for them and costs the hot path next to nothing.
"""

from __future__ import annotations

import hashlib

from powerauth_contracts.enums import IntegrationKind
from powerauth_core.integrations.models import Integration
from powerauth_core.kernel.errors import InvalidKeyFormat, UnsoundRecord
from powerauth_core.kernel.records import RecordCipher, integration_secret_parts

_HASH_MARK = "sha256:"


def digest(secret: str) -> bytes:
    """SHA-256 of a client secret."""
    return hashlib.sha256(secret.encode()).digest()


def store_secret(cipher: RecordCipher, row: Integration, secret: str) -> None:
    """Write a client secret: of the rest kind readable again, of the dmz kind only its hash.

    :raises UnsoundRecord: others have written the rest of the row
    """
    if not row.sound:
        raise UnsoundRecord
    if row.kind == IntegrationKind.DMZ:
        row.client_secret = _HASH_MARK + digest(secret).hex()
        row.client_secret_encryption = 0
        return
    mode, row.client_secret = cipher.encrypt_text(integration_secret_parts(row.id), secret)
    row.client_secret_encryption = mode.value


def readable_secret(cipher: RecordCipher, row: Integration) -> str:
    """The client secret of an integration of the rest kind.

    :raises UnsoundRecord: others have written it
    :raises InvalidKeyFormat: damaged, or of the dmz kind, which cannot be read again
    :raises MasterDbKeyMissing: encrypted, and there is no master key
    """
    if not row.sound:
        raise UnsoundRecord
    if row.kind != IntegrationKind.REST:
        raise InvalidKeyFormat
    parts = integration_secret_parts(row.id)
    return cipher.decrypt_text(row.client_secret_encryption, parts, row.client_secret)


def stored_digest(cipher: RecordCipher, row: Integration) -> bytes:
    """SHA-256 of the client secret, whatever the kind; raises as `readable_secret`."""
    if not row.sound:
        raise UnsoundRecord
    if row.kind == IntegrationKind.REST:
        return digest(readable_secret(cipher, row))
    mark, _, text = row.client_secret.rpartition(":")
    try:
        found = bytes.fromhex(text)
    except ValueError:
        raise InvalidKeyFormat from None
    if f"{mark}:" != _HASH_MARK or len(found) != hashlib.sha256().digest_size:
        raise InvalidKeyFormat
    return found
