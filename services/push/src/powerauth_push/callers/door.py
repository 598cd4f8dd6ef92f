"""Who may pass to the routes (spec/push-api.md §1, D3)."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from powerauth_push.callers.rules import ANONYMOUS, Caller, is_guarded, may_call
from powerauth_push.callers.service import CallerCache
from servicekit.callers import parse_basic
from servicekit.errors import ErrorContext, ErrorFamily, Unavailable, error_response
from servicekit.logs import get_logger
from servicekit.targets import path_in_service

_log = get_logger(__name__)

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="PowerAuth Push", charset="UTF-8"'}


class CallerAuthentication:
    """ASGI middleware in front of the routes: an unknown caller learns nothing of paths or request models."""

    def __init__(self, app: ASGIApp, *, family: ErrorFamily, restrict_access: bool) -> None:
        """:param restrict_access: off, callers without credentials may do everything (D3)"""
        self.app = app
        self._family = family
        self._restrict_access = restrict_access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_guarded(path := path_in_service(scope)):
            await self.app(scope, receive, send)
            return
        context = ErrorContext(scope["method"], path)
        try:
            caller = await self._caller(scope)
        except Unavailable as error:
            _log.warning("caller not checked", reason=str(error))
            headers = {"Retry-After": str(error.retry_after)}
            await error_response(self._family.unavailable(context), headers)(scope, receive, send)
            return
        if caller is None:
            await error_response(self._family.unauthorized(context), _CHALLENGE)(scope, receive, send)
        elif not may_call(caller, path):
            forbidden = self._family.for_status(403)
            assert forbidden is not None
            await error_response(forbidden(context))(scope, receive, send)
        else:
            scope.setdefault("state", {})["caller"] = caller
            await self.app(scope, receive, send)

    async def _caller(self, scope: Scope) -> Caller | None:
        credentials = parse_basic(Headers(scope=scope).get("authorization"))
        if credentials is None:
            return None if self._restrict_access else ANONYMOUS
        callers: CallerCache = scope["app"].state.push.callers
        return await callers.authenticate(*credentials)
