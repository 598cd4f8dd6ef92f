"""The routers of all domains."""

from importlib import import_module
from importlib.util import find_spec

from fastapi import APIRouter

_DOMAINS = (
    "system",
    "applications",
    "integrations",
    "callbacks",
    "audit",
    "telemetry",
    "activations",
    "recovery",
    "keystore",
    "envelopes",
    "signatures",
    "vault",
    "tokens",
    "operations",
    "templates",
    "upgrade",
    "dmz",
)


def _routers() -> tuple[APIRouter, ...]:
    names = [f"powerauth_core.{domain}.routes" for domain in _DOMAINS]
    return tuple(import_module(name).router for name in names if find_spec(name) is not None)


ROUTERS = _routers()
"""In the order in which the documentation lists them."""
