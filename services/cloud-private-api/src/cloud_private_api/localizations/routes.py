"""HTTP of localised push texts (spec/cloud-api.md §11.7)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from cloud_private_api.localizations import service
from cloud_private_api.localizations.ports import Running
from cloud_private_api.routing import CallerDep, CloudRouter, answer
from powerauth_contracts.cloud import localizations as contract
from powerauth_contracts.cloud.localizations import SaveLocalization
from powerauth_contracts.wire import StatusResponse

router = CloudRouter("Localizations")

PlaceholderPath = Annotated[str, Path(alias="placeholder")]
LanguagePath = Annotated[str, Path(alias="language")]


@router.answers(contract.LIST_LOCALIZATIONS)
async def list_localizations(ports: Running) -> Response:
    """All push texts."""
    return answer(await service.list_all(ports.database))


@router.answers(contract.GET_LOCALIZATION)
async def get_localization(ports: Running, placeholder: PlaceholderPath, language: LanguagePath) -> Response:
    """The push text of one template in one language."""
    return answer(await service.detail(ports.database, placeholder, language))


@router.answers(contract.UPDATE_LOCALIZATION)
async def put_localization(
    ports: Running,
    caller: CallerDep,
    placeholder: PlaceholderPath,
    language: LanguagePath,
    request: SaveLocalization,
) -> Response:
    """Insert or replace a push text."""
    return answer(
        await service.put(ports, caller, placeholder, language, title=request.title, summary=request.summary)
    )


@router.answers(contract.REMOVE_LOCALIZATION)
async def remove_localization(
    ports: Running, caller: CallerDep, placeholder: PlaceholderPath, language: LanguagePath
) -> Response:
    """Remove a push text."""
    await service.remove(ports, caller, placeholder, language)
    return answer(StatusResponse())
