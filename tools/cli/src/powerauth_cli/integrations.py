"""Credentials of the core's callers, in its database: before anything can call, and beside a running core."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from powerauth_cli.credentials import SecretFile, Token, given_credentials
from powerauth_cli.folders import DataFolder, core_settings

if TYPE_CHECKING:
    from pathlib import Path

    from powerauth_core.container import Core
    from powerauth_core.integrations.service import Credentials

T = TypeVar("T")

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Callers of the core and their credentials."
)


class Door(StrEnum):
    """The core's two doors."""

    REST = "rest"
    DMZ = "dmz"


ChosenDoor = Annotated[Door, typer.Option(help="rest: inside the network; dmz: the enrollment service.")]


@app.command()
def create(
    name: str,
    door: ChosenDoor,
    token: Token = None,
    secret_file: SecretFile = None,
    data: DataFolder = None,
) -> None:
    """Make a caller and print its credentials. One that exists stays as it is: only its token is printed."""
    given = given_credentials(token, secret_file)
    if given is not None:
        _give(name, door, given, data)
        return
    from powerauth_contracts.enums import IntegrationKind  # noqa: PLC0415
    from powerauth_core.integrations import service  # noqa: PLC0415

    async def work(core: Core) -> tuple[Credentials | None, str]:
        made = await service.create_named(core.database, core.cipher, name, IntegrationKind(door.value))
        if made is not None:
            return made, made.client_token
        callers = await service.list_callers(core.database)
        return None, next(one.client_token for one in callers if (one.name, one.kind) == (name, door.value))

    made, token = _on_core(data, work)
    if made is not None:
        _print_credentials(made)
        return
    _print({"clientToken": token})
    folder = "" if data is None else f" --data {data}"
    typer.echo(
        f"{name} exists already, nothing was changed. Its secret is known only at creation; for a new one:"
        f" powerauth integration rotate {name} --door {door.value}{folder}",
        err=True,
    )


@app.command()
def rotate(name: str, door: ChosenDoor, data: DataFolder = None) -> None:
    """Give a caller a new secret and print it; the old one stops working within CORE_CALLER_CACHE_SECONDS."""
    from powerauth_contracts.enums import IntegrationKind  # noqa: PLC0415
    from powerauth_core.integrations import service  # noqa: PLC0415

    kind = IntegrationKind(door.value)
    _print_credentials(_on_core(data, lambda core: service.rotate_named(core, name, kind)))


@app.command("list")
def list_all(data: DataFolder = None) -> None:
    """Print all callers: name, door, token. Secrets are not told again."""
    from powerauth_core.integrations import service  # noqa: PLC0415

    callers = _on_core(data, lambda core: service.list_callers(core.database))
    _print([{"name": one.name, "door": one.kind, "clientToken": one.client_token} for one in callers])


@app.command()
def remove(name: str, door: ChosenDoor, data: DataFolder = None) -> None:
    """Remove a caller: its credentials stop working within CORE_CALLER_CACHE_SECONDS."""
    from powerauth_contracts.enums import IntegrationKind  # noqa: PLC0415
    from powerauth_core.integrations import service  # noqa: PLC0415

    kind = IntegrationKind(door.value)
    _on_core(data, lambda core: service.remove_named(core.database, core.callers, name, kind))


def _give(name: str, door: Door, given: tuple[str, str], data: Path | None) -> None:
    """Have a caller know these credentials, and say whether that changed anything."""
    from powerauth_contracts.enums import IntegrationKind  # noqa: PLC0415
    from powerauth_core.integrations import service  # noqa: PLC0415

    kind, wanted = IntegrationKind(door.value), service.Credentials(*given)
    changed = _on_core(data, lambda core: service.set_credentials(core, name, kind, wanted))
    _print({"clientToken": wanted.client_token, "changed": changed})


async def ensure_integration(name: str, door: str, **settings: Any) -> tuple[str, str]:
    """Return credentials of the integration with this name, for a stack that a test or a measurement starts.

    Of the dmz kind the secret cannot be read again, so such an integration gets a new one each time.

    :param door: ``rest`` or ``dmz``
    :param settings: of the core, where they differ from the environment
    :return: client token and client secret
    """
    from powerauth_contracts.enums import IntegrationKind  # noqa: PLC0415
    from powerauth_core.integrations import service  # noqa: PLC0415
    from powerauth_core.runtime import offline_core  # noqa: PLC0415
    from powerauth_core.settings import CoreSettings  # noqa: PLC0415

    async with offline_core(CoreSettings(**settings)) as core:
        credentials = await service.ensure_integration(core, name, IntegrationKind(door))
    return credentials.client_token, credentials.client_secret


def _on_core(data: Path | None, work: Callable[[Core], Awaitable[T]]) -> T:
    """Do something with the parts of a core, on the database that the command is about."""
    from powerauth_core.integrations.service import TokenTaken, UnknownIntegration  # noqa: PLC0415
    from powerauth_core.migrations import SCRIPT_LOCATION  # noqa: PLC0415
    from powerauth_core.runtime import offline_core  # noqa: PLC0415
    from servicekit.commands import check  # noqa: PLC0415

    settings = core_settings(data, stores_secrets=True)

    async def run() -> T:
        found = await check(settings.effective_database_url, SCRIPT_LOCATION)
        if not found.ok:
            raise _refused(found.text)
        async with offline_core(settings) as core:
            return await work(core)

    try:
        return asyncio.run(run())
    except (UnknownIntegration, TokenTaken) as refused:
        raise _refused(str(refused)) from None


def _refused(text: str) -> typer.Exit:
    typer.echo(text, err=True)
    return typer.Exit(1)


def _print_credentials(credentials: Credentials) -> None:
    _print({"clientToken": credentials.client_token, "clientSecret": credentials.client_secret})


def _print(answer: object) -> None:
    typer.echo(json.dumps(answer, indent=2))
