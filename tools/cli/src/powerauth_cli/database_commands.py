"""`powerauth db`: the databases of the services.

Every service that has one brings ``commands.migrate`` and ``commands.check``; the core and push adopt the
original's and encrypt.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from powerauth_cli.folders import DataFolder, cloud_settings, core_settings, push_settings

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="The databases of the services: CORE_DATABASE_URL, CLOUD_…",
)

partitions = typer.Typer(
    no_args_is_help=True, help="The months of the core's audits and history, on PostgreSQL (docs/audit.md)."
)
app.add_typer(partitions, name="partitions")

DATABASES: dict[str, tuple[str, Callable[[Path | None], Any]]] = {
    "core": ("powerauth_core.commands", core_settings),
    "cloud": ("cloud_private_api.commands", cloud_settings),
    "push": ("powerauth_push.commands", push_settings),
}


class Owner(StrEnum):
    """A service with a database."""

    CORE = "core"
    CLOUD = "cloud"
    PUSH = "push"


class Adopter(StrEnum):
    """A service that takes over the original's database, and keeps secrets in its own."""

    CORE = "core"
    PUSH = "push"


Whose = Annotated[Owner, typer.Argument(help="Whose database.")]
WhoseOriginal = Annotated[Adopter, typer.Argument(help="Whose database.")]


@app.command()
def migrate(service: Whose = Owner.CORE, data: DataFolder = None) -> None:
    """Bring a database to the current schema."""
    _run(service, "migrate", data)


@app.command()
def check(service: Whose = Owner.CORE, data: DataFolder = None) -> None:
    """Say whether the schema is the current one; the core's also, whether the original's could be adopted."""
    _run(service, "check", data)


@app.command()
def structure() -> None:
    """Print all tables and columns with their meanings, docs/tables.md."""
    from powerauth_cli.database_reference import reference  # noqa: PLC0415 - heavy, needed when it runs

    typer.echo(reference())


@app.command()
def adopt(
    service: WhoseOriginal = Adopter.CORE,
    check_only: Annotated[
        bool, typer.Option("--check", help="Only report what is missing or different; change nothing.")
    ] = False,
) -> None:
    """Take over a database of the original: its core of release 1.9 or 1.10, or its push server of 1.10."""
    _run(service, "adopt", None, check_only=check_only)


@app.command()
def encrypt(service: WhoseOriginal = Adopter.CORE, data: DataFolder = None) -> None:
    """Encrypt what a database holds in clear, with …_MASTER_ENCRYPTION_KEY, and bind all its rows."""
    _run(service, "encrypt", data)


@app.command("accept-rows")
def accept_rows(data: DataFolder = None) -> None:
    """Bind rows of the core that others have written as they are, and name them: after a look at each."""
    _run(Owner.CORE, "accept_rows", data)


PartitionName = Annotated[str, typer.Argument(help="One of `powerauth db partitions list`.")]


@partitions.command("list")
def list_partitions(data: DataFolder = None) -> None:
    """List all months with their sizes, those that are detached too."""
    _run(Owner.CORE, "list_partitions", data)


@partitions.command()
def detach(name: PartitionName, data: DataFolder = None) -> None:
    """Take a month that is over out of its table, to be stored elsewhere."""
    _run(Owner.CORE, "detach_partition", data, partition=name)


@partitions.command()
def attach(name: PartitionName, data: DataFolder = None) -> None:
    """Put a detached month back; its chains are verified again."""
    _run(Owner.CORE, "attach_partition", data, partition=name)


def _run(service: Owner | Adopter, name: str, data: DataFolder, **options: Any) -> None:
    """Do what the service's command of this name does and print its outcome; exit status 1 if it failed."""
    from servicekit.commands import finish  # noqa: PLC0415 - heavy, needed when a command runs

    module, settings = DATABASES[service.value]
    command = getattr(import_module(module), name)
    raise typer.Exit(finish(command(settings(data), **options)))
