"""Running one service by itself, and its OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from servicekit.app import serve
from servicekit.logs import configure_logging
from servicekit.settings import ServiceSettings


@dataclass(frozen=True, slots=True)
class _Service:
    """Where a service's application and settings are found; imported only when it runs."""

    package: str
    settings_class: str

    def settings(self) -> ServiceSettings:
        settings: ServiceSettings = getattr(import_module(f"{self.package}.settings"), self.settings_class)()
        return settings

    def create_app(self) -> Callable[[Any], Any]:
        create: Callable[[Any], Any] = import_module(f"{self.package}.app").create_app
        return create


SERVICES = {
    "core": _Service("powerauth_core", "CoreSettings"),
    "enrollment": _Service("enrollment", "EnrollmentSettings"),
    "cloud": _Service("cloud_private_api", "CloudSettings"),
}


def serve_one(name: str) -> None:
    """Serve a service until it is told to stop."""
    service = SERVICES[name]
    settings = service.settings()
    configure_logging(name, settings.log_level, json=settings.log_json)
    serve(service.create_app()(settings), settings)


def openapi_document(name: str) -> str:
    """The OpenAPI document of a service, as JSON text."""
    service = SERVICES[name]
    document: dict[str, Any] = service.create_app()(service.settings()).openapi()
    return json.dumps(document, indent=2, ensure_ascii=False)
