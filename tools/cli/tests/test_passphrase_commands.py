"""`powerauth passphrase`: what it prints, its exit status, and that it never repeats what it was given."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from powerauth_cli.passphrase_commands import app


@pytest.mark.parametrize(
    ("command", "given", "printed", "status"),
    [
        ("pin", "1234", "FREQUENTLY_USED HAS_PATTERN\n", 1),
        ("pin", "9562", "OK\n", 0),
        ("pin", "12a4", "a PIN has digits only\n", 2),
        ("password", "svajciarsko", "STRONG\n", 0),
        ("password --dictionary czsk", "svajciarsko", "WEAK\n", 1),
        ("password", "a\0b", "no password holds a NUL\n", 2),
    ],
)
def test_what_is_printed(command: str, given: str, printed: str, status: int) -> None:
    told = CliRunner().invoke(app, command.split(), input=f"{given}\n")
    assert (told.output, told.exit_code) == (printed, status)
