"""The API document: what FastAPI cannot know about this API (spec/cloud-api.md §1.5, §17)."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

_ERROR = {
    "type": "object",
    "required": ["status", "responseObject"],
    "properties": {
        "status": {"type": "string", "const": "ERROR"},
        "responseObject": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "violations": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["fieldName", "hint"],
                        "properties": {
                            "fieldName": {"type": "string"},
                            "invalidValue": {},
                            "hint": {"type": "string"},
                        },
                    },
                },
            },
        },
    },
}
_SECURITY = {
    "BASIC_HTTP": {"type": "http", "scheme": "basic"},
    "OAUTH2": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}
_ANSWERS = {
    "400": "The request is refused; the code tells why",
    "401": "No or bad credentials",
    "403": "The role or the application is missing",
    "429": "Too many wrong passwords; `Retry-After` says when to come again",
}
_UNUSED_SCHEMAS = ("HTTPValidationError", "ValidationError")


def install(app: FastAPI, auth_type: str) -> None:
    """Let the application's document show our errors and how to log in."""
    generate = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(generate(), auth_type)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _completed(schema: dict[str, Any], auth_type: str) -> dict[str, Any]:
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in _UNUSED_SCHEMAS:
        schemas.pop(name, None)
    schemas["Error"] = _ERROR
    components["securitySchemes"] = {"login": _SECURITY[auth_type]}
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            operation["responses"].pop("422", None)
            if not path.startswith("/actuator/"):
                _complete(operation)
    return schema


def _complete(operation: dict[str, Any]) -> None:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    operation["security"] = [{"login": []}]
    for status, description in _ANSWERS.items():
        operation["responses"][status] = {"description": description, "content": content}
