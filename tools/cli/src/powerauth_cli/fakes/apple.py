"""Apple's side of APNs, as strict as the real one (spec/push-api.md §10.2 to §10.5)."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric import ec

from powerauth_cli.fakes.keys import public_pem
from powerauth_cli.fakes.phones import Phones, Shown
from powerauth_cli.fakes.wire import Received, Reply

MAX_PAYLOAD_BYTES = 4096
TOKEN_LIFE_SECONDS = 3600
TOKEN_PAUSE_SECONDS = 1200
_PATH = re.compile(r"/3/device/(.*)")
_TOKEN = re.compile(r"[0-9a-f]{64,200}", re.IGNORECASE)
_PUSH_TYPES = {
    "alert",
    "background",
    "voip",
    "complication",
    "fileprovider",
    "mdm",
    "location",
    "liveactivity",
}
_SECOND = 1_000_000_000


class Refused(Exception):
    """A request that Apple does not take."""

    def __init__(self, status: int, reason: str, timestamp: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.timestamp = timestamp


@dataclass
class Apple:
    """One of Apple's two services.

    :ivar topics: of the apps that it knows
    :ivar keys: public keys of teams by team and key id
    :ivar refused: how often for which reason
    :ivar tokens: how many provider tokens were shown
    :param clock: nanoseconds since the epoch
    """

    phones: Phones
    topics: set[str]
    keys: dict[tuple[str, str], ec.EllipticCurvePublicKey] = field(default_factory=dict)
    clock: Callable[[], int] = time.time_ns
    refused: Counter[str] = field(default_factory=Counter)
    tokens: int = 0
    _shown: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)
    _known: dict[str, tuple[tuple[str, str], int]] = field(default_factory=dict)

    def __call__(self, received: Received) -> Reply:
        """Take a message, or say why not."""
        named = received.header("apns-id")
        delivery = named or str(uuid4())
        try:
            self._take(received, delivery)
        except Refused as refused:
            self.refused[refused.reason] += 1
            content: dict[str, Any] = {"reason": refused.reason}
            if refused.timestamp is not None:
                content["timestamp"] = refused.timestamp
            known = refused.status != 403
            return Reply(refused.status, {"apns-id": delivery}, json.dumps(content).encode(), known)
        return Reply(200, {"apns-id": delivery})

    def _take(self, received: Received, delivery: str) -> None:
        if received.method != "POST":
            raise Refused(405, "MethodNotAllowed")
        path = _PATH.fullmatch(received.path)
        if path is None:
            raise Refused(404, "BadPath")
        self._check_caller(received)
        _check_headers(received)
        self._check_topic(received)
        token = path[1]
        self._check_device(token)
        self._show(received, token, delivery)

    def _check_caller(self, received: Received) -> None:
        authorization = received.header("authorization")
        if authorization is None:
            if received.topic is None:
                raise Refused(403, "MissingProviderToken")
            return
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Refused(403, "InvalidProviderToken")
        name, issued = self._known.get(token) or self._read(token)
        now = self.clock() / _SECOND
        if issued > now + 60:
            raise Refused(403, "InvalidProviderToken")
        if now - issued > TOKEN_LIFE_SECONDS:
            raise Refused(403, "ExpiredProviderToken")
        last, since = self._shown.get(name, ("", 0.0))
        if token == last:
            return
        if now - since < TOKEN_PAUSE_SECONDS:
            raise Refused(429, "TooManyProviderTokenUpdates")
        self._shown[name] = token, now
        self.tokens += 1

    def _read(self, token: str) -> tuple[tuple[str, str], int]:
        """Team and key of a provider token, and when it was made."""
        from joserfc import jws  # noqa: PLC0415 - heavy, for the first message
        from joserfc.errors import JoseError  # noqa: PLC0415
        from joserfc.jwk import ECKey  # noqa: PLC0415

        try:
            read = jws.extract_compact(token.encode())
            header, claims = read.headers(), json.loads(read.payload)
            name = str(claims["iss"]), str(header["kid"])
            issued = claims["iat"]
            key = ECKey.import_key(public_pem(self.keys[name]))
            jws.deserialize_compact(token, key, algorithms=["ES256"])
        except (JoseError, ValueError, KeyError, TypeError):
            raise Refused(403, "InvalidProviderToken") from None
        if set(claims) != {"iss", "iat"} or not isinstance(issued, int) or header.get("alg") != "ES256":
            raise Refused(403, "InvalidProviderToken")
        self._known[token] = name, issued
        return name, issued

    def _check_topic(self, received: Received) -> None:
        topic = received.header("apns-topic") or received.topic
        if not topic:
            raise Refused(400, "MissingTopic")
        if received.topic is not None and received.topic != topic:
            raise Refused(400, "TopicDisallowed")
        if topic not in self.topics:
            raise Refused(400, "TopicDisallowed")

    def _check_device(self, token: str) -> None:
        if not token:
            raise Refused(400, "MissingDeviceToken")
        if not _TOKEN.fullmatch(token) or token in self.phones.unknown:
            raise Refused(400, "BadDeviceToken")
        if token in self.phones.foreign:
            raise Refused(400, "DeviceTokenNotForTopic")
        if token in self.phones.gone:
            raise Refused(410, "Unregistered", self.phones.gone[token])

    def _show(self, received: Received, token: str, delivery: str) -> None:
        content = _payload(received.body)
        if any(value is None for value in content.values()):
            return  # as Apple does: taken, and never shown
        aps, extras = content["aps"], {name: value for name, value in content.items() if name != "aps"}
        alert = aps.get("alert") or {}
        shown = Shown(
            "APNs",
            token,
            title=alert.get("title") or _localised(alert, "title-loc-key", "title-loc-args"),
            body=alert.get("body") or _localised(alert, "loc-key", "loc-args"),
            badge=aps.get("badge"),
            sound=aps.get("sound"),
            silent=received.header("apns-push-type") == "background",
            delivery=delivery,
            extras=extras,
        )
        self.phones.show(shown)


def _check_headers(received: Received) -> None:
    names = [name for name, _ in received.headers]
    if len(set(names)) != len(names):
        raise Refused(400, "DuplicateHeaders")
    kind = received.header("apns-push-type")
    if kind not in _PUSH_TYPES:
        raise Refused(400, "InvalidPushType")
    priority = received.header("apns-priority")
    if priority not in (None, "1", "5", "10") or (kind == "background" and priority == "10"):
        raise Refused(400, "BadPriority")
    expiration = received.header("apns-expiration")
    if expiration is not None and not expiration.isdecimal():
        raise Refused(400, "BadExpirationDate")
    if len((received.header("apns-collapse-id") or "").encode()) > 64:
        raise Refused(400, "BadCollapseId")
    named = received.header("apns-id")
    if named is not None and not _is_uuid(named):
        raise Refused(400, "BadMessageId")


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _payload(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_PAYLOAD_BYTES:
        raise Refused(413, "PayloadTooLarge")
    try:
        content = json.loads(body)
    except ValueError:
        raise Refused(400, "PayloadEmpty") from None
    if not isinstance(content, dict) or not isinstance(content.get("aps"), dict) or not content["aps"]:
        raise Refused(400, "PayloadEmpty")
    return content


def _localised(alert: dict[str, Any], key: str, arguments: str) -> str | None:
    if key not in alert:
        return None
    return f"{alert[key]}({', '.join(map(str, alert.get(arguments, ())))})"
