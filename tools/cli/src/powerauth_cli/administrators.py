"""`powerauth admin`: administrators of the private API, in the database of CLOUD_DATABASE_URL."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import typer

from powerauth_cli.credentials import PasswordFile, secret_in
from powerauth_cli.folders import DataFolder, cloud_settings

if TYPE_CHECKING:
    from pathlib import Path

    from cloud_private_api.settings import CloudSettings
    from powerauth_contracts.cloud.users import SystemUser

    Change = Callable[[CloudSettings, str], Coroutine[Any, Any, SystemUser]]

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Administrators of the private API (cloud)."
)


@app.command()
def create(username: str, password_file: PasswordFile = None, data: DataFolder = None) -> None:
    """Make an administrator and print the new password, which is shown only now."""
    from cloud_private_api.commands import create_administrator  # noqa: PLC0415 - heavy

    if password_file is None:
        _change(create_administrator, username, data)
    else:
        _seed(username, secret_in(password_file, "--password-file"), data)


@app.command()
def reset(username: str, data: DataFolder = None) -> None:
    """Give a user a new password and print it: it is shown only now, the old one stops working."""
    from cloud_private_api.commands import reset_password  # noqa: PLC0415

    _change(reset_password, username, data)


@app.command("hash")
def hash_password() -> None:
    """Ask for a password and print its hash, for CLOUD_ADMIN_PASSWORD_ENCODED. From a pipe the first line."""
    from powerauth_cli.credentials import hashed_password  # noqa: PLC0415

    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        typer.echo("no password was given", err=True)
        raise typer.Exit(1)
    typer.echo(hashed_password(password))


def _seed(username: str, password: str, data: Path | None) -> None:
    """Make an administrator with this password; one that exists has perhaps got another one and keeps it."""
    from cloud_private_api.commands import UserExists, UserRefused, create_administrator  # noqa: PLC0415

    try:
        asyncio.run(create_administrator(cloud_settings(data), username, password))
    except UserExists as exists:
        typer.echo(str(exists), err=True)
    except UserRefused as refused:
        typer.echo(str(refused), err=True)
        raise typer.Exit(1) from None
    typer.echo(json.dumps({"username": username}, indent=2))


def _change(change: Change, username: str, data: Path | None) -> None:
    from cloud_private_api.commands import UserRefused  # noqa: PLC0415

    try:
        user = asyncio.run(change(cloud_settings(data), username))
    except UserRefused as refused:
        typer.echo(str(refused), err=True)
        raise typer.Exit(1) from None
    typer.echo(json.dumps({"username": user.username, "password": user.password}, indent=2))
