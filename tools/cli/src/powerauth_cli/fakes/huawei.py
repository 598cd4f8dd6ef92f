"""Huawei's side of Push Kit: its token endpoint and its message service (spec/push-api.md §12)."""

from __future__ import annotations

import json
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from powerauth_cli.fakes.phones import Phones, Shown
from powerauth_cli.fakes.wire import Received, Reply

TOKEN_PATH = "/oauth2/v3/token"  # noqa: S105 - an address
MAX_PAYLOAD_BYTES = 4096
_PATH = re.compile(r"/v2/([^/]+)/messages:send")
_TTL = re.compile(r"([0-9]{1,7})s")
_MESSAGE = {"token", "data", "android"}
_ANDROID = {"collapse_key", "ttl", "notification"}
_NOTIFICATION = {
    *("title", "title_loc_key", "title_loc_args", "body", "body_loc_key", "body_loc_args"),
    *("icon", "sound", "tag", "importance", "click_action", "badge"),
}


@dataclass
class Huawei:
    """Token endpoint and message service.

    :ivar clients: secrets by client id
    :ivar issued: access tokens and until when they are good, seconds since the epoch
    :ivar fetched: how many there have been
    """

    phones: Phones
    projects: set[str]
    clients: dict[str, str]
    life_seconds: int = 3600
    issued: dict[str, float] = field(default_factory=dict)
    fetched: int = 0

    def __call__(self, received: Received) -> Reply:
        """Both, by path."""
        return self._token(received) if received.path == TOKEN_PATH else self._send(received)

    def _token(self, received: Received) -> Reply:
        form = {name: values[0] for name, values in parse_qs(received.body.decode()).items()}
        secret = self.clients.get(form.get("client_id", ""))
        if form.get("grant_type") != "client_credentials" or secret != form.get("client_secret"):
            return Reply.json(401, {"error": "invalid_client", "sub_error": 12303})
        self.fetched += 1
        token = secrets.token_urlsafe(60)
        self.issued[token] = time.time() + self.life_seconds
        return Reply.json(
            200, {"access_token": token, "expires_in": self.life_seconds, "token_type": "Bearer"}
        )

    def _send(self, received: Received) -> Reply:
        scheme, _, token = (received.header("authorization") or "").partition(" ")
        if scheme != "Bearer" or self.issued.get(token, 0.0) < time.time():
            return _answer(401, "80200003")
        path = _PATH.fullmatch(received.path)
        if path is None or path[1] not in self.projects:
            return _answer(200, "80300002")
        if len(received.body) > MAX_PAYLOAD_BYTES:
            return _answer(200, "80300008")
        try:
            message = json.loads(received.body)["message"]
        except (ValueError, KeyError, TypeError):
            return _answer(400, "80100001")
        return self._take(message)

    def _take(self, message: dict[str, Any]) -> Reply:
        if not _is_sound(message):
            return _answer(400, "80100003")
        (token,) = message["token"]
        if token in self.phones.gone or token in self.phones.unknown or token in self.phones.foreign:
            return _answer(200, "80300007")
        self.phones.show(_shown(token, message))
        return _answer(200, "80000000")


def _is_sound(message: dict[str, Any]) -> bool:
    android = message.get("android", {})
    notification = android.get("notification")
    ttl = android.get("ttl")
    if set(message) - _MESSAGE or set(android) - _ANDROID or len(message.get("token", ())) != 1:
        return False
    if ttl is not None and (not (found := _TTL.fullmatch(ttl)) or int(found[1]) > 1_296_000):
        return False
    if not isinstance(android.get("collapse_key", -1), int) or not isinstance(message.get("data", ""), str):
        return False
    if notification is None:
        return "data" in message
    has_text = {"body", "body_loc_key"} & set(notification) and {"title", "title_loc_key"} & set(notification)
    return bool(has_text) and not set(notification) - _NOTIFICATION and notification["importance"] == "NORMAL"


def _shown(token: str, message: dict[str, Any]) -> Shown:
    notification = message["android"].get("notification")
    texts = notification or {}
    extras = json.loads(message.get("data", "{}"))
    return Shown(
        "HMS",
        token,
        title=texts.get("title") or texts.get("title_loc_key"),
        body=texts.get("body") or texts.get("body_loc_key"),
        badge=texts.get("badge", {}).get("set_num"),
        sound=texts.get("sound"),
        silent=notification is None,
        delivery=extras.get("delivery"),
        extras=extras,
    )


def _answer(status: int, code: str) -> Reply:
    return Reply.json(status, {"code": code, "msg": "", "requestId": secrets.token_hex(16)})
