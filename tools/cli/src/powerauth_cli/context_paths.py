"""Several applications behind one port."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send

from servicekit.targets import MAX_TARGET_BYTES


class ByContextPath:
    """Hands a request to the service whose context path it starts with.

    What is about the server as a whole (``OPTIONS *``), or has too long a target for any service, any of them
    can answer.
    """

    def __init__(self, apps: Mapping[str, ASGIApp]) -> None:
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
