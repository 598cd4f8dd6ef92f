"""HTTP side of the administration (spec/push-api.md §17)."""

from __future__ import annotations

from powerauth_contracts.push import applications as contract
from powerauth_push.applications import service
from powerauth_push.applications.ports import Ports
from powerauth_push.applications.views import application_view, detail_view
from powerauth_push.routing import Asked, PushRouter

router = PushRouter("Applications")


@router.answers(contract.LIST)
async def list_applications(ports: Ports, _: Asked[None]) -> contract.ListApplicationsResponse:
    found = await service.list_all(ports.database)
    return contract.ListApplicationsResponse(application_list=[application_view(row) for row in found])


@router.answers(contract.LIST_UNCONFIGURED)
async def list_unconfigured_applications(ports: Ports, _: Asked[None]) -> contract.ListApplicationsResponse:
    found = await service.list_unconfigured(ports)
    return contract.ListApplicationsResponse(
        application_list=[contract.Application(app_id=app_id) for app_id in found]
    )


@router.answers(contract.DETAIL)
async def application_detail(
    ports: Ports, asked: Asked[contract.ApplicationDetailRequest]
) -> contract.ApplicationDetail:
    return detail_view(await service.detail(ports.database, asked.content.app_id), asked.content)


@router.answers(contract.CREATE)
async def create_application(
    ports: Ports, asked: Asked[contract.ApplicationRequest]
) -> contract.CreatedApplication:
    await service.create(ports.database, asked.content.app_id)
    return contract.CreatedApplication(app_id=asked.content.app_id)


@router.answers(contract.UPDATE_IOS)
@router.answers(contract.SET_APNS)
async def set_apns_credentials(ports: Ports, asked: Asked[contract.ApnsCredentialsRequest]) -> None:
    given = asked.content
    environment = None if given.environment is None else given.environment.value
    await service.set_apns(
        ports,
        given.app_id,
        given.bundle,
        given.key_id,
        given.team_id,
        environment,
        given.private_key_base64,
    )


@router.answers(contract.UPDATE_ANDROID)
@router.answers(contract.SET_FCM)
async def set_fcm_credentials(ports: Ports, asked: Asked[contract.FcmCredentialsRequest]) -> None:
    given = asked.content
    await service.set_fcm(ports, given.app_id, given.project_id, given.private_key_base64)


@router.answers(contract.UPDATE_HUAWEI)
@router.answers(contract.SET_HMS)
async def set_hms_credentials(ports: Ports, asked: Asked[contract.HmsCredentialsRequest]) -> None:
    given = asked.content
    await service.set_hms(ports, given.app_id, given.project_id, given.client_id, given.client_secret)


@router.answers(contract.REMOVE_IOS)
@router.answers(contract.CLEAR_APNS)
async def clear_apns_credentials(ports: Ports, asked: Asked[contract.ApplicationRequest]) -> None:
    await service.clear_apns(ports, asked.content.app_id)


@router.answers(contract.REMOVE_ANDROID)
@router.answers(contract.CLEAR_FCM)
async def clear_fcm_credentials(ports: Ports, asked: Asked[contract.ApplicationRequest]) -> None:
    await service.clear_fcm(ports, asked.content.app_id)


@router.answers(contract.REMOVE_HUAWEI)
@router.answers(contract.CLEAR_HMS)
async def clear_hms_credentials(ports: Ports, asked: Asked[contract.ApplicationRequest]) -> None:
    await service.clear_hms(ports, asked.content.app_id)
