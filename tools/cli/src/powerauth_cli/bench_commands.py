"""`powerauth bench`: measure. Each command starts what it needs by itself unless a server is named."""

from __future__ import annotations

from collections.abc import Collection, Coroutine, Mapping
from dataclasses import replace
from typing import Annotated, Any, TypeVar

import typer
import uvloop
from rich.console import Console

from powerauth_cli.bench import run
from powerauth_cli.bench.activations import ActivateLoad, PhoneStatusLoad, StatusLoad
from powerauth_cli.bench.campaigns import measure_campaigns
from powerauth_cli.bench.cryptography import activation_ms
from powerauth_cli.bench.goals import measure_goals
from powerauth_cli.bench.operations import CreateLoad, ListLoad, OperationLoad
from powerauth_cli.bench.passkeys import PasskeyLoad
from powerauth_cli.bench.pushing import measure_push
from powerauth_cli.bench.report import show
from powerauth_cli.bench.ringing import measure_ringing
from powerauth_cli.bench.run import WITH_ENROLLMENT, Measured, Plan
from powerauth_cli.bench.scripts import OPERATION, VERIFY
from powerauth_cli.bench.start import measure_start
from powerauth_cli.bench.target import Target
from powerauth_cli.bench.through_cloud import compare_with_cloud
from powerauth_cli.bench.verification import (
    DoorVerifyLoad,
    EnrollmentVerifyLoad,
    TokenLoad,
    VerifyLoad,
)
from powerauth_cli.localservers import ProgramMissing

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)

Clients = Annotated[int, typer.Option(min=1, help="Concurrent clients, each with a device of its own.")]
Seconds = Annotated[float, typer.Option(min=1, help="Measured seconds of one round.")]
Rounds = Annotated[int, typer.Option(min=1, help="Rounds; what is compared runs in each of them.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object only.")]
CoreUrl = Annotated[str | None, typer.Option(help="A running core, with its context path.")]
EnrollmentUrl = Annotated[str | None, typer.Option(help="A running enrollment service.")]
User = Annotated[str, typer.Option(help="Client token of an integration of that core.")]
Password = Annotated[str, typer.Option(envvar="POWERAUTH_BENCH_PASSWORD", help="Its secret.")]
AgainstPgbench = Annotated[
    bool, typer.Option(help="In turn with pgbench writing the same rows, and print the ratio.")
]
Paced = Annotated[
    bool,
    typer.Option(
        help="Then once more with requests that come by chance, at 80 % of that rate: p99 beside the median."
    ),
]
Activations = Annotated[int, typer.Option(min=0, help="Fill the database up to so many activations first.")]
Operations = Annotated[int, typer.Option(min=0, help="Fill the database with so many operations first.")]
Workers = Annotated[
    int, typer.Option(min=1, help="Processes of the core: each load in turn with one and with so many.")
]

Result = TypeVar("Result")


@app.command()
def verify(
    clients: Clients = 32,
    seconds: Seconds = 5,
    rounds: Rounds = 2,
    against_pgbench: AgainstPgbench = False,
    against_memory: Annotated[
        bool, typer.Option(help="With events in RabbitMQ, in turn with a core that keeps them.")
    ] = False,
    paced: Paced = False,
    activations: Activations = 0,
    operations: Operations = 0,
    workers: Workers = 1,
    core_url: CoreUrl = None,
    user: User = "",
    password: Password = "",
    as_json: Json = False,
) -> None:
    """Signature verification at the core."""
    if (against_pgbench or against_memory) and core_url:
        raise typer.BadParameter("a comparison needs servers of its own, so no --core-url")
    console, target = Console(stderr=as_json), _target(core_url, None, user, password)
    plan = Plan(clients, seconds, rounds, target, activations, operations, paced, workers)
    if against_memory:
        measured = _finish(run.verify_with_rabbitmq(console, plan))
        _show(measured, {"ratio_to_memory": _ratio(measured, "RabbitMQ", "in memory")}, as_json=as_json)
        return
    work = VERIFY if against_pgbench else None
    loads: dict[str, run.LoadFactory] = {"verify": VerifyLoad}
    measured = _finish(run.measure(console, plan, loads, work=work))
    _show(measured, _against(measured) | _by_workers(measured, plan, loads), as_json=as_json)


