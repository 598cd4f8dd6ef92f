"""HTTP of credentials at the providers of push (spec/cloud-api.md §11.4)."""

from __future__ import annotations

from starlette.responses import Response

from cloud_private_api.parameters import AppIdPath
from cloud_private_api.push_credentials import service
from cloud_private_api.push_credentials.ports import Running
from cloud_private_api.routing import CallerDep, CloudRouter, answer
from powerauth_contracts.cloud import push_credentials as contract
from powerauth_contracts.cloud.push_credentials import ApnsCredentials, FcmCredentials, HmsCredentials
from powerauth_contracts.push import applications as push
from powerauth_contracts.wire import StatusResponse

router = CloudRouter("Applications")


@router.answers(contract.GET_PUSH_PROVIDERS)
async def get_providers(ports: Running, app_id: AppIdPath) -> Response:
    """Which providers an application has credentials of."""
    return answer(await service.providers(ports, app_id))


@router.answers(contract.UPDATE_APNS)
async def put_apns(
    ports: Running, caller: CallerDep, app_id: AppIdPath, request: ApnsCredentials
) -> Response:
    """Credentials at Apple."""
    credentials = {
        "bundle": request.topic,
        "keyId": request.key_id,
        "teamId": request.team_id,
        "environment": request.environment,
        "privateKeyBase64": request.private_key_base64,
    }
    await service.put(ports, caller, app_id, push.SET_APNS, credentials)
    return answer(StatusResponse())


@router.answers(contract.UPDATE_FCM)
async def put_fcm(ports: Running, caller: CallerDep, app_id: AppIdPath, request: FcmCredentials) -> Response:
    """Credentials at Google."""
    credentials = {"projectId": request.project_id, "privateKeyBase64": request.private_key_base64}
    await service.put(ports, caller, app_id, push.SET_FCM, credentials)
    return answer(StatusResponse())


@router.answers(contract.UPDATE_HMS)
async def put_hms(ports: Running, caller: CallerDep, app_id: AppIdPath, request: HmsCredentials) -> Response:
    """Credentials at Huawei."""
    credentials = {
        "projectId": request.project_id,
        "clientId": request.client_id,
        "clientSecret": request.client_secret,
    }
    await service.put(ports, caller, app_id, push.SET_HMS, credentials)
    return answer(StatusResponse())


@router.answers(contract.REMOVE_APNS)
async def remove_apns(ports: Running, caller: CallerDep, app_id: AppIdPath) -> Response:
    """Forget credentials at Apple."""
    await service.clear(ports, caller, app_id, push.CLEAR_APNS)
    return answer(StatusResponse())


@router.answers(contract.REMOVE_FCM)
async def remove_fcm(ports: Running, caller: CallerDep, app_id: AppIdPath) -> Response:
    """Forget credentials at Google."""
    await service.clear(ports, caller, app_id, push.CLEAR_FCM)
    return answer(StatusResponse())


@router.answers(contract.REMOVE_HMS)
async def remove_hms(ports: Running, caller: CallerDep, app_id: AppIdPath) -> Response:
    """Forget credentials at Huawei."""
    await service.clear(ports, caller, app_id, push.CLEAR_HMS)
    return answer(StatusResponse())
