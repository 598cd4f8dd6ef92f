"""Authentication of callbacks: at rest, merged on update (spec/core-api.md §18.1)."""

from __future__ import annotations

from powerauth_contracts.callback_authentication import SECRET_FIELDS, HttpAuthenticationPrivate
from powerauth_core.callbacks.models import CallbackUrl
from powerauth_core.kernel.errors import UnsoundRecord
from powerauth_core.kernel.records import RecordCipher, application_text_parts
from servicekit.kept_secrets import is_kept


def stored_authentication(
    cipher: RecordCipher, row: CallbackUrl, application_id: str
) -> HttpAuthenticationPrivate:
    """Read the authentication column.

    :raises UnsoundRecord: others have written it
    :raises CoreError: it is encrypted and cannot be decrypted (`RecordCipher.decrypt`)
    """
    if not row.sound:
        raise UnsoundRecord
    if not row.authentication:
        return HttpAuthenticationPrivate()
    parts = application_text_parts(application_id)
    text = cipher.decrypt_text(row.encryption_mode, parts, row.authentication)
    return HttpAuthenticationPrivate.model_validate_json(text)


def store_authentication(
    cipher: RecordCipher,
    row: CallbackUrl,
    application_id: str,
    authentication: HttpAuthenticationPrivate,
) -> None:
    """Write the authentication column, encrypted if a master key is configured."""
    text = authentication.model_dump_json(exclude_none=True)
    mode, row.authentication = cipher.encrypt_text(application_text_parts(application_id), text)
    row.encryption_mode = mode.name


def keep_secrets(
    requested: HttpAuthenticationPrivate, stored: HttpAuthenticationPrivate
) -> HttpAuthenticationPrivate:
    """The requested authentication; a secret that it leaves out or masks keeps its stored value."""
    merged = requested.model_copy(deep=True)
    for section, names in SECRET_FIELDS.items():
        new, old = getattr(merged, section), getattr(stored, section)
        if new is None or old is None:
            continue
        for name in names:
            if is_kept(getattr(new, name)):
                setattr(new, name, getattr(old, name))
    return merged
