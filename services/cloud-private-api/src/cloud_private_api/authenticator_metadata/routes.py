"""HTTP of the metadata of authenticators (spec/device-trust.md §4.11)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from cloud_private_api.authenticator_metadata import service
from cloud_private_api.authenticator_metadata.ports import Running
from cloud_private_api.errors import UnsupportedMediaType
from cloud_private_api.parameters import QueryBool, QueryText
from cloud_private_api.routing import CallerDep, CloudRouter, answer
from powerauth_contracts.cloud import mds as contract

router = CloudRouter("FIDO metadata")


@router.answers(contract.LOAD_METADATA)
async def load(
    ports: Running,
    caller: CallerDep,
    request: Request,
    dry_run: Annotated[QueryBool, Query(alias="dryRun")] = False,
) -> Response:
    """Put metadata in force: the body is the BLOB, a compact JWS of content type `application/jose`."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != contract.JOSE:
        raise UnsupportedMediaType
    blob = await request.body()
    return answer(await service.load(ports.core, blob, caller.username, dry_run=dry_run))


@router.answers(contract.GET_METADATA)
async def get_metadata(ports: Running) -> Response:
    """The metadata in force, and what was offered lately."""
    return answer(await service.status(ports.core))


@router.answers(contract.LIST_METADATA_ENTRIES)
async def list_entries(
    ports: Running, aaguid: Annotated[QueryText | None, Query(max_length=255)] = None
) -> Response:
    """Models that the metadata in force names; one by its AAGUID, AAID or key identifier."""
    return answer(await service.entries(ports.core, aaguid))
