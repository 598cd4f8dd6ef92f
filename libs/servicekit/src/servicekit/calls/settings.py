"""Settings of calls from one of our services to another."""

from __future__ import annotations

import ssl
from typing import ClassVar

from pydantic import Field
from pydantic_settings import BaseSettings

from servicekit.settings import OptionalPath
from servicekit.start_rules import Rule
from servicekit.tls.contexts import TlsFiles, calling_context
from servicekit.tls.rules import authority_rules, pair_rules


class InternalCallSettings(BaseSettings):
    """Mixin: whom our services believe among each other over ``https``, and how they show who they are. Calls
    to others than our services have nothing to do with it.
    """

    start_rules: ClassVar[tuple[Rule, ...]] = (
        *authority_rules("internal_ca_path"),
        *pair_rules("internal_certificate_path", "internal_key_path"),
    )

    internal_ca_path: OptionalPath = Field(default=None, examples=["/run/tls/ca.crt"])
    """PEM file of authorities that vouch for our other services; unset: those of the system. Renewed files
    are used from the next connection on, as are those of certificate and key."""
    internal_certificate_path: OptionalPath = Field(default=None, examples=["/run/tls/tls.crt"])
    """PEM file of the certificate that this service shows to the others, where they ask for one."""
    internal_key_path: OptionalPath = Field(default=None, examples=["/run/tls/tls.key"])
    """PEM file of its key, without a password."""

    def internal_tls(self) -> ssl.SSLContext | None:
        """TLS of calls to our other services; None: the system's.

        :raises OSError: a file cannot be used
        """
        files = TlsFiles(self.internal_certificate_path, self.internal_key_path, self.internal_ca_path)
        return calling_context(files, "internal") if files != TlsFiles() else None
