"""The `powerauth` command. What a subcommand needs is imported when it runs, so that each starts fast."""

from __future__ import annotations

from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from powerauth_cli import (
    administrators,
    bench_commands,
    core_commands,
    database_commands,
    device,
    integrations,
    vectors,
)
from powerauth_protocol.generation import GENERATIONS, NEWEST


class _Commands(TyperGroup):
    """What an operator can mend is told in a line, not in a traceback."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        from servicekit.errors import Unavailable
        from servicekit.startup import told_without_traceback

        try:
            with told_without_traceback():
                return super().invoke(ctx)
        except Unavailable as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="Phone-based strong customer authentication: services, demo, simulated devices, measurements.",
)
app.add_typer(device.app, name="device")
app.add_typer(vectors.app, name="vectors", help="Reference test vectors.")
app.add_typer(bench_commands.app, name="bench")
app.add_typer(database_commands.app, name="db")
app.add_typer(core_commands.job, name="job")
app.add_typer(core_commands.audit, name="audit")
app.add_typer(integrations.app, name="integration")
app.add_typer(administrators.app, name="admin")


class Service(StrEnum):
    """A service that can run by itself."""

    CORE = "core"
    ENROLLMENT = "enrollment"
    CLOUD = "cloud"


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"powerauth {version('powerauth-cli')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What holds for all commands."""


@app.command()
def demo(
    protocol: Annotated[str, typer.Option(help=f"Protocol version: {', '.join(GENERATIONS)}.")] = NEWEST,
) -> None:
    """Run the main job once, over real HTTP on free ports, and show every step."""
    from powerauth_cli.demo.command import run_demo

    raise typer.Exit(run_demo(protocol))


@app.command()
def run(
    host: Annotated[str, typer.Option(envvar="POWERAUTH_HOST")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="POWERAUTH_PORT", min=0, max=65535)] = 8080,
    data: Annotated[
        Path, typer.Option(envvar="POWERAUTH_DATA", help="Folder of the databases and secrets.")
    ] = Path("data"),
) -> None:
    """Serve everything in one process on one port, with SQLite and the in-memory bus."""
    from powerauth_cli.all_in_one import serve_all

    serve_all(host, port, data)


@app.command()
def serve(service: Service) -> None:
    """Serve one service, configured by environment variables (CORE_…, ENROLLMENT_…, CLOUD_…)."""
    from powerauth_cli.services import serve_one

    serve_one(service.value)


@app.command()
def openapi(service: Service) -> None:
    """Print a service's OpenAPI document."""
    from powerauth_cli.services import openapi_document

    print(openapi_document(service.value))
