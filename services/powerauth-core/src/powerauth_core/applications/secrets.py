"""Secrets of applications as their rows hold them (spec/core-api.md §24, D13)."""

from typing import Any

from powerauth_core.applications.models import ApplicationConfig, ApplicationVersion
from powerauth_core.kernel.errors import InvalidKeyFormat, UnsoundRecord
from powerauth_core.kernel.records import RecordCipher, application_secret_parts, application_text_parts
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.json_text import JsonError, read_json


def application_secret(cipher: RecordCipher, version: ApplicationVersion) -> str:
    """The application secret as Base64 text.

    :raises InvalidKeyFormat: the stored text is damaged, or the version has no key or secret
    :raises MasterDbKeyMissing: it is encrypted and there is no master key
    """
    if version.application_key is None or version.application_secret is None:
        raise InvalidKeyFormat
    parts = application_secret_parts(version.application_key)
    return b64encode(cipher.decrypt(version.application_secret_encryption, parts, version.application_secret))


def encrypt_application_secret(cipher: RecordCipher, application_key: str, secret: str) -> tuple[int, str]:
    """Mode and column text of an application secret given as Base64 text."""
    return cipher.encrypt(application_secret_parts(application_key), b64decode(secret))


def config_values(cipher: RecordCipher, application_id: str, config: ApplicationConfig) -> list[Any]:
    """The values of one configuration key.

    :raises UnsoundRecord: others have written it
    :raises InvalidKeyFormat: the stored text is damaged
    :raises MasterDbKeyMissing: it is encrypted and there is no master key
    """
    if not config.sound:
        raise UnsoundRecord
    if config.config_values is None:
        return []
    text = cipher.decrypt_text(
        config.encryption_mode, application_text_parts(application_id), config.config_values
    )
    try:
        values = read_json(text)
    except JsonError:
        raise InvalidKeyFormat from None
    return values if isinstance(values, list) else [values]
