"""`powerauth bench`: measure. Each command starts what it needs by itself unless a server is named."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

import typer
import uvloop
from rich.console import Console

from powerauth_cli.bench import run
from powerauth_cli.bench.loads import ActivateLoad, OperationLoad, TokenLoad, VerifyLoad
from powerauth_cli.bench.report import show
from powerauth_cli.bench.target import Target
from powerauth_cli.localservers import ProgramMissing

app = typer.Typer(no_args_is_help=True, help=__doc__)

Clients = Annotated[int, typer.Option(min=1, help="Concurrent clients, each with a device of its own.")]
Seconds = Annotated[float, typer.Option(min=1, help="Measured seconds of one round.")]
Rounds = Annotated[int, typer.Option(min=1, help="Rounds; what is compared runs in each of them.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object only.")]
CoreUrl = Annotated[str | None, typer.Option(help="A running core, with its context path.")]
EnrollmentUrl = Annotated[str | None, typer.Option(help="A running enrollment service.")]
User = Annotated[str, typer.Option(help="Client token of an integration of that core.")]
Password = Annotated[str, typer.Option(envvar="POWERAUTH_BENCH_PASSWORD", help="Its secret.")]

Result = TypeVar("Result")


@app.command()
def verify(
    clients: Clients = 32,
    seconds: Seconds = 5,
    rounds: Rounds = 2,
    against_pgbench: Annotated[
        bool, typer.Option(help="In turn with pgbench doing the same work, and print the ratio.")
    ] = False,
    against_memory: Annotated[
        bool, typer.Option(help="With events in RabbitMQ, in turn with a core that keeps them.")
    ] = False,
    activations: Annotated[
        int, typer.Option(min=0, help="Fill the database up to this many activations first.")
    ] = 0,
    core_url: CoreUrl = None,
    user: User = "",
    password: Password = "",
    as_json: Json = False,
) -> None:
    """Signature verification at the core."""
    console = Console(stderr=as_json)
    plan = run.Plan(clients, seconds, rounds, _target(core_url, None, user, password), activations)
    if (against_pgbench or against_memory) and core_url:
        raise typer.BadParameter("a comparison needs servers of its own, so no --core-url")
    if against_memory:
        rows, extra = _finish(run.verify_with_rabbitmq(console, plan))
    elif against_pgbench:
        rows, extra = _finish(run.verify_against_pgbench(console, plan))
    else:
        rows, extra = _finish(run.verify_alone(console, plan)), {}
    show(console, rows, extra, as_json=as_json)


@app.command()
def token(clients: Clients = 32, seconds: Seconds = 5, rounds: Rounds = 2, as_json: Json = False) -> None:
    """Token validation at the core, in turn with signature verification."""
    console = Console(stderr=as_json)
    loads: dict[str, run.LoadFactory] = {"token": TokenLoad, "verify": VerifyLoad}
    rows = _finish(run.compare(console, run.Plan(clients, seconds, rounds), loads))
    ratio = round(rows["token"].per_second / rows["verify"].per_second, 3)
    show(console, rows, {"ratio_to_verify": ratio}, as_json=as_json)


@app.command()
def activate(
    clients: Clients = 8,
    seconds: Seconds = 5,
    rounds: Rounds = 1,
    core_url: CoreUrl = None,
    enrollment_url: EnrollmentUrl = None,
    user: User = "",
    password: Password = "",
    as_json: Json = False,
) -> None:
    """Whole activations, protocol 3.3: init, key exchange through enrollment, commit."""
    console = Console(stderr=as_json)
    plan = run.Plan(clients, seconds, rounds, _target(core_url, enrollment_url, user, password))
    show(console, _finish(run.simple(console, plan, ActivateLoad, "activate")), {}, as_json=as_json)


@app.command()
def operation(
    clients: Clients = 32,
    seconds: Seconds = 5,
    rounds: Rounds = 1,
    core_url: CoreUrl = None,
    enrollment_url: EnrollmentUrl = None,
    user: User = "",
    password: Password = "",
    as_json: Json = False,
) -> None:
    """Payment operations: created at the core, approved by the phone through enrollment."""
    console = Console(stderr=as_json)
    plan = run.Plan(clients, seconds, rounds, _target(core_url, enrollment_url, user, password))
    show(console, _finish(run.simple(console, plan, OperationLoad, "operation")), {}, as_json=as_json)


@app.command()
def forwarding(
    clients: Clients = 32, seconds: Seconds = 5, rounds: Rounds = 2, as_json: Json = False
) -> None:
    """What the enrollment service adds to a verification, in CPU time."""
    console = Console(stderr=as_json)
    rows, extra = _finish(run.forwarding(console, run.Plan(clients, seconds, rounds)))
    show(console, rows, extra, as_json=as_json)


def _target(core_url: str | None, enrollment_url: str | None, user: str, password: str) -> Target | None:
    if core_url is None:
        return None
    return Target(core=core_url, core_auth=(user, password), enrollment=enrollment_url or "")


def _finish(coroutine: Coroutine[Any, Any, Result]) -> Result:
    try:
        return uvloop.run(coroutine)
    except (ProgramMissing, RuntimeError) as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from error
