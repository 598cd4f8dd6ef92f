"""Which settings a service starts with, and what an operator reads when it does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from servicekit.logs import configure_logging
from servicekit.settings import BusSettings, DatabaseSettings, Listed, ServiceSettings, ServiceUrl
from servicekit.start_rules import Finding, StartRefused, authority_of, is_unprotected, is_weak_key
from servicekit.startup import command_settings, embedded_settings, serving_settings, told_without_traceback


class SampleSettings(ServiceSettings, DatabaseSettings, BusSettings):
    model_config = SettingsConfigDict(env_prefix="SAMPLE_")

    secret: SecretStr = Field(default=SecretStr(""), max_length=4)
    names: Listed[str] = ()
    numbers: Listed[int] = Field(default=(), examples=["1,2"])
    service_url: str = ""
    other_url: ServiceUrl = ""


FIT = {
    "SAMPLE_ENVIRONMENT": "production",
    "SAMPLE_DATABASE_URL": "postgresql://db/x?sslmode=verify-full",
    "SAMPLE_BUS_URL": "amqps://bus/",
    "SAMPLE_MANAGEMENT_PORT": "9090",
}


@pytest.fixture(autouse=True)
def _usual_logs_afterwards() -> Iterator[None]:
    yield
    configure_logging("tests", "INFO", json=True)


SetAll = Callable[..., None]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> SetAll:
    def set_all(**variables: str) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return set_all


def refused() -> list[str]:
    with pytest.raises(StartRefused) as caught:
        serving_settings(SampleSettings, "sample")
    return str(caught.value).splitlines()


def warned(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    return {line["variable"]: line["meaning"] for line in lines if line["event"] == "setting"}


def test_everything_wrong_is_told_at_once_without_its_value(environment: SetAll) -> None:
    environment(
        SAMPLE_PORT="ninety",
        SAMPLE_SECRET="hunter2hunter2",
        SAMPLE_NUMBERS="1,x,y",
        SAMPLE_DATABASE_URL="mysql://user:hunter2@host/db",
        SAMPLE_DATABSE_URL="postgresql://user:hunter2@host/db",
    )
    lines = refused()
    assert {line.partition(":")[0] for line in lines} == {
        "SAMPLE_PORT",
        "SAMPLE_SECRET",
        "SAMPLE_NUMBERS",
        "SAMPLE_DATABASE_URL",
        "SAMPLE_DATABSE_URL",
    }
    assert "SAMPLE_DATABSE_URL: is no setting; the nearest is SAMPLE_DATABASE_URL" in lines
    assert any(line.endswith("(example: 8080)") for line in lines)
    assert any(line.endswith("(example: 1,2)") for line in lines)
    assert not any("hunter2" in line or "ninety" in line for line in lines)


def test_every_file_that_cannot_be_read_is_named(environment: SetAll, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    environment(SAMPLE_SECRET_FILE="/nonexistent", SAMPLE_BUS_URL_FILE=str(tmp_path / "binary"))
    assert sorted(refused()) == [
        f"SAMPLE_BUS_URL_FILE: {tmp_path / 'binary'} is no text in UTF-8",
        "SAMPLE_SECRET_FILE: /nonexistent: No such file or directory",
    ]


def test_production_has_rules_and_tells_all_that_are_broken(environment: SetAll) -> None:
    environment(SAMPLE_ENVIRONMENT="production", SAMPLE_HOTS="x", SAMPLE_Q="x")
    assert refused() == [
        "SAMPLE_DATABASE_URL: production needs a PostgreSQL database"
        " (example: postgresql://user:password@host/database)",
        "SAMPLE_BUS_URL: without a message bus other services and replicas hear of no events"
        " (example: amqps://user:password@host/)",
        "SAMPLE_HOTS: is no setting; the nearest is SAMPLE_HOST",
        "SAMPLE_Q: is no setting",
    ]


def test_a_bus_whose_certificate_nobody_looks_at_is_refused_in_production(environment: SetAll) -> None:
    environment(**FIT | {"SAMPLE_BUS_URL": "amqps://user:hunter2@bus/?no_verify_ssl=1"})
    assert [line.partition(" (")[0] for line in refused()] == [
        "SAMPLE_BUS_URL: whoever is on the way can be the server, because of no_verify_ssl"
    ]


def test_what_is_only_doubtful_is_a_warning(environment: SetAll, capsys: pytest.CaptureFixture[str]) -> None:
    doubtful = {
        "SAMPLE_DATABASE_URL": "postgresql://db/x",
        "SAMPLE_BUS_URL": "amqp://bus/",
        "SAMPLE_LOG_LEVEL": "DEBUG",
    }
    environment(**FIT | doubtful)
    assert serving_settings(SampleSettings, "sample").production
    assert set(warned(capsys)) == set(doubtful)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db/x?sslmode=require",
        "postgresql://localhost/x",
        "postgresql://u@/x?host=/run/postgresql",
        "postgresql://u@/x?host=127.0.0.1:1&host=127.0.0.2:1",
    ],
)
def test_a_way_to_the_database_that_nobody_can_read_is_no_doubt(
    environment: SetAll, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    environment(**FIT | {"SAMPLE_DATABASE_URL": url})
    serving_settings(SampleSettings, "sample")
    assert warned(capsys) == {}


def test_one_unprotected_server_of_several_is_a_doubt(
    environment: SetAll, capsys: pytest.CaptureFixture[str]
) -> None:
    environment(**FIT | {"SAMPLE_DATABASE_URL": "postgresql://u@/x?host=127.0.0.1:1&host=db:1"})
    serving_settings(SampleSettings, "sample")
    assert set(warned(capsys)) == {"SAMPLE_DATABASE_URL"}


@pytest.mark.parametrize(
    "url", ["core:8080", "core", "ftp://core/", "http://", "http://core :1/", "http:///x"]
)
def test_the_address_of_another_service_is_one_of_http(environment: SetAll, url: str) -> None:
    environment(SAMPLE_OTHER_URL=url)
    assert refused() == ["SAMPLE_OTHER_URL: is no URL of HTTP"]


def test_the_management_port_is_another_one(environment: SetAll) -> None:
    environment(SAMPLE_PORT="9090", SAMPLE_MANAGEMENT_PORT="9090")
    assert refused() == ["SAMPLE_MANAGEMENT_PORT: is the service's own port (example: 9090)"]
    environment(SAMPLE_PORT="0", SAMPLE_MANAGEMENT_PORT="0")
    assert serving_settings(SampleSettings, "sample").management_port == 0


def test_outside_production_the_same_is_a_warning_or_nothing(
    environment: SetAll, capsys: pytest.CaptureFixture[str]
) -> None:
    environment(SAMPLE_DATABSE_URL="x")
    serving_settings(SampleSettings, "sample")
    assert warned(capsys) == {
        "SAMPLE_DATABSE_URL": "is no setting; the nearest is SAMPLE_DATABASE_URL",
        "SAMPLE_ENVIRONMENT": "not set: the rules of production do not hold",
    }


def test_a_command_looks_at_what_it_needs_and_logs_beside_its_answer(
    environment: SetAll, capsys: pytest.CaptureFixture[str]
) -> None:
    environment(SAMPLE_ENVIRONMENT="production")
    command_settings(SampleSettings, "sample", needs=())
    with pytest.raises(StartRefused, match="SAMPLE_DATABASE_URL"):
        command_settings(SampleSettings, "sample", needs=("database_url",))
    environment(SAMPLE_ENVIRONMENT="test", SAMPLE_HOTS="x")
    command_settings(SampleSettings, "sample", needs=("database_url",))
    told = capsys.readouterr()
    assert told.out == ""
    assert "SAMPLE_HOTS" in told.err


def test_arguments_win_over_the_environment(environment: SetAll) -> None:
    environment(SAMPLE_PORT="9000")
    assert embedded_settings(SampleSettings, port=9001).port == 9001


def test_what_kubernetes_sets_for_a_service_of_our_name_is_no_setting(
    environment: SetAll, capsys: pytest.CaptureFixture[str]
) -> None:
    environment(
        SAMPLE_ENVIRONMENT="test",
        SAMPLE_PORT="tcp://10.0.0.1:8080",
        SAMPLE_PORT_8080_TCP="tcp://10.0.0.1:8080",
        SAMPLE_PORT_8080_TCP_ADDR="10.0.0.1",
        SAMPLE_SERVICE_HOST="10.0.0.1",
        SAMPLE_SERVICE_PORT_HTTP="8080",
        SAMPLE_SERVICE_URL="https://ours",
    )
    settings = serving_settings(SampleSettings, "sample")
    assert (settings.port, settings.service_url) == (8080, "https://ours")
    assert warned(capsys) == {}


@pytest.mark.parametrize("text", ["a, b ,", '["a", "b"]', ' ["a","b"]'])
def test_lists_are_comma_separated_or_json(environment: SetAll, text: str) -> None:
    environment(SAMPLE_NAMES=text)
    assert SampleSettings().names == ("a", "b")


def test_a_list_that_is_neither_is_told(environment: SetAll) -> None:
    environment(SAMPLE_NAMES="[a, b]")
    assert refused() == ["SAMPLE_NAMES: is neither comma-separated nor a JSON array"]


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("postgresql://u:p/#?w@host:5432/db", ("host", 5432)),
        ("postgresql://host/db", ("host", None)),
        ("postgresql:///db?host=/run", ("", None)),
        ("amqp://[::1]:5672/", ("::1", 5672)),
        ("postgresql://host:port/db", None),
        ("postgresql://host:70000/db", None),
        ("postgresql://[::1/db", None),
    ],
)
def test_host_and_port_of_a_url(url: str, authority: object) -> None:
    assert authority_of(url) == authority


@pytest.mark.parametrize(
    ("url", "unprotected"),
    [
        ("http://core:8080/x", True),
        ("https://core/x", False),
        ("http://127.0.0.1:8080/x", False),
        ("http://[::1]/x", False),
        ("http://localhost/x", False),
        ("", False),
    ],
)
def test_what_leaves_this_machine_unencrypted(url: str, unprotected: bool) -> None:
    assert is_unprotected(url) is unprotected


def test_a_typed_key_is_weak() -> None:
    assert is_weak_key(bytes(16))
    assert is_weak_key(b"abcd" * 4)
    assert not is_weak_key(bytes(range(16)))
    assert not is_weak_key(None)


def test_a_refusal_is_lines_on_standard_error_and_status_78(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, told_without_traceback():
        raise StartRefused(Finding("A", "is missing", "1"), Finding("B", "is wrong"))
    assert ended.value.code == 78
    assert capsys.readouterr().err == "A: is missing (example: 1)\nB: is wrong\n"


PROGRAM = """
    import sys
    from contextlib import asynccontextmanager
    from servicekit.app import create_app, serve
    from servicekit.errors import ErrorFamily, Unavailable, fixed
    from servicekit.settings import ServiceSettings
    from servicekit.start_rules import Finding, StartRefused
    from servicekit.startup import serving_settings, told_without_traceback

    word = fixed(500, "E", "")
    family = ErrorFamily(lambda c, p: word(c), word, word, word, word, word, word, word)

    @asynccontextmanager
    async def lifespan(app):
        {start}
        yield

    with told_without_traceback():
        settings = serving_settings(ServiceSettings, "sample")
        serve(create_app("t", "1", settings, family, lifespan), settings)
