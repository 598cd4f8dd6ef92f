"""The simulated phone in its file, and how one of its commands runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated

import typer

from powerauth_protocol.common.errors import ProtocolError
from powerauth_protocol.generation import generation_of
from powerauth_sdk import AppConfig, Device, FileStore, HttpTransport, SdkError

State = Annotated[
    Path, typer.Option("--state", envvar="POWERAUTH_DEVICE_STATE", help="The phone's JSON file.")
]
STATE = Path("device.json")


def run_phone(state: Path, action: Callable[[Device], Awaitable[object]]) -> None:
    """Run one action of the phone in the file and print its result as JSON; errors exit with 1."""
    store = configured_store(state)
    settings = store.settings
    config = AppConfig.from_sdk_config(
        settings["url"], settings["sdkConfig"], generation_of(settings["version"]).version
    )

    async def with_transport() -> object:
        transport = HttpTransport(config.base_url)
        try:
            return await action(Device(config, transport, store))
        finally:
            await transport.close()

    try:
        result = asyncio.run(with_transport())
    except (SdkError, ProtocolError) as error:
        typer.secho(f"{type(error).__name__}: {error}", fg="red", err=True)
        raise typer.Exit(1) from error
    print(json.dumps(result, indent=2, ensure_ascii=False))


def open_store(state: Path) -> FileStore:
    """The phone's file.

    :raises BadParameter: it is none
    """
    try:
        return FileStore(state)
    except SdkError as error:
        raise typer.BadParameter(str(error)) from error


def configured_store(state: Path) -> FileStore:
    """The file of a phone that knows its server.

    :raises BadParameter: it does not
    """
    store = open_store(state)
    if not store.settings:
        raise typer.BadParameter(f"{state} is not configured; run: powerauth device configure")
    return store
