"""`powerauth keys` and `powerauth backup`: exchanging keys, and proving that a database opens with them."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from importlib import import_module
from typing import Annotated, Any

import typer

from powerauth_cli.database_commands import DATABASES, Owner, Whose
from powerauth_cli.folders import DataFolder, core_settings, push_settings

keys = typer.Typer(add_completion=False, no_args_is_help=True, help="The keys of the services.")
backup = typer.Typer(add_completion=False, no_args_is_help=True, help="Restored databases.")

_BATCH = 100


class Keeper(StrEnum):
    """What has keys of its own."""

    CORE = "core"
    PUSH = "push"
    STATEMENTS = "statements"


_KEEPERS: dict[Keeper, tuple[str, Callable[..., Any], str]] = {
    Keeper.CORE: ("powerauth_core.commands", core_settings, "rotate_keys"),
    Keeper.PUSH: ("powerauth_push.commands", push_settings, "rotate_keys"),
    Keeper.STATEMENTS: ("powerauth_core.commands", core_settings, "rotate_statement_key"),
}


@keys.callback()
def _keys() -> None:
    """The keys of the services."""


@keys.command()
def rotate(
    keeper: Annotated[Keeper, typer.Argument(help="core, push: …_MASTER_ENCRYPTION_KEY.")] = Keeper.CORE,
    status: Annotated[
        bool, typer.Option("--status", help="Only count what is of which key; exit status 1 if any is left.")
    ] = False,
    batch: Annotated[int, typer.Option(min=1, max=10_000, help="Rows in a transaction.")] = _BATCH,
    give_up: Annotated[
        int | None,
        typer.Option(
            "--give-up-unreadable",
            min=1,
            metavar="MOST",
            help="Empty, and name, so many secrets at most that their key does not open; count them first.",
        ),
    ] = None,
    data: DataFolder = None,
) -> None:
    """Write anew what is of previous master keys, beside running services; repeat it if it was stopped."""
    module, settings, name = _KEEPERS[keeper]
    if keeper is Keeper.STATEMENTS:
        for option, is_given in (("--status", status), ("--give-up-unreadable", give_up is not None)):
            if is_given:
                raise typer.BadParameter("there is none for statements", param_hint=option)
        _run(module, name, settings(data, stores_secrets=True))
    elif status:
        _run(module, "key_status", settings(data))
    else:
        _run(module, name, settings(data, stores_secrets=True), batch=batch, gives_up=give_up or 0)


@backup.callback()
def _backup() -> None:
    """Restored databases."""


@backup.command()
def check(
    service: Whose = Owner.CORE,
    whole: Annotated[
        bool, typer.Option("--all", help="Every row, not the first thousand of each table.")
    ] = False,
    data: DataFolder = None,
) -> None:
    """Prove that a database opens with the keys of the environment; writes nothing."""
    module, settings = DATABASES[service.value]
    _run(module, "check_backup", settings(data), whole=whole)


def _run(module: str, name: str, settings: Any, **options: Any) -> None:
    """Do what the service's command of this name does and print its outcome; exit status 1 if it failed."""
    from servicekit.commands import finish  # noqa: PLC0415 - heavy, needed when a command runs

    raise typer.Exit(finish(getattr(import_module(module), name)(settings, **options)))
