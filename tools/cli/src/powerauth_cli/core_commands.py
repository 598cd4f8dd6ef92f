"""`powerauth db`, `powerauth job` and `powerauth audit`: work of an operator on the core's database.

Everything is done by `powerauth_core.commands`, with the settings of the core: ``CORE_…`` variables.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from powerauth_core.adoption.service import Outcome

    Command = Callable[..., Coroutine[Any, Any, Outcome]]

db = typer.Typer(no_args_is_help=True, help="The core's database, that of CORE_DATABASE_URL.")
job = typer.Typer(no_args_is_help=True, help="The core's scheduled jobs.")
audit = typer.Typer(no_args_is_help=True, help="The chains that make the signature audit tamper-evident.")


@db.command()
def migrate() -> None:
    """Bring the database to the current schema."""
    _run("migrate")


@db.command()
def adopt(
    check_only: Annotated[
        bool, typer.Option("--check", help="Only report what is missing or different; change nothing.")
    ] = False,
) -> None:
    """Take over a database of the original server, release 1.9 or 1.10, with everything in it."""
    _run("adopt", check_only=check_only)


@db.command()
def check() -> None:
    """Say whether the schema is the current one, or the original's and fit for adoption."""
    _run("check")


@db.command()
def encrypt() -> None:
    """Encrypt the secrets that are stored in clear, with CORE_MASTER_ENCRYPTION_KEY."""
    _run("encrypt")


@job.command("list")
def job_list() -> None:
    """List the scheduled jobs with their periods."""
    _run("list_jobs")


@job.command("run")
def job_run(name: Annotated[str, typer.Argument(help="One of `powerauth job list`.")]) -> None:
    """Run a job now, once, on this machine."""
    _run("run_job", name)


@audit.command()
def verify(
    checkpoint: Annotated[
        Path | None, typer.Option(help="Compare with this file of `powerauth audit checkpoint`.")
    ] = None,
) -> None:
    """Find every row that was changed, removed or inserted; exit status 1 if there is one."""
    _run("verify_audit", typer.echo, checkpoint=checkpoint)


@audit.command()
def checkpoint(file: Annotated[Path, typer.Argument(help="To be kept away from the database.")]) -> None:
    """Write where the chains end now, sealed, into a file."""
    _run("write_audit_checkpoint", file)


@audit.command()
def accept() -> None:
    """Record that the rows which are in no chain now are known, such as those of an earlier release."""
    _run("accept_unchained_audit")


@audit.command()
def rebuild() -> None:
    """Make the registry of the chains anew if it is damaged: until then rows are written without a chain."""
    _run("rebuild_audit_registry")


def _run(name: str, *arguments: Any, **options: Any) -> None:
    """Do what the core's command of this name does and print its outcome; exit status 1 if it failed."""
    from powerauth_core import commands  # noqa: PLC0415 - heavy, needed when a command runs
    from powerauth_core.settings import CoreSettings  # noqa: PLC0415
    from servicekit.database import DatabaseUnavailable  # noqa: PLC0415
    from servicekit.startup import command_settings  # noqa: PLC0415

    settings = command_settings(CoreSettings, "powerauth-core", commands.NEEDS)
    command: Command = getattr(commands, name)
    try:
        outcome = asyncio.run(command(settings, *arguments, **options))
    except DatabaseUnavailable as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(outcome.text, err=not outcome.ok)
    raise typer.Exit(0 if outcome.ok else 1)
