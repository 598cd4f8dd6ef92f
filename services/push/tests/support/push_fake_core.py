"""A small core: activations, applications and the keys of its statements."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.types import Receive, Scope, Send

from servicekit.callers import basic_header

ROOT = "/powerauth-java-server"
USER, SECRET = "push", "core-secret-of-push"
_AUTHORIZATION = basic_header(USER, SECRET)


def new_key() -> ECKey:
    """A key that signs statements."""
    return ECKey.generate_key("P-256", {"kid": str(uuid.uuid4()), "alg": "ES256", "use": "sig"})


@dataclass
class FakeCore:
    """What the core knows, and how often it was asked."""

    activations: dict[str, dict[str, Any]] = field(default_factory=dict)
    applications: list[str] = field(default_factory=list)
    down: bool = False
    asked: list[str] = field(default_factory=list)
    key: ECKey = field(default_factory=new_key)

    def activation(
        self, activation_id: str, user: str = "user-1", app: str = "app-1", status: str = "ACTIVE"
    ) -> str:
        """An activation; its id."""
        self.activations[activation_id] = {"userId": user, "applicationId": app, "activationStatus": status}
        return activation_id

    def statement(
        self, activation_id: str, action: str, key: ECKey | None = None, **claims: Any
    ) -> dict[str, str]:
        """The header with a statement about an activation."""
        now, about = int(time.time()), self.activations[activation_id]
        content = {
            "iss": "/powerauth-core",
            "sub": activation_id,
            "aud": action,
            "jti": str(uuid.uuid4()),
            "iat": now,
            "exp": now + 60,
            "activationId": activation_id,
            "userId": about["userId"],
            "applicationId": about["applicationId"],
        } | claims
        signing = key or self.key
        header = {"alg": "ES256", "typ": "JWT", "kid": signing.kid}
        return {"X-PowerAuth-Statement": jwt.encode(header, content, signing, algorithms=["ES256"])}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        assert headers["authorization"] == _AUTHORIZATION
        path = scope["path"].removeprefix(f"{ROOT}/rest/v3/")
        self.asked.append(path)
        request = json.loads(message["body"])["requestObject"]
        status, content = (503, {}) if self.down else (200, self._answer(path, request))
        body = json.dumps({"status": "OK", "responseObject": content}).encode()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, path: str, request: dict[str, Any]) -> dict[str, Any]:
        match path:
            case "statement/keys":
                return {"keys": [self.key.as_dict(private=False)]}
            case "application/list":
                return {
                    "applications": [
                        {"applicationId": app, "applicationRoles": []} for app in self.applications
                    ]
                }
        assert path == "activation/status", path
        unknown = {"userId": "UNKNOWN", "activationStatus": "REMOVED"}
        return (
            _STATUS
            | {"activationId": request["activationId"]}
            | self.activations.get(request["activationId"], unknown)
        )


_STATUS = {
    "activationOtpValidation": "NONE",
    "commitPhase": "ON_COMMIT",
    "failedAttempts": 0,
    "maxFailedAttempts": 5,
    "timestampCreated": 0,
    "timestampLastUsed": 0,
    "encryptedStatusBlob": "",
    "version": 3,
}
