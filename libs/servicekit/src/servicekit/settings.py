"""Settings that all services share. Each service derives its own class and sets its environment prefix.

A value comes from the environment (``CORE_PORT``) or from a file named there (``CORE_DATABASE_URL_FILE``),
the form in which a container platform hands out secrets.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

MEBIBYTE = 1024 * 1024


class _FileSource(PydanticBaseSettingsSource):
    """Reads ``<PREFIX><FIELD>_FILE``: the path of a file that holds the value and a final newline."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        prefix = self.config.get("env_prefix") or ""
        path = os.environ.get(f"{prefix}{field_name}_FILE".upper())
        if not path:
            return None, field_name, False
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n"), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {}
        for name, field in self.settings_cls.model_fields.items():
            value, key, _ = self.get_field_value(field, name)
            if value is not None:
                values[key] = value
        return values


class ServiceSettings(BaseSettings):
    """What every service can be told. Durations in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True, validate_default=True)

    environment: Literal["development", "test", "production"] = "development"
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    root_path: str = ""
    """The context path, for instance ``/powerauth-java-server``."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_json: bool = True
    request_log: bool = True
    """One line a request at level INFO."""

    max_body_bytes: int = Field(default=MEBIBYTE, ge=1024)
    max_header_bytes: int = Field(default=8192, ge=256)
    """Bound of a single header value (spec/enrollment-api.md §4.6)."""

    management_host: str | None = None
    """Where the management port listens; unset: on ``host``."""
    management_port: int | None = Field(default=None, ge=0, le=65535)
    """Metrics, health in detail, version and API document are served there and nowhere else; unset: on the
    service's own port, in production nowhere."""
    health_cache_seconds: float = Field(default=1.0, ge=0)
    """How long the outcome of a health check is told to all who ask."""

    correlation_header_enabled: bool = True
    correlation_header_name: str = "X-Correlation-ID"
    correlation_header_pattern: str = r"[a-zA-Z0-9\-]{8,1024}"

    metrics_enabled: bool = False
    swagger_enabled: bool = True
    graceful_shutdown_seconds: int = Field(default=20, ge=0)
    receive_seconds: float = Field(default=30.0, gt=0)
    """How long a request may take to arrive, from its first byte to its last."""
    keep_alive_seconds: int = Field(default=75, ge=1)
    max_concurrent_requests: int | None = Field(default=None, ge=1)
    """Above it new requests are answered with 503; unset: no bound but the database pool's queue."""

    @model_validator(mode="after")
    def _normalise_root_path(self) -> ServiceSettings:
        root = self.root_path.strip("/")
        object.__setattr__(self, "root_path", f"/{root}" if root else "")
        return self

    @property
    def management_on_service_port(self) -> bool:
        """Whether metrics, health in detail, version and API document stand beside the service itself."""
        return self.management_port is None and not self.production

    @property
    def production(self) -> bool:
        """Whether the environment is flagged production."""
        return self.environment == "production"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, the environment over files."""
        return init_settings, env_settings, dotenv_settings, _FileSource(settings_cls), file_secret_settings


class DatabaseSettings(BaseSettings):
    """Mixin: where the database is and how long to wait for it. Durations in seconds."""

    database_url: SecretStr = SecretStr("sqlite+aiosqlite:///./data/service.sqlite3")
    database_pool_size: int = Field(default=20, ge=1)
    database_max_overflow: int = Field(default=0, ge=0)
    """Connections beyond the pool, each closed after one use: opening one costs more than waiting."""
    database_pool_timeout_seconds: float = Field(default=5.0, gt=0)
    """How long a request waits for a free connection before it is answered with 503."""
    database_connect_timeout_seconds: float = Field(default=5.0, gt=0)
    database_statement_timeout_seconds: float = Field(default=30.0, gt=0)
    database_lock_timeout_seconds: float = Field(default=10.0, gt=0)
    """Row locks on PostgreSQL, the single writer's place on SQLite."""
    database_idle_transaction_timeout_seconds: float = Field(default=60.0, gt=0)


class BusSettings(BaseSettings):
    """Mixin: the message bus. An empty URL means the in-memory bus of a single process."""

    bus_url: SecretStr = SecretStr("")
