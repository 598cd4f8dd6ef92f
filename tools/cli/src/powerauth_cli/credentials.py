"""Credentials: of the first administrator and of callers, made here or given in a file."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Annotated

import typer
from argon2 import PasswordHasher

from servicekit.start_rules import SECRET_LENGTH

ADMINISTRATOR = "admin"

_TOKEN = re.compile(r"[A-Za-z0-9._~-]{1,37}")
_LONGEST_SECRET = 128
_SECRET = re.compile(rf"[!-~]{{{SECRET_LENGTH},{_LONGEST_SECRET}}}")

Token = Annotated[
    str | None,
    typer.Option(help="Client token that the caller is to have, with --secret-file; else one is made up."),
]
SecretFile = Annotated[
    Path | None,
    typer.Option(
        help="File with the secret that the caller is to have, new or not; it is not printed then.",
        exists=True,
        dir_okay=False,
    ),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        help="File with the password; else one is made up. A user that exists stays as it is.",
        exists=True,
        dir_okay=False,
    ),
]


def given_credentials(token: str | None, secret_file: Path | None) -> tuple[str, str] | None:
    """Token and secret that a caller is to have; None: they are to be made up.

    :raises typer.BadParameter: one without the other, or no such credentials can be
    """
    if token is None and secret_file is None:
        return None
    if token is None or secret_file is None:
        raise typer.BadParameter("--token and --secret-file go together")
    if not _TOKEN.fullmatch(token):
        raise typer.BadParameter("is not 1 to 37 letters, digits and . _ ~ -", param_hint="--token")
    return token, secret_in(secret_file, "--secret-file")


def secret_in(file: Path, option: str) -> str:
    """The secret that a file holds, without a final newline.

    :raises typer.BadParameter: the file cannot be read, or holds none
    """
    try:
        secret = file.read_text(encoding="ascii").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        secret = ""
    if not _SECRET.fullmatch(secret):
        raise typer.BadParameter(
            f"does not hold {SECRET_LENGTH} to {_LONGEST_SECRET} visible ASCII characters in one line",
            param_hint=option,
        )
    return secret


def new_password() -> str:
    """A random password of 24 characters."""
    return secrets.token_urlsafe(18)


def hashed_password(password: str) -> str:
    """The form in which the cloud service is seeded with a password: Argon2id."""
    return PasswordHasher().hash(password)
