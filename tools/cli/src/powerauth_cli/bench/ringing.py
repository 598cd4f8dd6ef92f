"""How long after its answer to the bank a new operation rings.

Cloud, push and core are a process each; the fake providers are in this one, which sees the bank's answer and
the provider's request.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from array import array
from collections import defaultdict
from uuid import uuid4

from rich.console import Console

from powerauth_cli.bench.load import Clients, LoadResult
from powerauth_cli.bench.operations import TEMPLATE, ensure_template
from powerauth_cli.bench.prepared import APPLICATION
from powerauth_cli.bench.provision import CoreApi, create_application
from powerauth_cli.bench.target import Target
from powerauth_cli.bench.through_cloud import admit
from powerauth_cli.fakes.equipment import Equipment
from powerauth_cli.fakes.phones import Shown
from powerauth_cli.fakes.stack import fake_providers
from powerauth_cli.localservers import PostgresServer
from powerauth_cli.push_api import PushApi
from powerauth_cli.separate import SeparateProcesses

_SERVICES = ("core", "push", "cloud")
_USER = "bench-user"
_WARM_UP = 20
_PAUSE_SECONDS = (0.005, 0.03)
_PATIENCE_SECONDS = 30.0


class _Rings:
    """When which operation rang."""

    def __init__(self) -> None:
        self._moments: defaultdict[str, asyncio.Future[float]] = defaultdict(asyncio.Future)

    def on_shown(self, shown: Shown) -> None:
        """A phone has got a message."""
        moment = self._moments[shown.extras["operationId"]]
        if not moment.done():
            moment.set_result(time.perf_counter())

    async def of(self, operation_id: str) -> float:
        """The moment at which an operation rings."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return await self._moments[operation_id]


async def measure_ringing(console: Console, rings: int) -> LoadResult:
    """Milliseconds from the bank's answer to the request at the provider, operation by operation, idle."""
    heard = _Rings()
    console.print("starting core, push and cloud …")
    async with fake_providers(heard.on_shown) as fakes:
        with PostgresServer(durable=True) as postgres:
            settings = fakes.environment(fakes.authority.ca_file)
            async with SeparateProcesses(postgres.url, services=_SERVICES, settings=settings) as started:
                push = PushApi(started.push_url, await started.push_credentials("bench"))
                try:
                    clients = await _prepared(started, push, Equipment(push, fakes))
                    return await _measured(clients, heard, rings)
                finally:
                    await push.close()


async def _prepared(started: SeparateProcesses, push: PushApi, equipment: Equipment) -> Clients:
    """A bank, connected, and a customer with a phone that is registered."""
    core = CoreApi(started.core_url, started.rest_credentials)
    try:
        await create_application(core, APPLICATION)
        await ensure_template(core)
    finally:
        await core.close()
    await equipment.equip(APPLICATION)
    device = {"appId": APPLICATION, "token": "ab" * 32, "platform": "apns", "environment": "production"}
    whose = {"activationId": str(uuid4()), "userId": _USER, "activationStatus": "ACTIVE"}
    await push.call("POST", "/push/device/create", device | whose)
    target = Target(
        started.core_url, started.rest_credentials, cloud=started.cloud_url, cloud_admin=started.admin
    )
    clients = Clients(started.cloud_url, await admit(target))
    await clients.open(1)
    return clients


async def _measured(clients: Clients, heard: _Rings, rings: int) -> LoadResult:
    latencies = array("d")
    started = time.perf_counter()
    for number in range(_WARM_UP + rings):
        latency = await _one(clients, heard)
        if number >= _WARM_UP:
            latencies.append(latency)
        await asyncio.sleep(random.uniform(*_PAUSE_SECONDS))  # noqa: S311 - spreads load, guards nothing
    clients.close()
    return LoadResult(time.perf_counter() - started, 0, latencies)


async def _one(clients: Clients, heard: _Rings) -> float:
    request = {
        "userId": _USER,
        "template": TEMPLATE["templateName"],
        "parameters": {"amount": "100.00", "currency": "CZK"},
    }
    status, body = await clients.post(0, "/v2/operations", json.dumps(request).encode())
    answered = time.perf_counter()
    operation = json.loads(body)
    if status != 200 or not operation["pushSent"]:
        raise RuntimeError(f"the operation does not ring: HTTP {status}")
    return max(await heard.of(operation["operationId"]) - answered, 0.0) * 1000
