"""Settings of the core: every property of spec/core-api.md §29 and ours, read from ``CORE_*`` variables.

Names carry their unit (``_ms``, ``_seconds``). Defaults are the original's unless a comment says otherwise.
"""

import base64
import binascii
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from powerauth_core.passkey_settings import PasskeySettings
from powerauth_core.start_rules import RULES
from powerauth_protocol.generation import OLDEST, OLDEST_BOUND
from powerauth_protocol.groups import ProtocolVersion
from servicekit.audit_export.settings import AuditExportSettings
from servicekit.key_settings import MasterKeySettings
from servicekit.settings import (
    MEBIBYTE,
    BusSettings,
    DatabaseSettings,
    Listed,
    ReplicaSettings,
    ServiceSettings,
    ServiceUrl,
)
from servicekit.start_rules import Rule

Iterations = Field(default=10, ge=1)
CHAIN_KEY_BYTES = 16


class StatusSettings(ServiceSettings):
    """What the status endpoint tells about this installation (§4)."""

    application_name: str = "powerauth-server"
    """Name that the status endpoint tells."""
    application_display_name: str = "PowerAuth Server"
    """The same for people."""
    application_environment: str = ""
    """The same for the kind of installation, any text."""
    compatible_version: str = "1.10.0"
    """Release of the original that the API is that of; existing clients look at it."""


class ProtocolSettings(ServiceSettings):
    """Limits of activations, signatures, envelopes and tokens (§29 ``crypto.*``, ``token.*`` and others)."""

    generate_activation_id_iterations: int = Iterations
    """Attempts to find an activation's id that is not taken."""
    generate_activation_code_iterations: int = Iterations
    """Attempts to find an activation code that is not taken."""
    generate_token_id_iterations: int = Iterations
    """Attempts to find a token's id that is not taken."""
    generate_recovery_code_iterations: int = Iterations
    """Attempts to find a recovery code that is not taken."""
    generate_operation_id_iterations: int = Iterations
    """Attempts to find an operation's id that is not taken."""
    activation_validity_ms: int = Field(default=300_000, ge=0)
    """How long an activation may wait for its key exchange and its commit."""
    signature_max_failed_attempts: int = Field(default=5, ge=0, le=64)
    """Failed attempts in a row that block an activation, unless it brings a number of its own."""
    signature_validation_lookahead: int = Field(default=20, ge=1, le=64)
    """Counters ahead of the stored one that are tried."""
    offline_signature_component_length: int = Field(default=8, ge=4, le=8)
    """Digits of each factor in a code for offline approval."""
    request_expiration_ms: int = Field(default=60_000, ge=0)
    """Age above which an envelope is refused, of protocol 3.2 and later."""
    request_expiration_extended_ms: int = Field(default=7_200_000, ge=0)
    """Of protocols 3.0 and 3.1, whose envelopes carry no timestamp: accepted, without effect."""
    replay_verification_service: Literal["default", "none"] = "default"
    """Whether an envelope that was seen is refused; ``none``: it is not looked up."""
    token_timestamp_validity_ms: int = Field(default=7_200_000, ge=1)
    """Age above which a token header is refused."""
    token_timestamp_forward_validity_ms: int = Field(default=1_800_000, ge=0)
    """How far ahead of this clock a token header may be."""
    recovery_max_failed_attempts: int = Field(default=5, ge=0, le=64)
    """Wrong PUKs in a row that block a recovery code."""
    secure_vault_enable_biometric_authentication: bool = False
    """Whether biometry opens the vault."""
    temporary_key_validity_ms: int = Field(default=300_000, ge=0)
    """How long a temporary key can be used."""
    proximity_check_otp_length: int = Field(default=8, ge=6, le=8)
    """Digits of the code of a proximity check."""
    proximity_check_step_seconds: int = Field(default=30, ge=1)
    """How long one such code is the current one."""
    proximity_check_step_count: int = Field(default=1, ge=0)
    """Earlier codes that are accepted too."""
    default_page_size: int = Field(default=500, ge=1)
    """Rows of a list's page when the caller does not say."""
    default_page_number: int = Field(default=0, ge=0)
    """Page of a list when the caller does not say, from 0."""
    require_claim: bool = False
    """Approval only of operations that have an owner (D14)."""
    require_operation_parameters: bool = True
    """Refuse an operation whose data template wants parameters that are not given; off, their placeholders
    stay in the data, as in the original."""
    minimum_protocol_version: ProtocolVersion = OLDEST
    """For applications without the configuration ``minimumProtocolVersion`` (D17)."""
    new_application_minimum_protocol_version: ProtocolVersion | None = None
    """Written into the configuration of created applications; unset: 3.2 in production, else nothing."""


