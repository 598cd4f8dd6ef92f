"""HTTP of the statement keys (D1 rule 5)."""

from typing import Any

from fastapi import APIRouter

from powerauth_contracts.rest.statements import StatementKeysAnswer
from powerauth_contracts.wire import ObjectResponse
from powerauth_core.kernel.answers import answer
from powerauth_core.statements import service
from powerauth_core.statements.ports import Running
from servicekit.answers import JsonResponse
from servicekit.routing import JsonRoute

router = APIRouter(prefix="/rest/v3/statement", tags=["Statements"], route_class=JsonRoute)


@router.post("/keys", response_model=ObjectResponse[StatementKeysAnswer])
async def statement_keys(ports: Running) -> JsonResponse:
    """Public keys of the statements that ``token/who-am-i`` gives."""
    found: list[dict[str, Any]] = await service.public_keys(ports.database, ports.cipher)
    return answer(StatementKeysAnswer(keys=found))
