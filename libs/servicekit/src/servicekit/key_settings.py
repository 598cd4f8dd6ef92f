"""Settings of services that encrypt and bind what their database holds (D5, D34)."""

from __future__ import annotations

import base64
import binascii
from typing import ClassVar

from pydantic import SecretStr, field_validator
from pydantic_settings import BaseSettings

from servicekit.start_rules import Rule, Weight

MASTER_KEY_BYTES = 16


def decode_keys(text: str) -> list[bytes]:
    """Decode master keys, separated by commas or white space.

    :raises ValueError: one is not Base64 of 16 bytes
    """
    try:
        keys = [base64.b64decode(each, validate=True) for each in text.replace(",", " ").split()]
    except (binascii.Error, ValueError):
        raise ValueError("a master encryption key is not Base64") from None
    if any(len(key) != MASTER_KEY_BYTES for key in keys):
        raise ValueError("a master encryption key must be Base64 of 16 bytes")
    return keys


class MasterKeySettings(BaseSettings):
    """Mixin: the keys that encrypt and bind what the database holds (D34)."""

    start_rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "master_encryption_key",
            lambda settings: settings.previous_master_keys and settings.master_key is None,
            "is not set, but there are previous ones",
            "the output of `openssl rand -base64 16`",
            Weight.ALWAYS,
        ),
    )

    master_encryption_key: SecretStr = SecretStr("")
    """Base64 of 16 bytes that encrypt and bind secrets at rest; empty: new ones are stored in clear."""
    previous_master_encryption_keys: SecretStr = SecretStr("")
    """Other keys that are still, or already, read, comma-separated (docs/operations.md, master keys)."""

    @field_validator("master_encryption_key")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        if len(decode_keys(value.get_secret_value())) > 1:
            raise ValueError("there is one master encryption key")
        return value

    @field_validator("previous_master_encryption_keys")
    @classmethod
    def _are_keys(cls, value: SecretStr) -> SecretStr:
        decode_keys(value.get_secret_value())
        return value

    @property
    def master_key(self) -> bytes | None:
        """The 16 bytes of the master encryption key, or None: nothing is encrypted."""
        return next(iter(decode_keys(self.master_encryption_key.get_secret_value())), None)

    @property
    def previous_master_keys(self) -> list[bytes]:
        """The other keys that are read."""
        return decode_keys(self.previous_master_encryption_keys.get_secret_value())
