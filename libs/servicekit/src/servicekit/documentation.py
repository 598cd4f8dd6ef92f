"""The page that shows and calls an API, made of our own OpenAPI document and nothing from elsewhere.

The services run where browsers reach no content network, and beside interfaces that a foreign script must
not see.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib import resources

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse

PATHS = ("/swagger-ui", "/swagger-ui/index.html")


def add_documentation(app: FastAPI, document_path: str) -> None:
    """Serve the page at :data:`PATHS`.

    :param document_path: of the OpenAPI document, below the context path
    """
    page = resources.files("servicekit").joinpath("api_docs.html").read_text(encoding="utf-8")
    headers = {"Content-Security-Policy": _policy(page)}

    async def documentation(request: Request) -> HTMLResponse:
        root: str = request.scope.get("root_path", "")
        address = html.escape(root + document_path, quote=True)
        return HTMLResponse(page.replace("<html ", f'<html data-api="{address}" ', 1), headers=headers)

    for path in PATHS:
        app.add_route(path, documentation, include_in_schema=False)


def _policy(page: str) -> str:
    """Only the page's own script and style may run, and only this host be called."""
    hashes = {
        tag: base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        for tag, content in re.findall(r"<(script|style)>(.*?)</\1>", page, re.DOTALL)
    }
    return (
        f"default-src 'none'; script-src 'sha256-{hashes['script']}'; style-src 'sha256-{hashes['style']}'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
