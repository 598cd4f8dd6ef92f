"""Settings that all services share. Each service derives its own class and sets its environment prefix.

A value comes from the environment (``CORE_PORT``) or from a file named there (``CORE_DATABASE_URL_FILE``),
the form in which a container platform hands out secrets. Lists are comma-separated. What a service must be
told before it may serve is said by rules beside its settings (`servicekit.start_rules`).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from servicekit.setting_sources import EnvironmentSource, FileSource
from servicekit.start_rules import (
    Rule,
    Weight,
    authority_of,
    is_loopback,
    is_unprotected,
)
from servicekit.tls.contexts import TlsFiles
from servicekit.tls.rules import DATABASE_FILES, LISTENER_RULES, url_files_rule, url_verifies_rule

MEBIBYTE = 1024 * 1024
T = TypeVar("T")

_PROTECTED_DATABASE = "postgresql://user:password@host/database?sslmode=verify-full&sslrootcert=/path"
_HTTP = re.compile(r"https?://[^\s\x00-\x1f]+\Z")
_DATABASE_SCHEMES = re.compile(r"(?:postgres|postgresql|sqlite)(?:\+[a-z0-9]+)?:")


def _is_open_database(url: str) -> bool:
    """Whether what goes to this database over the network can be read on the way."""
    from servicekit.database_urls import demands_tls, hosts_of, parsed_url  # noqa: PLC0415 - of who has one

    parsed = parsed_url(url)
    remote = any(not host.startswith("/") and not is_loopback(host) for host in hosts_of(parsed))
    return remote and not demands_tls(parsed)


def _is_service_url(url: str) -> str:
    """Empty, or what HTTP can be spoken to."""
    authority = authority_of(url)
    if url and not (_HTTP.match(url) and authority and authority[0]):
        raise ValueError("is no URL of HTTP")
    return url


def _is_expression(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return pattern


ServiceUrl = Annotated[str, AfterValidator(_is_service_url)]
"""The address of another service, ``http://…`` or ``https://…``; empty where none is needed."""


def _has_tracing() -> bool:
    try:
        return bool(version("opentelemetry-sdk") and version("opentelemetry-exporter-otlp-proto-http"))
    except PackageNotFoundError:
        return False


