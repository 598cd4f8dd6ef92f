"""Use cases of operations in the single-device view (spec/cloud-api.md §6)."""

from __future__ import annotations

from cloud_private_api.access.rules import Caller
from cloud_private_api.operations.ports import Ports
from cloud_private_api.operations.v2 import service
from powerauth_contracts.cloud.operations import (
    CreateOperation,
    CreateSingleOperation,
    Operation,
    SingleOperation,
)


def _single(operation: Operation) -> SingleOperation:
    return SingleOperation(**{name: getattr(operation, name) for name in SingleOperation.model_fields})


async def create(ports: Ports, caller: Caller, request: CreateSingleOperation) -> SingleOperation:
    """Create an operation in all applications of the caller."""
    full = CreateOperation(
        user_id=request.user_id,
        template=request.template,
        language=request.language,
        external_id=request.external_id,
        parameters=request.parameters,
    )
    return _single(await service.create(ports, caller, full))


async def detail(ports: Ports, caller: Caller, operation_id: str) -> SingleOperation:
    """One operation."""
    return _single(await service.detail(ports, caller, operation_id))
