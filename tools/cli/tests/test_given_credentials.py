"""Credentials that an installation brings itself: who is to have them has them, however often it is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from powerauth_cli.main import app

FIRST = "a-secret-of-the-installation"
SECOND = "the-secret-after-a-rotation"


def run(*arguments: object) -> tuple[int, str]:
    """Run a command; exit status and everything that it said."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file with a secret, beside databases of all services."""
    for service in ("core", "cloud", "push"):
        monkeypatch.setenv(f"{service.upper()}_DATABASE_URL", f"sqlite:///{tmp_path}/{service}.sqlite3")
        monkeypatch.setenv(f"{service.upper()}_LOG_LEVEL", "ERROR")
        assert run("db", "migrate", service)[0] == 0
    monkeypatch.setenv("CORE_MASTER_ENCRYPTION_KEY", "MTIzNDU2Nzg5MDEyMzQ1Ng==")
    file = tmp_path / "secret"
    file.write_text(FIRST + "\n")
    return file


@pytest.mark.parametrize("door", ["rest", "dmz"])
def test_a_caller_of_the_core_has_the_given_secret(secret: Path, door: str) -> None:
    give = ("integration", "create", "x", "--door", door, "--token", "x-1", "--secret-file", secret)

    def changed() -> bool:
        status, output = run(*give)
        assert (status, FIRST in output) == (0, False)
        return bool(json.loads(output)["changed"])

    assert [changed(), changed()] == [True, False]
    secret.write_text(SECOND)
    assert [changed(), changed()] == [True, False]
    listed = json.loads(run("integration", "list")[1])
    assert [(one["name"], one["clientToken"]) for one in listed] == [("x", "x-1")]
    assert run("integration", "create", "y", *give[3:]) == (1, "another caller has this client token\n")


def test_a_caller_of_push_has_the_given_secret_and_scopes(secret: Path) -> None:
    give = ("push", "caller", "create", "x", "--token", "x-1", "--secret-file", secret)
    narrow = (*give, "--scopes", "enrollment")
    told = [json.loads(run(*command)[1]) for command in (give, narrow, narrow)]
    assert told == [{"clientToken": "x-1", "changed": changed} for changed in (True, True, False)]
    listed = json.loads(run("push", "caller", "list")[1])
    assert [(one["name"], one["scopes"], one["clientToken"]) for one in listed] == [
        ("x", ["enrollment"], "x-1")
    ]
    status, output = run("push", "caller", "create", "y", "--token", "x-1", "--secret-file", secret)
    assert (status, output) == (1, "another caller has this client token, nothing was changed.\n")


def test_an_administrator_is_made_once_with_the_given_password(secret: Path) -> None:
    give = ("admin", "create", "alice", "--password-file", secret)
    assert run(*give) == (0, '{\n  "username": "alice"\n}\n')
    secret.write_text(SECOND)
    status, output = run(*give)
    assert (status, "alice exists already, nothing was changed" in output) == (0, True)
    assert run("admin", "create", "a\nb", "--password-file", secret)[0] == 1


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("short", ("--token", "x"), "16 to 128 visible"),
        ("two lines of text\nare no secret", ("--token", "x"), "16 to 128 visible"),
        ("müßte-ASCII-sein", ("--token", "x"), "16 to 128 visible"),
        (FIRST, (), "go together"),
        (FIRST, ("--token", "a:b"), "1 to 37 letters"),
        (FIRST, ("--token", "x" * 38), "1 to 37 letters"),
    ],
)
def test_what_can_be_no_credentials_is_wrong_usage(
    tmp_path: Path, text: str, options: tuple[str, ...], reason: str
) -> None:
    file = tmp_path / "secret"
    file.write_text(text)
    for command in (("integration", "create", "x", "--door", "rest"), ("push", "caller", "create", "x")):
        status, output = run(*command, *options, "--secret-file", file)
        assert (status, reason in " ".join(output.replace("│", " ").split())) == (2, True)
        assert text not in output
