"""HTTP side of the envelope call (spec/core-api.md §12)."""

from fastapi import APIRouter

from powerauth_contracts.rest.envelopes import DecryptorRequest, DecryptorResponse
from powerauth_contracts.wire import ObjectRequest, ObjectResponse
from powerauth_core.envelopes import handout
from powerauth_core.envelopes.ports import Running
from powerauth_core.kernel.answers import answer
from servicekit.answers import JsonResponse
from servicekit.routing import JsonRoute

router = APIRouter(prefix="/rest/v3/ecies", tags=["Envelopes"], route_class=JsonRoute)


@router.post("/decryptor", response_model=ObjectResponse[DecryptorResponse])
async def decryptor(request: ObjectRequest[DecryptorRequest], ports: Running) -> JsonResponse:
    """Hand out the envelope key of one request."""
    return answer(await handout.decryptor(ports, request.request_object))
