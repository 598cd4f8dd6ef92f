"""A small core for tests: keeps simple state, honours ``applicationIds`` (README D21), records every call.

Any path can be scripted instead: ``core.refuse("activation/commit", "ERR0031")``.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from starlette.types import Receive, Scope, Send

Members = dict[str, Any]
ROOT = "/powerauth-java-server"
USER, SECRET = "cloud", "core-secret"
GOOD_CODE = base64.b64encode(b"g" * 32).decode()
BAD_CODE = base64.b64encode(b"b" * 32).decode()
GOOD_OFFLINE_CODE = "12345678-90123456"
MAX_ATTEMPTS = 5
DAY_MS = 86_400_000


class Refused(Exception):
    """An error of the core."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Call:
    """One recorded call."""

    path: str
    request: Members
    headers: dict[str, str]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def iso(ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03d}+00:00"


@dataclass
class FakeCore:
    """See the module."""

    calls: list[Call] = field(default_factory=list)
    applications: dict[str, Members] = field(default_factory=dict)
    activations: dict[str, Members] = field(default_factory=dict)
    operations: dict[str, Members] = field(default_factory=dict)
    templates: dict[int, Members] = field(default_factory=dict)
    texts: dict[tuple[str, str], Members] = field(default_factory=dict)
    tokens: dict[str, Members] = field(default_factory=dict)
    history: list[Members] = field(default_factory=list)
    signature_audit: list[Members] = field(default_factory=list)
    audit_log: list[Members] = field(default_factory=list)
    down: bool = False
    _scripts: dict[str, Callable[[Members], Any]] = field(default_factory=dict)
    _raw: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    _clock: int = field(default_factory=now_ms)

    # Scripting and looking back.

    def refuse(self, path: str, code: str) -> None:
        """Answer every call of a path with an error code."""

        def script(_request: Members) -> Any:
            raise Refused(code)

        self._scripts[path] = script

    def script(self, path: str, answer: Any) -> None:
        """Answer every call of a path with this response object, or what a function of the request gives."""
        self._scripts[path] = answer if callable(answer) else lambda _request: answer

    def raw(self, path: str, status: int, body: bytes) -> None:
        """Answer every call of a path with these bytes."""
        self._raw[path] = (status, body)

    def paths(self) -> list[str]:
        """The paths that were called, in order."""
        return [call.path for call in self.calls]

    def last(self, path: str) -> Members:
        """The request of the last call of a path."""
        return next(call.request for call in reversed(self.calls) if call.path == path)

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
            "versions": [self._version("default")],
            "config": {},
            "callbacks": {},
        }
        self.applications[app_id] = made
        return made

    def _version(self, name: str) -> Members:
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

    # Serving.

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        path = scope["path"].removeprefix(f"{ROOT}/rest/v3/")
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        request = json.loads(message["body"])["requestObject"]
        self.calls.append(Call(path, request, headers))
        status, body = self._answer(path, request, headers)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, path: str, request: Members, headers: dict[str, str]) -> tuple[int, bytes]:
        if self.down:
            return 503, b"{}"
        if headers.get("authorization") != "Basic " + b64(f"{USER}:{SECRET}".encode()):
            return 401, _error("ERR_AUTHENTICATION")
        if path in self._raw:
            return self._raw[path]
        handle = self._scripts.get(path) or getattr(self, "_" + path.replace("/", "_").replace("-", "_"))
        assert request.get("applicationIds") != [], "an empty scope must never be sent"
        try:
            return 200, json.dumps({"status": "OK", "responseObject": handle(request)}).encode()
        except Refused as refusal:
            return 400, _error(refusal.code)

    def _find(self, request: Members, code: str = "ERR0009") -> Members:
        found = self.activations.get(request["activationId"])
        scope = request.get("applicationIds")
        if found is None or (scope is not None and found["applicationId"] not in scope):
            raise Refused(code)
        return found

    def _find_operation(self, request: Members, code: str = "ERR0034") -> Members:
        found = self.operations.get(request["operationId"])
        scope = request.get("applicationIds")
        if found is None or (scope is not None and set(scope).isdisjoint(found["applications"])):
            raise Refused(code)
        return found

    def _find_application(self, request: Members) -> Members:
        found = self.applications.get(request["applicationId"])
        if found is None:
            raise Refused("ERR0015")
        return found

    def _status(self, _request: Members) -> Members:
        return {"status": "OK"}

    # Activations.

    def _activation_init(self, request: Members) -> Members:
        self._find_application(request)
        activation_id = self.activation(
            request["applicationId"],
            request["userId"],
            "CREATED",
            commitPhase=request.get("commitPhase", "ON_COMMIT"),
            otp=request.get("activationOtp"),
            activationFlags=request.get("flags", []),
        )
        return {
            "activationId": activation_id,
            "activationCode": "AAAAA-BBBBB-CCCCC-DDDDD",
            "activationSignature": b64(b"init" + uuid4().bytes),
            "userId": request["userId"],
            "applicationId": request["applicationId"],
        }

    def _activation_status(self, request: Members) -> Members:
        try:
            found = self._find(request)
        except Refused:
            return {
                "activationId": request["activationId"],
                "activationStatus": "REMOVED",
                "userId": "unknown",
                "activationName": "unknown",
                "applicationId": None,
                "timestampCreated": iso(0),
                "timestampLastUsed": iso(0),
                "activationFlags": [],
                "applicationRoles": [],
            }
        in_code = found["activationStatus"] == "CREATED"
        return {
            **found,
            "activationCode": found["activationCode"] if in_code else None,
            "activationSignature": b64(uuid4().bytes) if in_code else None,
            "applicationRoles": [],
        }

    def _activation_list(self, request: Members) -> Members:
        wanted = request.get("activationStatuses")
        found = [
            item
            for item in self.activations.values()
            if item["userId"] == request["userId"]
            and item["applicationId"] in request["applicationIds"]
            and (not wanted or item["activationStatus"] in wanted)
        ]
        found.sort(key=lambda item: item["timestampCreated"], reverse=True)
        start = request["pageNumber"] * request["pageSize"]
        return {"userId": request["userId"], "activations": found[start : start + request["pageSize"]]}

    def _activation_lookup(self, request: Members) -> Members:
        return {
            "activations": [
                item
                for item in self.activations.values()
                if item["userId"] in request["userIds"]
                and item["applicationId"] in request["applicationIds"]
                and request.get("activationStatus") in (None, item["activationStatus"])
                and set(request.get("activationFlags") or ()) <= set(item["activationFlags"])
            ]
        }

    def _activation_commit(self, request: Members) -> Members:
        found = self._find(request)
        if found["activationStatus"] == "REMOVED":
            raise Refused("ERR0007")
        if found["activationStatus"] != "PENDING_COMMIT":
            raise Refused("ERR0008")
        if found["otp"] is not None and found["otp"] != request.get("activationOtp"):
            found["failedAttempts"] += 1
            if found["failedAttempts"] >= found["maxFailedAttempts"]:
                found["activationStatus"] = "REMOVED"
            raise Refused("ERR0031")
        found |= {"activationStatus": "ACTIVE", "failedAttempts": 0}
        return {"activationId": found["activationId"], "activated": True}

    def _activation_block(self, request: Members) -> Members:
        found = self._find(request)
        if found["activationStatus"] == "ACTIVE":
            found |= {
                "activationStatus": "BLOCKED",
                "blockedReason": request.get("reason") or "NOT_SPECIFIED",
            }
        elif found["activationStatus"] != "BLOCKED":
            raise Refused("ERR0008")
        return {"activationId": found["activationId"], "activationStatus": "BLOCKED"}

    def _activation_unblock(self, request: Members) -> Members:
        found = self._find(request)
        if found["activationStatus"] not in ("ACTIVE", "BLOCKED"):
            raise Refused("ERR0008")
        found |= {"activationStatus": "ACTIVE", "blockedReason": None, "failedAttempts": 0}
        return {"activationId": found["activationId"], "activationStatus": "ACTIVE"}

    def _activation_remove(self, request: Members) -> Members:
        found = self._find(request)
        found["activationStatus"] = "REMOVED"
        return {"activationId": found["activationId"], "removed": True}

    def _activation_otp_update(self, request: Members) -> Members:
        found = self._find(request)
        if found["activationStatus"] != "PENDING_COMMIT":
            raise Refused("ERR0008")
        found["otp"] = request["activationOtp"]
        return {"activationId": found["activationId"], "updated": True}

    def _activation_name_update(self, request: Members) -> Members:
        found = self._find(request)
        if found["activationStatus"] not in ("PENDING_COMMIT", "ACTIVE"):
            raise Refused("ERR0008")
        found["activationName"] = request["activationName"]
        return {"activationId": found["activationId"], "activationName": request["activationName"]}

    def _activation_history(self, request: Members) -> Members:
        return {"items": [item for item in self.history if item["activationId"] == request["activationId"]]}

    def _activation_flags_list(self, request: Members) -> Members:
        return {"activationFlags": self._find(request)["activationFlags"]}

    def _activation_flags_create(self, request: Members) -> Members:
        found = self._find(request)
        found["activationFlags"] = sorted({*found["activationFlags"], *request["activationFlags"]})
        return {"activationFlags": found["activationFlags"]}

    def _activation_flags_update(self, request: Members) -> Members:
        found = self._find(request)
        if not request["activationFlags"]:
            raise Refused("ERR0024")
        found["activationFlags"] = sorted(request["activationFlags"])
        return {"activationFlags": found["activationFlags"]}

    def _activation_flags_remove(self, request: Members) -> Members:
        found = self._find(request)
        found["activationFlags"] = [
            flag for flag in found["activationFlags"] if flag not in request["activationFlags"]
        ]
        return {"activationFlags": found["activationFlags"]}

    # Verification.

    def _signature_verify(self, request: Members) -> Members:
        return self._verify(request, request["signature"] == GOOD_CODE, request["signatureType"])

    def _signature_offline_verify(self, request: Members) -> Members:
        return self._verify(request, request["signature"] == GOOD_OFFLINE_CODE, "POSSESSION_KNOWLEDGE")

    def _verify(self, request: Members, right: bool, signature_type: str) -> Members:
        short = {"signatureValid": False, "activationId": request["activationId"]}
        try:
            found = self._find(request)
        except Refused:
            return {**short, "activationStatus": "REMOVED", "applicationRoles": [], "activationFlags": []}
        if found["activationStatus"] != "ACTIVE":
            return {
                **short,
                "activationStatus": found["activationStatus"],
                "blockedReason": found["blockedReason"],
            }
        found["failedAttempts"] = 0 if right else found["failedAttempts"] + 1
        if found["failedAttempts"] >= found["maxFailedAttempts"]:
            found |= {"activationStatus": "BLOCKED", "blockedReason": "MAX_FAILED_ATTEMPTS"}
        return {
            "signatureValid": right,
            "activationStatus": found["activationStatus"],
            "blockedReason": found["blockedReason"],
            "activationId": found["activationId"],
            "userId": found["userId"],
            "applicationId": found["applicationId"],
            "signatureType": signature_type,
            "remainingAttempts": found["maxFailedAttempts"] - found["failedAttempts"],
            "applicationRoles": ["ROLE_A"],
            "activationFlags": found["activationFlags"],
        }

    def _signature_offline_personalized_create(self, request: Members) -> Members:
        self._find(request)
        nonce = request.get("nonce") or b64(uuid4().bytes)
        return {"offlineData": f"{request['data']}\n{nonce}\n1MEUC", "nonce": nonce}

    def _signature_offline_non_personalized_create(self, request: Members) -> Members:
        self._find_application(request)
        nonce = b64(uuid4().bytes)
        return {"offlineData": f"{request['data']}\n{nonce}\n0MEUC", "nonce": nonce}

    def _signature_ecdsa_verify(self, request: Members) -> Members:
        self._find(request)
        return {"signatureValid": request["signature"] == b64(b"good")}

    def _signature_list(self, request: Members) -> Members:
        return {
            "items": [
                item
                for item in self.signature_audit
                if item["userId"] == request["userId"] and item["applicationId"] in request["applicationIds"]
            ]
        }

    def _token_validate(self, request: Members) -> Members:
        found = self.tokens.get(request["tokenId"])
        if found is None or found["applicationId"] not in request["applicationIds"]:
            return {"tokenValid": False, "applicationRoles": [], "activationFlags": []}
        return {**found, "tokenValid": request["tokenDigest"] == GOOD_CODE}

    # Operations.

    def _operation_create(self, request: Members) -> Members:
        template = next(
            (item for item in self.templates.values() if item["templateName"] == request["templateName"]),
            None,
        )
        if template is None:
            raise Refused("ERR0033")
        operation_id = self.operation(
            *request["applications"],
            user_id=request.get("userId"),
            externalId=request.get("externalId"),
            activationFlag=request.get("activationFlag"),
            activationId=request.get("activationId"),
            operationType=template["operationType"],
            templateName=template["templateName"],
            signatureType=template["signatureType"],
            parameters=request.get("parameters") or {},
            additionalData=request.get("additionalData") or {},
            proximityOtp="12345678" if request.get("proximityCheckEnabled") else None,
        )
        return self.operations[operation_id]

    def _operation_detail(self, request: Members) -> Members:
        return self._find_operation(request)

    def _operation_list(self, request: Members) -> list[Members]:
        return self._listed(request, lambda item: item["userId"] == request["userId"])

    def _operation_list_pending(self, request: Members) -> list[Members]:
        return self._listed(
            request, lambda item: item["userId"] == request["userId"] and item["status"] == "PENDING"
        )

    def _operation_list_external(self, request: Members) -> list[Members]:
        return self._listed(request, lambda item: item["externalId"] == request["externalId"])

    def _listed(self, request: Members, matches: Callable[[Members], bool]) -> list[Members]:
        return [
            item
            for item in self.operations.values()
            if matches(item) and not set(request["applications"]).isdisjoint(item["applications"])
        ]

    def _operation_claim(self, request: Members) -> Members:
        found = self._find_operation(request)
        if found["userId"] not in (None, request["userId"]):
            raise Refused("ERR0034")
        found["userId"] = request["userId"]
        return found

    def _operation_approve(self, request: Members) -> Members:
        found = self._find_operation(request, "ERR0037")
        if found["status"] != "PENDING":
            raise Refused("ERR0037")
        found |= {"status": "APPROVED", "userId": request["userId"], "timestampFinalized": iso(self.moment())}
        found["additionalData"] |= request["additionalData"]
        return {"result": "APPROVED", "operation": found}

    def _operation_approve_fail(self, request: Members) -> Members:
        found = self._find_operation(request)
        if found["status"] != "PENDING":
            raise Refused("ERR0036")
        found["failureCount"] += 1
        if found["failureCount"] >= found["maxFailureCount"]:
            found["status"] = "FAILED"
        found["additionalData"] |= request.get("additionalData") or {}
        failed = found["status"] == "FAILED"
        return {"result": "OPERATION_FAILED" if failed else "APPROVAL_FAILED", "operation": found}

    def _operation_reject(self, request: Members) -> Members:
        found = self._find_operation(request, "ERR0038")
        if found["status"] != "PENDING":
            raise Refused("ERR0038")
        if found["userId"] not in (None, request["userId"]):
            return {"result": "REJECT_FAILED", "operation": found}
        found |= {"status": "REJECTED", "userId": request["userId"]}
        return {"result": "REJECTED", "operation": found}

    def _operation_cancel(self, request: Members) -> Members:
        found = self._find_operation(request)
        if found["status"] != "PENDING":
            raise Refused("ERR0036")
        found |= {"status": "CANCELED", "statusReason": request.get("statusReason")}
        return found

    # Templates and texts.

    def _operation_template_list(self, _request: Members) -> list[Members]:
        return list(self.templates.values())

    def _operation_template_create(self, request: Members) -> Members:
        if any(item["templateName"] == request["templateName"] for item in self.templates.values()):
            raise Refused("ERR0039")
        return self.template(request["templateName"], **request)

    def _operation_template_update(self, request: Members) -> Members:
        found = self.templates[request["id"]]
        found |= request
        return found

    def _operation_template_remove(self, request: Members) -> None:
        del self.templates[request["id"]]

    def _operation_text_list(self, request: Members) -> Members:
        wanted = request.get("placeholder")
        return {"texts": [text for text in self.texts.values() if wanted in (None, text["placeholder"])]}

    def _operation_text_update(self, request: Members) -> Members:
        text = {
            name: json.dumps(value) if isinstance(value, list | dict) else value
            for name, value in {"attributes": None, "ui": None, "resultTexts": None, **request}.items()
        }
        self.texts[request["placeholder"], request["language"]] = text
        return text

    def _operation_text_remove(self, request: Members) -> Members:
        return {"removed": self.texts.pop((request["placeholder"], request["language"]), None) is not None}

    # Applications.

    def _application_list(self, _request: Members) -> Members:
        names = ("applicationId", "applicationRoles")
        return {"applications": [{name: item[name] for name in names} for item in self.applications.values()]}

    def _application_detail(self, request: Members) -> Members:
        return self._find_application(request)

    def _application_detail_version(self, request: Members) -> Members:
        for item in self.applications.values():
            if any(version["applicationKey"] == request["applicationKey"] for version in item["versions"]):
                return {"applicationId": item["applicationId"]}
        raise Refused("ERR0015")

    def _application_create(self, request: Members) -> Members:
        if request["applicationId"] in self.applications:
            raise Refused("ERR0043")
        self.application(request["applicationId"])
        return {"applicationId": request["applicationId"], "applicationRoles": []}

    def _application_version_create(self, request: Members) -> Members:
        versions = self._find_application(request)["versions"]
        if any(item["applicationVersionId"] == request["applicationVersionId"] for item in versions):
            raise Refused("ERR0043")
        versions.append(self._version(request["applicationVersionId"]))
        return {}

    def _application_version_support(self, request: Members) -> Members:
        return self._support(request, True)

    def _application_version_unsupport(self, request: Members) -> Members:
        return self._support(request, False)

    def _support(self, request: Members, supported: bool) -> Members:
        for version in self._find_application(request)["versions"]:
            if version["applicationVersionId"] == request["applicationVersionId"]:
                version["supported"] = supported
                return {}
        raise Refused("ERR0015")

    def _application_roles_list(self, request: Members) -> Members:
        return {"applicationRoles": self._find_application(request)["applicationRoles"]}

    def _application_roles_create(self, request: Members) -> Members:
        found = self._find_application(request)
        found["applicationRoles"] = sorted({*found["applicationRoles"], *request["applicationRoles"]})
        return {"applicationRoles": found["applicationRoles"]}

    def _application_roles_update(self, request: Members) -> Members:
        found = self._find_application(request)
        if not request["applicationRoles"]:
            raise Refused("ERR0024")
        found["applicationRoles"] = sorted(request["applicationRoles"])
        return {"applicationRoles": found["applicationRoles"]}

    def _application_roles_remove(self, request: Members) -> Members:
        found = self._find_application(request)
        found["applicationRoles"] = [
            role for role in found["applicationRoles"] if role not in request["applicationRoles"]
        ]
        return {"applicationRoles": found["applicationRoles"]}

    def _application_config_detail(self, request: Members) -> Members:
        found = self.applications.get(request["applicationId"], {"config": {}})
        return {
            "applicationConfigs": [{"key": key, "values": values} for key, values in found["config"].items()]
        }

    def _application_config_create(self, request: Members) -> Members:
        self._find_application(request)["config"][request["key"]] = request["values"]
        return request

    def _application_config_remove(self, request: Members) -> None:
        self._find_application(request)["config"].pop(request["key"], None)

    def _application_callback_list(self, request: Members) -> Members:
        found = self.applications.get(request["applicationId"], {"callbacks": {}})
        return {"callbackUrlList": [_public(item) for item in found["callbacks"].values()]}

    def _application_callback_create(self, request: Members) -> Members:
        callbacks = self._find_application(request)["callbacks"]
        return self._save_callback(callbacks, str(uuid4()), request)

    def _application_callback_update(self, request: Members) -> Members:
        callbacks = self._find_application(request)["callbacks"]
        if request["id"] not in callbacks:
            raise Refused("ERR0024")
        return self._save_callback(callbacks, request["id"], request)

    def _save_callback(self, callbacks: Members, callback_id: str, request: Members) -> Members:
        stored = callbacks.get(callback_id, {}).get("authentication") or {}
        sections = request.get("authentication") or {}
        merged = {
            name: {
                **{key: value for key, value in stored.get(name, {}).items() if key in _SECRETS},
                **section,
            }
            for name, section in sections.items()
        }
        callbacks[callback_id] = {**request, "id": callback_id, "authentication": merged}
        return _public(callbacks[callback_id])

    def _application_callback_remove(self, request: Members) -> Members:
        for app_id in request["applicationIds"]:
            if self.applications[app_id]["callbacks"].pop(request["id"], None) is not None:
                return {"id": request["id"], "removed": True}
        return {"id": request["id"], "removed": False}

    # Reports.

    def _audit_log_list(self, request: Members) -> Members:
        scope = request.get("applicationIds")
        found = [
            item
            for item in self.audit_log
            if item["subjectId"] == request["subjectId"]
            and (scope is None or item["param"].get("applicationId") in scope)
        ]
        start = request["pageNumber"] * request["pageSize"]
        page = found[start : start + request["pageSize"]]
        return {"items": page, "hasNext": len(found) > start + len(page)}

    def _telemetry_report(self, request: Members) -> Members:
        days = request["parameters"].get("days", 30)
        return {
            "name": request["name"],
            "reportData": {"application": request["parameters"]["application"], "days": days, "users": 7},
        }


_SECRETS = {"password", "clientSecret", "keyPassword", "keyStorePassword", "trustStorePassword"}


def _public(callback: Members) -> Members:
    """A callback as the core answers it: secrets replaced by flags."""
    sections = {
        name: {
            (f"{key}Set" if key in _SECRETS else key): (value is not None if key in _SECRETS else value)
            for key, value in section.items()
        }
        for name, section in callback["authentication"].items()
    }
    return (
        {"maxAttempts": 1, "initialBackoff": "PT2S", "retentionPeriod": "PT720H"}
        | {name: value for name, value in callback.items() if value is not None}
        | {"authentication": sections}
    )


def _error(code: str) -> bytes:
    return json.dumps({"status": "ERROR", "responseObject": {"code": code, "message": "core text"}}).encode()
