"""Health as container platforms ask for it (spec/cloud-api.md §17)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Protocol, cast

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response

from servicekit import logs, metrics
from servicekit.answers import JsonResponse
from servicekit.edge.routing import LateRoute

_log = logs.get_logger(__name__)

Check = Callable[[], Awaitable[object]]
"""Raises, or returns ``False``, when what it checks is not usable; any other result is good."""

CHECK_SECONDS = 5.0


class Health(StrEnum):
    """How a service is. DEGRADED: it works, and somebody has to look after something before it does not."""

    UP = "UP"
    DEGRADED = "DEGRADED"
    DOWN = "DOWN"


async def all_pass(checks: Sequence[Check]) -> bool:
    """Run the checks side by side, each within :data:`CHECK_SECONDS`."""
    if not checks:
        return True
    return all(await asyncio.gather(*(_passes(check) for check in checks)))


class Shared:
    """A check that is made once for all who ask at the same time or soon after: probes cost no more than one.

    :param seconds: how long an outcome is told again
    """

    def __init__(self, check: Check, seconds: float) -> None:
        self._check = check
        self._seconds = seconds
        self._outcome = False
        self._good_until = 0.0
        self._running: asyncio.Task[bool] | None = None

    async def __call__(self) -> bool:
        """Whether it passes or passed."""
        if self._running is None:
            if time.monotonic() < self._good_until:
                return self._outcome
            self._running = asyncio.create_task(self._make())
        # One who asked may leave, the others still wait.
        return await asyncio.shield(self._running)

    async def _make(self) -> bool:
        try:
            self._outcome = await _passes(self._check)
            self._good_until = time.monotonic() + self._seconds
            return self._outcome
        finally:
            self._running = None


async def _passes(check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check() is not False
    except Exception as error:  # whatever a check raises is its answer
        name = getattr(check, "__qualname__", type(check).__name__)
        _log.warning("health check failed", check=name, reason=f"{type(error).__name__}: {error}")
        return False


class Vitals(Protocol):
    """What a service says about itself, in one process or in several."""

    async def alive(self) -> bool:
        """Whether the process answers."""
        ...

    async def health(self) -> Health:
        """How the service and what it owns are."""
        ...

    async def ready(self) -> bool:
        """Whether the service can serve requests now."""
        ...

    async def figures(self) -> list[metrics.Family]:
        """Its metrics."""
        ...


class ProcessVitals:
    """`Vitals` of this process."""

    def __init__(
        self,
        health: Sequence[Check],
        readiness: Sequence[Check],
        seconds: float,
        lasting: Sequence[Check] = (),
    ) -> None:
        """
        :param health: checks of what the service owns (its database)
        :param readiness: checks of what it needs beside that to serve
        :param seconds: how long the outcome of a check is told again
        :param lasting: checks of what it works without for a while
        """
        self._own = [Shared(check, seconds) for check in health]
        self._lasting = [Shared(check, seconds) for check in lasting]
        self._needed = [*self._own, *(Shared(check, seconds) for check in readiness)]

    async def alive(self) -> bool:
        """It does if this is run."""
        return True

    async def health(self) -> Health:
        """DOWN if a check of what the service owns fails."""
        if not await all_pass(self._own):
            return Health.DOWN
        return Health.UP if await all_pass(self._lasting) else Health.DEGRADED

    async def ready(self) -> bool:
        """Whether all checks pass."""
        return await all_pass(self._needed)

    async def figures(self) -> list[metrics.Family]:
        """The metrics of this process."""
        return metrics.families()


class VitalsBehindDoors:
    """`Vitals` of a service that is not ready before its doors are open, nor once they are to close.

    :param is_open: whether whoever connects is served
    """

    def __init__(self, own: Vitals, is_open: Callable[[], bool]) -> None:
        self._own = own
        self._is_open = is_open
        self.alive = own.alive
        self.health = own.health
        self.figures = own.figures

    async def ready(self) -> bool:
        """Whether the service can serve requests, and they can come."""
        return await self._own.ready() and self._is_open()


def vitals_of(app: FastAPI) -> Vitals:
    """What an application's service says about itself."""
    return cast(Vitals, app.state.vitals)


def router(name: str, version: str) -> APIRouter:
    """``/actuator/health``, its ``/liveness`` and ``/readiness``, and ``/actuator/info``: `vitals_of` the
    application.
    """
    routes = APIRouter(prefix="/actuator", tags=["Health"], route_class=LateRoute)

    @routes.get("/health")
    async def get_health(request: Request) -> Response:
        """How the service and what it owns are."""
        return _answer(await vitals_of(request.app).health())

    @routes.get("/health/liveness")
    async def get_liveness(request: Request) -> Response:
        """Whether the process answers."""
        return _answer(_of(await vitals_of(request.app).alive()))

    @routes.get("/health/readiness")
    async def get_readiness(request: Request) -> Response:
        """Whether the service can serve requests now."""
        return _answer(_of(await vitals_of(request.app).ready()))

    @routes.get("/info")
    async def get_info() -> dict[str, dict[str, str]]:
        """Name and version."""
        return {"app": {"name": name, "version": version}}

    return routes


def alive() -> APIRouter:
    """``/actuator/health`` and its ``/liveness`` without a look at anything: the process answers."""
    routes = APIRouter(prefix="/actuator", tags=["Health"], route_class=LateRoute)

    @routes.get("/health", include_in_schema=False)
    @routes.get("/health/liveness")
    async def get_liveness() -> Response:
        """Whether the process answers."""
        return _answer(Health.UP)

    return routes


def _of(good: bool) -> Health:
    return Health.UP if good else Health.DOWN


def _answer(health: Health) -> Response:
    """What is degraded serves: no platform restarts it."""
    return JsonResponse(b'{"status":"%b"}' % health.encode(), 503 if health is Health.DOWN else 200)
