"""What an operator reads when a setting of any service is missing or wrong; secrets that come from files."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from powerauth_cli.services import SERVICES
from servicekit.authority import Authority
from servicekit.logs import configure_logging
from servicekit.start_rules import StartRefused
from servicekit.startup import serving_settings, told_without_traceback, variable_of

NEEDED = {
    "core": {"DATABASE_URL", "BUS_URL", "MASTER_ENCRYPTION_KEY"},
    "cloud": {"DATABASE_URL", "BUS_URL", "CORE_URL", "CORE_USERNAME", "CORE_PASSWORD"},
    "enrollment": {"CORE_URL", "CORE_CLIENT_TOKEN", "CORE_CLIENT_SECRET"},
    "push": {
        "DATABASE_URL",
        "BUS_URL",
        "CORE_URL",
        "CORE_USERNAME",
        "CORE_PASSWORD",
        "MASTER_ENCRYPTION_KEY",
    },
}
KEY = b64encode(bytes(range(16))).decode()
DERIVATION_KEY = b64encode(bytes(range(32))).decode()
WORTHS = {
    "audit_chain_key": KEY,
    "audit_chain_previous_keys": KEY,
    "bus_url": "amqps://user:password@bus/",
    "database_url": "postgresql://user:password@db/x",
    "database_migrate_url": "postgresql://user:password@db/x",
    "limit_storage_url": "rediss://:password@counts/",
    "master_encryption_key": KEY,
    "previous_master_encryption_keys": f"{KEY},{KEY}",
    "read_database_url": "postgresql://user:password@db/x",
    "offline_derivation_key": DERIVATION_KEY,
    "offline_derivation_previous_keys": f"{DERIVATION_KEY},{DERIVATION_KEY}",
    "admin_password_encoded": "$2b$12$" + "a" * 53,
}
"""Of secrets that have a form; others are any text."""

SetAll = Callable[..., None]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[SetAll]:
    """Sets the variables of a service, and nothing else of it."""

    def set_all(service: str, **values: object) -> None:
        for name in os.environ:
            if name.startswith(f"{service.upper()}_"):
                monkeypatch.delenv(name)
        for name, value in values.items():
            monkeypatch.setenv(f"{service}_{name}".upper(), str(value))

    yield set_all
    configure_logging("tests", "INFO", json=True)


def _told(service: str) -> dict[str, tuple[str, str]]:
    """What a start is refused with: meaning and example by setting."""
    settings_class = SERVICES[service].settings()
    with pytest.raises(StartRefused) as caught:
        serving_settings(settings_class, service)
    prefix = variable_of(settings_class, "")
    return {
        finding.variable.removeprefix(prefix): (finding.meaning, finding.example)
        for finding in caught.value.findings
    }


@pytest.mark.parametrize("service", SERVICES)
def test_production_names_all_that_is_missing_with_meaning_and_example(
    environment: SetAll, service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    environment(service, environment="production")
    told = _told(service)
    assert told.keys() == NEEDED[service]
    assert all(meaning and example for meaning, example in told.values())
    with pytest.raises(SystemExit) as ended, told_without_traceback():
        serving_settings(SERVICES[service].settings(), service)
    assert ended.value.code == 78
    lines = capsys.readouterr().err.splitlines()
    assert {line.partition(":")[0] for line in lines} == {f"{service.upper()}_{name}" for name in told}


_NO_TEXT = (int, float, bool, int | None, bool | None)


@pytest.mark.parametrize("service", SERVICES)
def test_what_cannot_be_read_is_named_and_not_repeated(environment: SetAll, service: str) -> None:
    fields = SERVICES[service].settings().model_fields.items()
    names = [name for name, field in fields if field.annotation in _NO_TEXT]
    assert len(names) > 10
    environment(service, **dict.fromkeys(names, "hunter2"))
    told = _told(service)
    assert told.keys() == {name.upper() for name in names}
    assert "hunter2" not in str(told)


FAULTS = {
    "push TLS_CERTIFICATE_PATH=none TLS_KEY_PATH=key": "TLS_CERTIFICATE_PATH: no such file",
    "push TLS_CERTIFICATE_PATH=key TLS_KEY_PATH=key": "TLS_CERTIFICATE_PATH: no certificate",
    "push TLS_KEY_PATH=key": "TLS_CERTIFICATE_PATH: has no certificate",
    "push TLS_CERTIFICATE_PATH=crt": "TLS_KEY_PATH: needs its key",
    "cloud TLS_CERTIFICATE_PATH=crt TLS_KEY_PATH=none": "TLS_KEY_PATH: no such file",
    "cloud TLS_CERTIFICATE_PATH=crt TLS_KEY_PATH=crt": "TLS_KEY_PATH: is no key",
    "cloud TLS_CERTIFICATE_PATH=crt TLS_KEY_PATH=other": "TLS_KEY_PATH: another certificate",
    "core TLS TLS_CLIENT_CA_PATH=none": "TLS_CLIENT_CA_PATH: no such file",
    "core TLS TLS_CLIENT_CA_PATH=crt": "TLS_CLIENT_CA_PATH: no certificate of an authority",
    "core TLS_CLIENT_CA_PATH=ca": "TLS_CLIENT_CA_PATH: there is no TLS",
    "core TLS TLS_CLIENT_NAMES=cloud.bank": "TLS_CLIENT_NAMES: TLS_CLIENT_CA_PATH",
    "push MANAGEMENT_PORT=1 MANAGEMENT_TLS=true": "MANAGEMENT_TLS: no certificate",
    "push TLS MANAGEMENT_TLS=true": "MANAGEMENT_TLS: no management port",
    "enrollment INTERNAL_CA_PATH=key": "INTERNAL_CA_PATH: no certificate of an authority",
    "cloud INTERNAL_CERTIFICATE_PATH=crt": "INTERNAL_KEY_PATH: needs its key",
    "push INTERNAL_CERTIFICATE_PATH=crt INTERNAL_KEY_PATH=other": "INTERNAL_KEY_PATH: another certificate",
    "core DATABASE_URL=postgresql://db/x?sslmode=require&sslrootcert=/none": "DATABASE_URL: sslrootcert",
    "push DATABASE_MIGRATE_URL=postgresql://d/x?sslmode=require&sslrootcert=/no": "DATABASE_MIGRATE_URL: ssl",
    "cloud DATASOURCE_URL=jdbc:postgresql://db/x?sslmode=require&sslrootcert=/none": "DATASOURCE_URL: ssl",
    "core BUS_URL=amqps://bus/?cafile=/none": "BUS_URL: cafile",
    "enrollment LIMIT_STORAGE_URL=rediss://r/?ssl_certfile=/none": "LIMIT_STORAGE_URL: ssl_certfile",
    "enrollment LIMIT_STORAGE_URL=rediss://[r/0": "LIMIT_STORAGE_URL: no URL of a Redis",
    "push CORRELATION_HEADER_PATTERN=(": "CORRELATION_HEADER_PATTERN: no regular expression",
    "push CORRELATION_HEADER_NAME=X:Y": "CORRELATION_HEADER_NAME: pattern",
    "core PORT=8085 DMZ_PORT=8085": "DMZ_PORT: own port",
    "core DMZ_PORT=9090 MANAGEMENT_PORT=9090": "DMZ_PORT: management",
    "core DMZ_HOST=10.0.0.1": "DMZ_HOST: CORE_DMZ_PORT",
    "core TLS TLS_CLIENT_CA_PATH=ca DMZ_TLS_CLIENT_NAMES=x": "DMZ_TLS_CLIENT_NAMES: CORE_DMZ_PORT",
    "core TLS DMZ_PORT=1 DMZ_TLS_CLIENT_NAMES=x": "DMZ_TLS_CLIENT_NAMES: TLS_CLIENT_CA_PATH",
}
"""Service and settings; what is named, and a part of what is said. ``TLS`` is a pair that is right."""


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    authority = Authority(tmp_path_factory.mktemp("tls"))
    own, other = authority.issue("own"), authority.issue("other")
    found = {
        "crt": own.certificate,
        "key": own.key,
        "other": other.key,
        "ca": own.authorities,
        "none": "/none",
    }
    return {name: str(path) for name, path in found.items()}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_with_doors_and_tls_is_said_by_its_variable(
    environment: SetAll, paths: dict[str, str], fault: str
) -> None:
    service, *given = fault.replace(" TLS ", " TLS_CERTIFICATE_PATH=crt TLS_KEY_PATH=key ").split()
    pairs = (each.split("=", 1) for each in given)
    environment(service, **{name: paths.get(value, value) for name, value in pairs})
    variable, _, meaning = FAULTS[fault].partition(": ")
    told = _told(service)
    assert told.keys() == {variable}
    assert meaning in told[variable][0]


def test_an_expired_certificate_is_a_warning_since_it_may_be_renewed(
    environment: SetAll, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = Authority(tmp_path).issue("own", life=timedelta(days=-1))
    environment(
        "enrollment",
        environment="production",
        core_url="https://core",
        core_client_token="t",
        core_client_secret="s" * 16,
        tls_certificate_path=files.certificate,
        tls_key_path=files.key,
    )
    assert serving_settings(SERVICES["enrollment"].settings(), "enrollment").tls_files is not None
    assert "ENROLLMENT_TLS_CERTIFICATE_PATH" in capsys.readouterr().out


def _secrets() -> list[tuple[str, str]]:
    return [
        (service, name)
        for service, found in SERVICES.items()
        for name, field in found.settings().model_fields.items()
        if field.annotation is SecretStr
    ]


@pytest.mark.parametrize(("service", "name"), _secrets())
def test_every_secret_can_come_from_a_file(
    environment: SetAll, tmp_path: Path, service: str, name: str
) -> None:
    worth = WORTHS.get(name, "any text")
    (tmp_path / "secret").write_text(f"{worth}\n")
    environment(service, **{f"{name}_file": tmp_path / "secret"})
    settings: Any = SERVICES[service].settings()()
    assert getattr(settings, name).get_secret_value() == worth
    assert worth not in repr(settings)


def test_what_sounds_like_a_secret_is_one() -> None:
    open_ones = {
        f"{service}: {name}"
        for service, found in SERVICES.items()
        for name, field in found.settings().model_fields.items()
        if name.endswith(("password", "secret", "_key", "_keys", "database_url", "bus_url", "storage_url"))
        and field.annotation is not SecretStr
    }
    assert open_ones == set()
