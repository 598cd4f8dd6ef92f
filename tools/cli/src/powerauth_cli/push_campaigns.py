"""`powerauth push campaign`: how far push has come with a campaign, and what an operator does about it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from powerauth_cli.push_api import PushApi

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Campaigns of the push service.")

Number = Annotated[int, typer.Argument(help="The campaign's id.")]
Url = Annotated[
    str, typer.Option(envvar="POWERAUTH_PUSH_URL", help="The push service, with its context path.")
]
Caller = Annotated[
    str,
    typer.Option(envvar="POWERAUTH_PUSH_CLIENT_TOKEN", help="Client token of a caller with scope campaign."),
]
Secret = Annotated[str, typer.Option(envvar="POWERAUTH_PUSH_CLIENT_SECRET", help="Its secret.")]
_URL = "http://127.0.0.1:8080/powerauth-push-server"
_GOES_ON = ("RUNNING", "PAUSED")


@app.command("list")
def list_campaigns(url: Url = _URL, client_token: Caller = "", client_secret: Secret = "") -> None:
    """The campaigns, one JSON object a line."""

    async def run() -> None:
        async with _push(url, client_token, client_secret) as push:
            for campaign in await push.call("GET", "/push/campaign/list", all="true"):
                typer.echo(json.dumps(campaign))

    asyncio.run(run())


@app.command()
def progress(
    number: Number,
    url: Url = _URL,
    client_token: Caller = "",
    client_secret: Secret = "",
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 1.0,
) -> None:
    """Follow a campaign until it ends; then print what became of its messages, as JSON."""

    async def run() -> None:
        async with _push(url, client_token, client_secret) as push:
            typer.echo(json.dumps(await _followed(push, number, every)))

    asyncio.run(run())


@app.command()
def pause(number: Number, url: Url = _URL, client_token: Caller = "", client_secret: Secret = "") -> None:
    """Let a running campaign wait; what is under way ends."""
    _act(number, "pause", url, client_token, client_secret)


@app.command()
def resume(number: Number, url: Url = _URL, client_token: Caller = "", client_secret: Secret = "") -> None:
    """Go on with a campaign where it was paused."""
    _act(number, "resume", url, client_token, client_secret)


@app.command()
def cancel(number: Number, url: Url = _URL, client_token: Caller = "", client_secret: Secret = "") -> None:
    """Send no more of a campaign, for good."""
    _act(number, "cancel", url, client_token, client_secret)


def _act(number: int, action: str, url: str, client_token: str, client_secret: str) -> None:
    async def run() -> None:
        async with _push(url, client_token, client_secret) as push:
            await push.call("POST", f"/push/campaign/{number}/{action}")

    asyncio.run(run())


@asynccontextmanager
async def _push(url: str, client_token: str, client_secret: str) -> AsyncIterator[PushApi]:
    """The push service; what it refuses is told in a line."""
    push = PushApi(url, (client_token, client_secret) if client_token else None)
    try:
        yield push
    except RuntimeError as refused:
        typer.echo(str(refused), err=True)
        raise typer.Exit(1) from None
    finally:
        await push.close()


async def _followed(push: PushApi, number: int, every: float) -> dict[str, Any]:
    """Draw the campaign's way on the terminal; how it stands when it goes on no more."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.total:.0f} queued, {task.fields[rate]} a second"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(f"campaign {number}", total=0, rate=0)
        while True:
            found: dict[str, Any] = await push.call("GET", f"/push/campaign/{number}/progress")
            bar.update(
                task,
                description=f"campaign {number} {found['state']}",
                total=found["queued"],
                completed=found["sent"] + found["failed"],
                rate=found["rate"],
            )
            if found["state"] not in _GOES_ON:
                return found
            await asyncio.sleep(every)
