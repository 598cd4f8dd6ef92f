from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from servicekit.settings import BusSettings, DatabaseSettings, ServiceSettings
from servicekit.start_rules import StartRefused


class SampleSettings(ServiceSettings, DatabaseSettings, BusSettings):
    model_config = SettingsConfigDict(env_prefix="SAMPLE_")

    master_key: SecretStr = SecretStr("")


def test_every_setting_has_a_working_default() -> None:
    settings = SampleSettings()
    assert settings.max_body_bytes == 1024 * 1024
    assert settings.max_header_bytes == 8192
    assert settings.database_lock_timeout_seconds == 10
    assert not settings.production


def test_values_come_from_the_prefixed_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_PORT", "9000")
    monkeypatch.setenv("SAMPLE_ENVIRONMENT", "production")
    monkeypatch.setenv("PORT", "1")
    settings = SampleSettings()
    assert settings.port == 9000
    assert settings.production


def test_a_secret_can_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret value \n")
    monkeypatch.setenv("SAMPLE_MASTER_KEY_FILE", str(tmp_path / "key"))
    assert SampleSettings().master_key.get_secret_value() == "s3cret value "


def test_a_value_in_the_environment_wins_over_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from file")
    monkeypatch.setenv("SAMPLE_MASTER_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("SAMPLE_MASTER_KEY", "from environment")
    assert SampleSettings().master_key.get_secret_value() == "from environment"


def test_a_named_file_that_is_not_there_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_MASTER_KEY_FILE", "/nonexistent/key")
    with pytest.raises(StartRefused, match="SAMPLE_MASTER_KEY_FILE"):
        SampleSettings()


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_DATABASE_URL", "postgresql://user:s3cret@host/db")
    monkeypatch.setenv("SAMPLE_BUS_URL", "amqp://user:s3cret@host/")
    assert "s3cret" not in repr(SampleSettings())


@pytest.mark.parametrize("value", ["powerauth", "/powerauth", "/powerauth/"])
def test_the_context_path_starts_with_a_slash_and_ends_without(value: str) -> None:
    assert ServiceSettings(root_path=value).root_path == "/powerauth"


def test_no_context_path_is_empty() -> None:
    assert ServiceSettings(root_path="/").root_path == ""


@pytest.mark.parametrize(
    "values", [{"port": 70000}, {"environment": "prod"}, {"log_level": "LOUD"}, {"max_body_bytes": 0}]
)
def test_impossible_values_stop_the_start(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ServiceSettings(**values)  # type: ignore[arg-type]


def test_migrations_do_not_go_through_a_pooler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_DATABASE_URL", "postgresql://pooler/x")
    assert SampleSettings().migrate_url == "postgresql://pooler/x"
    monkeypatch.setenv("SAMPLE_DATABASE_TRANSACTION_POOLER", "true")
    with pytest.raises(ValueError, match="DATABASE_MIGRATE_URL"):
        _ = SampleSettings().migrate_url
    monkeypatch.setenv("SAMPLE_DATABASE_MIGRATE_URL", "postgresql://server/x")
    assert SampleSettings().migrate_url == "postgresql://server/x"
