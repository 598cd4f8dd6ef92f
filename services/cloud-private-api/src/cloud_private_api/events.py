"""Events that this service listens to (spec/cloud-api.md §13.4, D20)."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from cloud_private_api.parts import WithApplications, WithTexts
from cloud_private_api.registrations.ports import Ports as RegistrationPorts
from cloud_private_api.registrations.v1.service import on_status_changed
from servicekit.bus import Bus, Event

SERVICE = "cloud"
ACTIVATION_STATUS_CHANGED = "activation.status_changed"
APPLICATION_CHANGED = "application.changed"
OPERATION_TEMPLATE_CHANGED = "operation_template.changed"


class Ports(RegistrationPorts, WithApplications, WithTexts, Protocol):
    """What hearing of events takes."""


async def subscribe(ports: Ports, bus: Bus) -> None:
    """Business events by a queue that replicas share, cache events by one of this process."""
    await bus.subscribe(SERVICE, [ACTIVATION_STATUS_CHANGED], partial(on_status_changed, ports))
    await bus.subscribe_broadcast(
        [APPLICATION_CHANGED, OPERATION_TEMPLATE_CHANGED], partial(_drop_cached, ports)
    )


async def _drop_cached(ports: Ports, event: Event) -> None:
    if event.type == APPLICATION_CHANGED:
        ports.applications.forget(str(event.data.get("applicationId")))
    else:
        ports.texts.forget(str(event.data.get("placeholder")))
