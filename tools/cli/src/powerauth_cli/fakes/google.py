"""Google's side of FCM: its token endpoint, and HTTP v1 as strict as the real one (spec/push-api.md §11)."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric import rsa

from powerauth_cli.fakes.keys import public_pem
from powerauth_cli.fakes.phones import Phones, Shown
from powerauth_cli.fakes.wire import Received, Reply

MAX_PAYLOAD_BYTES = 4096
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_TYPE = "type.googleapis.com/"
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_PATH = re.compile(r"/v1/projects/([^/]+)/messages:send")
_TTL = re.compile(r"([0-9]{1,7})(?:\.[0-9]{1,9})?s")
_RESERVED = re.compile(r"from|message_type|(?:google|gcm).*", re.IGNORECASE)

Check = Callable[[object], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_data(value: object) -> bool:
    return isinstance(value, dict) and all(
        _is_text(text) and not _RESERVED.fullmatch(name) for name, text in value.items()
    )


def _is_ttl(value: object) -> bool:
    found = _TTL.fullmatch(value) if isinstance(value, str) else None
    return found is not None and int(found[1]) <= 2_419_200


def _one_of(*values: str) -> Check:
    return lambda value: value in values


def _shape(members: Mapping[str, Check]) -> Check:
    return lambda value: (
        isinstance(value, dict) and all(name in members and members[name](one) for name, one in value.items())
    )


_NOTIFICATION = _shape(
    {
        **dict.fromkeys(("title", "title_loc_key", "body", "body_loc_key", "icon", "sound", "tag"), _is_text),
        "title_loc_args": _are_texts,
        "body_loc_args": _are_texts,
        "notification_priority": _one_of("PRIORITY_DEFAULT", "PRIORITY_HIGH"),
        "notification_count": lambda value: isinstance(value, int) and value >= 0,
    }
)
_MESSAGE: Mapping[str, Check] = {
    "token": _is_text,
    "data": _is_data,
    "android": _shape(
        {
            "collapse_key": _is_text,
            "priority": _one_of("HIGH", "NORMAL"),
            "ttl": _is_ttl,
            "notification": _NOTIFICATION,
        }
    ),
    "apns": _shape(
        {
            "headers": lambda value: isinstance(value, dict) and all(map(_is_text, value.values())),
            "payload": lambda value: isinstance(value, dict) and isinstance(value.get("aps"), dict),
        }
    ),
}


@dataclass
class Google:
    """Token endpoint and message service.

    :ivar accounts: public keys of service accounts
    :ivar token_url: the audience that assertions have to name
    :ivar issued: access tokens and until when they are good, seconds since the epoch
    :ivar fetched: how many there have been
    """

    phones: Phones
    projects: set[str]
    accounts: dict[str, rsa.RSAPublicKey]
    token_url: str = ""
    life_seconds: int = 3600
    issued: dict[str, float] = field(default_factory=dict)
    fetched: int = 0

    def token(self, received: Received) -> Reply:
        """The token endpoint."""
        form = {name: values[0] for name, values in parse_qs(received.body.decode()).items()}
        if form.get("grant_type") != _GRANT:
            return Reply.json(400, {"error": "unsupported_grant_type"})
        if not self._is_account(form.get("assertion", "")):
            return Reply.json(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."})
        self.fetched += 1
        token = f"ya29.{secrets.token_urlsafe(90)}"
        self.issued[token] = time.time() + self.life_seconds
        return Reply.json(
            200, {"access_token": token, "expires_in": self.life_seconds, "token_type": "Bearer"}
        )

    def send(self, received: Received) -> Reply:
        """The message service."""
        scheme, _, token = (received.header("authorization") or "").partition(" ")
        if scheme != "Bearer" or self.issued.get(token, 0.0) < time.time():
            return Reply.json(401, {"error": {"code": 401, "status": "UNAUTHENTICATED"}})
        path = _PATH.fullmatch(received.path)
        if path is None or received.method != "POST":
            return Reply(404, {"content-type": "text/html"}, b"<html>404</html>")
        if path[1] not in self.projects:
            return Reply.json(403, {"error": {"code": 403, "status": "PERMISSION_DENIED"}})
        try:
            body = json.loads(received.body)
            message, only_asks = body["message"], body.get("validate_only", False) is True
        except (ValueError, KeyError, TypeError):
            return _invalid("message")
        return self._take(path[1], message, only_asks=only_asks)

    def _take(self, project: str, message: dict[str, Any], *, only_asks: bool) -> Reply:
        for name, value in message.items():
            if name not in _MESSAGE or not _MESSAGE[name](value):
                return _invalid(f"message.{name}")
        token = message.get("token", "")
        if not token or token in self.phones.unknown:
            return _invalid("message.token")
        if token in self.phones.foreign:
            return _fcm_error(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH")
        if token in self.phones.gone:
            return _fcm_error(404, "NOT_FOUND", "UNREGISTERED")
        if len(json.dumps(message.get("data", {}))) > MAX_PAYLOAD_BYTES:
            return _invalid("message")
        name = f"projects/{project}/messages/0:{secrets.token_hex(8)}"
        if not only_asks:
            self.phones.show(_shown(token, message, name))
        return Reply.json(200, {"name": name})

    def _is_account(self, assertion: str) -> bool:
        from joserfc import jws, jwt  # noqa: PLC0415 - heavy, for the first message
        from joserfc.errors import JoseError  # noqa: PLC0415
        from joserfc.jwk import RSAKey  # noqa: PLC0415

        try:
            issuer = json.loads(jws.extract_compact(assertion.encode()).payload).get("iss")
            key = RSAKey.import_key(public_pem(self.accounts[issuer]))
            claims = jwt.decode(assertion, key, algorithms=["RS256"]).claims
        except (JoseError, ValueError, KeyError, TypeError, AttributeError):
            return False
        now = time.time()
        life = claims.get("exp", 0) - claims.get("iat", 0)
        return (
            claims.get("aud") == self.token_url
            and claims.get("scope") == SCOPE
            and 0 < life <= 3600
            and claims["iat"] <= now + 60 <= claims["exp"] + 60
        )


def _shown(token: str, message: dict[str, Any], name: str) -> Shown:
    data = dict(message.get("data", {}))
    android = message.get("android", {}).get("notification")
    notification = android or json.loads(data.pop("_notification", "null"))
    texts = notification or {}
    return Shown(
        "FCM",
        token,
        title=texts.get("title") or texts.get("title_loc_key"),
        body=texts.get("body") or texts.get("body_loc_key"),
        badge=texts.get("notification_count"),
        sound=texts.get("sound"),
        silent=notification is None,
        delivery=data.get("delivery") or name,
        extras=data,
    )


def _invalid(where: str) -> Reply:
    details = [
        {"@type": f"{_TYPE}google.firebase.fcm.v1.FcmError", "errorCode": "INVALID_ARGUMENT"},
        {"@type": f"{_TYPE}google.rpc.BadRequest", "fieldViolations": [{"field": where}]},
    ]
    return Reply.json(400, {"error": {"code": 400, "status": "INVALID_ARGUMENT", "details": details}})


def _fcm_error(status: int, name: str, code: str) -> Reply:
    details = [{"@type": f"{_TYPE}google.firebase.fcm.v1.FcmError", "errorCode": code}]
    return Reply.json(status, {"error": {"code": status, "status": name, "details": details}})
