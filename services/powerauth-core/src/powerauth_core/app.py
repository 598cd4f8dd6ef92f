"""The HTTP application of the core."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware

from powerauth_core import __version__
from powerauth_core.edge import BUNDLES, ENDPOINTS
from powerauth_core.integrations.callers import CallerAuthentication
from powerauth_core.kernel.error_family import CORE_FAMILY
from powerauth_core.providers.plug_ins import load_plug_ins
from powerauth_core.routing import routers_of
from powerauth_core.runtime import needed_schema, running_core
from powerauth_core.settings import CoreSettings
from servicekit.app import create_app as create_service
from servicekit.bus import Bus
from servicekit.edge.fast import FastEdge
from servicekit.edge.middleware import RunAgain


def create_app(settings: CoreSettings, bus: Bus | None = None) -> FastAPI:
    """The core's application; the core itself starts with the application's lifespan, as ``app.state.core``.

    :param bus: a bus that other services in this process use too
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        # A plug-in that cannot be made stops the start, not the first customer.
        load_plug_ins()
        async with running_core(settings, bus) as core:
            app.state.core = core
            yield

    async def database_is_usable() -> None:
        await needed_schema().confirm(app.state.core.database)

    app = create_service(
        "PowerAuth Core",
        __version__,
        settings,
        CORE_FAMILY,
        lifespan,
        routers_of(settings.environment),
        health=[database_is_usable],
        name="powerauth-core",
    )
    for path, bundles in BUNDLES.items():
        app.add_route(path, bundles.answer, methods=["POST"], include_in_schema=False)
    # Inside the edge, which bounds, logs and counts refused callers too. No shortcut before authentication.
    app.user_middleware += [
        Middleware(CallerAuthentication, family=CORE_FAMILY, restrict_access=settings.restrict_access),
        Middleware(FastEdge, family=CORE_FAMILY, endpoints=ENDPOINTS),
        Middleware(RunAgain),
    ]
    return app
