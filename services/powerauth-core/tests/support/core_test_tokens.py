"""Clients, sign-ins and tickets of signed tokens, as tests need them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

from powerauth_contracts.enums import ClientAuthMethod, OidcGrant
from powerauth_core.binding_tickets import service as tickets
from powerauth_core.container import Core
from powerauth_core.jwt import clients, tokens
from powerauth_core.jwt.clients import ClientContent, ClientWithSecret
from powerauth_core.jwt.tokens import Authentication, Issued, SignIn
from servicekit import clock

ISSUER = "https://id.bank.example/enrollment-server"
EVERY_SCOPE = ("openid", "profile", "offline_access", "device:bind")


class Later(Protocol):
    """Let time pass: ``later(seconds=61)``."""

    def __call__(self, **span: float) -> None: ...


async def make_client(
    core: Core,
    application_id: str,
    client_id: str | None = None,
    *,
    auth_method: ClientAuthMethod = ClientAuthMethod.SECRET_BASIC,
    grant_types: Sequence[OidcGrant] = tuple(OidcGrant),
    **content: Any,
) -> ClientWithSecret:
    """A client that may do everything."""
    allowed: dict[str, Any] = {
        "scopes": EVERY_SCOPE,
        "resources": ("payments",),
        "jwks": None,
        "access_token_typ": "at+jwt",
        "use_app_keys": False,
        "default_claims": None,
        "access_ttl": None,
        "id_ttl": None,
        "refresh_ttl": None,
        **content,
    }
    wanted = ClientContent(auth_method=auth_method, grant_types=grant_types, **allowed)
    return await clients.create(core, application_id, client_id, wanted)


def authentication(**members: Any) -> Authentication:
    """A user who was just there, with a device-bound passkey."""
    found: dict[str, Any] = {
        "amr": ("webauthn", "hwk", "user", "mfa"),
        "acr": "urn:pa:2fa",
        "auth_time": clock.now(),
    }
    return Authentication(**found | members)


async def signed_in(core: Core, application_id: str, user_id: str = "alice", **wanted: Any) -> Issued:
    """Tokens of a user who just signed in."""
    found: dict[str, Any] = {"authentication": authentication(), "scope": " ".join(EVERY_SCOPE)} | wanted
    async with core.database.transaction() as session:
        issued = await tokens.sign_in(
            core, session, SignIn(application_id=application_id, user_id=user_id, **found)
        )
    assert issued is not None
    return issued


async def make_ticket(core: Core, application_id: str, user_id: str = "alice", seconds: int = 300) -> str:
    """A binding ticket."""
    made = await tickets.create(
        core,
        user_id=user_id,
        application_id=application_id,
        life=timedelta(seconds=seconds),
        created_by="bank",
        scope=None,
    )
    return made.ticket


async def filled_tokens(core: Core, application_id: str) -> None:
    """A row in every bound table of this subject."""
    core.settings.jwt_issuer = ISSUER
    await make_client(core, application_id)
    await signed_in(core, application_id)
    await make_ticket(core, application_id)
