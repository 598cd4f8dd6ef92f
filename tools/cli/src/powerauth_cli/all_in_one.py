"""All services in one process: SQLite files, the in-memory bus, calls between services without a network.

The same applications as everywhere else; only what connects them differs. Push talks to fake providers in the
same process unless it is told to use the real ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvloop
from fastapi import FastAPI
from starlette.types import ASGIApp

import cloud_private_api.app
import enrollment.app
import powerauth_core.app
import powerauth_push.app
from cloud_private_api.settings import CloudSettings
from enrollment.settings import EnrollmentSettings
from powerauth_cli.context_paths import ByContextPath
from powerauth_cli.credentials import ADMINISTRATOR
from powerauth_cli.data_folder import (
    FAKE_PROVIDERS,
    Secrets,
    cloud_values,
    core_values,
    folder_refused,
    of_ours,
    push_values,
)
from powerauth_cli.fakes.equipment import Equipment
from powerauth_cli.fakes.handsets import handsets
from powerauth_cli.fakes.keys import FakeKeys
from powerauth_cli.fakes.phones import FAKE_PHONES, Shown
from powerauth_cli.fakes.stack import FakeProviders, fake_providers
from powerauth_cli.push_api import PushApi
from powerauth_contracts.enums import IntegrationKind
from powerauth_core.integrations.service import Credentials, ensure_integration
from powerauth_core.settings import CoreSettings
from powerauth_push.callers import service as push_callers
from powerauth_push.callers.rules import EVERYTHING, Scope
from powerauth_push.settings import PushSettings
from servicekit import loading
from servicekit.bus.memory import InMemoryBus
from servicekit.calls.client import AsgiTransport, Transport
from servicekit.logs import configure_logging
from servicekit.private_files import closed_to_others, private_folder
from servicekit.serving import (
    AddressTaken,
    BackgroundServer,
    lifespan_of,
    management_server,
    ready_while_open,
)
from servicekit.start_rules import Finding, StartRefused, is_loopback
from servicekit.startup import embedded_settings, judge_settings

CORE = "/powerauth-java-server"
ENROLLMENT = "/enrollment-server"
CLOUD = "/powerauth-cloud"
PUSH = "/powerauth-push-server"

_IN_PROCESS = "http://in-process"
_KEPT_MESSAGES = 1000


class Providers(StrEnum):
    """Whom push sends to: servers of this process that play the providers, or those that `PUSH_…` names."""

    FAKE = "fake"
    REAL = "real"


class AllInOne:
    """The stack in this process.

    :param folder: of databases and secrets; created if need be
    :param port: one port for all services, 0 takes a free one; None gives each service a free port of its
        own, and the services then call each other over HTTP
    :param settings: further settings by service: ``{"core": {...}, "enrollment": {...}, "cloud": {...}}``
    :param providers: of push messages
    :param on_shown: hears of each message that a phone gets from a fake provider

    :ivar fakes: the fake providers, if there are any
    :ivar equipment: gives applications credentials there
    """

    def __init__(
        self,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        port: int | None = 8080,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        providers: Providers = Providers.FAKE,
        on_shown: Callable[[Shown], None] | None = None,
    ) -> None:
        self._folder = folder
        self._host = host
        self._settings = settings or {}
        self._stack = contextlib.AsyncExitStack()
        self._apps: dict[str, FastAPI] = {}
        self._served: dict[str, ASGIApp] = {}
        self._urls: dict[str, str] = {}
        self._server = None if port is None else BackgroundServer(ByContextPath(self._served), host, port)
        self._secrets: Secrets | None = None
        self._providers = providers
        self._on_shown = on_shown
        self._new_keys = False
        self.fakes: FakeProviders | None = None
        self.equipment: Equipment | None = None
        self.first_password: str | None = None

    @property
    def apps(self) -> Mapping[str, FastAPI]:
        """The services' applications by context path."""
        return self._apps

    @property
    def core_url(self) -> str:
        """The core's address with its context path."""
        return self._urls[CORE]

    @property
    def enrollment_url(self) -> str:
        """The enrollment service's address with its context path."""
        return self._urls[ENROLLMENT]

    @property
    def cloud_url(self) -> str:
        """The cloud API's address with its context path."""
        return self._urls[CLOUD]

    @property
    def push_url(self) -> str:
        """The push service's address with its context path."""
        return self._urls[PUSH]

    @property
    def admin(self) -> tuple[str, str]:
        """The administrator's credentials; the password is known at the first run of a folder only."""
        return ADMINISTRATOR, self.first_password or ""

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def prepare(self) -> None:
        """Take the port, then make the folder and its secrets: `first_password` is known from here on.

        :raises AddressTaken: the port is not free; nothing was made
        :raises StartRefused: the settings or the folder cannot be used; nothing was made
        """
        if self._server is not None:
            self._server.bind()
        try:
            found, password = Secrets.of(self._folder)
            self._judge(found)
            private_folder(self._folder)
            closed_to_others(of_ours(self._folder))
            if password is not None:
                found.keep(self._folder)
        except OSError as error:
            raise folder_refused(error) from None
        self._secrets, self.first_password = found, password

    def _judge(self, kept: Secrets) -> None:
        """Before anything is made or told: whether the services may start here.

        :raises StartRefused: a setting is wrong, or the environment is that of production
        """
        for settings_class, values in (
            (CoreSettings, self._core_values(kept)),
            (PushSettings, {**push_values(self._folder, kept), **self._more("push")}),
            (EnrollmentSettings, self._more("enrollment")),
            (CloudSettings, {**cloud_values(self._folder), **self._more("cloud")}),
        ):
            judge_settings(settings_class, **values)

    async def _start(self) -> None:
        if self._secrets is None:
            self.prepare()
        assert self._secrets is not None
        kept = self._secrets
        if self._server is not None:
            self._stack.push_async_callback(self._server.stop)
        bus = InMemoryBus()
        await bus.start()
        self._stack.push_async_callback(bus.close)
        core = powerauth_core.app.create_app(self._core_settings(kept), bus=bus)
        to_core = await self._run(CORE, core)
        dmz = await ensure_integration(core.state.core, "enrollment", IntegrationKind.DMZ)
        rest = {
            name: await ensure_integration(core.state.core, name, IntegrationKind.REST)
            for name in ("cloud", "push")
        }
        push = powerauth_push.app.create_app(
            await self._push_settings(kept, rest["push"]), core_transport=to_core, bus=bus
        )
        to_push = await self._run(PUSH, push)
        await self._equip(push, to_push, bus)
        phones = await self._caller_of_push(push, "enrollment", {Scope.ENROLLMENT})
        bank = await self._caller_of_push(push, "cloud", EVERYTHING)
        for_phones = self._enrollment_settings(dmz, phones)
        await self._run(
            ENROLLMENT,
            enrollment.app.create_app(
                for_phones, core_transport=to_core, push_transport=_way(for_phones.push_url, to_push)
            ),
        )
        for_banks = self._cloud_settings(kept, rest["cloud"], bank)
        await self._run(
            CLOUD,
            cloud_private_api.app.create_app(
                for_banks,
                core_transport=to_core,
                push_transport=_way(for_banks.push_url, to_push),
                bus=bus,
            ),
        )
        if self._server is not None:
            await self._stack.enter_async_context(self._server)
            self._urls = {path: self._server.url + path for path in self._served}

    async def _caller_of_push(
        self, push: FastAPI, name: str, scopes: Collection[Scope]
    ) -> push_callers.Credentials:
        """A caller of push; its secret cannot be read again, so it gets a new one each time."""
        database = push.state.push.database
        await push_callers.remove(database, name)
        made = await push_callers.create(database, name, scopes)
        assert made is not None
        return made

    async def _equip(self, push: FastAPI, transport: Transport | None, bus: InMemoryBus) -> None:
        """With fake providers, no application has to be introduced to a provider first."""
        if self.fakes is None:
            return
        credentials = await self._caller_of_push(push, "fake-providers", {Scope.ADMIN})
        url = self._urls.get(PUSH, _IN_PROCESS + PUSH)
        api = PushApi(url, (credentials.client_token, credentials.client_secret), transport)
        self._stack.push_async_callback(api.close)
        self.equipment = Equipment(api, self.fakes)
        await self.equipment.start(bus, new_keys=self._new_keys)
        self._served[FAKE_PHONES] = handsets(self.fakes.phones)

    async def _run(self, context_path: str, app: FastAPI) -> Transport | None:
        """Start a service.

        :return: how the others reach it: in this process, or by the network (None)
        """
        self._apps[context_path] = self._served[context_path] = app
        server = self._server or BackgroundServer(app, self._host)
        ready_while_open(app, lambda: server.is_open)
        management = management_server(app)
        if management is not None:
            await self._stack.enter_async_context(management)
        if self._server is not None:
            await self._stack.enter_async_context(lifespan_of(app))
            return AsgiTransport(app)
        await self._stack.enter_async_context(server)
        self._urls[context_path] = server.url + context_path
        return None

    def _core_settings(self, kept: Secrets) -> CoreSettings:
        return embedded_settings(CoreSettings, **self._core_values(kept))

    def _core_values(self, kept: Secrets) -> dict[str, Any]:
        # A developer's webhooks are on this machine; whoever reaches this stack is too.
        local = {"egress_loopback_allowed": is_loopback(self._host)}
        return {**core_values(self._folder, kept), **local, **self._more("core")}

    async def _push_settings(self, kept: Secrets, credentials: Credentials) -> PushSettings:
        providers: Mapping[str, str] = {}
        if self._providers is Providers.FAKE:
            keys = self._fake_keys()
            self.fakes = await self._stack.enter_async_context(
                fake_providers(self._on_shown, keep=_KEPT_MESSAGES, keys=keys)
            )
            providers = self.fakes.settings()
        return embedded_settings(
            PushSettings,
            core_url=self._urls.get(CORE, _IN_PROCESS + CORE),
            core_username=credentials.client_token,
            core_password=credentials.client_secret,
            **{**push_values(self._folder, kept), **providers, **self._more("push")},
        )

    def _fake_keys(self) -> FakeKeys:
        path = self._folder / FAKE_PROVIDERS
        self._new_keys = not path.exists()
        try:
            return FakeKeys.kept(path)
        except (ValueError, KeyError):
            raise StartRefused(Finding("--data", f"{path} is damaged", "delete it")) from None

    def _enrollment_settings(
        self, credentials: Credentials, at_push: push_callers.Credentials
    ) -> EnrollmentSettings:
        push = {
            "push_url": self._urls.get(PUSH, _IN_PROCESS + PUSH),
            "push_client_token": at_push.client_token,
            "push_client_secret": at_push.client_secret,
        }
        settings = embedded_settings(
            EnrollmentSettings,
            core_url=self._urls.get(CORE, _IN_PROCESS + CORE),
            core_client_token=credentials.client_token,
            core_client_secret=credentials.client_secret,
            **{**push, **self._more("enrollment")},
        )
        told = "limit_loopback" in settings.model_fields_set
        if is_loopback(self._host) and not told:
            # All phones of a developer share this address, tests that go wrong on purpose among them (D18).
            settings.limit_loopback = False
        return settings

    def _cloud_settings(
        self, kept: Secrets, credentials: Credentials, at_push: push_callers.Credentials
    ) -> CloudSettings:
        push = {
            "push_url": self._urls.get(PUSH, _IN_PROCESS + PUSH),
            "push_username": at_push.client_token,
            "push_password": at_push.client_secret,
        }
        return embedded_settings(
            CloudSettings,
            core_url=self._urls.get(CORE, _IN_PROCESS + CORE),
            core_username=credentials.client_token,
            core_password=credentials.client_secret,
            admin_username=ADMINISTRATOR,
            admin_password_encoded=kept.admin_password_hash,
            offline_derivation_key=kept.offline_derivation_key,
            **{**cloud_values(self._folder), **push, **self._more("cloud")},
        )

    def _more(self, service: str) -> Mapping[str, Any]:
        return self._settings.get(service, {})


