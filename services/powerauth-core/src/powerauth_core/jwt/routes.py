"""HTTP of the signed tokens (spec/device-trust.md §2.7)."""

from __future__ import annotations

from powerauth_contracts.rest import jwt as contract
from powerauth_core.jwt import clients, inside, key_administration
from powerauth_core.jwt.clients import ClientContent
from powerauth_core.jwt.ports import Ports
from powerauth_core.jwt.tokens import Authentication, SignIn
from powerauth_core.jwt.views import client_detail, client_secret_detail, key_detail, token_answer
from powerauth_core.kernel.call_routes import CallRouter
from servicekit import clock

router = CallRouter("Signed tokens")


@router.answers(contract.ISSUE)
async def issue(ports: Ports, asked: contract.IssueRequest) -> contract.TokenAnswer:
    wanted = SignIn(
        application_id=asked.application_id,
        user_id=asked.user_id,
        username=asked.username,
        client_id=asked.client_id,
        authentication=Authentication(
            amr=asked.amr,
            acr=asked.acr,
            auth_time=asked.auth_time or clock.now(),
            activation_id=asked.activation_id,
        ),
        nonce=asked.nonce,
        scope=asked.scope,
        resource=asked.resource,
        client_parameters=asked.client_parameters,
        session_id=asked.session_id,
    )
    return token_answer(await inside.issue(ports, wanted, asked.application_ids))


@router.answers(contract.REFRESH)
async def refresh(ports: Ports, asked: contract.RefreshRequest) -> contract.TokenAnswer:
    members = {"refresh_token": asked.refresh_token, "scope": asked.scope, "resource": asked.resource}
    form = {name: value for name, value in members.items() if value is not None}
    return token_answer(await inside.refresh(ports, asked.client_id, form, asked.application_ids))


@router.answers(contract.INTROSPECT)
async def introspect(ports: Ports, asked: contract.IntrospectRequest) -> contract.IntrospectResponse:
    claims = await inside.introspect(ports, asked.token, asked.application_ids)
    return contract.IntrospectResponse(
        active=claims is not None, claims=None if claims is None else dict(claims)
    )


@router.answers(contract.REVOKE)
async def revoke(ports: Ports, asked: contract.RevokeRequest) -> contract.RevokeResponse:
    scope = asked.application_ids
    if asked.token is not None:
        revoked = await inside.revoke_token(ports, asked.token, scope)
    elif asked.session_id is not None:
        revoked = await inside.revoke_session(ports, asked.session_id, scope)
    else:
        revoked = await inside.revoke_user(ports, asked.user_id or "", asked.application_id, scope)
    return contract.RevokeResponse(revoked=revoked)


@router.answers(contract.KEYS_LIST)
async def list_keys(ports: Ports, asked: contract.KeysRequest) -> contract.KeysAnswer:
    inside.check_scope(asked.application_id, asked.application_ids)
    rows = await key_administration.list_keys(ports, asked.application_id)
    return contract.KeysAnswer(keys=[key_detail(row, asked.application_id) for row in rows])


@router.answers(contract.KEYS_CREATE)
async def create_key(ports: Ports, asked: contract.CreateKeyRequest) -> contract.SigningKeyDetail:
    inside.check_scope(asked.application_id, asked.application_ids)
    row = await key_administration.create(ports, asked.application_id, asked.name)
    return key_detail(row, asked.application_id)


@router.answers(contract.KEYS_UPLOAD)
async def upload_key(ports: Ports, asked: contract.UploadKeyRequest) -> contract.SigningKeyDetail:
    inside.check_scope(asked.application_id, asked.application_ids)
    row = await key_administration.upload(ports, asked.application_id, asked.name, asked.jwk)
    return key_detail(row, asked.application_id)


@router.answers(contract.KEYS_UPDATE)
async def update_key(ports: Ports, asked: contract.UpdateKeyRequest) -> contract.SigningKeyDetail:
    inside.check_scope(asked.application_id, asked.application_ids)
    row = await key_administration.update(
        ports, asked.application_id, asked.id, status=asked.status, name=asked.name
    )
    return key_detail(row, asked.application_id)


@router.answers(contract.KEYS_REMOVE)
async def remove_key(ports: Ports, asked: contract.RemoveKeyRequest) -> None:
    inside.check_scope(asked.application_id, asked.application_ids)
    await key_administration.remove(ports, asked.application_id, asked.id)


@router.answers(contract.CLIENTS_LIST)
async def list_clients(ports: Ports, asked: contract.ClientsRequest) -> contract.ClientsAnswer:
    inside.check_scope(asked.application_id, asked.application_ids)
    rows = await clients.list_clients(ports, asked.application_id)
    return contract.ClientsAnswer(clients=[client_detail(row, asked.application_id) for row in rows])


@router.answers(contract.CLIENTS_DETAIL)
async def client(ports: Ports, asked: contract.ClientRequest) -> contract.ClientDetail:
    inside.check_scope(asked.application_id, asked.application_ids)
    row = await clients.detail(ports, asked.application_id, asked.client_id)
    return client_detail(row, asked.application_id)


@router.answers(contract.CLIENTS_CREATE)
async def create_client(ports: Ports, asked: contract.CreateClientRequest) -> contract.ClientSecretDetail:
    inside.check_scope(asked.application_id, asked.application_ids)
    made = await clients.create(ports, asked.application_id, asked.client_id, _content(asked))
    return client_secret_detail(made.client, asked.application_id, made.secret)


@router.answers(contract.CLIENTS_UPDATE)
async def update_client(ports: Ports, asked: contract.UpdateClientRequest) -> contract.ClientDetail:
    inside.check_scope(asked.application_id, asked.application_ids)
    row = await clients.update(ports, asked.application_id, asked.client_id, _content(asked))
    return client_detail(row, asked.application_id)


@router.answers(contract.CLIENTS_SECRET)
async def renew_client_secret(ports: Ports, asked: contract.ClientRequest) -> contract.ClientSecretDetail:
    inside.check_scope(asked.application_id, asked.application_ids)
    made = await clients.renew_secret(ports, asked.application_id, asked.client_id)
    return client_secret_detail(made.client, asked.application_id, made.secret)


@router.answers(contract.CLIENTS_REMOVE)
async def remove_client(ports: Ports, asked: contract.ClientRequest) -> None:
    inside.check_scope(asked.application_id, asked.application_ids)
    await clients.remove(ports, asked.application_id, asked.client_id)


def _content(asked: contract.CreateClientRequest | contract.UpdateClientRequest) -> ClientContent:
    claims = asked.default_claims
    return ClientContent(
        auth_method=asked.auth_method,
        grant_types=asked.grant_types,
        scopes=asked.scopes,
        resources=asked.resources,
        jwks=asked.jwks,
        access_token_typ=asked.access_token_typ,
        use_app_keys=asked.use_app_keys,
        default_claims=None if claims is None else claims.model_dump(exclude_none=True),
        access_ttl=asked.access_ttl,
        id_ttl=asked.id_ttl,
        refresh_ttl=asked.refresh_ttl,
    )
