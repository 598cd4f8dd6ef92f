"""`powerauth device push` and `powerauth device inbox`: what reaches the simulated phone by itself."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from secrets import token_hex
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx2
import typer

from powerauth_cli.device_file import STATE, State, configured_store, run_phone
from powerauth_cli.fakes.phones import FAKE_PHONES, PATIENCE_SECONDS, Shown
from powerauth_sdk import Device, Inbox, Message, register_for_push

inbox_app = typer.Typer(no_args_is_help=True, help="Messages that the bank keeps for the user.")

_TOKEN = "pushToken"  # noqa: S105 - the name of a setting
_TOKEN_BYTES = 32
_ANSWER_SECONDS = PATIENCE_SECONDS + 20
MessageId = Annotated[str, typer.Argument(help="As `inbox list` shows it.")]


def register(
    platform: Annotated[str, typer.Option(help="apns, fcm or hms")] = "apns",
    token: Annotated[
        str | None, typer.Option(help="What the platform gave the app; made up once if not given.")
    ] = None,
    environment: Annotated[str | None, typer.Option(help="APNs: development or production.")] = None,
    messages: Annotated[
        int, typer.Option(min=0, help="Wait for so many messages of a fake provider and show them.")
    ] = 0,
    fake_phones: Annotated[
        str | None, typer.Option(help="Where fake providers tell them; as a rule beside the server.")
    ] = None,
    state: State = STATE,
) -> None:
    """Register the phone for push messages, and show what the fake providers of `powerauth run` bring."""
    store = configured_store(state)
    chosen = token or store.settings.get(_TOKEN) or token_hex(_TOKEN_BYTES)
    store.save_settings({**store.settings, _TOKEN: chosen})

    async def run(device: Device) -> dict[str, Any]:
        await register_for_push(device, platform, chosen, environment)
        return {"platform": platform, "token": chosen, "status": "OK"}

    run_phone(state, run)
    if messages:
        _show(fake_phones or _beside(store.settings["url"]), chosen, messages)


@inbox_app.command("list")
def inbox_list(
    unread: Annotated[bool, typer.Option(help="Only what has not been read.")] = False,
    page: Annotated[int, typer.Option(min=0)] = 0,
    size: Annotated[int, typer.Option(min=1, max=100)] = 20,
    state: State = STATE,
) -> None:
    """List the messages, newest first."""

    async def run(device: Device) -> list[dict[str, Any]]:
        found = await Inbox(device).messages(page=page, size=size, only_unread=unread)
        return [_without_nothing(message) for message in found]

    run_phone(state, run)


@inbox_app.command("count")
def inbox_count(state: State = STATE) -> None:
    """Count the unread messages."""

    async def run(device: Device) -> dict[str, int]:
        return {"unread": await Inbox(device).count_unread()}

    run_phone(state, run)


@inbox_app.command("read")
def inbox_read(message_id: MessageId, state: State = STATE) -> None:
    """Show a message with its body, and mark it as read."""

    async def run(device: Device) -> dict[str, Any]:
        inbox = Inbox(device)
        message = await inbox.message(message_id)
        await inbox.mark_read(message_id)
        return _without_nothing(message)

    run_phone(state, run)


@inbox_app.command("read-all")
def inbox_read_all(state: State = STATE) -> None:
    """Mark all messages as read."""

    async def run(device: Device) -> dict[str, str]:
        await Inbox(device).mark_all_read()
        return {"status": "OK"}

    run_phone(state, run)


def _without_nothing(message: Message) -> dict[str, Any]:
    return {name: value for name, value in asdict(message).items() if value is not None}


def _beside(url: str) -> str:
    """Where `powerauth run` tells what phones have shown."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{FAKE_PHONES}"


def _show(fake_phones: str, token: str, wanted: int) -> None:
    try:
        asyncio.run(_listen(f"{fake_phones}/{token}", wanted))
    except (httpx2.HTTPError, ValueError) as error:
        typer.secho(f"no fake phones at {fake_phones}: {error}", fg="red", err=True)
        raise typer.Exit(1) from error


async def _listen(url: str, wanted: int) -> None:
    after = 0
    async with httpx2.AsyncClient(timeout=_ANSWER_SECONDS) as http:
        while wanted > 0:
            answer = (await http.get(url, params={"after": str(after)})).raise_for_status().json()
            for message in answer["messages"][:wanted]:
                print(Shown(**message).text(), flush=True)
            wanted -= len(answer["messages"])
            after = answer["next"]
