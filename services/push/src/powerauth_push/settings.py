"""Settings of this service, read from ``PUSH_*`` variables (spec/push-api.md §21). Names carry their unit."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from powerauth_push.providers.network import Proxy
from powerauth_push.start_rules import PROVIDER_RULES, RULES
from servicekit.calls.settings import InternalCallSettings
from servicekit.key_settings import MasterKeySettings
from servicekit.settings import BusSettings, DatabaseSettings, ServiceSettings, ServiceUrl
from servicekit.start_rules import Rule


class StatusSettings(ServiceSettings):
    """What the status endpoint tells about this installation (§18)."""

    application_name: str = "powerauth-push"
    """Name that the status endpoint tells."""
    application_display_name: str = "PowerAuth Push Server"
    """The same for people."""
    application_environment: str = ""
    """The same for the kind of installation, any text."""


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


class RegistrationSettings(ServiceSettings):
    """Registration of devices (§6)."""

    registration_multiple_activations_enabled: bool = False
    """Whether several activations may be registered for one token in one call."""
    registration_retry_max_attempts: int = Field(default=2, ge=1, le=10)
    """Attempts in total when registrations of one device collide."""
    registration_retry_backoff_ms: int = Field(default=100, ge=0)
    """Pause before such a registration is tried again."""


class SendingSettings(ServiceSettings):
    """How messages are sent, and what happens to those that cannot be sent at once (§8, §20)."""

    apns_use_development: bool = True
    """Which of Apple's services is used for an application that does not say (§10.1)."""
    clients_cache_refresh_seconds: float = Field(default=300.0, gt=0)
    """How long another replica may go on with the old credentials of an application."""
    send_deadline_seconds: float = Field(default=30.0, gt=0)
    """How long a synchronous call waits for providers; what is not known then counts as pending."""
    sends_per_provider: int = Field(default=200, ge=1)
    """Messages under way to one provider in one process."""
    delivery_lease_seconds: float = Field(default=120.0, gt=0)
    """After so long a message whose process is gone is sent by another one; longer than any send takes."""
    delivery_poll_seconds: float = Field(default=1.0, gt=0)
    """How often a process looks for due messages when nothing tells of one."""
    retry_initial_seconds: float = Field(default=5.0, gt=0)
    """Pause after the first failed attempt at a message."""
    retry_longest_seconds: float = Field(default=900.0, gt=0)
    """Longest pause between two attempts."""
    retry_multiplier: float = Field(default=2.0, ge=1)
    """By what each pause is longer than the one before."""
    message_default_validity_seconds: int = Field(default=0, ge=0)
    """Validity of a message that does not say; 0: the providers' own (§10.3)."""
    message_retry_seconds: int = Field(default=3_600, ge=0)
    """For how long after its first attempt a message without an end of its own is tried again."""
    message_storage_enabled: bool = False
    """Keep a row of every message to every device (§19)."""
    message_retention_days: int = Field(default=30, ge=0)
    """Age after which such rows are deleted; 0 keeps them for ever."""
    event_max_age_seconds: int = Field(default=600, ge=1)
    """An older event changes registrations but sends nothing (§7.1)."""


