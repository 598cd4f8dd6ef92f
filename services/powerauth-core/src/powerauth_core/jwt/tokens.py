"""What is issued: sign-ins with their sessions, and the tokens of each (spec/device-trust.md §2.2, §2.3)."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import OidcGrant
from powerauth_core.applications import config_service
from powerauth_core.applications.cache import ApplicationIdentity
from powerauth_core.applications.config_keys import DEVICE_TRUST
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.jwt import refresh_tokens, repository, rules
from powerauth_core.jwt.keys import Scope
from powerauth_core.jwt.models import JwtSession, OidcClient
from powerauth_core.jwt.ports import Ports
from powerauth_core.jwt.rules import OFFLINE_ACCESS, OPENID, TokenKind
from powerauth_core.kernel.base import json_text
from powerauth_core.kernel.errors import InvalidApplication
from powerauth_core.kernel.records import jwt_session_parts
from powerauth_core.kernel.token_errors import GrantRefused
from powerauth_protocol.common.json_text import read_json
from servicekit import clock

APP_NAME = "appName"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """How and when a user proved to be there.

    :ivar amr: authentication methods (§2.4)
    :ivar acr: what they satisfy, separated by spaces
    :ivar auth_time: naive UTC
    :ivar activation_id: activation or passkey that signed in; while it is not ACTIVE nothing is accepted
    :ivar device_key_id: key of the device or association key that signed in
    :ivar confirmation: RFC 7638 thumbprint of the key that the session is bound to
    :ivar approval_data: what was approved
    :ivar webauthn: of a passkey, as the claim has it
    :ivar webauthn_username: its user handle
    """

    amr: Sequence[str]
    acr: str | None
    auth_time: datetime
    activation_id: str | None = None
    device_id: str | None = None
    device_key_id: str | None = None
    confirmation: str | None = None
    approval_data: Mapping[str, str] | None = None
    webauthn: Mapping[str, Any] | None = None
    webauthn_username: str | None = None

    def claims(self) -> dict[str, Any]:
        """Those that both tokens of a sign-in have."""
        found = {
            "auth_time": rules.seconds_of(self.auth_time),
            "amr": list(self.amr),
            "acr": self.acr,
            "device_key_id": self.device_key_id,
            "cnf": None if self.confirmation is None else {"jkt": self.confirmation},
        }
        return _present(found)

    def id_claims(self) -> dict[str, Any]:
        """Those that only the ID token has."""
        found = {
            "approval_data": self.approval_data,
            "webauthn": self.webauthn,
            "webauthn_username": self.webauthn_username,
        }
        return _present(found)

    def stored(self) -> str:
        """As JSON text."""
        return json_text(asdict(self) | {"auth_time": rules.seconds_of(self.auth_time)})

    @classmethod
    def of(cls, stored: str) -> Authentication:
        """As stored."""
        found = read_json(stored)
        return cls(**found | {"auth_time": rules.moment_of(found["auth_time"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A user who has just proved to be there, and what is asked for.

    :ivar client_id: None: the application's only client that signs in
    :ivar scope: None: `openid`, if the client may have it
    :ivar session_id: of a live session of the same user and client: it goes on with this authentication
    :ivar client_parameters: the application's own, for the claim `params`
    """

    application_id: str
    user_id: str
    authentication: Authentication
    client_id: str | None = None
    username: str | None = None
    nonce: str | None = None
    scope: str | None = None
    resource: str | None = None
    client_parameters: Mapping[str, str] | None = None
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """Tokens, as the token response has them; ``expires_in`` in seconds."""

    access_token: str = field(repr=False)
    id_token: str | None = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: int
    session_id: str | None
    scope: str

    def response(self) -> dict[str, Any]:
        """The members of the token response (§2.2)."""
        return _present({**asdict(self), "token_type": "Bearer"})


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whom tokens are from, and whom they are for."""

    ports: Ports
    application: ApplicationIdentity
    client: OidcClient
    app_name: str

    @classmethod
    async def of(
        cls, ports: Ports, session: AsyncSession, application: ApplicationIdentity, client: OidcClient
    ) -> Issuer:
        """Of a client of an application."""
        return cls(ports, application, client, await app_name(ports, session, application))

    @property
    def scope(self) -> Scope:
        """Whose keys sign."""
        return self.application.application_rid if self.client.use_app_keys else None

    @property
    def access_seconds(self) -> int:
        """How long access tokens are valid."""
        return self.client.access_ttl or self.ports.settings.jwt_access_ttl_seconds

    @property
    def id_seconds(self) -> int:
        """How long ID tokens are valid."""
        return self.client.id_ttl or self.ports.settings.jwt_id_ttl_seconds

    @property
    def session_life(self) -> timedelta:
        """How long a session may be refreshed."""
        return timedelta(seconds=self.client.refresh_ttl or self.ports.settings.jwt_refresh_absolute_seconds)

    def common_claims(self, subject: str, audience: str, seconds: int, now: datetime) -> dict[str, Any]:
        """Those of every token."""
        issued = rules.seconds_of(now)
        application_id = self.application.application_id
        return {
            "iss": rules.issuer_of(
                self.ports.settings.jwt_issuer, application_id if self.client.use_app_keys else None
            ),
            "sub": subject,
            "aud": audience,
            "exp": issued + seconds,
            "iat": issued,
            "jti": str(uuid.uuid4()),
            "app_id": application_id,
            "app_name": self.app_name,
            "tid": self.ports.settings.jwt_tenant_id,
        }

    async def signed(self, session: AsyncSession, typ: str, claims: Mapping[str, Any]) -> str:
        """A token of these claims.

        :raises GrantRefused: it would be larger than anybody takes it
        """
        ring = await self.ports.jwt_keys.ring(session, self.scope)
        token = ring.sign(typ, claims)
        if len(token) > rules.MAX_TOKEN_BYTES:
            raise GrantRefused("invalid_request", "the token would be too large")
        return token


async def sign_in(ports: Ports, session: AsyncSession, wanted: SignIn) -> Issued | None:
    """Open a session and issue its tokens, in the caller's transaction.

    :return: None where no tokens are issued: there is no issuer, or no client of the application signs in
    :raises GrantRefused: the client may not have what is asked for
    :raises InvalidApplication: unknown application
    """
    found = await _signing_in(ports, session, wanted)
    return None if found is None else await open_session(session, found, wanted)


async def check_sign_in(ports: Ports, session: AsyncSession, wanted: SignIn) -> None:
    """See whether `sign_in` would be refused, before the user is asked to prove anything; raises as that."""
    found = await _signing_in(ports, session, wanted)
    if found is not None:
        _granted(found.client, wanted)


async def _signing_in(ports: Ports, session: AsyncSession, wanted: SignIn) -> Issuer | None:
    application = await ports.application_cache.by_id(session, wanted.application_id)
    if application is None:
        raise InvalidApplication
    if not ports.settings.jwt_issuer:
        return None
    client = await _client_of(session, application.application_rid, wanted.client_id)
    return None if client is None else await Issuer.of(ports, session, application, client)


async def _client_of(session: AsyncSession, application_rid: int, client_id: str | None) -> OidcClient | None:
    clients = [
        client
        for client in await repository.clients_of(session, application_rid)
        if client.sound and OidcGrant.SIGN_IN in rules.words(client.grant_types)
    ]
    if client_id is None:
        return clients[0] if len(clients) == 1 else None
    named = next((client for client in clients if client.client_id == client_id), None)
    if named is None:
        raise GrantRefused("unauthorized_client", "clientId - no client of the application signs in by it")
    return named


@dataclass(frozen=True, slots=True)
class _Granted:
    scope: tuple[str, ...]
    resource: str
    has_refresh: bool


def _granted(client: OidcClient, wanted: SignIn) -> _Granted:
    refused = rules.refused_parameter(wanted.client_parameters or {})
    if refused is not None:
        raise GrantRefused("invalid_request", f"clientParameters - {refused}")
    allowed = rules.words(client.scopes)
    default = (OPENID,) if OPENID in allowed else ()
    scope = scope_of(client, default if wanted.scope is None else rules.words(wanted.scope))
    has_refresh = OFFLINE_ACCESS in scope and OidcGrant.REFRESH in rules.words(client.grant_types)
    return _Granted(scope, resource_of(client, wanted.resource), has_refresh)


def scope_of(client: OidcClient, asked: Sequence[str]) -> tuple[str, ...]:
    """What a client is granted of a scope.

    :raises GrantRefused: it may not ask for all of it
    """
    granted = rules.granted_scope(rules.words(client.scopes), asked)
    if granted is None:
        raise GrantRefused("invalid_scope", "scope - not the client's to ask for")
    return granted


def resource_of(client: OidcClient, asked: str | None) -> str:
    """The audience of a client's access token.

    :raises GrantRefused: it may not ask for it
    """
    if asked in (None, rules.DEFAULT_RESOURCE):
        return rules.DEFAULT_RESOURCE
    if asked not in rules.words(client.resources):
        raise GrantRefused("invalid_target", "resource - not registered for the client")
    return asked


async def open_session(session: AsyncSession, issuer: Issuer, wanted: SignIn) -> Issued:
    """Tokens of a sign-in at this client.

    :raises GrantRefused: the client may not have what is asked for
    """
    granted, now = _granted(issuer.client, wanted), clock.now()
    row = await _continued(session, issuer, wanted, now)
    if row is None:
        row = JwtSession(
            session_id=str(uuid.uuid4()),
            application_id=issuer.application.application_rid,
            client_id=issuer.client.client_id,
            user_id=wanted.user_id,
            timestamp_created=now,
            refresh_number=0,
            revoked=0,
        )
        session.add(row)
    _fill(issuer, row, wanted, granted, now)
    await session.flush()
    rid = issuer.application.application_rid
    is_new = await repository.first_sign_in(session, rid, wanted.user_id, now)
    params = {
        "applicationId": issuer.application.application_id,
        "clientId": row.client_id,
        "sessionId": row.session_id,
        "amr": list(wanted.authentication.amr),
    }
    await audit.record(session, AuditType.JWT, "token.session.opened", params, wanted.user_id)
    extra = {"new_user": is_new, "nonce": wanted.nonce, "params": wanted.client_parameters or None}
    return await issue(session, issuer, row, granted.scope, granted.resource, extra)


async def _continued(
    session: AsyncSession, issuer: Issuer, wanted: SignIn, now: datetime
) -> JwtSession | None:
    if wanted.session_id is None:
        return None
    row = await repository.session_of(session, wanted.session_id, lock=True)
    if row is None or not row.sound or row.revoked or row.timestamp_expires <= now:
        return None
    theirs = row.application_id, row.client_id, row.user_id
    ours = issuer.application.application_rid, issuer.client.client_id, wanted.user_id
    return row if theirs == ours else None


def _fill(issuer: Issuer, row: JwtSession, wanted: SignIn, granted: _Granted, now: datetime) -> None:
    authentication = wanted.authentication
    row.username = wanted.username
    row.scope, row.resource = " ".join(granted.scope), granted.resource
    row.activation_id = authentication.activation_id
    row.device_id, row.device_key_id = authentication.device_id, authentication.device_key_id
    row.authentication = authentication.stored()
    row.timestamp_refreshed = now
    life = timedelta(seconds=max(issuer.access_seconds, issuer.id_seconds) + rules.LEEWAY)
    if granted.has_refresh:
        life = max(life, issuer.session_life)
        parts = jwt_session_parts(row.session_id)
        secret = secrets.token_bytes(refresh_tokens.SECRET_BYTES)
        row.refresh_secret_encryption, row.refresh_secret = issuer.ports.cipher.encrypt(parts, secret)
    row.timestamp_expires = now + life


async def issue(
    session: AsyncSession,
    issuer: Issuer,
    row: JwtSession,
    scope: Sequence[str],
    resource: str,
    extra: Mapping[str, Any],
) -> Issued:
    """Tokens of a session as it is now.

    :param extra: further claims of the ID token
    """
    now, authentication = clock.now(), Authentication.of(row.authentication)
    shared = {"sid": row.session_id, **authentication.claims()}
    configured = read_json(issuer.client.default_claims) if issuer.client.default_claims else {}
    access = {
        **issuer.common_claims(row.user_id, resource, issuer.access_seconds, now),
        **shared,
        **_present({"roles": configured.get("roles")}),
        "scope": " ".join(scope),
        "client_id": row.client_id,
    }
    identity = None
    if OPENID in scope:
        username = row.username or row.user_id
        claims = {
            **issuer.common_claims(row.user_id, row.client_id, issuer.id_seconds, now),
            **configured,
            **shared,
            **authentication.id_claims(),
            "username": username,
            "preferred_username": username,
            **_present(extra),
        }
        identity = await issuer.signed(session, TokenKind.ID, claims)
    return Issued(
        access_token=await issuer.signed(session, issuer.client.access_token_typ, access),
        id_token=identity,
        refresh_token=refresh_tokens.current(issuer.ports.cipher, row),
        expires_in=issuer.access_seconds,
        session_id=row.session_id,
        scope=" ".join(scope),
    )


async def of_client(session: AsyncSession, issuer: Issuer, scope: Sequence[str], resource: str) -> Issued:
    """An access token of a client's own, for no user."""
    client_id = issuer.client.client_id
    claims = {
        **issuer.common_claims(client_id, resource, issuer.access_seconds, clock.now()),
        "scope": " ".join(scope),
        "client_id": client_id,
    }
    token = await issuer.signed(session, issuer.client.access_token_typ, claims)
    return Issued(token, None, None, issuer.access_seconds, None, " ".join(scope))


