"""Wire models of the key store (spec/core-api.md §13)."""

from __future__ import annotations

from powerauth_contracts.calls import Call
from powerauth_contracts.fields import RequiredText
from powerauth_contracts.wire import RequestModel, WireModel


class CreateTemporaryKeyRequest(RequestModel):
    """Request of ``keystore/create``: a JWT signed by the device."""

    jwt: RequiredText
    application_ids: list[str] | None = None


class CreateTemporaryKeyResponse(WireModel):
    """A JWT with the temporary public key, signed by the server."""

    jwt: str


class RemoveTemporaryKeyRequest(RequestModel):
    """Request of ``keystore/remove``: the id of the key."""

    id: RequiredText


class RemoveTemporaryKeyResponse(WireModel):
    """Confirms the removal, also of a key that is not there."""

    id: str
    removed: bool


CREATE = Call(
    "/rest/v3/keystore/create",
    CreateTemporaryKeyRequest,
    CreateTemporaryKeyResponse,
    "Issue a temporary key.",
)
REMOVE = Call(
    "/rest/v3/keystore/remove",
    RemoveTemporaryKeyRequest,
    RemoveTemporaryKeyResponse,
    "Delete a temporary key.",
)