class ProviderSettings(ServiceSettings):
    """How Apple, Google and Huawei are reached (§21, §22). Durations in seconds."""

    start_rules: ClassVar[tuple[Rule, ...]] = PROVIDER_RULES

    providers_ca_file: Path | None = None
    """Trust anchors (PEM) for all providers in place of the platform's; for tests."""
    provider_send_timeout: float = Field(default=30.0, gt=0)
    """From the wish to send a message to its answer."""
    apns_production_url: ServiceUrl = "https://api.push.apple.com"
    """Apple's service for apps of the store."""
    apns_development_url: ServiceUrl = "https://api.sandbox.push.apple.com"
    """Apple's service for apps under development."""
    apns_connect_timeout: float = Field(default=5.0, gt=0)
    """How long connecting to Apple may take."""
    apns_idle_ping_interval: float = Field(default=60.0, gt=0)
    """After how long without a message a connection to Apple is probed."""
    apns_concurrent_connections: int = Field(default=1, ge=1, le=20)
    """For each application and environment."""
    apns_proxy_enabled: bool = False
    """Whether Apple is reached through a proxy (§22)."""
    apns_proxy_host: str = "127.0.0.1"
    """Host of the proxy to Apple."""
    apns_proxy_port: int = Field(default=8080, ge=1, le=65_535)
    """Port of the proxy to Apple."""
    apns_proxy_username: str = ""
    """Name for the proxy to Apple; empty: no credentials are sent."""
    apns_proxy_password: SecretStr = SecretStr("")
    """Password for the proxy to Apple."""
    fcm_send_message_url: ServiceUrl = "https://fcm.googleapis.com/v1/projects/%s/messages:send"
    """With ``%s`` for the project."""
    fcm_token_url: ServiceUrl = ""
    """Where access tokens are got; empty: as the service account's file says."""
    fcm_data_notification_only: bool = False
    """Whether Google gets data alone, which the app shows by itself (§11.2)."""
    fcm_connect_timeout: float = Field(default=5.0, gt=0)
    """How long connecting to Google may take."""
    fcm_proxy_enabled: bool = False
    """Whether Google is reached through a proxy (§22)."""
    fcm_proxy_host: str = "127.0.0.1"
    """Host of the proxy to Google."""
    fcm_proxy_port: int = Field(default=8080, ge=1, le=65_535)
    """Port of the proxy to Google."""
    fcm_proxy_username: str = ""
    """Name for the proxy to Google; empty: no credentials are sent."""
    fcm_proxy_password: SecretStr = SecretStr("")
    """Password for the proxy to Google."""
    hms_send_message_url: ServiceUrl = "https://push-api.cloud.huawei.com/v2/%s/messages:send"
    """With ``%s`` for the project."""
    hms_token_url: ServiceUrl = "https://oauth-login.cloud.huawei.com/oauth2/v3/token"  # noqa: S105 - an address
    """Where access tokens of Huawei are got."""
    hms_connect_timeout: float = Field(default=5.0, gt=0)
    """How long connecting to Huawei may take."""
    hms_badge_class: str = ""
    """Entry activity of the app, which some launchers need for its badge (§12.2)."""
    hms_high_importance: bool = False
    """The apps have Huawei's permission for messages of importance HIGH."""
    hms_proxy_enabled: bool = False
    """Whether Huawei is reached through a proxy (§22)."""
    hms_proxy_host: str = "127.0.0.1"
    """Host of the proxy to Huawei."""
    hms_proxy_port: int = Field(default=8080, ge=1, le=65_535)
    """Port of the proxy to Huawei."""
    hms_proxy_username: str = ""
    """Name for the proxy to Huawei; empty: no credentials are sent."""
    hms_proxy_password: SecretStr = SecretStr("")
    """Password for the proxy to Huawei."""

    def proxy_of(self, provider: str) -> Proxy | None:
        """The proxy of ``apns``, ``fcm`` or ``hms``; None: it is reached without."""
        if not getattr(self, f"{provider}_proxy_enabled"):
            return None
        host, port, username, password = (
            getattr(self, f"{provider}_proxy_{name}") for name in ("host", "port", "username", "password")
        )
        return Proxy(host, port, username, password.get_secret_value())


class CampaignSettings(ServiceSettings):
    """How campaigns are sent (§15). Rates in messages per second, 0: no limit."""

    campaign_page_size: int = Field(default=500, ge=1, le=10_000)
    """Registrations that are queued in one transaction."""
    campaign_queue_size: int = Field(default=2_000, ge=1)
    """Messages of one campaign that wait in the queue at most."""
    campaign_rate_apns: float = Field(default=0, ge=0)
    """Messages of campaigns a second to Apple, of one process; 0: no limit."""
    campaign_rate_fcm: float = Field(default=0, ge=0)
    """Messages of campaigns a second to Google, of one process; 0: no limit."""
    campaign_rate_hms: float = Field(default=0, ge=0)
    """Messages of campaigns a second to Huawei, of one process; 0: no limit."""


class PushSettings(
    StatusSettings,
    CoreConnectionSettings,
    RegistrationSettings,
    SendingSettings,
    ProviderSettings,
    CampaignSettings,
    MasterKeySettings,
    DatabaseSettings,
    BusSettings,
):
    """All settings. Secrets are also read from the files named by ``PUSH_…_FILE`` variables."""

    model_config = SettingsConfigDict(env_prefix="PUSH_")
    start_rules: ClassVar[tuple[Rule, ...]] = RULES

    root_path: str = "/powerauth-push-server"
    database_url: SecretStr = SecretStr("sqlite+aiosqlite:///./data/push.sqlite3")
    migrate_on_start: bool | None = None
    """Bring the schema up to date at start; unset: on SQLite yes, on PostgreSQL only outside production."""
    jobs_enabled: bool = True
    """Whether this process sends queued messages and campaigns, and cleans up."""
    restrict_access: bool = True
    """Callers need credentials (D3; the original knows none)."""
    caller_cache_seconds: float = Field(default=30.0, ge=0)
    """How long a removed caller may still be accepted by another process."""
