"""Settings of the enrollment service: environment variables with the prefix `ENROLLMENT_`.

There is no database here and no key: only where the core and the push service are, with this service's
credentials.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from enrollment.limit_storage import SHARED_SCHEMES
from enrollment.start_rules import RULES, limit_rules
from servicekit.callers import TrustedProxies
from servicekit.calls.settings import InternalCallSettings
from servicekit.settings import Listed, ServiceSettings, ServiceUrl
from servicekit.start_rules import Rule, authority_of


class EnrollmentSettings(ServiceSettings, InternalCallSettings):
    """What this service can be told; every value has a working default for a core on the same machine."""

    model_config = SettingsConfigDict(env_prefix="ENROLLMENT_")
    start_rules: ClassVar[tuple[Rule, ...]] = RULES

    root_path: str = "/enrollment-server"

    core_url: ServiceUrl = "http://localhost:8080/powerauth-java-server"
    """The core's context path. Only `/dmz/v1` below it is ever called."""

    core_client_token: str = ""
    """Name of this service's integration of kind `dmz`."""
    core_client_secret: SecretStr = SecretStr("")
    """Its secret."""

    push_url: ServiceUrl = ""
    """The push service's context path; empty switches push registration and inbox off."""

    push_client_token: str = ""
    """Name of this service as a caller of push, with the scope `enrollment`."""
    push_client_secret: SecretStr = SecretStr("")
    """Its secret."""

    remote_timeout_seconds: float = Field(default=10.0, gt=0)
    """Connecting to and waiting for the core or the push service."""

    tracing_trust_incoming: bool = False
    """Whether a ``traceparent`` from the internet is gone on with: whoever sends it chooses what is recorded,
    and in whose trace. Only behind a proxy that sets it itself."""

    application_name: str = "enrollment-server"
    """Name that `/pa/v3/status` tells."""
    application_version: str = "UNKNOWN"
    """What `/pa/v3/status` tells, and in production every other page."""

    mobile_token_enabled: bool = True
    """Whether the mobile token API is served: lists, approval and rejection of operations."""
    inbox_enabled: bool = True
    """Whether the inbox is served; it needs a push service."""
    activation_spawn_enabled: bool = False
    """Whether devices may ask for activation codes; where to is configured in the core."""

    passkeys_enabled: bool = True
    """Whether browsers may register and use passkeys; the applications that have any are those with a policy
    in the core."""

    test_endpoints: bool = False
    """The exchange endpoints of compatibility tests (spec/enrollment-api.md §18); never in production."""

    trusted_proxies: Listed[str] = Field(default=(), examples=["10.0.0.0/8"])
    """Networks (CIDR, comma-separated) whose `X-Forwarded-For` is believed."""

    default_language: str = Field(default="en", pattern=r"[a-z]{2,8}")
    """Language of texts for a request that asks for none that is served."""
    languages: Listed[str] = ()
    """The languages served, comma-separated; empty serves every language that a request asks for."""

    texts_revalidate_seconds: float = Field(default=30.0, ge=0, le=30)
    """How long texts are used before the core is asked whether they are still right."""
    texts_maximum_age_seconds: float = Field(default=300.0, ge=0, le=300)
    """How long texts may be used without the core's word that they are still right."""

    limit_failures_per_address: int = Field(default=30, ge=0)
    """Failures of one address a minute, over which its requests wait for each other (D18); 0: no limit."""
    limit_keystore_per_activation: int = Field(default=30, ge=0)
    """The same for temporary keys that one activation got."""
    limit_status_per_activation: int = Field(default=30, ge=0)
    """The same for questions for the status of one activation by one address. Attempts at an activation are
    limited by the core (D15)."""

    limit_loopback: bool = True
    """Whether the limits hold for this machine; the all-in-one on loopback switches it off."""

    limit_storage_url: SecretStr = SecretStr("")
    """Redis, where all replicas count together; empty: each counts for itself."""

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        TrustedProxies(value)
        return value

    @field_validator("limit_storage_url")
    @classmethod
    def _check_storage(cls, value: SecretStr) -> SecretStr:
        url = value.get_secret_value()
        scheme, separator, _ = url.partition("://")
        if url and not (separator and scheme in SHARED_SCHEMES):
            raise ValueError(f"rate limits are stored in {', '.join(SHARED_SCHEMES)}")
        if url and authority_of(url) is None:
            raise ValueError("is no URL of a Redis")
        return value

    @model_validator(mode="after")
    def _hide_documents_in_production(self) -> EnrollmentSettings:
        if self.production and "swagger_enabled" not in self.model_fields_set:
            self.swagger_enabled = False
        return self

    @classmethod
    def all_start_rules(cls) -> tuple[Rule, ...]:
        """The limits of this service have rules too."""
        return super().all_start_rules() + limit_rules(cls)

    @property
    def push_enabled(self) -> bool:
        """Whether a push service is configured."""
        return bool(self.push_url)
