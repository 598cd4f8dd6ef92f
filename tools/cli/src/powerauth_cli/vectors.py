"""`powerauth vectors`: check this installation against files of reference vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from powerauth_protocol.conformance import FileResult, run_directory

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Reference test vectors.")


@app.callback()
def _group() -> None:
    """Reference test vectors."""


@app.command()
def check(
    directory: Annotated[
        Path,
        typer.Argument(
            exists=True, file_okay=False, readable=True, help="Directory with vector files (*.json)."
        ),
    ],
) -> None:
    """Run every vector file of DIRECTORY; exit status 1 if a vector fails."""
    results = run_directory(directory)
    if not results:
        raise typer.BadParameter("no vector files (*.json) in this directory", param_hint="DIRECTORY")
    for result in results:
        _print_file(result)
    passed = sum(result.passed for result in results)
    failed = sum(result.failed for result in results)
    not_run = sum(result.not_run for result in results)
    typer.echo(f"{passed} passed, {failed} failed, {not_run} not run")
    if failed:
        raise typer.Exit(code=1)


def _print_file(result: FileResult) -> None:
    note = " (unknown topic)" if result.not_run else ""
    typer.echo(
        f"{result.file}: {result.passed} passed, {result.failed} failed, {result.not_run} not run{note}"
    )
    for deviation in result.known_deviations:
        typer.echo(f"  known deviation: {deviation}")
    for failure in result.failures:
        typer.echo(f"  failed: {failure}")