class VerificationSettings(ServiceSettings):
    """How concurrent verifications share a transaction (D9) and are limited (D15)."""

    verification_batch_size: int = Field(default=64, ge=1)
    """Checks in one transaction at most."""
    verification_batches: int = Field(default=1, ge=1)
    """Batches of checks in progress at the same time in one process, and of new operations; each holds one
    database connection. Fewer batches are larger ones, and cost less a check."""
    verification_action_batches: int = Field(default=2, ge=1)
    """The same for checks with an action that needs a session (a new token, a vault unlock)."""
    count_only_own_device: bool | None = None
    """Whether a failed code counts only if its possession component is that of the activation's device (D14);
    unset: in production yes, elsewhere no, as in the original."""
    dmz_attempts_per_activation_per_minute: int = Field(default=60, ge=0)
    """Failed attempts on one activation from one client address at the dmz door, per process (D15). Over it
    an attempt is still checked, but waits its turn, and shares an audit row if it counts nothing; 0: no
    limit."""


class HashingSettings(ServiceSettings):
    """Password hashes of activation OTPs and PUKs (D28)."""

    waiting_hashes: int = Field(default=100, ge=1)
    """Hashes that may wait in one process; beyond them requests are answered with 503."""


class ProviderSettings(ServiceSettings):
    """Adapters that the core asks during activation and for user info (D1 rule 2)."""

    auto_commit_recovery: bool | None = None
    """Whether RECOVERY commits without a provider and without the application's ``automaticCommit`` (D1
    rule 1); unset: yes, in production no."""
    custom_activation_provider_url: ServiceUrl = ""
    """The bank's provider of custom activations; empty: there are none."""
    custom_activation_provider_username: str = ""
    """Name for HTTP Basic there; empty: no credentials are sent."""
    custom_activation_provider_password: SecretStr = SecretStr("")
    """Password for HTTP Basic there."""
    custom_activation_provider_timeout_seconds: float = Field(default=10.0, gt=0)
    """How long its answer may take."""
    user_info_provider: Literal["NONE", "MINIMAL", "REST"] = "MINIMAL"
    """Where claims about a user come from: nowhere, the user's id alone, or a provider of the bank."""
    user_info_rest_url: ServiceUrl = ""
    """That provider of the bank."""
    user_info_rest_username: str = ""
    """Name for HTTP Basic there; empty: no credentials are sent."""
    user_info_rest_password: SecretStr = SecretStr("")
    """Password for HTTP Basic there."""
    user_info_rest_allowed_stages: Listed[str] = ("USER_INFO_ENDPOINT",)
    """Stages at which it is asked (docs/extending.md)."""
    user_info_timeout_seconds: float = Field(default=5.0, gt=0)
    """How long its answer may take."""
    status_custom_object_url: ServiceUrl = ""
    """Optional provider of ``customObject`` in the public activation status; empty: none."""
    oidc_timeout_seconds: float = Field(default=5.0, gt=0)
    """How long an answer of an identity provider may take."""


class JwtSettings(ServiceSettings):
    """Signed tokens (spec/device-trust.md §2, §9.2)."""

    jwt_issuer: ServiceUrl = ""
    """Issuer of signed tokens: the public address of the enrollment service, such as
    `https://id.bank.example/enrollment-server`; empty: no tokens are issued."""
    jwt_tenant_id: str = Field(default="default", min_length=1, max_length=255)
    """What tokens tell as `tid`."""
    jwt_key_bits: Literal[2048, 3072, 4096] = 2048
    """Size of new keys."""
    jwt_rotation_days: int = Field(default=90, ge=1)
    """How long a key signs."""
    jwt_publish_ahead_seconds: int = Field(default=86_400, ge=3_600)
    """How long the next key is published before it signs."""
    jwt_access_ttl_seconds: int = Field(default=3_600, ge=60, le=86_400)
    """How long access tokens are valid, of clients that say nothing else."""
    jwt_id_ttl_seconds: int = Field(default=3_600, ge=60, le=86_400)
    """The same for ID tokens."""
    jwt_device_ttl_seconds: int = Field(default=300, ge=60, le=3_600)
    """How long device tokens are valid."""
    jwt_refresh_absolute_seconds: int = Field(default=2_592_000, ge=60)
    """How long after a sign-in its tokens are refreshed at most."""
    jwt_refresh_idle_seconds: int = Field(default=604_800, ge=60)
    """How long a refresh token may lie unused."""


