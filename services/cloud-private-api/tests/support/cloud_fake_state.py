"""What the fake core knows, and how tests put things into it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

Members = dict[str, Any]
GOOD_CODE = base64.b64encode(b"g" * 32).decode()
BAD_CODE = base64.b64encode(b"b" * 32).decode()
GOOD_OFFLINE_CODE = "12345678-90123456"
MAX_ATTEMPTS = 5


class Refused(Exception):
    """An error of the core."""

    def __init__(self, code: str, *, status: int = 400, **extra: Any) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.extra = extra


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def iso(ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03d}+00:00"


@dataclass
class CoreState:
    """Applications, activations, operations and the rest, as the wire shows them."""

    applications: dict[str, Members] = field(default_factory=dict)
    activations: dict[str, Members] = field(default_factory=dict)
    operations: dict[str, Members] = field(default_factory=dict)
    templates: dict[int, Members] = field(default_factory=dict)
    texts: dict[tuple[str, str], Members] = field(default_factory=dict)
    tokens: dict[str, Members] = field(default_factory=dict)
    history: list[Members] = field(default_factory=list)
    signature_audit: list[Members] = field(default_factory=list)
    audit_log: list[Members] = field(default_factory=list)
    _clock: int = field(default_factory=now_ms)

    @contextmanager
    def no_change(self) -> Iterator[None]:
        """Whatever happens inside must leave the state as it is."""
        before = self._state()
        yield
        assert self._state() == before

    def _state(self) -> str:
        state = (self.applications, self.activations, self.operations, self.templates, self.tokens)
        texts = [list(item) for item in self.texts.items()]
        return json.dumps([state, texts, self.history], sort_keys=True)

    def moment(self) -> int:
        """A new millisecond at every call, so that an order by time is a strict one."""
        self._clock += 1
        return self._clock

    # Making things.

    def application(self, app_id: str, roles: list[str] | None = None) -> Members:
        """An application with the version ``default``."""
        made: Members = {
            "applicationId": app_id,
            "masterPublicKey": b64(b"\x04" + bytes(64)),
            "applicationRoles": roles or [],
            "versions": [self.version("default")],
            "config": {},
            "callbacks": {},
        }
        self.applications[app_id] = made
        return made

    def version(self, name: str) -> Members:
        """A version with a new key."""
        return {
            "applicationVersionId": name,
            "applicationKey": b64(uuid4().bytes),
            "applicationSecret": b64(uuid4().bytes),
            "mobileSdkConfig": "AQ==",
            "supported": True,
        }

    def key_of(self, app_id: str) -> str:
        """The application key of the version ``default``."""
        key: str = self.applications[app_id]["versions"][0]["applicationKey"]
        return key

    def activation(self, app_id: str, user_id: str = "user-1", status: str = "ACTIVE", **more: Any) -> str:
        """An activation in some state; its id."""
        activation_id = str(uuid4())
        created = self.moment()
        self.activations[activation_id] = {
            "activationId": activation_id,
            "applicationId": app_id,
            "userId": user_id,
            "activationStatus": status,
            "blockedReason": None,
            "activationName": None if status == "CREATED" else "My phone",
            "platform": None if status == "CREATED" else "ios",
            "deviceInfo": None if status == "CREATED" else "iPhone14,2",
            "protocol": "powerauth",
            "externalId": None,
            "extras": None,
            "activationFlags": [],
            "timestampCreated": iso(created),
            "timestampLastUsed": iso(created),
            "timestampLastChange": iso(created),
            "failedAttempts": 0,
            "maxFailedAttempts": MAX_ATTEMPTS,
            "version": 0 if status == "CREATED" else 3,
            "commitPhase": "ON_COMMIT",
            "activationOtpValidation": "NONE",
            "devicePublicKeyBase64": None,
            "encryptedStatusBlob": "",
            "additionalData": None,
            "otp": None,
            "activationCode": "AAAAA-BBBBB-CCCCC-DDDDD",
            "devicePublicKeyFingerprint": None if status == "CREATED" else "12345678",
            **more,
        }
        return activation_id

    def exchange_keys(self, activation_id: str) -> None:
        """What the device does: CREATED becomes PENDING_COMMIT, or ACTIVE."""
        found = self.activations[activation_id]
        assert found["activationStatus"] == "CREATED"
        at_once = found["commitPhase"] == "ON_KEY_EXCHANGE"
        found |= {
            "activationStatus": "ACTIVE" if at_once else "PENDING_COMMIT",
            "activationName": "My phone",
            "platform": "ios",
            "deviceInfo": "iPhone14,2",
            "devicePublicKeyFingerprint": "12345678",
            "version": 3,
        }

    def template(self, name: str = "login", **more: Any) -> Members:
        """An operation template."""
        number = len(self.templates) + 1
        self.templates[number] = {
            "id": number,
            "templateName": name,
            "operationType": name,
            "dataTemplate": "A2",
            "signatureType": ["POSSESSION_KNOWLEDGE", "POSSESSION_BIOMETRY"],
            "maxFailureCount": 5,
            "expiration": 300,
            "riskFlags": None,
            "proximityCheckEnabled": False,
            **more,
        }
        return self.templates[number]

    def operation(self, *applications: str, user_id: str | None = "user-1", **more: Any) -> str:
        """A pending operation; its id."""
        operation_id = str(uuid4())
        created = self.moment()
        self.operations[operation_id] = {
            "id": operation_id,
            "userId": user_id,
            "applications": list(applications),
            "externalId": None,
            "activationFlag": None,
            "operationType": "login",
            "templateName": "login",
            "data": "A2",
            "parameters": {},
            "additionalData": {},
            "status": "PENDING",
            "statusReason": None,
            "signatureType": ["POSSESSION_KNOWLEDGE", "POSSESSION_BIOMETRY"],
            "failureCount": 0,
            "maxFailureCount": 5,
            "timestampCreated": iso(created),
            "timestampExpires": iso(created + 300_000),
            "timestampFinalized": None,
            "riskFlags": None,
            "proximityOtp": None,
            "activationId": None,
            **more,
        }
        return operation_id

    def find(self, request: Members, code: str = "ERR0009") -> Members:
        found = self.activations.get(request["activationId"])
        scope = request.get("applicationIds")
        if found is None or (scope is not None and found["applicationId"] not in scope):
            raise Refused(code)
        return found

    def find_operation(self, request: Members, code: str = "ERR0034") -> Members:
        found = self.operations.get(request["operationId"])
        scope = request.get("applicationIds")
        if found is None or (scope is not None and set(scope).isdisjoint(found["applications"])):
            raise Refused(code)
        return found

    def find_application(self, request: Members) -> Members:
        found = self.applications.get(request["applicationId"])
        if found is None:
            raise Refused("ERR0015")
        return found
