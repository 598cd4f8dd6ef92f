"""``/rest/v3/ecies`` (spec/core-api.md §12)."""

from __future__ import annotations

from fastapi import APIRouter

from powerauth_core.answers import answer
from powerauth_core.container import CoreDependency
from powerauth_core.envelopes import handout
from powerauth_core.envelopes.schemas import DecryptorRequest, DecryptorResponse
from servicekit.wire import JsonResponse, ObjectRequest, ObjectResponse

router = APIRouter(prefix="/rest/v3/ecies", tags=["envelopes"])


@router.post("/decryptor", response_model=ObjectResponse[DecryptorResponse])
async def decryptor(core: CoreDependency, body: ObjectRequest[DecryptorRequest]) -> JsonResponse:
    """Hand out the envelope key of one request."""
    return answer(await handout.decryptor(core, body.request_object))
