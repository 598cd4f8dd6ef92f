"""All services in one process: SQLite files, the in-memory bus, calls between services without a network.

The same applications as everywhere else; only what connects them differs. What the first run makes up (the
key that encrypts records at rest, the administrator's password hash) is kept in `secrets.json` of the data
folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import signal
import sys
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import uvloop
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

import cloud_private_api.app
import enrollment.app
import powerauth_core.app
from cloud_private_api.settings import CloudSettings
from enrollment.settings import EnrollmentSettings
from powerauth_cli.credentials import ADMINISTRATOR, hashed_password, new_password
from powerauth_contracts.enums import IntegrationKind
from powerauth_core.integrations.service import Credentials, ensure_integration
from powerauth_core.settings import CoreSettings
from servicekit import loading
from servicekit.bus.memory import InMemoryBus
from servicekit.calls.client import AsgiTransport, Transport
from servicekit.logs import configure_logging
from servicekit.private_files import closed_to_others, private_folder, write_private
from servicekit.serving import AddressTaken, BackgroundServer, lifespan_of, management_server
from servicekit.start_rules import Finding, StartRefused, is_loopback
from servicekit.startup import embedded_settings, judge_settings
from servicekit.targets import MAX_TARGET_BYTES

CORE = "/powerauth-java-server"
ENROLLMENT = "/enrollment-server"
CLOUD = "/powerauth-cloud"

_SECRETS = "secrets.json"
_DATABASES = ("core.sqlite3", "cloud.sqlite3")
_IN_PROCESS = "http://in-process"


@dataclass(slots=True)
class Secrets:
    """What the first run makes up."""

    master_encryption_key: str = field(repr=False)
    offline_derivation_key: str = field(repr=False)
    admin_password_hash: str = field(repr=False)

    @classmethod
    def kept(cls, folder: Path) -> Secrets:
        """Read the folder's secrets.

        :raises StartRefused: it has none
        """
        path = folder / _SECRETS
        try:
            return cls(**json.loads(path.read_text()))
        except OSError as error:
            raise _folder_refused(error) from None
        except (ValueError, TypeError):
            raise StartRefused(Finding("--data", f"{path} is damaged", "a backup of the file")) from None

    @classmethod
    def of(cls, folder: Path) -> tuple[Secrets, str | None]:
        """Read the folder's secrets, or make some up, which are not written yet.

        :return: the secrets and, at the first run only, the administrator's password
        :raises StartRefused: they cannot be read, or databases have lost them
        """
        path = folder / _SECRETS
        if path.exists():
            return cls.kept(folder), None
        if any((folder / name).exists() for name in _DATABASES):
            meaning = f"{path} is missing, without which the databases beside it cannot be read"
            raise StartRefused(Finding("--data", meaning, "a backup of the file"))
        password = new_password()
        made = cls(
            master_encryption_key=b64encode(secrets.token_bytes(16)).decode(),
            offline_derivation_key=b64encode(secrets.token_bytes(32)).decode(),
            admin_password_hash=hashed_password(password),
        )
        return made, password

    def keep(self, folder: Path) -> None:
        """Write them into the folder, for its owner alone."""
        write_private(folder / _SECRETS, json.dumps(asdict(self), indent=1))


def _folder_refused(error: OSError) -> StartRefused:
    return StartRefused(Finding("--data", f"{error.filename}: {error.strerror}", "data"))


class AllInOne:
    """The stack in this process.

    :param folder: of databases and secrets; created if need be
    :param port: one port for all services, 0 takes a free one; None gives each service a free port of its
        own, and the services then call each other over HTTP
    :param settings: further settings by service: ``{"core": {...}, "enrollment": {...}, "cloud": {...}}``
    """

    def __init__(
        self,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        port: int | None = 8080,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self._folder = folder
        self._host = host
        self._settings = settings or {}
        self._stack = contextlib.AsyncExitStack()
        self._apps: dict[str, FastAPI] = {}
        self._urls: dict[str, str] = {}
        self._server = None if port is None else BackgroundServer(_ByContextPath(self._apps), host, port)
        self._secrets: Secrets | None = None
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
            closed_to_others(_of_ours(self._folder))
            if password is not None:
                found.keep(self._folder)
        except OSError as error:
            raise _folder_refused(error) from None
        self._secrets, self.first_password = found, password

    def _judge(self, kept: Secrets) -> None:
        """Before anything is made or told: whether the services may start here.

        :raises StartRefused: a setting is wrong, or the environment is that of production
        """
        for settings_class, values in (
            (CoreSettings, self._core_values(kept)),
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
        transport = await self._run(CORE, core)
        dmz = await ensure_integration(core.state.core, "enrollment", IntegrationKind.DMZ)
        rest = await ensure_integration(core.state.core, "cloud", IntegrationKind.REST)
        await self._run(
            ENROLLMENT,
            enrollment.app.create_app(self._enrollment_settings(dmz), core_transport=transport),
        )
        await self._run(
            CLOUD,
            cloud_private_api.app.create_app(
                self._cloud_settings(kept, rest), core_transport=transport, bus=bus
            ),
        )
        if self._server is not None:
            await self._stack.enter_async_context(self._server)
            self._urls = {path: self._server.url + path for path in self._apps}

    async def _run(self, context_path: str, app: FastAPI) -> Transport | None:
        """Start a service.

        :return: how the others reach it: in this process, or by the network (None)
        """
        self._apps[context_path] = app
        management = management_server(app)
        if management is not None:
            await self._stack.enter_async_context(management)
        if self._server is not None:
            await self._stack.enter_async_context(lifespan_of(app))
            return AsgiTransport(app)
        server = await self._stack.enter_async_context(BackgroundServer(app, self._host))
        self._urls[context_path] = server.url + context_path
        return None

    def _core_settings(self, kept: Secrets) -> CoreSettings:
        return embedded_settings(CoreSettings, **self._core_values(kept))

    def _core_values(self, kept: Secrets) -> dict[str, Any]:
        # A developer's webhooks are on this machine; whoever reaches this stack is too.
        local = {"egress_loopback_allowed": is_loopback(self._host)}
        return {**core_values(self._folder, kept), **local, **self._more("core")}

    def _enrollment_settings(self, credentials: Credentials) -> EnrollmentSettings:
        settings = embedded_settings(
            EnrollmentSettings,
            core_url=self._urls.get(CORE, _IN_PROCESS + CORE),
            core_client_token=credentials.client_token,
            core_client_secret=credentials.client_secret,
            **self._more("enrollment"),
        )
        told = "limit_loopback" in settings.model_fields_set
        if is_loopback(self._host) and not told:
            # All phones of a developer share this address, tests that go wrong on purpose among them (D18).
            settings.limit_loopback = False
        return settings

    def _cloud_settings(self, kept: Secrets, credentials: Credentials) -> CloudSettings:
        return embedded_settings(
            CloudSettings,
            core_url=self._urls.get(CORE, _IN_PROCESS + CORE),
            core_username=credentials.client_token,
            core_password=credentials.client_secret,
            admin_username=ADMINISTRATOR,
            admin_password_encoded=kept.admin_password_hash,
            offline_derivation_key=kept.offline_derivation_key,
            **{**cloud_values(self._folder), **self._more("cloud")},
        )

    def _more(self, service: str) -> Mapping[str, Any]:
        return self._settings.get(service, {})


def core_values(folder: Path, kept: Secrets) -> dict[str, Any]:
    """The core's settings that name its database in a folder."""
    return {
        "database_url": f"sqlite+aiosqlite:///{folder / 'core.sqlite3'}",
        "master_encryption_key": kept.master_encryption_key,
    }