"""


@pytest.mark.parametrize(
    ("start", "status", "told"),
    [
        ("raise StartRefused(Finding('KEY', 'does not fit'))", 78, "KEY: does not fit"),
        ("raise Unavailable('the database is away')", 3, "the database is away"),
        ("raise RuntimeError('a fault of ours')", 3, "a fault of ours"),
    ],
)
def test_what_stops_a_start_later_is_told_in_the_same_way(start: str, status: int, told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", dedent(PROGRAM.format(start=start))],
        env=os.environ | {"PORT": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status
    assert told in done.stdout + done.stderr
    assert ("Traceback" in done.stdout + done.stderr) is ("fault of ours" in start)


@pytest.mark.parametrize(
    ("variables", "meaning"),
    [
        ({"SAMPLE_BUS_URL": "amqp://bus/"}, "an SQLite database belongs to one process"),
        ({"SAMPLE_DATABASE_URL": "postgresql://db/x"}, "without a message bus the processes hear"),
    ],
)
def test_several_workers_need_a_database_and_a_bus_that_they_can_share(
    environment: SetAll, variables: dict[str, str], meaning: str
) -> None:
    environment(**variables)
    assert serving_settings(SampleSettings, "sample").workers == 1
    with pytest.raises(StartRefused) as caught:
        serving_settings(SampleSettings, "sample", workers=2)
    assert str(caught.value).startswith(f"SAMPLE_WORKERS: {meaning}")
    environment(SAMPLE_WORKERS="2")
    assert refused() == str(caught.value).splitlines()
    environment(SAMPLE_BUS_URL="amqp://bus/", SAMPLE_DATABASE_URL="postgresql://db/x")
    assert serving_settings(SampleSettings, "sample").workers == 2