def _listed(value: object) -> object:
    """The members of a list that is written as one text."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("is neither comma-separated nor a JSON array") from None
    return [part.strip() for part in value.split(",") if part.strip()]


Listed = Annotated[tuple[T, ...], NoDecode, BeforeValidator(_listed)]
"""A list: comma-separated in the environment; a JSON array is read too."""
OptionalPath = Annotated[Path | None, BeforeValidator(lambda value: value or None)]
"""The path of a file; empty: none."""


class ServiceSettings(BaseSettings):
    """What every service can be told. Durations in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True, validate_default=True)
    larger_bodies: ClassVar[Mapping[str, int]] = {}
    """Paths inside the service that take more than `max_body_bytes`, and how many bytes."""
    start_rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "management_port",
            lambda settings: settings.management_port is None,
            "not set: readiness, metrics and the API document are served nowhere",
            "9090",
            Weight.NEVER,
        ),
        Rule(
            "management_port",
            lambda settings: settings.management_port and settings.management_port == settings.port,
            "is the service's own port",
            "9090",
            Weight.ALWAYS,
        ),
        Rule(
            "workers",
            lambda settings: settings.workers > 1 and sys.platform != "linux",
            "several processes on one port need Linux",
            "1",
            Weight.ALWAYS,
        ),
        Rule(
            "tracing_endpoint",
            lambda settings: settings.tracing_endpoint and not _has_tracing(),
            "needs packages that are not installed: the extra `tracing` of servicekit",
            "",
            Weight.ALWAYS,
        ),
        Rule(
            "tracing_endpoint",
            lambda settings: bool(urlsplit(settings.tracing_endpoint).query),
            "has a query: a key in it would get into logs, here and at the collector",
            "https://collector:4318",
            Weight.ALWAYS,
        ),
        Rule(
            "tracing_endpoint",
            lambda settings: is_unprotected(settings.tracing_endpoint, "http"),
            "what calls what, and when, goes through the network unencrypted",
            "https://collector:4318",
            Weight.NEVER,
        ),
        Rule(
            "log_level",
            lambda settings: settings.log_level == "DEBUG",
            "DEBUG tells more about customers than production logs should hold",
            "INFO",
            Weight.NEVER,
        ),
        *LISTENER_RULES,
    )
    """What this class asks of its settings before a service may serve with them."""
    imported_at_start: ClassVar[tuple[str, ...]] = ()
    """Modules that a start imports when it comes to them, and before workers are forked: these share them."""

    environment: Literal["development", "test", "production"] = "development"
    """With ``production`` the rules of production hold."""
    host: str = "127.0.0.1"
    """Address to listen on; ``0.0.0.0`` or ``::`` are all of this machine."""
    port: int = Field(default=8080, ge=0, le=65535)
    """Port to listen on; 0: any free one."""
    root_path: str = ""
    """The context path, for instance ``/powerauth-java-server``."""
    workers: int = Field(default=1, ge=1, le=64)
    """Processes that serve on the one port, each with pools, caches and limits of its own; as many as there
    are cores use a machine up (docs/operations.md)."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """The least grave lines that are written."""
    log_json: bool = True
    """One JSON object a line; else text for people."""
    request_log: bool = True
    """One line a request at level INFO."""

    max_body_bytes: int = Field(default=MEBIBYTE, ge=1024)
    """A larger body is refused with 413, before it is read as a whole."""
    max_header_bytes: int = Field(default=8192, ge=256)
    """Bound of a single header value (spec/enrollment-api.md §4.6)."""

    management_host: str | None = None
    """Where the management port listens; unset: on ``host``."""
    management_port: int | None = Field(default=None, ge=0, le=65535)
    """Metrics, health in detail, version and API document are served there and nowhere else; unset: on the
    service's own port, in production nowhere."""
    management_tls: bool = False
    """Whether the management port is served with the service's certificate; nobody is asked for one there."""
    tls_certificate_path: OptionalPath = Field(default=None, examples=["/run/tls/tls.crt"])
    """PEM file of the service's certificate and those between it and its authority; unset: no TLS. Renewed
    files are used from the next connection on."""
    tls_key_path: OptionalPath = Field(default=None, examples=["/run/tls/tls.key"])
    """PEM file of its key, without a password."""
    tls_client_ca_path: OptionalPath = Field(default=None, examples=["/run/tls/ca.crt"])
    """PEM file of authorities: a client has to show a certificate of one of them; unset: nobody is asked."""
    tls_client_names: Listed[str] = Field(default=(), examples=["enrollment.bank,spiffe://bank/cloud"])
    """DNS names and URIs of which a client's certificate has to have one, exactly; empty: all are let in that
    an authority vouches for."""
    tls_handshake_seconds: float = Field(default=10.0, gt=0)
    """How long a client may take for it before its connection is closed."""
    health_cache_seconds: float = Field(default=1.0, ge=0)
    """How long the outcome of a health check is told to all who ask."""

    correlation_header_enabled: bool = True
    """Whether an id that a request brings stands in the log lines about it and goes along to other
    services."""
    correlation_header_name: str = Field(default="X-Correlation-ID", pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
    """The header that brings it."""
    correlation_header_pattern: Annotated[str, AfterValidator(_is_expression)] = r"[a-zA-Z0-9\-]{8,1024}"
    """Regular expression that the whole id has to match; another one is replaced."""

    tracing_endpoint: ServiceUrl = Field(default="", examples=["http://collector:4318"])
    """Where spans are sent by OTLP over HTTP; without a path, to ``/v1/traces`` there. Empty: there are none,
    and ``traceparent`` is neither read nor sent."""
    tracing_sample_ratio: float = Field(default=0.1, ge=0, le=1)
    """Share of the traces beginning here that are recorded; one that began elsewhere is, if it is there."""
    tracing_trust_incoming: bool = True
    """Whether a caller's ``traceparent`` is gone on with; else each request begins a trace."""

    metrics_enabled: bool = False
    """Whether metrics of Prometheus are served."""
    swagger_enabled: bool = True
    """Whether the API document and its page are served."""
    graceful_shutdown_seconds: int = Field(default=20, ge=0)
    """How long requests that were accepted may take to end when the service is told to stop."""
    drain_seconds: float | None = Field(default=None, ge=0)
    """How long a kept-alive connection without a request stays open for one more, when the service is told to
    stop; unset: 6 s in production, else not at all."""
    receive_seconds: float = Field(default=30.0, gt=0)
    """How long a request may take to arrive, from its first byte to its last."""
    keep_alive_seconds: int = Field(default=75, ge=1)
    """How long a connection without a request stays open."""
    max_concurrent_requests: int | None = Field(default=None, ge=1)
    """Above it new requests are answered with 503; unset: no bound but the database pool's queue."""

    @model_validator(mode="after")
    def _normalise_root_path(self) -> ServiceSettings:
        root = self.root_path.strip("/")
        object.__setattr__(self, "root_path", f"/{root}" if root else "")
        return self

    @property
    def traces_url(self) -> str:
        """Where spans are posted."""
        has_path = urlsplit(self.tracing_endpoint).path.strip("/")
        return self.tracing_endpoint if has_path else self.tracing_endpoint.rstrip("/") + "/v1/traces"

    @property
    def management_on_service_port(self) -> bool:
        """Whether metrics, health in detail, version and API document stand beside the service itself."""
        return self.management_port is None and not self.production

    @property
    def tls_files(self) -> TlsFiles | None:
        """What the service's port is served with; None: no TLS."""
        if self.tls_certificate_path is None:
            return None
        return TlsFiles(self.tls_certificate_path, self.tls_key_path, self.tls_client_ca_path)

    @property
    def production(self) -> bool:
        """Whether the environment is flagged production."""
        return self.environment == "production"

    @classmethod
    def all_start_rules(cls) -> tuple[Rule, ...]:
        """The rules of this class and of all that it is made of."""
        return tuple(rule for part in cls.__mro__ for rule in part.__dict__.get("start_rules", ()))

    @classmethod
    def all_imported_at_start(cls) -> tuple[str, ...]:
        """The modules that this class and all that it is made of name."""
        return tuple(name for part in cls.__mro__ for name in part.__dict__.get("imported_at_start", ()))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, the environment over the files that it names."""
        return init_settings, EnvironmentSource(settings_cls), FileSource(settings_cls)


class DatabaseSettings(BaseSettings):
    """Mixin: where the database is and how long to wait for it. Durations in seconds."""

    start_rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "database_url",
            lambda settings: settings.effective_database_url.startswith("sqlite"),
            "production needs a PostgreSQL database",
            "postgresql://user:password@host/database",
        ),
        Rule(
            "database_url",
            lambda settings: _is_open_database(settings.effective_database_url),
            "nothing demands TLS on the way to the database",
            _PROTECTED_DATABASE,
            Weight.NEVER,
        ),
        *(
            url_files_rule(setting, DATABASE_FILES, _PROTECTED_DATABASE)
            for setting in ("database_url", "database_migrate_url")
        ),
        Rule(
            "workers",
            lambda settings: settings.workers > 1 and settings.effective_database_url.startswith("sqlite"),
            "an SQLite database belongs to one process; several need PostgreSQL",
            "1",
            Weight.ALWAYS,
        ),
    )

    imported_at_start: ClassVar[tuple[str, ...]] = ("asyncpg", "sqlalchemy.dialects.postgresql.asyncpg")

    database_url: SecretStr = Field(
        default=SecretStr("sqlite+aiosqlite:///./data/service.sqlite3"),
        examples=["postgresql://user:password@host/database"],
    )
    """Where the data is, with user and password (docs/database.md)."""
    database_pool_size: int = Field(default=20, ge=1)
    """Connections that one process keeps."""
    database_max_overflow: int = Field(default=0, ge=0)
    """Connections beyond the pool, each closed after one use: opening one costs more than waiting."""
    database_pool_timeout_seconds: float = Field(default=5.0, gt=0)
    """How long a request waits for a free connection before it is answered with 503."""
    database_connect_timeout_seconds: float = Field(default=5.0, gt=0)
    """How long opening a connection may take."""
    database_statement_timeout_seconds: float = Field(default=30.0, gt=0)
    """How long a statement may run before the database ends it."""
    database_lock_timeout_seconds: float = Field(default=10.0, gt=0)
    """Row locks on PostgreSQL, the single writer's place on SQLite."""
    database_idle_transaction_timeout_seconds: float = Field(default=60.0, gt=0)
    """How long a transaction may wait for its next statement before the database ends it."""
    database_connection_max_age_seconds: float = Field(default=1800.0, gt=0)
    """Older connections are replaced when they are next used, so that none stays with a server that a
    failover left behind."""
    database_transaction_pooler: bool = False
    """The URL leads to a pooler in transaction mode, such as PgBouncer: nothing is kept on a connection, no
    prepared statements either (docs/database.md)."""
    database_migrate_url: SecretStr = SecretStr("")
    """Where the schema is migrated: the server itself, when ``database_url`` leads to a pooler. Empty: where
    the service works."""

    @property
    def migrate_url(self) -> str:
        """The database to migrate, credentials included. Secret.

        :raises ValueError: there is only a pooler, through which migrations do not go
        """
        return self.migrate_url_or(self.database_url.get_secret_value())

    def migrate_url_or(self, working: str) -> str:
        """The same for a service that works at ``working``."""
        past = self.database_migrate_url.get_secret_value()
        if self.database_transaction_pooler and not past:
            raise ValueError("behind a pooler, DATABASE_MIGRATE_URL must name the server itself")
        return past or working

    @field_validator("database_url", "database_migrate_url")
    @classmethod
    def _is_a_database_url(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        url = value.get_secret_value()
        if not url and info.field_name == "database_migrate_url":
            return value
        if not _DATABASE_SCHEMES.match(url) or authority_of(url) is None:
            raise ValueError("is no URL of a PostgreSQL or SQLite database")
        from servicekit.database_urls import parsed_url  # noqa: PLC0415 - services without one have no driver

        parsed_url(url)
        return value

    @property
    def effective_database_url(self) -> str:
        """The database to open, credentials included. Secret."""
        return self.database_url.get_secret_value()


class ReplicaSettings(BaseSettings):
    """Mixin: a standby of the database, for what may be a little old."""

    start_rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "read_database_url",
            lambda settings: (
                bool(settings.read_database_url.get_secret_value())
                and _is_open_database(settings.read_database_url.get_secret_value())
            ),
            "nothing demands TLS on the way to the standby",
            _PROTECTED_DATABASE,
            Weight.NEVER,
        ),
        url_files_rule("read_database_url", DATABASE_FILES, _PROTECTED_DATABASE),
    )

    read_database_url: SecretStr = Field(
        default=SecretStr(""), examples=["postgresql://user:password@standby/database"]
    )
    """A standby of the database (streaming replication), for lists, audits and histories that may be a little
    old (docs/database.md). Empty: the database itself answers everything."""
    read_database_max_lag_seconds: float = Field(default=5.0, ge=1.0, le=3_600.0)
    """A standby that may be further behind is not read from."""

    @field_validator("read_database_url")
    @classmethod
    def _is_a_postgresql_url(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        if not url:
            return value
        if not _DATABASE_SCHEMES.match(url) or url.startswith("sqlite") or authority_of(url) is None:
            raise ValueError("is no URL of a PostgreSQL database")
        from servicekit.database_urls import parsed_url  # noqa: PLC0415 - services without one have no driver

        parsed_url(url)
        return value


class BusSettings(BaseSettings):
    """Mixin: the message bus. An empty URL means the in-memory bus of a single process."""

    start_rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "bus_url",
            lambda settings: not settings.bus_url.get_secret_value(),
            "without a message bus other services and replicas hear of no events",
            "amqps://user:password@host/",
        ),
        Rule(
            "workers",
            lambda settings: settings.workers > 1 and not settings.bus_url.get_secret_value(),
            "without a message bus the processes hear of no change that another one made",
            "1",
            Weight.ALWAYS,
        ),
        Rule(
            "bus_url",
            lambda settings: is_unprotected(settings.bus_url.get_secret_value(), "amqp"),
            "credentials and events go through the network unencrypted",
            "amqps://user:password@host/",
            Weight.NEVER,
        ),
        url_files_rule(
            "bus_url", ("cafile", "certfile", "keyfile"), "amqps://user:password@host/?cafile=/path"
        ),
        url_verifies_rule(
            "bus_url", {"no_verify_ssl": frozenset({"0"})}, "amqps://user:password@host/?cafile=/path"
        ),
    )

    imported_at_start: ClassVar[tuple[str, ...]] = ("servicekit.bus.rabbitmq",)

    bus_url: SecretStr = Field(default=SecretStr(""), examples=["amqps://user:password@host/"])
    """RabbitMQ, with user and password; empty: the bus of this process alone."""

    @field_validator("bus_url")
    @classmethod
    def _is_a_bus_url(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        if url and (not url.startswith(("amqp://", "amqps://")) or authority_of(url) is None):
            raise ValueError("is no URL of a message bus")
        return value
