"""`powerauth demo`."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from powerauth_cli.all_in_one import AllInOne
from powerauth_cli.demo.bank import BankRefused
from powerauth_cli.demo.ringing import Ringing
from powerauth_cli.demo.scenario import Addresses, Scenario
from powerauth_cli.demo.transcript import Transcript, Unexpected
from powerauth_protocol.common.errors import ProtocolError
from powerauth_protocol.generation import GENERATIONS, NEWEST, generation_of
from powerauth_protocol.groups import ProtocolVersion
from powerauth_sdk import SdkError
from servicekit.logs import configure_logging

app = typer.Typer(add_completion=False)


@app.command()
def demo(
    protocol: Annotated[str, typer.Option(help=f"Protocol version: {', '.join(GENERATIONS)}.")] = NEWEST,
) -> None:
    """Run the main job once, over real HTTP on free ports, and show every step."""
    raise typer.Exit(_run_demo(protocol))


def _run_demo(protocol: str) -> int:
    """Run the main job in a temporary folder.

    :param protocol: version text
    :return: exit status: 0 if every step ended as it must, 2 for an unknown version
    """
    console = Console(width=None if Console().is_terminal else 110)
    try:
        version = generation_of(protocol).version
    except ProtocolError:
        console.print(f"{protocol} is not one of {', '.join(GENERATIONS)}")
        return 2
    configure_logging("powerauth", "WARNING", json=False)
    try:
        steps = uvloop.run(_run(console, version))
    except (Unexpected, BankRefused, SdkError) as error:
        console.print(f"[bold red]failed:[/] {error}")
        return 1
    console.print(f"\n[bold green]done:[/] {steps} steps, protocol {version}")
    return 0


async def _run(console: Console, version: ProtocolVersion) -> int:
    tell = Transcript(console)
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="powerauth-demo-")))
        services = await stack.enter_async_context(AllInOne(folder, port=None))
        tell.title(
            f"PowerAuth, protocol {version}",
            {
                "cloud (the bank calls it)": services.cloud_url,
                "enrollment (phones call it)": services.enrollment_url,
                "core (the other three call it)": services.core_url,
                "push (sends to fakes of Apple, Google and Huawei)": services.push_url,
                "data": f"SQLite in {folder}, in-memory bus",
            },
        )
        addresses = Addresses(services.enrollment_url, services.cloud_url)
        assert services.equipment is not None
        ringing = Ringing(tell, services.equipment)
        await Scenario(tell, addresses, services.admin, version, ringing).run()
    return tell.steps
