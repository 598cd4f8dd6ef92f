"""What the user-info endpoint tells (spec/device-trust.md §2.5)."""

from __future__ import annotations

from typing import Any

from powerauth_core.jwt import repository, rules, verification
from powerauth_core.jwt.ports import Ports
from powerauth_core.kernel.token_errors import AccessTokenInvalid
from powerauth_protocol.common.json_text import read_json


async def user_info(ports: Ports, token: str) -> dict[str, Any]:
    """Claims about the user of an access token, by its scope.

    :raises AccessTokenInvalid: the token is not accepted
    """
    async with ports.database.read() as session:
        found = await verification.bearer(ports, session, token, rules.OPENID)
        row = await repository.session_of(session, found.session_id)
        client = await repository.client(session, found.client_id)
    if row is None or client is None:
        raise AccessTokenInvalid
    username = row.username or row.user_id
    configured = read_json(client.default_claims) if client.default_claims else {}
    known = {**found.claims, **configured, "username": username, "preferred_username": username}
    told = [name for scope in found.scope for name in rules.SCOPE_CLAIMS.get(scope, ())]
    return {name: known[name] for name in told if name in known}