class EgressSettings(ServiceSettings):
    """Outgoing HTTP: callbacks, OIDC and custom providers (§29 ``http.*``)."""

    http_proxy_enabled: bool = False
    """Whether outgoing calls go through a proxy."""
    http_proxy_host: str = "127.0.0.1"
    """Host of the proxy."""
    http_proxy_port: int = Field(default=8080, ge=1, le=65_535)
    """Port of the proxy."""
    http_proxy_username: str = ""
    """Name for the proxy; empty: no credentials are sent."""
    http_proxy_password: SecretStr = SecretStr("")
    """Password for the proxy."""
    http_connection_timeout_ms: int = Field(default=5_000, ge=1)
    """How long connecting may take."""
    http_response_timeout_ms: int = Field(default=60_000, ge=1)
    """How long the answer to a callback may take."""
    http_connection_max_idle_ms: int = Field(default=200_000, ge=0)
    """How long a connection without a request is kept."""
    egress_allowed_networks: Listed[IPv4Network | IPv6Network] = Field(default=(), examples=["10.20.0.0/16"])
    """Loopback or private networks that may be called. Link-local never is."""
    egress_loopback_allowed: bool = False
    """Whether this machine may be called; `powerauth run` on loopback switches it on."""


class CallbackSettings(ServiceSettings):
    """Delivery of callbacks (§29 ``callbacks.*``)."""

    callbacks_default_max_attempts: int = 1
    """Attempts at a callback whose configuration does not say."""
    callbacks_default_retention_period_ms: int = Field(default=2_592_000_000, ge=0)
    """How long delivered events are kept when the configuration does not say."""
    callbacks_default_initial_backoff_ms: int = Field(default=2_000, ge=0)
    """Pause after the first failed attempt when the configuration does not say."""
    callbacks_max_backoff_ms: int = Field(default=32_000, ge=0)
    """Longest pause between two attempts."""
    callbacks_backoff_multiplier: float = Field(default=1.5, ge=1)
    """By what each pause is longer than the one before."""
    callbacks_pending_dispatch_limit: int = Field(default=100, ge=1)
    """Waiting events that one run of the job takes."""
    callbacks_concurrency: int = Field(default=64, ge=1)
    """Deliveries in flight in one process, shared among applications and targets; stands for the original's
    thread pool sizes."""
    callbacks_queue_capacity: int = Field(default=1_000, ge=0)
    """Events that may wait in one process; others wait in the database."""
    callbacks_force_rerun_period_ms: int | None = Field(default=None, ge=0)
    """After how long a delivery without an outcome counts as lost; unset: both time limits of outgoing calls
    and 10 s."""
    callbacks_failure_threshold: int = Field(default=200, ge=-1)
    """Failures in a row after which a callback's target is left alone for a while; -1: never."""
    callbacks_failure_reset_timeout_ms: int = Field(default=60_000, ge=0)
    """How long that while is."""
    callbacks_clients_refresh_ms: int = Field(default=300_000, ge=0)
    """How long another process may go on with a changed configuration of a callback."""
    callbacks_certificate_directory: Path | None = None
    """The one directory that key and trust stores of callbacks are read from (cloud-api §11.5)."""


