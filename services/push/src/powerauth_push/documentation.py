"""The API document: what the framework cannot know, which is how callers prove who they are (D23)."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from powerauth_push.callers.rules import is_guarded

_SCHEME = "caller"


def document_callers(app: FastAPI) -> None:
    """Let the application's document show which calls need credentials."""
    generate = app.openapi

    def document() -> dict[str, Any]:
        schema = generate()
        schema["components"]["securitySchemes"] = {_SCHEME: {"type": "http", "scheme": "basic"}}
        for path, operations in schema["paths"].items():
            if is_guarded(path):
                for operation in operations.values():
                    operation["security"] = [{_SCHEME: []}]
        return schema

    app.openapi = document  # type: ignore[method-assign]