@app.command()
def token(
    clients: Clients = 32,
    seconds: Seconds = 5,
    rounds: Rounds = 2,
    paced: Paced = False,
    activations: Activations = 0,
    workers: Workers = 1,
    as_json: Json = False,
) -> None:
    """Token validation at the core, in turn with signature verification."""
    loads: dict[str, run.LoadFactory] = {"token": TokenLoad, "verify": VerifyLoad}
    plan = Plan(clients, seconds, rounds, None, activations, paced=paced, workers=workers)
    measured = _finish(run.measure(Console(stderr=as_json), plan, loads))
    _show(measured, _to_verify(measured, plan, loads), as_json=as_json)


@app.command()
def passkey(
    clients: Clients = 32,
    seconds: Seconds = 5,
    rounds: Rounds = 2,
    paced: Paced = False,
    activations: Activations = 0,
    workers: Workers = 1,
    as_json: Json = False,
) -> None:
    """Approval of operations by passkeys at the core, in turn with signature verification."""
    loads: dict[str, run.LoadFactory] = {"passkey": PasskeyLoad, "verify": VerifyLoad}
    plan = Plan(clients, seconds, rounds, None, activations, paced=paced, workers=workers)
    measured = _finish(run.measure(Console(stderr=as_json), plan, loads))
    _show(measured, _to_verify(measured, plan, loads), as_json=as_json)


@app.command()
def activate(
    clients: Clients = 32,
    seconds: Seconds = 5,
    rounds: Rounds = 1,
    paced: Paced = False,
    activations: Activations = 0,
    workers: Workers = 1,
    core_url: CoreUrl = None,
    enrollment_url: EnrollmentUrl = None,
    user: User = "",
    password: Password = "",
    as_json: Json = False,
) -> None:
    """Whole activations, protocol 3.3: init, key exchange through enrollment, commit."""
    console, target = Console(stderr=as_json), _target(core_url, enrollment_url, user, password)
    plan = Plan(clients, seconds, rounds, target, activations, paced=paced, workers=workers)
    loads: dict[str, run.LoadFactory] = {"activate": ActivateLoad}
    measured = _finish(run.measure(console, plan, loads, services=WITH_ENROLLMENT))
    bare, used = activation_ms(), next(iter(measured.loads.values())).cpu_ms()
    extra = {"bare_cryptography_ms": round(bare, 3), "ratio_to_cryptography": round(used / bare, 2)}
    _show(measured, extra | _by_workers(measured, plan, loads), as_json=as_json)


@app.command()
def operation(
    clients: Clients = 32,
    seconds: Seconds = 5,
    rounds: Rounds = 2,
    against_pgbench: AgainstPgbench = False,
    paced: Paced = False,
    activations: Activations = 0,
    operations: Operations = 0,
    workers: Workers = 1,
    core_url: CoreUrl = None,
    enrollment_url: EnrollmentUrl = None,
    user: User = "",
    password: Password = "",
    as_json: Json = False,
) -> None:
    """Payment operations: created at the core, approved by the phone through enrollment."""
    console, target = Console(stderr=as_json), _target(core_url, enrollment_url, user, password)
    plan = Plan(clients, seconds, rounds, target, activations, operations, paced, workers)
    work = OPERATION if against_pgbench else None
    loads: dict[str, run.LoadFactory] = {"create and approve": OperationLoad, "create": CreateLoad}
    measured = _finish(run.measure(console, plan, loads, services=WITH_ENROLLMENT, work=work))
    _show(measured, _against(measured) | _by_workers(measured, plan, loads), as_json=as_json)


