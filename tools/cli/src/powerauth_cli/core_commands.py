"""`powerauth job`, `powerauth audit`, `powerauth mds`: an operator's work on the core's database.

Everything is done by `powerauth_core.commands`, with the settings of the core: ``CORE_…`` variables.
"""

from __future__ import annotations

import sys
from datetime import datetime
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from powerauth_cli.folders import DataFolder, core_settings

job = typer.Typer(add_completion=False, no_args_is_help=True, help="The core's scheduled jobs.")
audit = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="The chains that make the signature audit tamper-evident, and the audit log for other systems.",
)

passkeys = typer.Typer(add_completion=False, no_args_is_help=True, help="Passkeys of all applications.")


@passkeys.callback()
def _passkeys() -> None:
    """A group, although it has one command so far."""


mds = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="FIDO metadata: models of authenticators.",
)
_MDS = "metadata_commands"


@job.command("list")
def job_list(data: DataFolder = None) -> None:
    """List the scheduled jobs with their periods."""
    _run(data, "list_jobs")


@job.command("run")
def job_run(
    name: Annotated[str, typer.Argument(help="One of `powerauth job list`.")], data: DataFolder = None
) -> None:
    """Run a job now, once, on this machine."""
    _run(data, "run_job", name)


@audit.command()
def verify(
    checkpoint: Annotated[
        Path | None, typer.Option(help="Compare with this file of `powerauth audit checkpoint`.")
    ] = None,
    data: DataFolder = None,
) -> None:
    """Find every row that was changed, removed or inserted; exit status 1 if there is one."""
    _run(data, "verify_audit", typer.echo, checkpoint=checkpoint)


@audit.command()
def checkpoint(
    file: Annotated[Path, typer.Argument(help="To be kept away from the database.")], data: DataFolder = None
) -> None:
    """Write where the chains end now, sealed, into a file."""
    _run(data, "write_audit_checkpoint", file)


@audit.command()
def accept(data: DataFolder = None) -> None:
    """Record that the rows which are in no chain now are known, such as those of an earlier release."""
    _run(data, "accept_unchained_audit")


@audit.command()
def rebuild(data: DataFolder = None) -> None:
    """Make the registry of the chains anew if it is damaged: until then rows are written without a chain."""
    _run(data, "rebuild_audit_registry")


@passkeys.command()
def impact(
    known_synced: Annotated[
        Path | None, typer.Option(help="In place of CORE_PASSKEY_KNOWN_SYNCED_FILE.")
    ] = None,
    roots: Annotated[Path | None, typer.Option(help="In place of CORE_PASSKEY_LOCAL_ROOTS_FILE.")] = None,
    data: DataFolder = None,
) -> None:
    """Say who would lose passkeys by other data files; nothing is changed."""
    _run(data, "impact", module="passkey_commands", known_synced=known_synced, roots=roots)


@mds.command()
def load(
    file: Annotated[Path, typer.Argument(help="The BLOB of the metadata service.")], data: DataFolder = None
) -> None:
    """Put a BLOB in force, if it is the publisher's and newer than the one that is."""
    _run(data, "load", file, module=_MDS)


@mds.command()
def download(data: DataFolder = None) -> None:
    """Get the BLOB from its publisher and put it in force (CORE_MDS_SOURCE=HTTP)."""
    _run(data, "download", module=_MDS)


@mds.command()
def status(data: DataFolder = None) -> None:
    """Say what is in force, what was offered, and what came of the last look at stored attestations."""
    _run(data, "status", module=_MDS)


@mds.command()
def entries(
    name: Annotated[str | None, typer.Argument(help="AAGUID, AAID or key identifier.")] = None,
    data: DataFolder = None,
) -> None:
    """Print models that the BLOB in force names, as JSON lines."""
    _run(data, "entries", name, module=_MDS)


@mds.command()
def revalidate(
    force: Annotated[
        bool, typer.Option("--force", help="Change however many passkeys lose their trust.")
    ] = False,
    data: DataFolder = None,
) -> None:
    """Look at the stored attestations of all passkeys now."""
    _run(data, "revalidate", module=_MDS, force=force)


class Logging(StrEnum):
    """A service with an audit log."""

    CORE = "core"
    CLOUD = "cloud"


class Lines(StrEnum):
    """Schemas of exported records."""

    ECS = "ecs"
    OCSF = "ocsf"


@audit.command()
def export(
    service: Annotated[Logging, typer.Argument(help="Whose audit log.")] = Logging.CORE,
    schema: Annotated[Lines, typer.Option("--format", help="Elastic Common Schema or OCSF.")] = Lines.ECS,
    cursor: Annotated[
        int | None, typer.Option("--from", min=0, help="Go on behind this place: the last line's `sequence`.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(help="From this moment (UTC) on, also what has no place yet.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what is written later.")] = False,
    data: DataFolder = None,
) -> None:
    """Print the audit log as JSON lines, in an order without gaps; then the cursor, on standard error."""
    from powerauth_cli.database_commands import DATABASES  # noqa: PLC0415 - heavy, needed when a command runs
    from servicekit.audit_export.formats import Format  # noqa: PLC0415
    from servicekit.commands import finish  # noqa: PLC0415

    if cursor is not None and since is not None:
        raise typer.BadParameter("--from and --since exclude each other")
    module, settings = DATABASES[service.value]
    work = import_module(module).export_audit(
        settings(data), typer.echo, chosen=Format(schema), cursor=cursor, since=since, follow=follow
    )
    raise typer.Exit(finish(work, answer=sys.stderr))


def _run(data: Path | None, name: str, *arguments: Any, module: str = "commands", **options: Any) -> None:
    """Do what the core's command of this name does and print its outcome; exit status 1 if it failed."""
    from servicekit.commands import finish  # noqa: PLC0415 - heavy, needed when a command runs

    command = getattr(import_module(f"powerauth_core.{module}"), name)
    raise typer.Exit(finish(command(core_settings(data), *arguments, **options)))
