"""A bank's site as a browser sees it: its pages, the module, the enrollment service behind one origin."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from browser_chromium import Page
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from powerauth_cli.all_in_one import CORE, ENROLLMENT, AllInOne
from powerauth_cli.context_paths import ByContextPath
from powerauth_contracts.enums import ClientAuthMethod, OidcGrant, SignatureType
from powerauth_core.applications import repository
from powerauth_core.applications import service as applications
from powerauth_core.binding_tickets import service as tickets
from powerauth_core.container import Core
from powerauth_core.jwt import clients
from powerauth_core.jwt.clients import ClientContent
from powerauth_core.operations import creation
from powerauth_core.operations.creation import NewOperation
from powerauth_core.passkey_policies import service as policies
from powerauth_core.passkey_policies.rules import StoredPolicy
from powerauth_core.passkeys import policy
from powerauth_core.templates import service as templates
from servicekit import clock
from servicekit.serving import BackgroundServer

MODULE = Path(__file__).parents[3] / "clients" / "passkeys"
SCOPES = ("openid", "passkey:register", "passkey:manage")
PAGE = "/passkeys/page/index.html"
UNLIMITED = {"limit_failures_per_address": 0}


class StrictPolicy:
    """What a bank's server says of each page: nothing but its own origin."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", b"default-src 'self'"),
                ]
            await send(message)

        await self._app(scope, receive, sent)


@dataclass(frozen=True, slots=True)
class Bank:
    """An application of the bank, its core, and its site.

    :ivar origin: of the site
    """

    core: Core
    origin: str
    application_id: str

    async def set_policy(self, **members: Any) -> None:
        """What holds for its passkeys from now on."""
        given = {"rpId": "localhost", "rpWebOrigins": [self.origin], **members}
        read = policy.read(given, root_names=policy.DEFAULT_ROOTS, dev_mode=True)
        stored = StoredPolicy(policy=read, version=1, changed_by="admin", changed_at=clock.now())
        async with self.core.database.transaction() as session:
            row = await repository.lock_by_name(session, self.application_id)
            assert row is not None
            cache = self.core.application_cache
            await policies.store(self.core.cipher, cache, session, row, stored)

    async def sdk_config(self) -> str:
        """What the application's app carries."""
        found = await applications.application_detail(
            self.core.database, self.core.cipher, self.application_id
        )
        return found.versions[0].sdk_config

    async def ticket(self, user_id: str) -> str:
        """The bank knows this user."""
        made = await tickets.create(
            self.core,
            user_id=user_id,
            application_id=self.application_id,
            life=timedelta(minutes=5),
            created_by="bank",
            scope=None,
        )
        return made.ticket

    async def operation(self, user_id: str) -> str:
        """A payment of this user; its id."""
        wanted = NewOperation(
            template_name="payment",
            applications=(self.application_id,),
            user_id=user_id,
            external_id=None,
            activation_flag=None,
            parameters={},
            additional_data=None,
            expires=None,
            with_proximity=False,
            activation_id=None,
        )
        return (await creation.create(self.core, wanted, None)).id


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody at the bank's page.

    :ivar page: in a browser with an authenticator
    """

    bank: Bank
    page: Page
    user_id: str

    @classmethod
    async def at(cls, bank: Bank, page: Page) -> Visitor:
        """A user nobody knew before, on the page."""
        await page.open(f"{bank.origin}{PAGE}?application={bank.application_id}")
        ready = "while (!('ready' in document.body.dataset)) await new Promise(requestAnimationFrame);"
        await page.run(ready)
        return cls(bank, page, f"user-{uuid4().hex[:12]}")

    def another(self) -> Visitor:
        """Somebody else at the same page."""
        return Visitor(self.bank, self.page, f"user-{uuid4().hex[:12]}")

    async def submit(self, form: str, **fields: str) -> tuple[str, str]:
        """Fill a form in and send it; the code that the page shows, and its text."""
        script = """
            const form = document.querySelector(values[0]);
            for (const [name, value] of Object.entries(values[1])) form.elements[name].value = value;
            form.requestSubmit();
            const outcome = document.querySelector("#outcome");
            while (!("code" in outcome.dataset)) await new Promise(requestAnimationFrame);
            return [outcome.dataset.code, outcome.value];
        """
        code, text = await self.page.run(script, form, fields)
        return code, text

    async def register(self) -> tuple[str, str]:
        """Make a passkey with a ticket of the bank."""
        ticket = await self.bank.ticket(self.user_id)
        return await self.submit("#register", ticket=ticket, name="Laptop")

    async def sign_in(self, *, named: bool = True) -> tuple[str, str]:
        """Sign in, with the user's name in the form or without."""
        return await self.submit("#sign-in", userId=self.user_id if named else "")


@contextlib.asynccontextmanager
async def running_bank(folder: Path) -> AsyncGenerator[Bank]:
    """All services of a bank, and its site."""
    settings: dict[str, dict[str, Any]] = {
        "core": {"passkey_dev_mode": True, "jwt_issuer": "http://localhost/enrollment-server"},
        "enrollment": UNLIMITED,
    }
    async with AllInOne(folder, port=None, settings=settings) as stack:
        pages = Starlette(
            routes=[Mount("/passkeys", StaticFiles(directory=MODULE))], middleware=[Middleware(StrictPolicy)]
        )
        site = BackgroundServer(
            ByContextPath({"/passkeys": pages, ENROLLMENT: stack.apps[ENROLLMENT]}), "127.0.0.1", 0
        )
        await site.start()
        try:
            bank = Bank(stack.apps[CORE].state.core, f"http://localhost:{site.port}", "bank")
            await _furnish(bank)
            yield bank
        finally:
            await site.stop()


async def _furnish(bank: Bank) -> None:
    """An application, its client, a template."""
    core = bank.core
    await applications.create_application(core, bank.application_id)
    web = ClientContent(
        auth_method=ClientAuthMethod.NONE,
        grant_types=(OidcGrant.SIGN_IN,),
        scopes=SCOPES,
        resources=(),
        jwks=None,
        access_token_typ="at+jwt",
        use_app_keys=False,
        default_claims=None,
        access_ttl=None,
        id_ttl=None,
        refresh_ttl=None,
    )
    await clients.create(core, bank.application_id, "web", web)
    payment = templates.Content(
        operation_type="payment",
        data_template="A1*A100CZK",
        signature_types=(SignatureType.POSSESSION,),
        max_failure_count=3,
        expiration=300,
        risk_flags=None,
        with_proximity=False,
        protection={},
        issue_tokens=False,
    )
    await templates.create(core, "payment", payment)
