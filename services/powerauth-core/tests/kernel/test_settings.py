"""Settings of the core (spec/core-api.md §29)."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from powerauth_core.settings import CoreSettings
from servicekit.start_rules import StartRefused
from servicekit.startup import embedded_settings

DEFAULTS = {
    "application_name": "powerauth-server",
    "application_display_name": "PowerAuth Server",
    "application_environment": "",
    "restrict_access": True,
    "activation_validity_ms": 300_000,
    "signature_max_failed_attempts": 5,
    "signature_validation_lookahead": 20,
    "offline_signature_component_length": 8,
    "request_expiration_ms": 60_000,
    "request_expiration_extended_ms": 7_200_000,
    "replay_verification_service": "default",
    "token_timestamp_validity_ms": 7_200_000,
    "token_timestamp_forward_validity_ms": 1_800_000,
    "recovery_max_failed_attempts": 5,
    "secure_vault_enable_biometric_authentication": False,
    "temporary_key_validity_ms": 300_000,
    "proximity_check_otp_length": 8,
    "proximity_check_step_seconds": 30,
    "proximity_check_step_count": 1,
    "default_page_size": 500,
    "default_page_number": 0,
    "http_connection_timeout_ms": 5_000,
    "http_response_timeout_ms": 60_000,
    "http_connection_max_idle_ms": 200_000,
    "callbacks_default_max_attempts": 1,
    "callbacks_default_retention_period_ms": 30 * 86_400_000,
    "callbacks_default_initial_backoff_ms": 2_000,
    "callbacks_max_backoff_ms": 32_000,
    "callbacks_backoff_multiplier": 1.5,
    "callbacks_pending_dispatch_limit": 100,
    "callbacks_queue_capacity": 1_000,
    "callbacks_force_rerun_ms": 75_000,
    "callbacks_failure_threshold": 200,
    "callbacks_failure_reset_timeout_ms": 60_000,
    "job_activations_cleanup_ms": 5_000,
    "job_operation_cleanup_ms": 5_000,
    "job_unique_value_cleanup_ms": 60_000,
    "job_temporary_key_cleanup_ms": 5_000,
    "job_dispatch_pending_callbacks_ms": 3_000,
    "job_rerun_stale_callbacks_ms": 3_000,
    "audit_cleanup_days": 365,
    "minimum_protocol_version": "3.0",
    "require_claim": False,
    "master_key": None,
}


WEAK = b64encode(bytes(16)).decode()


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults(name: str) -> None:
    assert getattr(CoreSettings(), name) == DEFAULTS[name]


@pytest.mark.parametrize(
    "wrong",
    [
        {"proximity_check_otp_length": 5},
        {"proximity_check_otp_length": 9},
        {"signature_validation_lookahead": 0},
        {"signature_validation_lookahead": 65},
        {"offline_signature_component_length": 3},
        {"generate_token_id_iterations": 0},
        {"token_timestamp_validity_ms": 0},
        {"minimum_protocol_version": "2.1"},
        {"master_encryption_key": "AAAA"},
        {"master_encryption_key": "not base64!"},
        {"master_encryption_key": f"{WEAK},{WEAK}"},
        {"previous_master_encryption_keys": "AAAA"},
        {"egress_allowed_networks": ["not a network"]},
        {"port": 70_000},
    ],
)
def test_values_out_of_their_limits_stop_the_start(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CoreSettings(**wrong)


def test_environment_variables_and_secret_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("MTIzNDU2Nzg5MDEyMzQ1Ng==\n")
    monkeypatch.setenv("CORE_MASTER_ENCRYPTION_KEY_FILE", str(secret))
    monkeypatch.setenv("CORE_REQUIRE_CLAIM", "true")
    settings = CoreSettings()
    assert settings.master_key == b"1234567890123456"
    assert settings.require_claim


def test_secrets_do_not_show() -> None:
    settings = CoreSettings(master_encryption_key="MTIzNDU2Nzg5MDEyMzQ1Ng==", http_proxy_password="hidden")
    assert "hidden" not in repr(settings)
    assert "MTIz" not in repr(settings)


def test_production_asks_new_applications_for_protocol_3_2() -> None:
    assert CoreSettings().created_application_minimum_version is None
    assert CoreSettings(environment="production").created_application_minimum_version == "3.2"
    chosen = CoreSettings(environment="production", new_application_minimum_protocol_version="3.3")
    assert chosen.created_application_minimum_version == "3.3"


FIT_FOR_PRODUCTION = {
    "environment": "production",
    "database_url": "postgresql://db.example/core?sslmode=verify-full",
    "bus_url": "amqps://bus.example/",
    "management_port": 9090,
    "master_encryption_key": b64encode(bytes(range(16))).decode(),
}


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("database_url", "sqlite:///core.sqlite3"),
        ("bus_url", ""),
        ("master_encryption_key", ""),
        ("master_encryption_key", WEAK),
        ("audit_chain_key", WEAK),
        ("restrict_access", False),
        ("replay_verification_service", "none"),
        ("egress_allowed_networks", "10.0.0.0/8,0.0.0.0/0"),
        ("egress_loopback_allowed", True),
        ("mds_url", "http://mds.example/"),
    ],
)
def test_production_refuses(setting: str, value: Any) -> None:
    with pytest.raises(StartRefused) as refused:
        embedded_settings(CoreSettings, **FIT_FOR_PRODUCTION | {setting: value})
    assert [finding.variable for finding in refused.value.findings] == [f"CORE_{setting.upper()}"]
    CoreSettings.model_validate(FIT_FOR_PRODUCTION | {setting: value, "environment": "test"})


def test_watched_metadata_needs_a_file() -> None:
    with pytest.raises(StartRefused) as refused:
        embedded_settings(CoreSettings, environment="test", mds_source="FILE")
    assert [finding.variable for finding in refused.value.findings] == ["CORE_MDS_FILE"]


def test_production_takes_what_is_doubtful() -> None:
    doubtful = {
        "master_encryption_key": b64encode(b"1234567890123456").decode(),
        "egress_allowed_networks": "127.0.0.1",
        "signature_max_failed_attempts": 6,
        "new_application_minimum_protocol_version": "3.0",
        "user_info_rest_url": "http://provider.example",
        "mds_trust_anchors": "roots.pem",
    }
    settings = embedded_settings(CoreSettings, **FIT_FOR_PRODUCTION | doubtful)
    broken = {rule.setting for rule in CoreSettings.all_start_rules() if rule.broken(settings)}
    assert broken == set(doubtful)


@pytest.mark.parametrize("text", ["10.20.0.0/16, 10.30.0.1", '["10.20.0.0/16", "10.30.0.1"]'])
def test_lists_have_one_syntax_and_the_earlier_one(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("CORE_EGRESS_ALLOWED_NETWORKS", text)
    assert [str(one) for one in CoreSettings().egress_allowed_networks] == ["10.20.0.0/16", "10.30.0.1/32"]


def test_earlier_chain_keys_are_a_list_too() -> None:
    keys = [b64encode(bytes([number] * 16)).decode() for number in (1, 2, 3)]
    text = f"{keys[0]},{keys[1]} {keys[2]}"
    assert len(CoreSettings(audit_chain_previous_keys=text).own_chain_keys) == 3
