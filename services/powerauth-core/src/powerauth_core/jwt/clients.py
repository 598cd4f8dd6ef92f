"""OAuth clients as their administrators see them (spec/device-trust.md §2.5)."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ClientAuthMethod, OidcGrant
from powerauth_core.applications.cache import ApplicationIdentity
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.jwt import repository, revocation, rules
from powerauth_core.jwt.models import OidcClient
from powerauth_core.jwt.ports import Ports
from powerauth_core.kernel.base import json_text
from powerauth_core.kernel.errors import InvalidApplication, InvalidRequest
from powerauth_core.kernel.records import oidc_secret_parts
from powerauth_core.kernel.token_errors import OidcClientExists, OidcClientNotFound
from powerauth_protocol.common.encoding import b64url_encode
from servicekit import clock

SECRET_BYTES = 32
SECRET_METHODS = (ClientAuthMethod.SECRET_BASIC, ClientAuthMethod.SECRET_POST)
_CONFIDENTIAL = {OidcGrant.CLIENT_CREDENTIALS, OidcGrant.OPERATION}
"""Grants that need to know who asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientContent:
    """What a client is allowed; lives in seconds, None: as the service is set.

    :ivar jwks: JSON Web Keys that its assertions are verified with
    :ivar access_token_typ: ``at+jwt``, or ``JWT`` for a consumer that knows no other
    :ivar default_claims: further claims of its ID tokens
    """

    auth_method: ClientAuthMethod
    grant_types: Sequence[OidcGrant]
    scopes: Sequence[str]
    resources: Sequence[str]
    jwks: Mapping[str, Any] | None
    access_token_typ: str
    use_app_keys: bool
    default_claims: Mapping[str, Any] | None
    access_ttl: int | None
    id_ttl: int | None
    refresh_ttl: int | None


@dataclass(frozen=True, slots=True)
class ClientWithSecret:
    """A client, and its new secret, which nobody can read again."""

    client: OidcClient
    secret: str | None = field(repr=False)


async def list_clients(ports: Ports, application_id: str) -> Sequence[OidcClient]:
    """The clients of an application, by id.

    :raises InvalidApplication: unknown application
    """
    async with ports.database.read() as session:
        application = await _application(ports, session, application_id)
        return await repository.clients_of(session, application.application_rid)


async def detail(ports: Ports, application_id: str, client_id: str) -> OidcClient:
    """A client of an application.

    :raises InvalidApplication: unknown application
    :raises OidcClientNotFound: it has no such client
    """
    async with ports.database.read() as session:
        application = await _application(ports, session, application_id)
        return _of(application, await repository.client(session, client_id))


async def create(
    ports: Ports, application_id: str, client_id: str | None, content: ClientContent
) -> ClientWithSecret:
    """Make a client.

    :param client_id: None: a random one
    :raises InvalidApplication: unknown application
    :raises OidcClientExists: the id is taken, by a client or as a resource
    :raises InvalidRequest: what is allowed does not fit together
    """
    _check(content)
    name = client_id or str(uuid.uuid4())
    secret, stored = await _new_secret(ports, name, content.auth_method)
    async with ports.database.transaction() as session:
        application = await _application(ports, session, application_id)
        if name == rules.DEFAULT_RESOURCE or name in await repository.every_resource(session):
            raise OidcClientExists
        await _check_resources(session, content)
        row = OidcClient(
            client_id=name, application_id=application.application_rid, timestamp_created=clock.now()
        )
        _fill(row, content)
        _store_secret(ports, row, stored)
        try:
            async with session.begin_nested():
                session.add(row)
        except IntegrityError:
            raise OidcClientExists from None
        await _prepare_keys(ports, session, row)
        await _tell(session, application, "token.client.created", row)
    return ClientWithSecret(row, secret)


async def update(ports: Ports, application_id: str, client_id: str, content: ClientContent) -> OidcClient:
    """Replace what a client is allowed. Its way to show who it is stays.

    :raises InvalidApplication: unknown application
    :raises OidcClientNotFound: it has no such client
    :raises InvalidRequest: what is allowed does not fit together
    """
    _check(content)
    async with ports.database.transaction() as session:
        application = await _application(ports, session, application_id)
        row = _of(application, await repository.lock_client(session, client_id))
        if content.auth_method != row.auth_method:
            raise InvalidRequest("requestObject.authMethod - cannot be changed")
        await _check_resources(session, content)
        _fill(row, content)
        await session.flush()
        await _prepare_keys(ports, session, row)
        await _tell(session, application, "token.client.updated", row)
    return row


async def renew_secret(ports: Ports, application_id: str, client_id: str) -> ClientWithSecret:
    """Give a client another secret; the old one is worth nothing any more.

    :raises InvalidApplication: unknown application
    :raises OidcClientNotFound: it has no such client
    :raises InvalidRequest: it has no secret
    """
    current = await detail(ports, application_id, client_id)
    secret, stored = await _new_secret(ports, client_id, ClientAuthMethod(current.auth_method))
    if secret is None:
        raise InvalidRequest("requestObject.clientId - has no secret")
    async with ports.database.transaction() as session:
        application = await _application(ports, session, application_id)
        row = _of(application, await repository.lock_client(session, client_id))
        _store_secret(ports, row, stored)
        await session.flush()
        await _tell(session, application, "token.client.secret.renewed", row)
    return ClientWithSecret(row, secret)


