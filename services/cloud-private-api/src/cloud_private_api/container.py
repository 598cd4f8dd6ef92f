"""What a request handler needs, made once per process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import Request

from cloud_private_api.access.rules import Caller
from cloud_private_api.accounts.directory import UserDirectory
from cloud_private_api.auth.authenticator import Authenticator
from cloud_private_api.auth.login import Login
from cloud_private_api.core_client import CoreClient
from cloud_private_api.known import ApplicationFacts, OperationTexts
from cloud_private_api.passwords import PasswordWorker
from cloud_private_api.settings import CloudSettings
from servicekit.addresses import TrustedProxies
from servicekit.clients import PatientReceive
from servicekit.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """The service's parts."""

    settings: CloudSettings
    database: Database
    core: CoreClient
    authenticator: Authenticator
    users: UserDirectory
    passwords: PasswordWorker
    proxies: TrustedProxies
    applications: ApplicationFacts
    texts: OperationTexts


def cloud_of(request: Request) -> Cloud:
    """The parts that serve this request."""
    return cast(Cloud, request.app.state.cloud)


async def authenticated(request: Request, receive: PatientReceive) -> Caller:
    """Who makes a request whose messages come through ``receive``.

    :raises Unauthorized: nobody known
    :raises TooManyRequests: too many attempts
    """
    cloud = cloud_of(request)
    return await cloud.authenticator.authenticate(Login.of(request, receive, cloud.proxies))


def caller_of(request: Request) -> Caller:
    """Who makes this request; set by the route before anything else happens."""
    return cast(Caller, request.state.caller)


# Coroutines, because the framework runs plain functions in a thread.
async def _cloud(request: Request) -> Cloud:
    return cloud_of(request)


async def _caller(request: Request) -> Caller:
    return caller_of(request)


CloudDep = Annotated[Cloud, Depends(_cloud)]
CallerDep = Annotated[Caller, Depends(_caller)]
