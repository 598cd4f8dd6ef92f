"""An application with credentials, and phones registered for it."""

from __future__ import annotations

from typing import Any

from push_client import Client, Service
from push_keys import apns, fcm, hms

APP = "app-1"


async def application(cloud: Client, app_id: str = APP) -> None:
    """An application with credentials at all providers."""
    await cloud.ok("POST", "/admin/app/create", {"appId": app_id})
    await cloud.ok("PUT", "/admin/app/apns", apns(appId=app_id))
    await cloud.ok("PUT", "/admin/app/fcm", fcm(appId=app_id))
    await cloud.ok("PUT", "/admin/app/hms", hms(appId=app_id))


async def phone(
    service: Service,
    cloud: Client,
    name: str,
    user: str = "user-1",
    platform: str = "apns",
    app: str = APP,
    status: str = "ACTIVE",
) -> None:
    """An activation of this name, registered at the token of this name."""
    service.core.activation(name, user, app, status)
    await cloud.ok(
        "POST",
        "/push/device/create",
        {"appId": app, "token": f"token-{name}", "platform": platform, "activationId": name},
    )


def message(user: str = "user-1", **changed: Any) -> dict[str, Any]:
    """A message that says hello."""
    return {"userId": user, "body": {"title": "Hello"}} | changed


def sending(mode: str = "SYNCHRONOUS", app: str = APP, **changed: Any) -> dict[str, Any]:
    """The request that sends it."""
    return {"appId": app, "mode": mode, "message": message(**changed)}
