"""The `powerauth` command. What a subcommand needs is imported when it runs, so that each starts fast."""

from __future__ import annotations

from collections import UserDict
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from pkgutil import resolve_name
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from servicekit.loading import loading, models_built_later

_ELSEWHERE = {
    "demo": "powerauth_cli.demo.command:app",
    "device": "powerauth_cli.device:app",
    "smoke": "powerauth_cli.smoke:app",
    "vectors": "powerauth_cli.vectors:app",
    "bench": "powerauth_cli.bench_commands:app",
    "fakes": "powerauth_cli.fakes_commands:app",
    "db": "powerauth_cli.database_commands:app",
    "keys": "powerauth_cli.key_commands:keys",
    "backup": "powerauth_cli.key_commands:backup",
    "job": "powerauth_cli.core_commands:job",
    "audit": "powerauth_cli.core_commands:audit",
    "passkeys": "powerauth_cli.core_commands:passkeys",
    "mds": "powerauth_cli.core_commands:mds",
    "integration": "powerauth_cli.integrations:app",
    "passphrase": "powerauth_cli.passphrase_commands:app",
    "push": "powerauth_cli.push_commands:app",
    "admin": "powerauth_cli.administrators:app",
}


class _ByName(UserDict[str, Any]):
    """Commands by name. Those of other modules are loaded when they are looked up."""

    def __getitem__(self, name: str) -> Any:
        command = self.data[name]
        if isinstance(command, str):
            with loading():
                self.data[name] = command = typer.main.get_command(resolve_name(command))
            command.name = name
        return command


class _Commands(TyperGroup):
    """What an operator can mend is told in a line, not in a traceback."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _ByName({**self.commands, **_ELSEWHERE})

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except typer.Exit:
            raise
        except Exception as error:
            from servicekit.errors import Unavailable
            from servicekit.startup import told_without_traceback

            with told_without_traceback():
                if not isinstance(error, Unavailable):
                    raise
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="Phone-based strong customer authentication: services, demo, simulated devices, measurements.",
)


class Service(StrEnum):
    """A service that can run by itself."""

    CORE = "core"
    ENROLLMENT = "enrollment"
    CLOUD = "cloud"
    PUSH = "push"


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
def run(
    host: Annotated[str, typer.Option(envvar="POWERAUTH_HOST")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="POWERAUTH_PORT", min=0, max=65535)] = 8080,
    data: Annotated[
        Path, typer.Option(envvar="POWERAUTH_DATA", help="Folder of the databases and secrets.")
    ] = Path("data"),
    push_providers: Annotated[
        str,
        typer.Option(
            envvar="POWERAUTH_PUSH_PROVIDERS",
            help="fake: played in this process, no real phone rings; real: those that PUSH_… names.",
        ),
    ] = "fake",
) -> None:
    """Serve everything in one process on one port, with SQLite and the in-memory bus."""
    with loading(), models_built_later():
        from powerauth_cli.all_in_one import Providers, serve_all

    if push_providers not in list(Providers):
        raise typer.BadParameter(f"{push_providers} is neither {' nor '.join(Providers)}")
    serve_all(host, port, data, Providers(push_providers))


@app.command()
def serve(
    service: Service,
    workers: Annotated[
        int | None, typer.Option(help="Processes on its port; without it …_WORKERS, or one.")
    ] = None,
) -> None:
    """Serve one service, configured by environment variables (CORE_…, ENROLLMENT_…, CLOUD_…)."""
    with loading():
        from powerauth_cli.services import serve_one

    serve_one(service.value, workers)


@app.command()
def openapi(service: Service) -> None:
    """Print a service's OpenAPI document."""
    with loading():
        from powerauth_cli.services import openapi_document

    print(openapi_document(service.value))


@app.command()
def settings(
    service: Annotated[Service | None, typer.Argument(help="Whose settings; without it all.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Say what a start would say; status 78 if it were refused.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Only what differs from the defaults.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the reference, docs/configuration.md.")
    ] = False,
) -> None:
    """Print what the environment gives a service, one VARIABLE=value a line, secrets as ***."""
    with loading():
        from powerauth_cli.settings_reference import judged, reference, told

    name = service and service.value
    print(reference(name) if markdown else judged(name) if check else told(name, changed=diff))
