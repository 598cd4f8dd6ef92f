"""HTTP of the binding tickets (spec/device-trust.md §1.7)."""

from datetime import timedelta

from powerauth_contracts.rest import binding_tickets as contract
from powerauth_core.binding_tickets import service
from powerauth_core.binding_tickets.ports import Ports
from powerauth_core.kernel.call_routes import CallRouter

router = CallRouter("Binding tickets")


@router.answers(contract.CREATE)
async def create_ticket(ports: Ports, asked: contract.CreateTicketRequest) -> contract.CreateTicketResponse:
    made = await service.create(
        ports,
        user_id=asked.user_id,
        application_id=asked.application_id,
        life=timedelta(seconds=asked.ttl),
        created_by=asked.created_by,
        scope=asked.application_ids,
    )
    return contract.CreateTicketResponse(ticket=made.ticket, timestamp_expires=made.expires)


@router.answers(contract.REVOKE)
async def revoke_ticket(ports: Ports, asked: contract.RevokeTicketRequest) -> None:
    await service.revoke(ports, asked.ticket, asked.application_ids)