@app.command()
def status(
    clients: Clients = 32,
    seconds: Seconds = 5,
    rounds: Rounds = 2,
    paced: Paced = False,
    activations: Activations = 0,
    workers: Workers = 1,
    as_json: Json = False,
) -> None:
    """The status of an activation, for the bank at the core and for the phone through enrollment."""
    plan = Plan(clients, seconds, rounds, None, activations, paced=paced, workers=workers)
    loads: dict[str, run.LoadFactory] = {"bank": StatusLoad, "phone": PhoneStatusLoad}
    measured = _finish(run.measure(Console(stderr=as_json), plan, loads, services=WITH_ENROLLMENT))
    _show(measured, _by_workers(measured, plan, loads), as_json=as_json)


@app.command(name="list")
def list_pending(
    clients: Clients = 32,
    seconds: Seconds = 5,
    rounds: Rounds = 2,
    paced: Paced = False,
    activations: Activations = 0,
    operations: Operations = 0,
    workers: Workers = 1,
    as_json: Json = False,
) -> None:
    """A phone's list of ten pending operations, with a token, in turn with signature verification."""
    plan = Plan(clients, seconds, rounds, None, activations, operations, paced, workers)
    loads: dict[str, run.LoadFactory] = {"list": ListLoad, "verify": VerifyLoad}
    measured = _finish(run.measure(Console(stderr=as_json), plan, loads, services=WITH_ENROLLMENT))
    _show(measured, _to_verify(measured, plan, loads), as_json=as_json)


@app.command()
def cloud(
    clients: Clients = 32,
    seconds: Seconds = 5,
    rounds: Rounds = 2,
    paced: Paced = False,
    as_json: Json = False,
) -> None:
    """What the cloud API adds to creating and reading an operation and to a verification, in CPU time."""
    plan = Plan(clients, seconds, rounds, paced=paced)
    measured = _finish(compare_with_cloud(Console(stderr=as_json), plan))
    ratios = {
        f"cpu_ratio_{work}": _cpu_ratio(measured, f"{work} through cloud", f"{work} directly")
        for work in ("create", "read", "verify")
    }
    _show(measured, ratios, as_json=as_json)


@app.command()
def forwarding(
    clients: Clients = 32,
    seconds: Seconds = 5,
    rounds: Rounds = 2,
    paced: Paced = False,
    as_json: Json = False,
) -> None:
    """What the enrollment service adds to a verification, in CPU time."""
    loads: dict[str, run.LoadFactory] = {
        "core directly": DoorVerifyLoad,
        "through enrollment": EnrollmentVerifyLoad,
    }
    plan = Plan(clients, seconds, rounds, paced=paced)
    measured = _finish(run.measure(Console(stderr=as_json), plan, loads, services=WITH_ENROLLMENT))
    ratio = _cpu_ratio(measured, "through enrollment", "core directly")
    _show(measured, {"cpu_ratio": ratio}, as_json=as_json)


@app.command()
def push(
    clients: Clients = 100,
    seconds: Seconds = 5,
    rounds: Rounds = 2,
    rings: Annotated[int, typer.Option(min=0, help="Operations that ring one by one; 0: none.")] = 200,
    as_json: Json = False,
) -> None:
    """Messages through each provider's client, in turn with a bare loop of h2, to the fake providers; and how
    long after its answer to the bank an operation rings.
    """
    console = Console(stderr=True)
    measured = _finish(measure_push(console, Plan(clients, seconds, rounds)))
    ratios = {
        f"{figure}_{name}": value
        for name in ("apns", "fcm")
        for figure, value in (
            ("ratio_to_bare_h2", _ratio(measured, name, f"{name} bare h2")),
            ("cpu_ratio_to_bare_h2", _cpu_ratio(measured, name, f"{name} bare h2")),
        )
    }
    if rings:
        ringing = {"answer to ring": _finish(measure_ringing(console, rings))}
        measured = replace(measured, loads={**measured.loads, **ringing})
    _show(measured, ratios, as_json=as_json)


