"""Requests for temporary keys as both doors take them (spec/core-api.md §13)."""

from __future__ import annotations

from powerauth_contracts.rest.temporary_keys import CreateTemporaryKeyRequest, CreateTemporaryKeyResponse
from powerauth_core.temporary_keys import service
from powerauth_core.temporary_keys.ports import Ports


async def create_temporary_key(ports: Ports, asked: CreateTemporaryKeyRequest) -> CreateTemporaryKeyResponse:
    """``keystore/create``; raises as `service.create`."""
    jwt = await service.create(ports, jwt=asked.jwt, scope=asked.application_ids)
    return CreateTemporaryKeyResponse(jwt=jwt)
