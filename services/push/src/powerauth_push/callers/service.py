"""Callers of this service: their credentials (D23)."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from powerauth_push.callers import repository
from powerauth_push.callers.models import Integration
from powerauth_push.callers.rules import Caller, Scope, scopes_of, scopes_text
from servicekit import clock, units
from servicekit.caching import Cache
from servicekit.database import Database
from servicekit.logs import get_logger
from servicekit.row_macs import SESSION_KEY, RowMacs, give_mac

_log = get_logger(__name__)

_CAPACITY = 1_000
_LONGEST_TOKEN = 37


@dataclass(frozen=True, slots=True)
class Credentials:
    """HTTP Basic credentials of a caller."""

    client_token: str
    client_secret: str = field(repr=False)


class CallerRefused(Exception):
    """A caller cannot get these credentials. The text is for the operator."""


@dataclass(frozen=True, slots=True)
class _Known:
    caller: Caller
    secret_digest: str = field(repr=False)


class CallerCache:
    """Checks credentials. A caller is read again after a short while; unknown tokens are not kept."""

    def __init__(self, database: Database, seconds: float) -> None:
        """:param seconds: how long a removed caller may still be accepted"""
        self._database = database
        self._known: Cache[str, _Known] = Cache(_CAPACITY, seconds)

    async def authenticate(self, client_token: str, client_secret: str) -> Caller | None:
        """The caller with these credentials, or None.

        :raises DatabaseUnavailable: the caller cannot be read now
        """
        known = await self._known.load(client_token, lambda: units.repeated(lambda: self._read(client_token)))
        if known is None or not hmac.compare_digest(known.secret_digest, _digest(client_secret)):
            return None
        return known.caller

    async def _read(self, client_token: str) -> _Known | None:
        if len(client_token) > _LONGEST_TOKEN:
            return None
        async with self._database.read() as session:
            row = await repository.find_by_token(session, client_token)
        if row is None:
            return None
        if not row.sound:
            _log.error("caller unusable: others have written its row", integration=row.id)
            return None
        return _Known(Caller(row.name, scopes_of(row.scopes)), row.client_secret)


async def create(database: Database, name: str, scopes: Collection[Scope]) -> Credentials | None:
    """Make a caller; None if there is one of this name, which stays as it is."""
    credentials = Credentials(str(uuid.uuid4()), str(uuid.uuid4()))
    async with database.transaction() as session:
        if await repository.find_by_name(session, name) is not None:
            return None
        session.add(_made(name, scopes, credentials))
    return credentials


async def set_credentials(
    database: Database, name: str, scopes: Collection[Scope], wanted: Credentials
) -> bool:
    """Give the caller of this name these credentials and scopes; made if need be.

    :return: whether that changed anything
    :raises CallerRefused: the client token is another caller's, or others have written the caller's row
    """
    async with database.transaction() as session:
        other = await repository.find_by_token(session, wanted.client_token)
        if other is not None and other.name != name:
            raise CallerRefused("another caller has this client token")
        row = await repository.find_by_name(session, name)
        if row is None:
            session.add(_made(name, scopes, wanted))
            return True
        if not row.sound:
            raise CallerRefused(f"others have written the row of {name}: remove it first")
        row.client_token = wanted.client_token
        row.client_secret = _digest(wanted.client_secret)
        row.scopes = scopes_text(scopes)
        return session.is_modified(row)


async def remove(database: Database, name: str) -> bool:
    """Remove a caller; other processes stop accepting it within `caller_cache_seconds`."""
    async with database.transaction() as session:
        return await repository.remove(session, name)


async def list_all(database: Database) -> Sequence[Integration]:
    """All callers; their secrets cannot be read."""
    async with database.read() as session:
        return await repository.list_all(session)


async def bind_all(database: Database) -> int:
    """Bind the rows that nobody has bound; how many."""
    macs: RowMacs = database.session_info[SESSION_KEY]
    async with database.transaction() as session:
        rows = [row for row in await repository.list_all(session) if row.row_mac is None]
        for row in rows:
            row.sound = True
            give_mac(macs, row)
    return len(rows)


def _made(name: str, scopes: Collection[Scope], credentials: Credentials) -> Integration:
    return Integration(
        id=str(uuid.uuid4()),
        name=name,
        client_token=credentials.client_token,
        client_secret=_digest(credentials.client_secret),
        scopes=scopes_text(scopes),
        timestamp_created=clock.now(),
    )


def _digest(secret: str) -> str:
    """Secrets are random: a plain SHA-256 cannot be searched for them."""
    return hashlib.sha256(secret.encode()).hexdigest()