class JobSettings(ServiceSettings):
    """Scheduled jobs (§30). Periods in milliseconds; 0 switches a job off in this process."""

    jobs_enabled: bool = True
    """Whether this process runs periodic jobs."""
    job_activations_cleanup_ms: int = Field(default=5_000, ge=0)
    """How often activations that waited too long are removed."""
    job_activations_cleanup_look_back_ms: int = Field(default=3_600_000, ge=0)
    """How far back that job looks."""
    job_operation_cleanup_ms: int = Field(default=5_000, ge=0)
    """How often pending operations that are over expire."""
    job_expire_operations_limit: int = Field(default=100, ge=1)
    """Operations that one run expires at most."""
    job_unique_value_cleanup_ms: int = Field(default=60_000, ge=0)
    """How often remembered envelopes that are too old to be repeated are forgotten."""
    job_temporary_key_cleanup_ms: int = Field(default=5_000, ge=0)
    """How often temporary keys that are over are deleted."""
    job_dispatch_pending_callbacks_ms: int = Field(default=3_000, ge=0)
    """How often callbacks whose pause is over are sent again."""
    job_rerun_stale_callbacks_ms: int = Field(default=3_000, ge=0)
    """How often lost deliveries are looked for."""
    job_callbacks_cleanup_ms: int = Field(default=86_400_000, ge=0)
    """The original runs it daily at midnight."""
    job_audit_cleanup_ms: int = Field(default=86_400_000, ge=0)
    """How often old rows of the audit log are deleted."""
    job_jwt_cleanup_ms: int = Field(default=3_600_000, ge=0)
    """How often sessions and revocations of signed tokens are deleted that are over."""
    job_jwt_rotation_ms: int = Field(default=86_400_000, ge=0)
    """How often keys of signed tokens are looked at, whether one is due for another."""
    job_ticket_cleanup_ms: int = Field(default=600_000, ge=0)
    """How often binding tickets are deleted that were over a day ago."""
    job_fingerprint_cleanup_ms: int = Field(default=86_400_000, ge=0)
    """How often fingerprints are deleted that were not seen for long."""
    fingerprint_retention_days: int = Field(default=400, ge=1)
    """Days after which a device's fingerprint is deleted that was not seen again."""


class AuditSettings(ServiceSettings):
    """How long the audits are kept, their partitions, and the chain's key (docs/audit.md)."""

    audit_cleanup_days: int = Field(default=365, ge=0)
    """Age in days after which audit log rows are deleted; 0 keeps them for ever. On PostgreSQL a month goes
    as a whole, once all of it is that old."""
    signature_audit_retention_months: int = Field(default=0, ge=0)
    """Months of the signature audit kept before the present one; 0 keeps all, as the original does."""
    activation_history_retention_months: int = Field(default=0, ge=0)
    """The same for the history of activations."""
    audit_retention_mode: Literal["drop", "detach"] = "drop"
    """What becomes of a month that is not kept any longer: dropped with its rows, or detached, to stay in the
    database as a table of its own until somebody has stored it elsewhere."""
    audit_partitions_ahead_months: int = Field(default=3, ge=1, le=24)
    """Partitions made ahead of the present month."""
    job_audit_partitions_ms: int = Field(default=3_600_000, ge=0)
    """How often partitions ahead are made."""
    job_audit_retention_ms: int = Field(default=86_400_000, ge=0)
    """How often months that are too old are removed."""
    audit_chain_key: SecretStr = SecretStr("")
    """Base64 of at least 16 bytes that chain the signature audit; empty: derived from the master encryption
    key, and without that either rows are not chained."""
    audit_chain_previous_keys: SecretStr = SecretStr("")
    """Earlier values, comma-separated: chains written with them can still be checked."""

    @field_validator("audit_chain_key", "audit_chain_previous_keys")
    @classmethod
    def _are_chain_keys(cls, value: SecretStr) -> SecretStr:
        decode_chain_keys(value)
        return value


