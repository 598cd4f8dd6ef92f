"""`powerauth fakes`: servers of others, on this machine."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from powerauth_cli.fakes.command import parsed_faults, serve_fakes

app = typer.Typer(no_args_is_help=True, help="Servers of others, played on this machine.")


@app.callback()
def _fakes() -> None:
    """A single command would otherwise be the group itself."""


@app.command()
def push(
    folder: Annotated[
        Path | None, typer.Option(help="Gets the certificate to trust and the credentials.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65_530, help="The first of five ports; 0: free ones.")] = 0,
    misbehave: Annotated[
        list[str] | None,
        typer.Option(help="KIND=SHARE of requests that go wrong: refuse, reset, goaway, drop, hang, slow …"),
    ] = None,
    slow_seconds: Annotated[float, typer.Option(min=0, help="How long a slow answer takes.")] = 1.0,
    quiet: Annotated[bool, typer.Option(help="Do not print what phones show.")] = False,
) -> None:
    """Play APNs, FCM and HMS over TLS, and print what the phones would show."""
    try:
        faults = parsed_faults(misbehave or [])
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    with tempfile.TemporaryDirectory(prefix="fakes-") as other:
        asyncio.run(serve_fakes(folder or Path(other), port, faults, slow_seconds, quiet=quiet))
