"""Use cases of credentials at the providers of push; none is kept here (spec/cloud-api.md §11.4)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from cloud_private_api.access.rules import Caller
from cloud_private_api.applications.service import existing
from cloud_private_api.audit_log.service import record_change
from cloud_private_api.core_errors import Area, in_area
from cloud_private_api.errors import InvalidRequest
from cloud_private_api.push_client import PushRefused
from cloud_private_api.push_credentials.ports import Ports
from powerauth_contracts.cloud.push_credentials import PushProviders
from powerauth_contracts.push import applications as contract
from powerauth_contracts.push.calls import PushCall

_NAMES = {"bundle": "topic"}
"""How members of push's requests are called here."""


@in_area(Area.ADMIN)
async def providers(ports: Ports, app_id: str) -> PushProviders:
    """Which providers an application has credentials of."""
    await existing(ports, app_id)
    try:
        found = (await ports.push.ask(contract.DETAIL, {"appId": app_id})).application
    except PushRefused:
        return PushProviders(apns=False, fcm=False, hms=False)
    return PushProviders(apns=bool(found.apns), fcm=bool(found.fcm), hms=bool(found.hms))


@in_area(Area.ADMIN)
async def put(
    ports: Ports, caller: Caller, app_id: str, call: PushCall[Any, Any], credentials: Mapping[str, object]
) -> None:
    """Give an application credentials at a provider.

    :param credentials: as push takes them
    :raises InvalidRequest: push refuses them; it says which member and why
    """
    await existing(ports, app_id)
    await _introduce(ports, app_id)
    try:
        await ports.push.tell(call, {"appId": app_id, **credentials})
    except PushRefused as refusal:
        raise _refused(refusal) from None
    await _record(ports, caller, "Push credentials changed", app_id, call)


@in_area(Area.ADMIN)
async def clear(ports: Ports, caller: Caller, app_id: str, call: PushCall[Any, Any]) -> None:
    """Forget credentials at a provider; there need not be any."""
    await existing(ports, app_id)
    with suppress(PushRefused):  # push does not know the application
        await ports.push.tell(call, {"appId": app_id})
    await _record(ports, caller, "Push credentials removed", app_id, call)


async def _introduce(ports: Ports, app_id: str) -> None:
    """See that push knows an application."""
    try:
        await ports.push.tell(contract.DETAIL, {"appId": app_id})
    except PushRefused:
        with suppress(PushRefused):  # somebody was faster
            await ports.push.tell(contract.CREATE, {"appId": app_id})


def _refused(refusal: PushRefused) -> InvalidRequest:
    found = [replace(one, field=_NAMES.get(one.field, one.field)) for one in refusal.violations]
    return InvalidRequest(*found)


async def _record(ports: Ports, caller: Caller, message: str, app_id: str, call: PushCall[Any, Any]) -> None:
    ports.push_applications.forget()
    param = {"application": app_id, "provider": call.path.rpartition("/")[2]}
    await record_change(ports.database, caller.username, message, param)