class CoreSettings(
    StatusSettings,
    ProtocolSettings,
    VerificationSettings,
    HashingSettings,
    ProviderSettings,
    JwtSettings,
    EgressSettings,
    CallbackSettings,
    PasskeySettings,
    JobSettings,
    AuditSettings,
    AuditExportSettings,
    MasterKeySettings,
    ReplicaSettings,
    DatabaseSettings,
    BusSettings,
):
    """All settings of the core. Secrets are also read from the files named by ``CORE_…_FILE`` variables."""

    model_config = SettingsConfigDict(env_prefix="CORE_")
    start_rules: ClassVar[tuple[Rule, ...]] = RULES
    larger_bodies: ClassVar[Mapping[str, int]] = {"/rest/v3/mds/load": 33 * MEBIBYTE}

    root_path: str = "/powerauth-java-server"
    dmz_port: int | None = Field(default=None, ge=0, le=65_535)
    """A port for ``/dmz`` alone, which is then served on no other, so that a network can hold the doors
    apart; unset: both doors are on the one port."""
    dmz_host: str | None = None
    """Where it listens; unset: on ``host``."""
    dmz_tls_client_names: Listed[str] = Field(default=(), examples=["enrollment.bank"])
    """As ``tls_client_names``, for that port."""
    database_url: SecretStr = SecretStr("sqlite+aiosqlite:///./data/core.sqlite3")
    migrate_on_start: bool | None = None
    """Bring the schema up to date at start; unset: on SQLite yes, on PostgreSQL only outside production."""
    restrict_access: bool = True
    """Callers of ``/rest`` need credentials (D3; the original's default is off)."""
    caller_cache_seconds: float = Field(default=30.0, ge=0)
    """How long a removed integration may still be accepted by another process."""
    application_cache_seconds: float = Field(default=300.0, ge=0)
    """How long what is remembered of an application may be used."""
    application_cache_size: int = Field(default=10_000, ge=1)
    """Applications that a process remembers."""
    activation_key_cache_size: int = Field(default=20_000, ge=1)
    """Activations whose keys a process remembers."""
    token_secret_cache_size: int = Field(default=20_000, ge=1)
    """Tokens whose secrets a process remembers."""
    temporary_key_cache_size: int = Field(default=10_000, ge=1)
    """Temporary keys that a process remembers."""
    require_bound_rows: bool | None = None
    """Refuse secrets in clear and rows without a MAC beside a master key (D32); unset: once ``db encrypt``
    has bound the rows, or from the start of an empty database."""

    @property
    def only_own_device_counts(self) -> bool:
        """Whether failed codes of other devices than the activation's own leave it alone (D14)."""
        if self.count_only_own_device is not None:
            return self.count_only_own_device
        return self.environment == "production"

    @property
    def own_chain_keys(self) -> list[bytes]:
        """The keys that are given for the chains alone."""
        return decode_chain_keys(self.audit_chain_key) + decode_chain_keys(self.audit_chain_previous_keys)

    @property
    def chain_secrets(self) -> list[bytes]:
        """Secrets of the signature audit's chains, the present one first; none when rows are not chained."""
        master = [] if self.master_key is None else [self.master_key]
        present = decode_chain_keys(self.audit_chain_key) + master
        earlier = decode_chain_keys(self.audit_chain_previous_keys) + self.previous_master_keys
        return present + earlier if present else []

    @property
    def created_application_minimum_version(self) -> str | None:
        """``minimumProtocolVersion`` to write for a new application, or None for none (D17)."""
        if self.new_application_minimum_protocol_version is not None:
            return self.new_application_minimum_protocol_version.value
        return OLDEST_BOUND.value if self.environment == "production" else None

    @property
    def commits_recovery(self) -> bool:
        """`auto_commit_recovery`, or what the environment makes of it."""
        if self.auto_commit_recovery is not None:
            return self.auto_commit_recovery
        return self.environment != "production"

    @property
    def callbacks_force_rerun_ms(self) -> int:
        """After how many milliseconds a delivery without an outcome counts as lost (§18.4)."""
        if self.callbacks_force_rerun_period_ms is not None:
            return self.callbacks_force_rerun_period_ms
        return self.http_connection_timeout_ms + self.http_response_timeout_ms + 10_000


def decode_chain_keys(value: SecretStr) -> list[bytes]:
    """Decode keys of the audit's chains, separated by commas or white space.

    :raises ValueError: when one is not Base64 of at least 16 bytes.
    """
    try:
        keys = [base64.b64decode(text, validate=True) for text in _separated(value)]
    except (binascii.Error, ValueError):
        raise ValueError("a key of the audit's chain is not Base64") from None
    if any(len(key) < CHAIN_KEY_BYTES for key in keys):
        raise ValueError("a key of the audit's chain must be Base64 of at least 16 bytes")
    return keys


def _separated(value: SecretStr) -> list[str]:
    return value.get_secret_value().replace(",", " ").split()
