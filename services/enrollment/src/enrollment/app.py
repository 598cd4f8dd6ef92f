"""The enrollment service as an application (spec/enrollment-api.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from pydantic import SecretStr
from starlette.middleware import Middleware

from enrollment.container import build_enrollment
from enrollment.errors import ENROLLMENT_ERRORS
from enrollment.exchange.routes import router as exchange
from enrollment.inbox.routes import router as inbox
from enrollment.mobile_token.routes import router as mobile_token
from enrollment.oidc.routes import router as oidc
from enrollment.passkeys.routes import router as passkeys
from enrollment.push.routes import router as push
from enrollment.settings import EnrollmentSettings
from enrollment.signed_tokens.routes import router as signed_tokens
from enrollment.spawn.routes import router as spawn
from enrollment.standard.routes import standard_router
from servicekit.app import create_app as create_service_app
from servicekit.calls.client import NetworkTransport, ServiceClient, Timeouts, Transport
from servicekit.edge.fast import FastEdge, endpoints_of
from servicekit.startup import embedded_settings

NAME = "enrollment"
TITLE = "PowerAuth enrollment"


def create_app(
    settings: EnrollmentSettings | None = None,
    *,
    core_transport: Transport | None = None,
    push_transport: Transport | None = None,
) -> FastAPI:
    """Build the application.

    :param settings: read from the environment when None.
    :param core_transport: how to reach the core; the network when None (another for one process of all
        services).
    :param push_transport: the same for the push service.
    """
    settings = settings or embedded_settings(EnrollmentSettings)
    timeouts = Timeouts(connect=settings.remote_timeout_seconds, total=settings.remote_timeout_seconds)
    tls = settings.internal_tls()
    core = ServiceClient(
        settings.core_url,
        _credentials(settings.core_client_token, settings.core_client_secret),
        timeouts,
        core_transport or NetworkTransport(tls=tls),
    )
    push_client = (
        ServiceClient(
            settings.push_url,
            _credentials(settings.push_client_token, settings.push_client_secret),
            timeouts,
            push_transport or NetworkTransport(tls=tls),
        )
        if settings.push_enabled
        else None
    )
    enrollment = build_enrollment(settings, core, push_client)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await core.close()
            if push_client is not None:
                await push_client.close()
            await enrollment.limits.close()

    routers = _routers(settings)
    app = create_service_app(
        TITLE,
        # Strangers reach this service: in production it tells the version that its operator wants told.
        settings.application_version if settings.production else version("powerauth-enrollment"),
        settings,
        ENROLLMENT_ERRORS,
        lifespan,
        routers,
        readiness=(enrollment.door.check,),
        name=NAME,
    )
    endpoints = endpoints_of(routers)
    app.user_middleware.append(Middleware(FastEdge, family=ENROLLMENT_ERRORS, endpoints=endpoints))
    app.state.enrollment = enrollment
    return app


def _routers(settings: EnrollmentSettings) -> list[APIRouter]:
    """What is switched off does not exist: its paths answer 404."""
    routers = [standard_router("/pa/v3"), oidc, signed_tokens]
    if settings.mobile_token_enabled:
        routers.append(mobile_token)
    if settings.push_enabled:
        routers.append(push)
        if settings.inbox_enabled:
            routers.append(inbox)
    if settings.passkeys_enabled:
        routers.append(passkeys)
    if settings.activation_spawn_enabled:
        routers.append(spawn)
    if settings.test_endpoints:
        routers.append(exchange)
    return routers


def _credentials(token: str, secret: SecretStr) -> tuple[str, str] | None:
    return (token, secret.get_secret_value()) if token else None
