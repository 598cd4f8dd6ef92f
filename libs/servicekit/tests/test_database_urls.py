"""What an operator may write behind the address of a database, and what it means for TLS."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import text

from servicekit.database import Database, DatabaseUnavailable
from servicekit.database_urls import demands_tls, hosts_of, parsed_url, tls_arguments, without_tls
from servicekit.settings import DatabaseSettings
from servicekit.start_rules import StartRefused
from servicekit.testing import fresh_database

URL = "postgresql://user:hunter2@db/x"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("connect_timeout=3", "connect_timeout"),
        ("sslmod=require", "sslmod"),
        ("sslmode=required", "sslmode must be one of"),
        ("ssl=true", "sslmode must be one of"),
        ("sslmode=require&sslcert=/a", "go together"),
        ("sslrootcert=/a", "need sslmode"),
        ("sslmode=prefer&sslrootcert=/a", "need sslmode"),
    ],
)
@pytest.mark.parametrize("setting", ["database_url", "database_migrate_url"])
def test_what_the_driver_does_not_take_is_refused_with_its_name(setting: str, query: str, told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        DatabaseSettings.model_validate({setting: f"{URL}?{query}"})
    (error,) = refused.value.errors()
    assert told in error["msg"]
    assert "hunter2" not in error["msg"]


@pytest.mark.parametrize("name", ["sslmode", "ssl"])
@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"])
def test_the_mode_has_the_name_of_postgresql_and_that_of_the_driver(name: str, mode: str) -> None:
    url = parsed_url(f"{URL}?{name}={mode}&target_session_attrs=read-write")
    assert tls_arguments(url) == {"ssl": mode}
    assert demands_tls(url) is (mode in ("require", "verify-ca", "verify-full"))
    assert dict(without_tls(url).query) == {"target_session_attrs": "read-write"}


@pytest.mark.parametrize(
    ("mode", "verified", "named"),
    [("require", True, False), ("verify-ca", True, False), ("verify-full", True, True)],
)
def test_who_names_a_root_certificate_wants_it_used(mode: str, verified: bool, named: bool) -> None:
    root = ssl.get_default_verify_paths().cafile or "/etc/ssl/certs/ca-certificates.crt"
    context = tls_arguments(parsed_url(f"{URL}?sslmode={mode}&sslrootcert={root}"))["ssl"].current()
    assert (context.verify_mode is ssl.CERT_REQUIRED, context.check_hostname) == (verified, named)


def test_a_file_of_a_url_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    for url, path in (
        (f"{URL}?sslmode=verify-ca&sslrootcert={tmp_path}/none", f"{tmp_path}/none"),
        (f"sqlite:///{Path(__file__) / 'x.sqlite3'}", __file__),
    ):
        with pytest.raises(StartRefused) as refused:
            Database(url)
        assert path in str(refused.value)


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        (URL, ["db"]),
        ("postgresql://u@/x?host=db1:5432&host=db2:5432", ["db1", "db2"]),
        ("postgresql://u@/x?host=/run/postgresql", ["/run/postgresql"]),
    ],
)
def test_all_servers_of_a_url_are_known(url: str, hosts: list[str]) -> None:
    assert hosts_of(parsed_url(url)) == hosts


async def test_a_server_without_tls_is_refused_when_it_is_demanded(tmp_path: Path) -> None:
    async with fresh_database("postgresql", tmp_path) as url:
        plain, strict = Database(f"{url}?sslmode=disable"), Database(f"{url}?sslmode=require")
        async with plain.read() as session:
            assert await session.scalar(text("SELECT 1")) == 1
        with pytest.raises(DatabaseUnavailable):
            async with strict.read() as session:
                await session.scalar(text("SELECT 1"))
        await plain.dispose()
        await strict.dispose()
