"""Running one service by itself, and its OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from servicekit.app import serve
from servicekit.loading import loading, models_built_later
from servicekit.settings import ServiceSettings
from servicekit.startup import command_settings, serving_settings


@dataclass(frozen=True, slots=True)
class _Service:
    """Where a service's application and settings are found; imported only when it runs."""

    package: str
    settings_class: str

    def settings(self) -> type[ServiceSettings]:
        chosen: type[ServiceSettings] = self._part("settings", self.settings_class)
        return chosen

    def create_app(self) -> Callable[[Any], Any]:
        create: Callable[[Any], Any] = self._part("app", "create_app")
        return create

    def _part(self, module: str, name: str) -> Any:
        with loading(), models_built_later():
            return getattr(import_module(f"{self.package}.{module}"), name)


SERVICES = {
    "core": _Service("powerauth_core", "CoreSettings"),
    "enrollment": _Service("enrollment", "EnrollmentSettings"),
    "cloud": _Service("cloud_private_api", "CloudSettings"),
    "push": _Service("powerauth_push", "PushSettings"),
}


def serve_one(name: str, workers: int | None) -> None:
    """Serve a service until it is told to stop.

    :param workers: processes; None: what the environment says
    """
    service = SERVICES[name]
    settings = serving_settings(service.settings(), name, workers)
    serve(service.create_app()(settings), settings)


def openapi_document(name: str) -> str:
    """The OpenAPI document of a service, as JSON text."""
    service = SERVICES[name]
    settings = command_settings(service.settings(), name, needs=())
    document: dict[str, Any] = service.create_app()(settings).openapi()
    return json.dumps(document, indent=2, ensure_ascii=False)
