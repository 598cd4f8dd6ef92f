"""The parts of a running enrollment service, made once at start-up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from starlette.exceptions import HTTPException
from starlette.requests import Request

from enrollment.core_client import CoreDoor
from enrollment.languages import preferred_language
from enrollment.limits import Limits
from enrollment.published import PublishedDocuments
from enrollment.push_client import PushClient
from enrollment.settings import EnrollmentSettings
from enrollment.texts.cache import TextCache
from enrollment.texts.formatters import OperationTextFormatter, installed_formatters
from servicekit.callers import TrustedProxies, limited_network
from servicekit.calls.client import ServiceClient

USER_AGENT_LENGTH = 256
_NETWORK = "enrollment.network"


@dataclass(frozen=True, slots=True)
class Enrollment:
    """Everything that endpoints use; there is no state beyond caches and rate limits."""

    settings: EnrollmentSettings
    door: CoreDoor
    push: PushClient | None
    texts: TextCache
    published: PublishedDocuments
    formatters: tuple[OperationTextFormatter, ...]
    limits: Limits
    proxies: TrustedProxies
    languages: frozenset[str]

    def push_client(self) -> PushClient:
        """Return the push service's client, for endpoints that exist only where there is one."""
        if self.push is None:
            raise HTTPException(404)
        return self.push

    def language(self, request: Request) -> str:
        """Return the language of a request (spec/enrollment-api.md §3.6)."""
        lines = _lines(request, b"accept-language")
        return preferred_language(
            lines[0] if lines else None,
            default=self.settings.default_language,
            served=self.languages,
        )

    def client_address(self, request: Request) -> str | None:
        """Return the client's address (spec/enrollment-api.md §10.9)."""
        peer = request.client.host if request.client is not None else None
        return self.proxies.client_address(peer, _lines(request, b"x-forwarded-for"))

    def client_network(self, request: Request) -> str:
        """Return what rate limits per address count; found out once for each request."""
        network: str | None = request.scope.get(_NETWORK)
        if network is None:
            network = request.scope[_NETWORK] = limited_network(self.client_address(request))
        return network


def build_enrollment(
    settings: EnrollmentSettings, core: ServiceClient, push: ServiceClient | None
) -> Enrollment:
    """Put the parts together.

    :param core: client of the core's context path with this service's credentials.
    :param push: client of the push service's context path, or None where there is none.
    """
    door = CoreDoor(core)
    return Enrollment(
        settings=settings,
        door=door,
        push=PushClient(push) if push is not None else None,
        texts=TextCache(
            door,
            revalidate_seconds=settings.texts_revalidate_seconds,
            maximum_age_seconds=settings.texts_maximum_age_seconds,
        ),
        published=PublishedDocuments(door),
        formatters=installed_formatters(),
        limits=Limits.of(settings),
        proxies=TrustedProxies(settings.trusted_proxies),
        languages=frozenset(settings.languages),
    )


def enrollment_of(request: Request) -> Enrollment:
    """Return the parts of the application that serves `request`."""
    return cast(Enrollment, request.app.state.enrollment)


def user_agent(request: Request) -> str | None:
    """Return the client's own description, cut to 256 characters (spec/enrollment-api.md §3.6)."""
    lines = _lines(request, b"user-agent")
    return lines[0][:USER_AGENT_LENGTH] or None if lines else None


def _lines(request: Request, name: bytes) -> list[str]:
    """The values of all lines of a header; the framework's own look-up takes ten times as long."""
    return [value.decode("latin-1") for given, value in request.scope["headers"] if given == name]