async def device_token(
    ports: Ports,
    session: AsyncSession,
    application: ApplicationIdentity,
    *,
    audience: str,
    user_id: str | None,
    device_id: str,
    device_key_id: str,
) -> str:
    """A token that says that a device is known, and nothing of its user's presence (§2.3).

    :param user_id: None: it is not one user's alone
    :raises InvalidApplication: no tokens are issued
    """
    base, issued = ports.settings.jwt_issuer, rules.seconds_of(clock.now())
    if not base:
        raise InvalidApplication
    claims = {
        "iss": base,
        "sub": user_id,
        "aud": audience,
        "exp": issued + ports.settings.jwt_device_ttl_seconds,
        "iat": issued,
        "jti": str(uuid.uuid4()),
        "app_id": application.application_id,
        "device_id": device_id,
        "device_key_id": device_key_id,
        "amr": ["swk"],
        "acr": "0",
    }
    ring = await ports.jwt_keys.ring(session, None)
    return ring.sign(TokenKind.DEVICE, _present(claims))


async def app_name(ports: Ports, session: AsyncSession, application: ApplicationIdentity) -> str:
    """What an application is called in tokens: member `appName` of its `device_trust`, else its id."""
    rid, name = application.application_rid, application.application_id
    values = await config_service.values_of(ports.cipher, session, rid, name, DEVICE_TRUST)
    found = values[0].get(APP_NAME) if values and isinstance(values[0], dict) else None
    return found if isinstance(found, str) and found else name


def _present(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
