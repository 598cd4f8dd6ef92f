"""Who may call which door (spec/core-api.md §1.1, D1 rule 7, D3)."""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Receive, Scope, Send

from powerauth_contracts.enums import IntegrationKind
from powerauth_core.integrations import repository
from powerauth_core.integrations.secrets import digest, stored_digest
from powerauth_core.kernel.errors import CoreError
from powerauth_core.kernel.records import RecordCipher
from servicekit import units
from servicekit.caching import Cache
from servicekit.callers import parse_basic
from servicekit.database import Database
from servicekit.errors import ErrorContext, ErrorFamily, Unavailable, error_response
from servicekit.logs import get_logger
from servicekit.targets import path_in_service

log = get_logger(__name__)

_CAPACITY = 1_000
_MAX_TOKEN = 37
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="PowerAuth", charset="UTF-8"'}


DMZ = "/dmz"
REST_DOORS = ("/rest", "/fido2")
"""First parts of the paths of the doors: who stands in front of them differs."""
_KINDS = {DMZ: IntegrationKind.DMZ} | dict.fromkeys(REST_DOORS, IntegrationKind.REST)


@dataclass(frozen=True, slots=True)
class Caller:
    """An integration that proved its secret."""

    integration_id: str
    name: str | None
    kind: str


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    secret_digest: bytes = field(repr=False)


class CallerCache:
    """Checks credentials. An integration is read again after a short while; unknown tokens are not kept."""

    def __init__(self, database: Database, cipher: RecordCipher, seconds: float) -> None:
        """
        :param seconds: how long a removed integration may still be accepted
        """
        self._database = database
        self._cipher = cipher
        self._known: Cache[str, _Known] = Cache(_CAPACITY, seconds)

    async def authenticate(self, client_token: str, client_secret: str) -> Caller | None:
        """The caller with these credentials, or None.

        :raises DatabaseUnavailable: the integration cannot be read now
        """
        known = self._known.get(client_token) or await self._known.load(
            client_token, lambda: units.repeated(lambda: self._read(client_token))
        )
        if known is None or not hmac.compare_digest(known.secret_digest, digest(client_secret)):
            return None
        return known.caller

    def clear(self) -> None:
        """Read every integration again; called when one was removed in this process."""
        self._known.clear()

    async def _read(self, client_token: str) -> _Known | None:
        if len(client_token) > _MAX_TOKEN:
            return None
        async with self._database.read() as session:
            row = await repository.find_by_token(session, client_token)
        if row is None:
            return None
        try:
            secret_digest = stored_digest(self._cipher, row)
        except CoreError as error:
            log.error("integration unusable", integration=row.id, error_code=error.code)
            return None
        return _Known(Caller(row.id, row.name, row.kind), secret_digest)


class CallerAuthentication:
    """ASGI middleware in front of the routes: one kind of credentials per door, by path.

    It stands before routing, so that an unauthenticated caller learns nothing about paths or request models.
    """

    def __init__(
        self, app: ASGIApp, *, family: ErrorFamily, doors: Collection[str], restrict_access: bool
    ) -> None:
        """
        :param doors: first parts of the paths behind it; there is nothing to be known of others
        :param restrict_access: off, everything but the dmz door is open (D3)
        """
        self.app = app
        self._family = family
        self._doors = {path: _KINDS[path] for path in doors if restrict_access or path == DMZ}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = path_in_service(scope)
        kind = self._doors.get("/" + path.lstrip("/").partition("/")[0])
        if kind is None:
            await self.app(scope, receive, send)
            return
        try:
            caller = await self._caller(scope)
        except Unavailable as error:
            log.warning("caller not checked", reason=str(error))
            shape = self._family.unavailable(ErrorContext(scope["method"], path))
            await error_response(shape, {"Retry-After": str(error.retry_after)})(scope, receive, send)
            return
        if caller is None or caller.kind != kind:
            shape = self._family.unauthorized(ErrorContext(scope["method"], path))
            await error_response(shape, _CHALLENGE)(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self.app(scope, receive, send)

    @staticmethod
    async def _caller(scope: Scope) -> Caller | None:
        credentials = parse_basic(_authorization(scope))
        if credentials is None:
            return None
        callers: CallerCache = scope["app"].state.core.callers
        return await callers.authenticate(*credentials)


def _authorization(scope: Scope) -> str | None:
    # The framework's view of all headers costs more than one look at each.
    for name, value in scope["headers"]:
        if name == b"authorization":
            return str(value, "latin-1")
    return None