async def remove(ports: Ports, application_id: str, client_id: str) -> None:
    """Remove a client, and take back what was issued to it.

    :raises InvalidApplication: unknown application
    :raises OidcClientNotFound: it has no such client
    """
    async with ports.database.transaction() as session:
        application = await _application(ports, session, application_id)
        row = _of(application, await repository.lock_client(session, client_id))
        await revocation.end_sessions_at(session, client_id)
        await session.delete(row)
        await session.flush()
        await _tell(session, application, "token.client.removed", row)


def _check(content: ClientContent) -> None:
    grants = set(content.grant_types)
    if content.auth_method is ClientAuthMethod.NONE and grants & _CONFIDENTIAL:
        raise InvalidRequest("requestObject.grantTypes - not for a client that does not show who it is")
    if (content.auth_method is ClientAuthMethod.PRIVATE_KEY_JWT) is (content.jwks is None):
        raise InvalidRequest("requestObject.jwks - has to be given for private_key_jwt, and for nothing else")
    if content.jwks is not None and not _are_usable(content.jwks):
        raise InvalidRequest("requestObject.jwks - has to be public keys, RSA of 2048 bits or EC P-256")


def _are_usable(jwks: Mapping[str, Any]) -> bool:
    from joserfc.errors import JoseError  # noqa: PLC0415 - most processes take no keys
    from joserfc.jwk import KeySet  # noqa: PLC0415

    members: Any = {"keys": jwks.get("keys")}
    try:
        keys = KeySet.import_key_set(members).keys
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return False
    return bool(keys) and not any(key.is_private for key in keys) and all(map(_is_strong, keys))


def _is_strong(key: Any) -> bool:
    if key.key_type == "RSA":
        return bool(key.raw_value.key_size >= rules.MINIMUM_KEY_BITS)
    return bool(key.key_type == "EC" and key.curve_name == "P-256")


async def _check_resources(session: AsyncSession, content: ClientContent) -> None:
    if content.resources and await repository.are_clients(session, content.resources):
        raise InvalidRequest("requestObject.resources - must not be the id of a client")


async def _prepare_keys(ports: Ports, session: AsyncSession, row: OidcClient) -> None:
    """An application's own keys are there from the first client that uses them, so that they are published
    before anything is signed with them.
    """
    if row.use_app_keys:
        await ports.jwt_keys.ring(session, row.application_id)


async def _new_secret(
    ports: Ports, client_id: str, method: ClientAuthMethod
) -> tuple[str | None, str | None]:
    if method not in SECRET_METHODS:
        return None, None
    secret = b64url_encode(secrets.token_bytes(SECRET_BYTES))
    return secret, await ports.hashes.hash(client_id, secret)


def _store_secret(ports: Ports, row: OidcClient, stored: str | None) -> None:
    if stored is None:
        row.secret_hash, row.secret_hash_encryption = None, 0
        return
    mode, row.secret_hash = ports.cipher.encrypt_text(oidc_secret_parts(row.client_id), stored)
    row.secret_hash_encryption = mode.value


def _fill(row: OidcClient, content: ClientContent) -> None:
    row.auth_method = content.auth_method.value
    row.grant_types = " ".join(content.grant_types)
    row.scopes = " ".join(content.scopes)
    row.resources = " ".join(content.resources)
    row.jwks = None if content.jwks is None else json_text(content.jwks)
    row.access_token_typ = content.access_token_typ
    row.use_app_keys = int(content.use_app_keys)
    row.default_claims = json_text(content.default_claims) if content.default_claims else None
    row.access_ttl, row.id_ttl = content.access_ttl, content.id_ttl
    row.refresh_ttl = content.refresh_ttl


async def _application(ports: Ports, session: AsyncSession, application_id: str) -> ApplicationIdentity:
    found = await ports.application_cache.by_id(session, application_id)
    if found is None:
        raise InvalidApplication
    return found


def _of(application: ApplicationIdentity, row: OidcClient | None) -> OidcClient:
    if row is None or row.application_id != application.application_rid:
        raise OidcClientNotFound
    return row


async def _tell(session: AsyncSession, application: ApplicationIdentity, what: str, row: OidcClient) -> None:
    params = {
        "applicationId": application.application_id,
        "clientId": row.client_id,
        "authMethod": row.auth_method,
        "grantTypes": list(rules.words(row.grant_types)),
        "scopes": list(rules.words(row.scopes)),
        "resources": list(rules.words(row.resources)),
        "useAppKeys": bool(row.use_app_keys),
    }
    await audit.record(session, AuditType.JWT, what, params, None)
