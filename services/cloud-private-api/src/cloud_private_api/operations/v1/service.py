"""Use cases of operations in the single-device view (spec/cloud-api.md §6)."""

from __future__ import annotations

from collections.abc import Mapping

from cloud_private_api.access.rules import Caller
from cloud_private_api.operations.ports import Ports
from cloud_private_api.operations.v2 import service
from powerauth_contracts.cloud.operations import (
    Operation,
    SingleOperation,
)


def _single(operation: Operation) -> SingleOperation:
    return SingleOperation(**{name: getattr(operation, name) for name in SingleOperation.model_fields})


async def create(
    ports: Ports,
    caller: Caller,
    *,
    user_id: str | None,
    template: str,
    external_id: str | None,
    parameters: Mapping[str, str] | None,
    language: str,
) -> SingleOperation:
    """Create an operation in all applications of the caller."""
    made = await service.create(
        ports,
        caller,
        user_id=user_id,
        template=template,
        external_id=external_id,
        parameters=parameters,
        language=language,
    )
    return _single(made)


async def detail(ports: Ports, caller: Caller, operation_id: str) -> SingleOperation:
    """One operation."""
    return _single(await service.detail(ports, caller, operation_id))
