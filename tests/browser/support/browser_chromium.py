"""A real browser without a screen, driven by its DevTools protocol, with virtual authenticators.

The browser is spoken to through a pipe of its own (``--remote-debugging-pipe``): no port, and it ends with
who started it. Messages are JSON, each followed by a zero byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any, Final

from powerauth_cli.localservers.programs import find_or_install
from servicekit.testing import PATIENCE_SECONDS

OPTIONS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)
MODEL: Final = "01020304-0506-0708-0102-030405060708"
"""AAGUID of every virtual authenticator."""
_LONGEST_MESSAGE = 2**24


class DevToolsError(RuntimeError):
    """The browser did not do what it was told, or a script in a page failed."""


class Chromium:
    """A running browser. Pages in different contexts share nothing."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.WriteTransport) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._events: dict[tuple[str, str], asyncio.Future[dict[str, Any]]] = {}

    async def send(self, method: str, session: str | None = None, **parameters: object) -> dict[str, Any]:
        """Call a method of the protocol.

        :raises DevToolsError: the browser refuses
        """
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        async with asyncio.timeout(PATIENCE_SECONDS):
            found = await answer
        if "error" in found:
            raise DevToolsError(f"{method}: {found['error']['message']}")
        result: dict[str, Any] = found["result"]
        return result

    def event(self, session: str, name: str) -> asyncio.Future[dict[str, Any]]:
        """The next event of that name in a page."""
        self._events[session, name] = awaited = asyncio.get_running_loop().create_future()
        return awaited

    async def listen(self) -> None:
        """Hand on what the browser says, until it is gone."""
        while True:
            try:
                message = json.loads((await self._reader.readuntil(b"\0"))[:-1])
            except asyncio.IncompleteReadError:
                return self._give_up()
            key = (message.get("sessionId", ""), message.get("method", ""))
            answered = self._waiting.pop(message["id"], None) if "id" in message else None
            awaited = answered or self._events.pop(key, None)
            if awaited is not None and not awaited.done():
                awaited.set_result(message.get("params", message))

    def _give_up(self) -> None:
        for awaited in (*self._waiting.values(), *self._events.values()):
            if not awaited.done():
                awaited.set_exception(DevToolsError("the browser is gone"))

    @contextlib.asynccontextmanager
    async def page(self) -> AsyncGenerator[Page]:
        """An empty page with cookies, storage and authenticators of its own."""
        context = (await self.send("Target.createBrowserContext"))["browserContextId"]
        target = await self.send("Target.createTarget", url="about:blank", browserContextId=context)
        attached = await self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page = Page(self, attached["sessionId"])
        await page.call("Page.enable")
        await page.call("WebAuthn.enable", enableUI=False)
        yield page
        await self.send("Target.disposeBrowserContext", browserContextId=context)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the browser."""

    browser: Chromium
    session: str

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method of the protocol about this page."""
        return await self.browser.send(method, self.session, **parameters)

    async def open(self, address: str) -> None:
        """Go there, and wait until everything of it is loaded."""
        loaded = self.browser.event(self.session, "Page.loadEventFired")
        await self.call("Page.navigate", url=address)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await loaded

    async def run(self, script: str, *values: object) -> Any:
        """Run the body of an asynchronous function as if the user had clicked; its value.

        :param values: what it knows as ``values``
        :raises DevToolsError: it failed
        """
        expression = f"(async (values) => {{ {script} }})({json.dumps(values)})"
        done = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in done:
            raise DevToolsError(done["exceptionDetails"]["exception"].get("description", "a script failed"))
        return done["result"].get("value")

    async def authenticator(self, **options: object) -> str:
        """Attach an authenticator that its user is always at; its id.

        :param options: of the protocol's ``VirtualAuthenticatorOptions``
        """
        usual = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        added = await self.call("WebAuthn.addVirtualAuthenticator", options=usual | options)
        name: str = added["authenticatorId"]
        return name


@contextlib.asynccontextmanager
async def running_chromium() -> AsyncGenerator[Chromium]:
    """Start the browser, which is installed first where that is possible.

    :raises ProgramMissing: it is not there; the text says how to install it
    """
    program = find_or_install("chromium", ("/usr/bin",), apt_package="chromium", brew_package="chromium")
    with TemporaryDirectory(prefix="powerauth-chromium-", ignore_cleanup_errors=True) as folder:
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        # The browser reads from 3 and writes to 4, whatever numbers the pipes have here.
        command = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
        started = (program, *OPTIONS, f"--user-data-dir={folder}/profile")
        process = await asyncio.create_subprocess_exec(
            *("/bin/bash", "-c", command, "bash", *map(str, started)),
            pass_fds=(theirs_in, theirs_out),
            stdout=DEVNULL,
            stderr=DEVNULL,
            env=os.environ | {"HOME": folder},
        )
        os.close(theirs_in)
        os.close(theirs_out)
        async with _spoken_to(ours_in, ours_out) as browser:
            yield browser
        await process.wait()


@contextlib.asynccontextmanager
async def _spoken_to(from_browser: int, to_browser: int) -> AsyncGenerator[Chromium]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_LONGEST_MESSAGE)
    heard, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(from_browser, "rb")
    )
    writer, _ = await loop.connect_write_pipe(asyncio.Protocol, os.fdopen(to_browser, "wb"))
    browser = Chromium(reader, writer)
    listening = asyncio.create_task(browser.listen())
    try:
        yield browser
        await browser.send("Browser.close")
    finally:
        listening.cancel()
        writer.close()
        heard.close()