def _way(url: str, in_process: Transport | None) -> Transport | None:
    """How a service is reached: in this process, unless the settings name another one."""
    return in_process if url.startswith(_IN_PROCESS) else None


def serve_all(host: str, port: int, folder: Path, providers: Providers) -> None:
    """Serve until the process is told to stop."""
    configure_logging("powerauth", "WARNING", json=False)
    try:
        uvloop.run(_serve(host, port, folder, providers))
    except AddressTaken as taken:
        sys.exit(f"{taken}; choose another port: make run PORT=9000, or powerauth run --port 9000")


async def _serve(host: str, port: int, folder: Path, providers: Providers) -> None:
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told_to_stop.set)
    services = AllInOne(folder, host=host, port=port, providers=providers, on_shown=_tell)
    services.prepare()
    if services.first_password:
        # Before anything can fail: it is written down nowhere else.
        print(
            f"first run: administrator {ADMINISTRATOR}, password {services.first_password} (shown only now;"
            f" a new one: powerauth admin reset {ADMINISTRATOR} --data {folder})",
            flush=True,
        )
    async with services as stack:
        loading.settle()
        print(f"serving, data in {folder}")
        for url in (stack.cloud_url, stack.enrollment_url, stack.core_url, stack.push_url):
            print(f"  {url}/swagger-ui/index.html")
        if stack.fakes is not None:
            print(
                "push messages go to FAKE providers in this process and reach no real phone; what phones"
                " would show is printed here (the real ones: powerauth run --push-providers real)"
            )
        sys.stdout.flush()
        await told_to_stop.wait()


def _tell(shown: Shown) -> None:
    print(f"phone: {shown.text()}", flush=True)
