"""Use cases of binding tickets (spec/device-trust.md §1.9)."""

from __future__ import annotations

from cloud_private_api.access.rules import Caller, one_application
from cloud_private_api.core_client import CoreClient
from cloud_private_api.core_errors import Area, in_area
from cloud_private_api.parameters import is_storable
from powerauth_contracts.cloud.device_bindings import DeviceBinding
from powerauth_contracts.rest import binding_tickets as contract


@in_area(Area.OPERATIONS)
async def create(core: CoreClient, caller: Caller, *, user_id: str, app_id: str, ttl: int) -> DeviceBinding:
    """Vouch for a user.

    :param ttl: how long the ticket can be used, in seconds
    """
    made = await core.ask(
        contract.CREATE,
        user_id=user_id,
        application_id=one_application(caller, app_id),
        ttl=ttl,
        created_by=caller.username,
        application_ids=caller.applications,
    )
    return DeviceBinding(binding_ticket=made.ticket, timestamp_expires=made.timestamp_expires)


@in_area(Area.OPERATIONS)
async def remove(core: CoreClient, caller: Caller, ticket: str) -> None:
    """Take a ticket back; one that is not there, over or used stays so."""
    if is_storable(ticket):
        await core.tell(contract.REVOKE, ticket=ticket, application_ids=caller.applications)
