"""Events that this service listens to (spec/cloud-api.md §13.4, D20)."""

from __future__ import annotations

from functools import partial

from cloud_private_api.container import Cloud
from cloud_private_api.registrations.v1.service import on_status_changed
from servicekit.bus import Bus, Event

SERVICE = "cloud"
ACTIVATION_STATUS_CHANGED = "activation.status_changed"
APPLICATION_CHANGED = "application.changed"
OPERATION_TEMPLATE_CHANGED = "operation_template.changed"


async def subscribe(cloud: Cloud, bus: Bus) -> None:
    """Business events by a queue that replicas share, cache events by one of this process."""
    await bus.subscribe(SERVICE, [ACTIVATION_STATUS_CHANGED], partial(on_status_changed, cloud))
    await bus.subscribe_broadcast(
        [APPLICATION_CHANGED, OPERATION_TEMPLATE_CHANGED], partial(_drop_cached, cloud)
    )


async def _drop_cached(cloud: Cloud, event: Event) -> None:
    if event.type == APPLICATION_CHANGED:
        cloud.applications.forget(str(event.data.get("applicationId")))
    else:
        cloud.texts.forget(str(event.data.get("placeholder")))
