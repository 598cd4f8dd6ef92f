"""The ports of a service: what answers there, and with which TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from dataclasses import dataclass, replace

from fastapi import FastAPI

from servicekit.settings import ServiceSettings
from servicekit.tls.contexts import TlsFiles, listening_context


@dataclass(frozen=True, slots=True)
class Door:
    """A port, and the application that answers there.

    :ivar settings: of the service: bounds and time-outs
    :ivar tls: what it is served with; None: no TLS
    :ivar client_names: which clients are let in; none: all that have a certificate where one is demanded
    """

    app: FastAPI
    host: str
    port: int
    settings: ServiceSettings
    tls: TlsFiles | None = None
    client_names: frozenset[str] = frozenset()

    def context(self) -> ssl.SSLContext | None:
        """Its TLS.

        :raises OSError: a file cannot be used
        """
        return None if self.tls is None else listening_context(self.tls, self.client_names, "listener")


def service_door(
    app: FastAPI, settings: ServiceSettings, host: str, port: int, client_names: Iterable[str]
) -> Door:
    """A port that callers use, which have to show a certificate if the settings say so."""
    return Door(app, host, port, settings, settings.tls_files, frozenset(client_names))


def management_door(app: FastAPI, settings: ServiceSettings, port: int) -> Door:
    """The port that operators use: whatever asks there for metrics has no certificate."""
    files = settings.tls_files if settings.management_tls else None
    tls = None if files is None else replace(files, authorities=None)
    return Door(app, settings.management_host or settings.host, port, settings, tls)


def doors_of(app: FastAPI, settings: ServiceSettings) -> list[Door]:
    """The ports of a service for callers: that of its application, then further ones."""
    first = service_door(app, settings, settings.host, settings.port, settings.tls_client_names)
    return [first, *getattr(app.state, "further_doors", ())]


def management_of(app: FastAPI) -> Door | None:
    """The port of a service for operators; None: it has none."""
    return getattr(app.state, "management", None)
