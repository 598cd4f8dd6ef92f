"""The HTTP application of the core."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware

from powerauth_core import __version__
from powerauth_core.container import Core
from powerauth_core.edge import BUNDLES, ENDPOINTS
from powerauth_core.integrations.callers import DMZ, REST_DOORS, CallerAuthentication
from powerauth_core.kernel.error_family import CORE_FAMILY
from powerauth_core.master_key.service import REGISTRY
from powerauth_core.providers.plug_ins import load_plug_ins
from powerauth_core.routing import dmz_routers_of, routers_of
from powerauth_core.runtime import needed_schema, running_core
from powerauth_core.settings import CoreSettings
from servicekit.app import add_door
from servicekit.app import create_app as create_service
from servicekit.bus import Bus
from servicekit.doors import doors_of
from servicekit.edge.fast import FastEdge
from servicekit.edge.middleware import RunAgain

NAME = "powerauth-core"


def create_app(settings: CoreSettings, bus: Bus | None = None) -> FastAPI:
    """The core's application; the core itself starts with the application's lifespan, as ``app.state.core``.

    :param bus: a bus that other services in this process use too
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        # A plug-in that cannot be made stops the start, not the first customer.
        load_plug_ins()
        async with running_core(settings, bus) as core:
            for door in doors_of(app, settings):
                door.app.state.core = core
            yield

    async def database_is_usable() -> None:
        core: Core = app.state.core
        await needed_schema().confirm(core.database)
        await REGISTRY.confirm(core.database, core.cipher.keys)

    async def metadata_is_current() -> bool:
        core: Core = app.state.core
        return core.fido_metadata.current

    every, of_dmz = routers_of(settings.environment), dmz_routers_of(settings.environment)
    apart = settings.dmz_port is not None
    app = create_service(
        "PowerAuth Core",
        __version__,
        settings,
        CORE_FAMILY,
        lifespan,
        [router for router in every if router not in of_dmz] if apart else every,
        health=[database_is_usable],
        lasting=[metadata_is_current],
        name=NAME,
    )
    _guard(app, settings, REST_DOORS if apart else (*REST_DOORS, DMZ))
    if settings.dmz_port is not None:
        dmz = add_door(
            app,
            settings,
            CORE_FAMILY,
            of_dmz,
            name=NAME,
            host=settings.dmz_host,
            port=settings.dmz_port,
            client_names=settings.dmz_tls_client_names,
        )
        _guard(dmz, settings, (DMZ,))
    return app


def _guard(app: FastAPI, settings: CoreSettings, doors: Sequence[str]) -> None:
    """Put in front of an application's routes what asks callers who they are, then the shortcuts of calls.

    :param doors: first parts of the paths that are served
    """
    for path, bundles in BUNDLES.items():
        if path.startswith(tuple(doors)):
            app.add_route(path, bundles.answer, methods=["POST"], include_in_schema=False)
    endpoints = {key: call for key, call in ENDPOINTS.items() if key[1].startswith(tuple(doors))}
    # Inside the edge, which bounds, logs and counts refused callers too. No shortcut before authentication.
    app.user_middleware += [
        Middleware(
            CallerAuthentication, family=CORE_FAMILY, doors=doors, restrict_access=settings.restrict_access
        ),
        Middleware(FastEdge, family=CORE_FAMILY, endpoints=endpoints),
        Middleware(RunAgain),
    ]
