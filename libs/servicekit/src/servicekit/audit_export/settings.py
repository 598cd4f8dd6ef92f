"""Where the audit log is streamed to."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from servicekit.audit_export.formats import Format
from servicekit.start_rules import Rule, Weight

_SYSLOG_PORT = 6514


class AuditExportSettings(BaseSettings):
    """Mixin: the stream of the audit log to another system (docs/audit.md)."""

    start_rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "audit_export_key_path",
            lambda settings: (
                (settings.audit_export_certificate_path is None) != (settings.audit_export_key_path is None)
            ),
            "a certificate and its key go together",
            weight=Weight.ALWAYS,
        ),
    )

    audit_export_url: str = Field(default="", examples=["syslog+tls://siem.bank:6514"])
    """Where every record of the audit log is sent: ``file:///path``, or ``syslog+tls://host:port``; empty:
    nowhere."""
    audit_export_format: Format = Format.ECS
    """Elastic Common Schema or OCSF."""
    audit_export_ca_path: Path | None = None
    """PEM: authorities of the receiver; unset: those of the system."""
    audit_export_certificate_path: Path | None = None
    """PEM: what is shown to the receiver."""
    audit_export_key_path: Path | None = None
    """PEM: its key, without a password."""
    audit_export_close_notify: bool = True
    """Whether a delivery is done only when the receiver has ended TLS with ``close_notify``, as the protocol
    says. Off: the end of the connection will do, for a receiver that says no more; whoever is on the way can
    then have records left out."""
    audit_export_batch: int = Field(default=500, ge=1, le=10_000)
    """Records of one delivery."""
    job_audit_export_ms: int = Field(default=1_000, ge=0)
    """How often new records are looked for; 0: not by this process."""

    @field_validator("audit_export_url")
    @classmethod
    def _is_a_target(cls, value: str) -> str:
        if value:
            target_of(value)
        return value


def target_of(url: str) -> Path | tuple[str, int]:
    """The file, or host and port of a receiver.

    :raises ValueError: neither
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path and not parts.netloc:
        return Path(parts.path)
    if parts.scheme == "syslog+tls" and parts.hostname and parts.path in ("", "/") and not parts.username:
        return parts.hostname, parts.port or _SYSLOG_PORT
    raise ValueError("is neither file:///path nor syslog+tls://host:port")
