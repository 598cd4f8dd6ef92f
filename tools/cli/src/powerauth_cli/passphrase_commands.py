"""`powerauth passphrase`: how easily a PIN or a password is guessed, on this machine alone."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, NoReturn

import typer

import passphrase_meter as meter

app = typer.Typer(add_completion=False, no_args_is_help=True, help="How easily secrets are guessed.")


class Words(StrEnum):
    """Dictionaries of the meter."""

    EN = "en"
    CZSK = "czsk"
    RO = "ro"


@app.callback()
def _passphrase() -> None:
    """How easily a PIN or a password is guessed: asked for, or a line of standard input; sent nowhere."""


@app.command()
def pin() -> None:
    """Print what makes a PIN easy to guess; exit status 1 if another one should be chosen."""
    try:
        result = meter.test_pin(_asked("PIN"))
    except meter.WrongPinError as error:
        _refused(error)
    typer.echo(" ".join(sorted(str(issue.name) for issue in result.issues)) or meter.PinIssue.OK.name)
    raise typer.Exit(result.should_warn)


@app.command()
def password(
    dictionary: Annotated[
        Words | None, typer.Option(help="Words that are guessed first: English, Czech and Slovak, Romanian.")
    ] = None,
) -> None:
    """Print how strong a password is; exit status 1 below GOOD."""
    try:
        strength = meter.test_password(_asked("Password"), dictionary)
    except meter.WrongPasswordError as error:
        _refused(error)
    typer.echo(strength.name)
    raise typer.Exit(strength < meter.PasswordStrength.GOOD)


def _asked(name: str) -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(name, hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def _refused(error: ValueError) -> NoReturn:
    typer.echo(str(error), err=True)
    raise typer.Exit(2)
