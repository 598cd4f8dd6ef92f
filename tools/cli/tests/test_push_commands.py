"""`powerauth push`: callers of the push service are made, listed and removed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from powerauth_cli.main import app


def run(*arguments: str) -> tuple[int, str]:
    """Run a command; exit status and everything that it said."""
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_callers_are_made_listed_and_removed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PUSH_DATABASE_URL", f"sqlite:///{tmp_path}/push.sqlite3")
    assert run("db", "migrate", "push")[0] == 0
    assert run("push", "caller", "list") == (0, "[]\n")
    status, output = run("push", "caller", "create", "cloud")
    made = json.loads(output)
    assert (status, made.keys()) == (0, {"clientToken", "clientSecret"})
    status, output = run("push", "caller", "create", "cloud")
    assert (status, f'"{made["clientToken"]}"' in output, "nothing was changed" in output) == (0, True, True)
    status, output = run("push", "caller", "create", "cloud", "--scopes", "device")
    assert (status, "cloud exists already, with scopes " in output) == (1, True)
    assert run("push", "caller", "create", "enrollment", "--scopes", "enrollment")[0] == 0
    assert run("push", "caller", "create", "x", "--scopes", "all")[0] == 2
    listed = {one.pop("name"): one for one in json.loads(run("push", "caller", "list")[1])}
    assert (listed["cloud"]["clientToken"], listed["cloud"]["usable"]) == (made["clientToken"], True)
    assert listed["enrollment"]["scopes"] == ["enrollment"]
    assert run("push", "caller", "remove", "enrollment") == (0, "enrollment is removed.\n")
    assert run("push", "caller", "remove", "enrollment")[0] == 1
