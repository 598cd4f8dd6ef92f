"""What the core answers, as far as this service reads it (spec/core-api.md §2.3, §5-§20).

Enumerations stay text: a newer core may know values that this service only passes on.
"""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import Field

from powerauth_contracts.wire import CoreDateTime, WireModel

T = TypeVar("T")


class CoreModel(WireModel):
    """Base of the core's answers: members that are not read here are dropped."""


class Envelope(CoreModel, Generic[T]):
    """``{"status":"OK","responseObject":…}``."""

    response_object: T


class Empty(CoreModel):
    """An answer of which nothing is read."""


class InitAnswer(CoreModel):
    """``activation/init``."""

    activation_id: str
    activation_code: str
    activation_signature: str


class Activation(CoreModel):
    """One item of ``activation/list`` and ``activation/lookup``."""

    activation_id: str
    activation_status: str
    blocked_reason: str | None = None
    activation_name: str | None = None
    external_id: str | None = None
    extras: str | None = None
    protocol: str | None = None
    platform: str | None = None
    device_info: str | None = None
    activation_flags: list[str] = Field(default_factory=list)
    timestamp_created: CoreDateTime
    timestamp_last_used: CoreDateTime
    timestamp_last_change: CoreDateTime | None = None
    user_id: str
    application_id: str | None = None
    failed_attempts: int | None = None
    max_failed_attempts: int | None = None
    version: int | None = None


class ActivationDetail(Activation):
    """``activation/status``. An unknown id answers REMOVED without ``applicationId`` (§7.6)."""

    commit_phase: str | None = None
    activation_code: str | None = None
    activation_signature: str | None = None
    device_public_key_fingerprint: str | None = None
    application_roles: list[str] = Field(default_factory=list)


class ActivationList(CoreModel):
    activations: list[Activation] = Field(default_factory=list)


class FlagsAnswer(CoreModel):
    activation_flags: list[str] = Field(default_factory=list)


class HistoryItem(CoreModel):
    activation_status: str
    event_reason: str | None = None
    external_user_id: str | None = None
    activation_name: str | None = None
    version: int | None = None
    timestamp_created: CoreDateTime


class HistoryAnswer(CoreModel):
    items: list[HistoryItem] = Field(default_factory=list)


class Verification(CoreModel):
    """``signature/verify`` and ``signature/offline/verify``; the short form has no ``userId`` (§9.1)."""

    signature_valid: bool
    activation_status: str | None = None
    blocked_reason: str | None = None
    activation_id: str
    user_id: str | None = None
    application_id: str | None = None
    signature_type: str | None = None
    remaining_attempts: int | None = None
    application_roles: list[str] = Field(default_factory=list)
    activation_flags: list[str] = Field(default_factory=list)


class EcdsaVerification(CoreModel):
    signature_valid: bool


class TokenValidation(CoreModel):
    """``token/validate``; an unknown token has nothing but ``tokenValid`` (§11)."""

    token_valid: bool
    activation_id: str | None = None
    activation_status: str | None = None
    blocked_reason: str | None = None
    user_id: str | None = None
    application_id: str | None = None
    signature_type: str | None = None
    application_roles: list[str] = Field(default_factory=list)
    activation_flags: list[str] = Field(default_factory=list)


class OfflinePayload(CoreModel):
    offline_data: str
    nonce: str


class SignatureAuditItem(CoreModel):
    """One row of ``signature/list``; ``data_base64``: the signed bytes, application secret included (D12)."""

    id: int
    application_id: str
    activation_id: str
    data_base64: str | None = None
    note: str | None = None
    timestamp_created: CoreDateTime


class SignatureAudit(CoreModel):
    items: list[SignatureAuditItem] = Field(default_factory=list)


class Operation(CoreModel):
    """``OperationDetailResponse`` (§19.1)."""

    id: str
    user_id: str | None = None
    applications: list[str] = Field(default_factory=list)
    external_id: str | None = None
    activation_flag: str | None = None
    operation_type: str
    template_name: str | None = None
    data: str
    parameters: dict[str, str | None] = Field(default_factory=dict)
    additional_data: dict[str, Any] | None = None
    status: str
    status_reason: str | None = None
    signature_type: list[str] = Field(default_factory=list)
    failure_count: int
    max_failure_count: int | None = None
    timestamp_created: CoreDateTime
    timestamp_expires: CoreDateTime
    timestamp_finalized: CoreDateTime | None = None
    risk_flags: str | None = None
    proximity_otp: str | None = None
    activation_id: str | None = None


class UserAction(CoreModel):
    """``operation/approve``, ``/approve/fail`` and ``/reject``."""

    result: str
    operation: Operation


class ApplicationItem(CoreModel):
    application_id: str
    application_roles: list[str] = Field(default_factory=list)


class ApplicationList(CoreModel):
    applications: list[ApplicationItem] = Field(default_factory=list)


class ApplicationVersion(CoreModel):
    application_version_id: str
    application_key: str
    application_secret: str
    mobile_sdk_config: str | None = None
    supported: bool


class ApplicationDetail(CoreModel):
    application_id: str
    master_public_key: str
    application_roles: list[str] = Field(default_factory=list)
    versions: list[ApplicationVersion] = Field(default_factory=list)


class ApplicationOfKey(CoreModel):
    application_id: str


class RolesAnswer(CoreModel):
    application_roles: list[str] = Field(default_factory=list)


class ConfigItem(CoreModel):
    key: str
    values: list[Any] = Field(default_factory=list)


class ConfigAnswer(CoreModel):
    application_configs: list[ConfigItem] = Field(default_factory=list)


class CallbackUrl(CoreModel):
    """A callback with its secrets replaced by flags (§18.1)."""

    id: str
    name: str
    type: str
    callback_url: str
    attributes: list[str] | None = None
    authentication: dict[str, Any] | None = None
    max_attempts: int | None = None
    initial_backoff: str | None = None
    retention_period: str | None = None


class CallbackList(CoreModel):
    callback_url_list: list[CallbackUrl] = Field(default_factory=list)


class RemovedAnswer(CoreModel):
    removed: bool


class Template(CoreModel):
    """``OperationTemplateDetailResponse`` (§20)."""

    id: int
    template_name: str
    operation_type: str
    data_template: str
    signature_type: list[str]
    max_failure_count: int
    expiration: int
    risk_flags: str | None = None
    proximity_check_enabled: bool = False


class OperationText(CoreModel):
    """One localised text; the JSON parts are text or already JSON, as the core delivers them (D2)."""

    placeholder: str
    language: str
    title: str
    message: str
    attributes: Any = None
    ui: Any = None
    result_texts: Any = None


class OperationTexts(CoreModel):
    texts: list[OperationText] = Field(default_factory=list)


class AuditLogItem(CoreModel):
    """One row of ``audit/log/list`` (spec/cloud-api.md §16)."""

    id: str
    subject_id: str | None = None
    application_name: str | None = None
    type: str | None = None
    level: str
    timestamp: CoreDateTime | None = None
    message: str
    param: dict[str, Any] | None = None


class AuditLogAnswer(CoreModel):
    items: list[AuditLogItem] = Field(default_factory=list)
    has_next: bool = False


class TelemetryReport(CoreModel):
    name: str
    report_data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ProximityCheck:
    """Proximity OTP of an offline payload: Base64 seed, step in seconds."""

    seed: str
    step_length: int

    def to_wire(self, **further: int) -> dict[str, object]:
        """The member ``proximityCheck``."""
        return {"seed": self.seed, "stepLength": self.step_length, **further}