def cloud_values(folder: Path) -> dict[str, Any]:
    """The cloud service's settings that name its database in a folder."""
    return {"database_url": f"sqlite+aiosqlite:///{folder / 'cloud.sqlite3'}"}


def _of_ours(folder: Path) -> list[Path]:
    """What this package made in a folder, and the folder itself unless it holds something else too."""
    found = list(folder.iterdir())
    ours = [path for path in found if path.name == _SECRETS or path.name.startswith(_DATABASES)]
    return [folder, *ours] if len(ours) == len(found) else ours


class _ByContextPath:
    """Hands a request to the service whose context path it starts with.

    What is about the server as a whole (``OPTIONS *``), or has too long a target for any service, any of them
    can answer.
    """

    def __init__(self, apps: Mapping[str, FastAPI]) -> None:
        """
        :param apps: by context path; they are put in after the port is taken and before it is served
        """
        self._apps = apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _acknowledge_lifespan(receive, send)
            return
        # Undecoded: a slash inside a name ends no context path.
        path: bytes = scope["raw_path"]
        first = path[:1] + path[1:].split(b"/", 1)[0]
        anybody = first == b"*" or len(path) > MAX_TARGET_BYTES
        app = next(iter(self._apps.values()), None) if anybody else self._apps.get(first.decode("latin-1"))
        if app is not None:
            await app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})


async def _acknowledge_lifespan(receive: Receive, send: Send) -> None:
    """The services start and stop before and after the server, so there is nothing left to do."""
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})


def serve_all(host: str, port: int, folder: Path) -> None:
    """Serve until the process is told to stop."""
    configure_logging("powerauth", "WARNING", json=False)
    try:
        uvloop.run(_serve(host, port, folder))
    except AddressTaken as taken:
        sys.exit(f"{taken}; choose another port: make run PORT=9000, or powerauth run --port 9000")


async def _serve(host: str, port: int, folder: Path) -> None:
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told_to_stop.set)
    services = AllInOne(folder, host=host, port=port)
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
        for url in (stack.cloud_url, stack.enrollment_url, stack.core_url):
            print(f"  {url}/swagger-ui/index.html", flush=True)
        await told_to_stop.wait()
