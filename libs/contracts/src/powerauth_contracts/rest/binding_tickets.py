"""Wire models of the binding tickets (spec/device-trust.md §1.7, §1.9)."""

from __future__ import annotations

from types import NoneType
from typing import Annotated

from pydantic import Field

from powerauth_contracts.calls import Call
from powerauth_contracts.fields import ExactRequiredText, FreeText, Name
from powerauth_contracts.wire import CoreDateTime, RequestModel, WireModel

TicketLife = Annotated[int, Field(ge=60, le=3_600)]
"""How long a ticket can be used, in seconds."""


class CreateTicketRequest(RequestModel):
    """``device/ticket/create``."""

    user_id: Name
    application_id: Name
    ttl: TicketLife = 300
    created_by: FreeText | None = None
    application_ids: list[str] | None = None


class CreateTicketResponse(WireModel):
    """The ticket, which nobody can read again."""

    ticket: str = Field(repr=False)
    timestamp_expires: CoreDateTime


class RevokeTicketRequest(RequestModel):
    """``device/ticket/revoke``."""

    ticket: Annotated[ExactRequiredText, Field(max_length=255)] = Field(repr=False)
    application_ids: list[str] | None = None


CREATE = Call(
    "/rest/v3/device/ticket/create",
    CreateTicketRequest,
    CreateTicketResponse,
    "Vouch for a user whose device is to be bound.",
)
REVOKE = Call(
    "/rest/v3/device/ticket/revoke",
    RevokeTicketRequest,
    NoneType,
    "Take a binding ticket back, if it was not used.",
)
