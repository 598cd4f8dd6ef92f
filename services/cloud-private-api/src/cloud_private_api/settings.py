"""Settings of this service, read from ``CLOUD_*`` variables (spec/cloud-api.md §15).

The original's names are read too, with lower priority: ``POWERAUTH_CLOUD_CORE_URL`` is ``CLOUD_CORE_URL``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy.engine import make_url

from cloud_private_api.passwords import is_hash
from cloud_private_api.start_rules import OAUTH2_RULES, RULES
from servicekit.audit_export.settings import AuditExportSettings
from servicekit.callers import TrustedProxies
from servicekit.calls.settings import InternalCallSettings
from servicekit.database_urls import parsed_url
from servicekit.settings import (
    MEBIBYTE,
    BusSettings,
    DatabaseSettings,
    Listed,
    ServiceSettings,
    ServiceUrl,
)
from servicekit.start_rules import Rule, authority_of

ORIGINAL_PREFIX = "POWERAUTH_CLOUD_"
DERIVATION_KEY_BYTES = 32
_JDBC = "jdbc:"
_ALGORITHMS = frozenset(f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512))
_JDBC_EXAMPLE = "jdbc:postgresql://host:5432/database"

_DOCUMENTED = (
    "datasource_",
    "service_",
    "admin_",
    "core_",
    "push_",
    "http_",
    "security_",
    "bus_",
    "offline_",
    "audit_",
)


class CoreConnectionSettings(ServiceSettings, InternalCallSettings):
    """Where the core is and how to call it. Durations in seconds."""

    core_url: ServiceUrl = "http://localhost:8080/powerauth-java-server"
    """The core's context path."""
    core_username: str = ""
    """Name of this service's integration of kind `rest`."""
    core_password: SecretStr = SecretStr("")
    """Its secret."""
    http_connect_timeout: float = Field(default=5.0, gt=0)
    """How long connecting may take, in seconds."""
    http_response_timeout: float = Field(default=60.0, gt=0)
    """How long an answer may take, in seconds."""
    http_max_connections: int = Field(default=100, ge=1)
    """Connections to one service at most."""


class PushConnectionSettings(ServiceSettings):
    """Where the push service is, and what users are told by it (§13.2). Durations in seconds."""

    push_url: ServiceUrl = ""
    """The push service's context path; empty: nothing is announced, communication endpoints refuse."""
    push_username: str = ""
    """Name of this service as a caller of push."""
    push_password: SecretStr = SecretStr("")
    """Its secret."""
    push_default_title: str = "Approval request"
    """Title of a message about an operation whose template has no push text."""
    push_default_message: str = "Open the app to review it."
    """Text of such a message."""
    push_default_language: str = Field(default="en", pattern=r"^[a-z]{2}$")
    """Language of push texts when the bank asks for none."""
    push_cache_seconds: float = Field(default=10.0, ge=0)
    """How long another process may go on with a push text that was changed, or with what push last said of
    applications."""


