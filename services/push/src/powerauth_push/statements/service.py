"""Takes the core's signed statements of who asks (D1 rule 5)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from powerauth_contracts.push.calls import STATEMENT_HEADER
from powerauth_contracts.rest import statements as contract
from powerauth_push.callers.rules import Caller
from powerauth_push.core_client import CoreClient, CoreFailed
from powerauth_push.errors import StatementRefused
from powerauth_push.statements import repository, rules
from powerauth_push.statements.rules import Statement, StatementInvalid, Subject
from servicekit import clock
from servicekit.database import Database
from servicekit.errors import RemoteUnavailable
from servicekit.logs import get_logger
from servicekit.targets import path_in_service

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

_log = get_logger(__name__)

_ALGORITHMS = ["ES256"]
_LONGEST = 4_096
_PAUSE_SECONDS = 10.0
"""Keys are not asked for more often: whoever sends unknown key ids does not reach the core with each."""
_FRESH_SECONDS = 300.0
"""Older keys are asked for again, so that one that the core no longer publishes is believed no longer."""
_LONGEST_SECONDS = 3_600.0
"""For how long keys are believed while the core does not answer."""


class Statements:
    """The keys of the core, and what has been used."""

    def __init__(self, database: Database, core: CoreClient) -> None:
        self._database = database
        self._core = core
        self._keys: KeySet | None = None
        self._asked = float("-inf")
        self._learnt = float("-inf")

    async def take(self, path: str, text: str) -> Subject:
        """Whom a statement names; it cannot be used for this call again.

        :raises StatementRefused: it cannot be used for it now
        :raises RemoteUnavailable: the core's keys are not known
        """
        try:
            statement = rules.read(path, await self._claims(text), clock.now())
        except StatementInvalid:
            _log.warning("statement refused", path=path)
            raise StatementRefused from None
        if not await self._is_first(path, statement):
            _log.warning("statement repeated", path=path, statement=statement.id)
            raise StatementRefused
        return statement.subject

    async def _is_first(self, path: str, statement: Statement) -> bool:
        async with self._database.transaction() as session:
            return await repository.use(session, statement.id, path, statement.expires)

    async def _claims(self, text: str) -> dict[str, Any]:
        if len(text) > _LONGEST:
            raise StatementInvalid
        known = await self._fresh()
        if known is not None:
            try:
                return _signed_claims(text, known)
            except StatementInvalid:
                pass  # the core may have a newer key
        learnt = await self._learn()
        if learnt is known:
            raise StatementInvalid
        return _signed_claims(text, learnt)

    async def _fresh(self) -> KeySet | None:
        """The keys that are known, as the core published them a short while ago; None: none are."""
        age = time.monotonic() - self._learnt
        if self._keys is None or age < _FRESH_SECONDS:
            return self._keys
        try:
            return await self._learn()
        except RemoteUnavailable:
            if age >= _LONGEST_SECONDS:
                self._keys = None
            return self._keys

    async def _learn(self) -> KeySet:
        """The core's keys as they are now, or a moment ago."""
        if self._keys is not None and time.monotonic() < self._asked + _PAUSE_SECONDS:
            return self._keys
        from joserfc.errors import JoseError  # noqa: PLC0415 - heavy, for an installation that has statements
        from joserfc.jwk import KeySet  # noqa: PLC0415

        self._asked = time.monotonic()
        try:
            answer = await self._core.ask(contract.KEYS)
            self._keys = KeySet.import_key_set({"keys": answer.keys})
        except (CoreFailed, JoseError, ValueError) as error:
            raise RemoteUnavailable(f"keys of statements: {error}") from None
        self._learnt = self._asked
        return self._keys


def _signed_claims(text: str, keys: KeySet) -> dict[str, Any]:
    """
    :raises StatementInvalid: none of the keys signed it
    """
    from joserfc import jwt  # noqa: PLC0415 - heavy, for an installation that has statements
    from joserfc.errors import JoseError  # noqa: PLC0415

    try:
        return jwt.decode(text, keys, algorithms=_ALGORITHMS).claims
    except (JoseError, ValueError):
        raise StatementInvalid from None


async def asker_of(request: Request) -> tuple[Caller, Subject | None]:
    """Who makes a request, and whom the core's statement names, which phones' requests must have.

    :raises StatementRefused: it is missing, or cannot be used
    """
    caller: Caller = request.state.caller
    text = request.headers.get(STATEMENT_HEADER)
    if text is None:
        if caller.speaks_for_phones:
            raise StatementRefused
        return caller, None
    statements: Statements = request.app.state.push.statements
    return caller, await statements.take(path_in_service(request.scope), text)
