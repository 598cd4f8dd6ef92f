"""HTTP of properties (spec/cloud-api.md §11.8)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from cloud_private_api.properties import service
from cloud_private_api.properties.ports import Running
from cloud_private_api.routing import CallerDep, CloudRouter, answer
from powerauth_contracts.cloud import properties as contract
from powerauth_contracts.cloud.properties import PutProperty

router = CloudRouter("Properties")


@router.answers(contract.LIST_PROPERTIES)
async def list_properties(ports: Running) -> Response:
    """All properties."""
    return answer(await service.list_all(ports.database))


@router.answers(contract.UPDATE_PROPERTY)
async def put_property(
    ports: Running, caller: CallerDep, name: Annotated[str, Path(alias="name")], request: PutProperty
) -> Response:
    """Set a property."""
    return answer(await service.put(ports.database, caller, name, request.value))