class SecuritySettings(ServiceSettings):
    """How callers prove who they are (§1.3). Durations in seconds."""

    start_rules: ClassVar[tuple[Rule, ...]] = OAUTH2_RULES

    security_auth_type: Literal["BASIC_HTTP", "OAUTH2"] = "BASIC_HTTP"
    """HTTP Basic by users of this service, or access tokens of an identity provider."""
    security_auth_basic_cache_seconds: float = Field(default=86_400.0, ge=0)
    """How long a verified password is remembered, unless its user changes; 0 = not at all."""
    security_auth_basic_failures_per_address: int = Field(default=30, ge=0)
    """Wrong passwords a minute from one address (IPv4 address, IPv6 network); 0 = any number (D28)."""
    security_auth_basic_failures_per_name: int = Field(default=10, ge=0)
    """Wrong passwords a minute for one user name from one address; 0 = any number."""
    security_auth_basic_waiting_hashes: int = Field(default=100, ge=1)
    """Password hashes that may wait; beyond them callers are told to come again."""
    trusted_proxies: Listed[str] = Field(default=(), examples=["10.0.0.0/8"])
    """Networks (CIDR, comma-separated) whose ``X-Forwarded-For`` tells the client's address."""
    security_auth_facts_cache_seconds: float = Field(default=10.0, ge=0)
    """How long roles, applications and the password hash of a user may be remembered by another process."""
    security_auth_oauth2_issuer_uri: ServiceUrl = ""
    """Issuer of access tokens, whose metadata tells its keys."""
    security_auth_oauth2_jwk_set_uri: ServiceUrl = ""
    """Where its keys are; empty: as its metadata says."""
    security_auth_oauth2_audiences: Listed[str] = ()
    """Audiences of which a token has to name one."""
    security_auth_oauth2_roles_claim: str = "roles"
    """Claim with the caller's roles."""
    security_auth_oauth2_principal_claim: str = "sub"
    """Claim with the caller's name."""
    security_auth_oauth2_applications_claim: str = "applications"
    """Claim with the applications that the caller may work with."""
    security_auth_oauth2_algorithms: Listed[str] = Field(default=("RS256",), examples=["RS256,ES256"])
    """Algorithms of signatures that are accepted, asymmetric ones."""
    security_auth_oauth2_own_issuer: str = ""
    """Issuer of this product's own tokens: they are refused, they are made for end users."""
    admin_username: str = ""
    """Name of the first administrator; empty: none is made."""
    admin_password_encoded: SecretStr = SecretStr("")
    """Seed of the first administrator: bcrypt or argon2 hash. An existing user is never overwritten."""

    @field_validator("security_auth_oauth2_algorithms")
    @classmethod
    def _are_asymmetric(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not _ALGORITHMS.issuperset(value):
            raise ValueError("takes the algorithms RS, PS and ES with 256, 384 and 512 only")
        return value

    @field_validator("admin_password_encoded")
    @classmethod
    def _is_a_hash(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and not is_hash(value.get_secret_value()):
            raise ValueError("is no hash of a password; `powerauth admin hash` makes one")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        TrustedProxies(value)
        return value


class CloudSettings(
    CoreConnectionSettings,
    PushConnectionSettings,
    SecuritySettings,
    AuditExportSettings,
    DatabaseSettings,
    BusSettings,
):
    """All settings. Secrets are also read from the files named by ``CLOUD_…_FILE`` variables."""

    model_config = SettingsConfigDict(env_prefix="CLOUD_")
    start_rules: ClassVar[tuple[Rule, ...]] = RULES
    larger_bodies: ClassVar[Mapping[str, int]] = {"/admin/mds": 32 * MEBIBYTE}

    root_path: str = "/powerauth-cloud"
    port: int = Field(default=8000, ge=0, le=65535)
    database_url: SecretStr = SecretStr("sqlite+aiosqlite:///./data/cloud.sqlite3")
    datasource_url: str = Field(default="", examples=[_JDBC_EXAMPLE])
    """The original's form, ``jdbc:postgresql://host/database``; wins over ``database_url`` when set."""
    datasource_username: str = ""
    """User that is put into ``datasource_url``."""
    datasource_password: SecretStr = SecretStr("")
    """Password that is put into ``datasource_url``."""
    migrate_on_start: bool | None = None
    """Bring the schema up to date at start; unset: on SQLite yes, on PostgreSQL only outside production."""
    service_base_url: ServiceUrl = ""
    """Seed of the property ``service.base.url``: public address of the enrollment service."""
    offline_derivation_key: SecretStr = SecretStr("")
    """Base64 of 32 bytes; needed only for offline approval with proximity check (§14.3)."""
    offline_derivation_previous_keys: SecretStr = SecretStr("")
    """Other keys, comma-separated: QR codes that were made with them can be answered too."""
    audit_default_days: int = Field(default=30, ge=1, le=3650)
    """How far back audit queries and histories look when they do not say."""
    audit_cleanup_days: int = Field(default=365, ge=0)
    """Age after which this service's own audit records are deleted; 0 keeps them for ever."""
    application_cache_seconds: float = Field(default=300.0, ge=0)
    """How long what is remembered of an application may be used."""
    application_cache_size: int = Field(default=10_000, ge=1)
    """Applications that a process remembers."""
    registration_cache_size: int = Field(default=50_000, ge=1)
    """Registrations that a process remembers."""
    text_cache_seconds: float = Field(default=300.0, ge=0)
    """How long localised texts of operations may be used."""

    @field_validator("datasource_url")
    @classmethod
    def _is_a_datasource(cls, value: str) -> str:
        url = value.removeprefix(_JDBC)
        if url and (not url.startswith("postgresql://") or authority_of(url) is None):
            raise ValueError("is no JDBC URL of a PostgreSQL database")
        if url:
            parsed_url(url)
        return value

    @field_validator("offline_derivation_key", "offline_derivation_previous_keys")
    @classmethod
    def _are_keys(cls, value: SecretStr) -> SecretStr:
        _decode_keys(value)
        return value

    @field_validator("offline_derivation_key")
    @classmethod
    def _is_one_key(cls, value: SecretStr) -> SecretStr:
        if len(_decode_keys(value)) > 1:
            raise ValueError("there is one offline derivation key")
        return value

    @property
    def derivation_keys(self) -> list[bytes]:
        """The offline derivation keys of 32 bytes, the present one first; none without a present one."""
        present = _decode_keys(self.offline_derivation_key)
        return present + _decode_keys(self.offline_derivation_previous_keys) if present else []

    @property
    def effective_database_url(self) -> str:
        """The database to open, credentials included. Secret."""
        if not self.datasource_url:
            return self.database_url.get_secret_value()
        url = make_url(self.datasource_url.removeprefix(_JDBC))
        if self.datasource_username:
            url = url.set(username=self.datasource_username)
        if self.datasource_password.get_secret_value():
            url = url.set(password=self.datasource_password.get_secret_value())
        return url.render_as_string(hide_password=False)

    @property
    def migrate_url(self) -> str:
        """The database to migrate, credentials included. Secret."""
        return self.migrate_url_or(self.effective_database_url)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *args: Any, **sources: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """As all services, and last the original's variable names."""
        original = _OriginalNames(settings_cls, env_prefix=ORIGINAL_PREFIX)
        return (*super().settings_customise_sources(settings_cls, *args, **sources), original)


class _OriginalNames(EnvSettingsSource):
    """The original's variables, only those it documents.

    A container platform may set others with this prefix, such as ``POWERAUTH_CLOUD_PORT=tcp://…``.
    """

    def __call__(self) -> dict[str, Any]:
        """The values that are set."""
        return {name: value for name, value in super().__call__().items() if name.startswith(_DOCUMENTED)}


def _decode_keys(value: SecretStr) -> list[bytes]:
    try:
        texts = value.get_secret_value().replace(",", " ").split()
        keys = [base64.b64decode(text, validate=True) for text in texts]
    except (binascii.Error, ValueError):
        raise ValueError("an offline derivation key is not Base64") from None
    if any(len(key) != DERIVATION_KEY_BYTES for key in keys):
        raise ValueError("an offline derivation key must be Base64 of 32 bytes")
    return keys
