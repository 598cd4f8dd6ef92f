"""HTTP of the statement keys (D1 rule 5)."""

from typing import Any

from powerauth_contracts.rest import statements as contract
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.statements import service
from powerauth_core.statements.ports import Ports

router = CallRouter("Statements")


@router.answers(contract.KEYS)
async def statement_keys(ports: Ports, _: None) -> contract.StatementKeysAnswer:
    found: list[dict[str, Any]] = await service.public_keys(ports.database, ports.cipher)
    return contract.StatementKeysAnswer(keys=found)