@app.command()
def campaign(
    devices: Annotated[int, typer.Option(min=1, help="Devices of the large campaign.")] = 100_000,
    as_json: Json = False,
) -> None:
    """A small and a large push campaign to a provider that takes everything: messages a second, memory."""
    _finish(measure_campaigns(Console(stderr=as_json), devices, as_json=as_json))


@app.command()
def revalidation(
    passkeys: Annotated[int, typer.Option(min=1, help="Passkeys with a stored attestation.")] = 100_000,
    as_json: Json = False,
) -> None:
    """The daily look at stored attestations: passkeys a second, and whether its memory stays as it is."""
    from powerauth_cli.bench.revalidation import measure_revalidation  # noqa: PLC0415 - certificates

    _finish(measure_revalidation(Console(), passkeys, as_json=as_json))


@app.command()
def start(rounds: Rounds = 3, as_json: Json = False) -> None:
    """CPU time from start to ready and resident memory, of each service and of all in one process."""
    _finish(measure_start(Console(), rounds, as_json=as_json))


@app.command()
def goals(
    runs: Annotated[int, typer.Option(min=1, help="Runs of each measurement, whose median counts.")] = 3,
    only: Annotated[list[str] | None, typer.Option(help="Of which commands, all without it.")] = None,
    growth: Annotated[
        bool, typer.Option(help="Also with 1,000,000 activations and 10,000,000 operations: minutes more.")
    ] = False,
    as_json: Json = False,
) -> None:
    """All goals of docs/performance.md; status 1 if one is missed. On a quiet machine, half an hour."""
    console = Console(stderr=as_json)
    if not _finish(measure_goals(console, runs, only or (), growth=growth, as_json=as_json)):
        raise typer.Exit(1)


def _against(measured: Measured) -> dict[str, object]:
    if not measured.database:
        return {}
    first = next(iter(measured.loads.values()))
    return {
        "pgbench_per_second": round(measured.database, 1),
        "ratio_to_pgbench": round(first.per_second / measured.database, 3),
    }


def _to_verify(measured: Measured, plan: Plan, loads: Collection[str]) -> dict[str, object]:
    """How the first load compares with verification, or each load with itself at a core of more workers."""
    if plan.workers > 1:
        return _by_workers(measured, plan, loads)
    return {"ratio_to_verify": _ratio(measured, next(iter(loads)), "verify")}


def _by_workers(measured: Measured, plan: Plan, loads: Collection[str]) -> dict[str, object]:
    """What each load costs and reaches with more workers, compared with one."""
    if plan.workers == 1:
        return {}
    crews = run.Crews.of(plan)
    return {
        f"{figure} {load}, {plan.workers} workers to 1, {shared}": ratio(
            measured, crew.named(load), crews.one.named(load)
        )
        for load in loads
        for crew, shared in ((crews.several, "as many clients"), (crews.each, "as many clients a worker"))
        for figure, ratio in (("cpu_ratio", _cpu_ratio), ("rate_ratio", _ratio))
    }


def _ratio(measured: Measured, name: str, other: str) -> float:
    return round(measured.loads[name].per_second / measured.loads[other].per_second, 3)


def _cpu_ratio(measured: Measured, name: str, other: str) -> float:
    return round(measured.loads[name].cpu_ms() / measured.loads[other].cpu_ms(), 3)


def _tails(measured: Measured) -> dict[str, object]:
    """How much longer than the median one request in a hundred takes, of loads below their limit."""
    paced = {run.at_busy(name) for name in measured.loads} & measured.loads.keys()
    return {
        f"p99_to_median {name}": round(measured.loads[name].tail, 2)
        for name in measured.loads
        if name in paced
    }


def _show(measured: Measured, extra: Mapping[str, object], *, as_json: bool) -> None:
    show(Console(), measured.loads, {**extra, **_tails(measured)}, as_json=as_json)


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
