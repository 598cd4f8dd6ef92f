"""The whole stack in this process, called without a network, with what bad input needs to get deep.

Nothing runs by itself: no jobs, no limits for strangers, outgoing calls end at a closed port.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from asgi_client import Answer, Request, header_list, send
from fastapi import FastAPI

from powerauth_cli.all_in_one import CLOUD, CORE, ENROLLMENT, AllInOne
from powerauth_contracts.enums import IntegrationKind
from powerauth_core.integrations.service import ensure_integration
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk import AppConfig, Device, DeviceProfile
from powerauth_sdk.factors import transport_key
from powerauth_sdk.state import ActivationState
from powerauth_sdk.transport import Answer as DeviceAnswer

PIN = "1234"
JSON_HEADERS = {"accept": "application/json", "content-type": "application/json"}
TEMPLATE = {
    "operationType": "payment",
    "dataTemplate": "A1*A${amount}${currency}*Q${account}",
    "signatureType": ["POSSESSION", "POSSESSION_KNOWLEDGE", "POSSESSION_BIOMETRY"],
    "maxFailureCount": 5,
    "expiration": 300,
}
TEXT = {
    "title": "Payment",
    "message": "Pay ${amount} ${currency}",
    "attributes": [
        {
            "id": "a",
            "type": "AMOUNT",
            "text": "Amount",
            "params": {"amount": "amount", "currency": "currency"},
        }
    ],
}
PARAMETERS = {"amount": "10.5", "currency": "EUR", "account": "238400856/0300"}

_CLOSED_PORT = 9
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "core": {
        "jobs_enabled": False,
        "signature_max_failed_attempts": 64,
        "dmz_attempts_per_activation_per_minute": 0,
        "http_proxy_enabled": True,
        "http_proxy_port": _CLOSED_PORT,
        "recovery_max_failed_attempts": 64,
    },
    "enrollment": {
        "test_endpoints": True,
        "limit_failures_per_address": 0,
        "limit_keystore_per_activation": 0,
        "limit_status_per_activation": 0,
    },
    "cloud": {},
}


def basic(user: str, password: str) -> dict[str, str]:
    """The header of HTTP Basic."""
    return {"authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


class Refused(AssertionError):
    """The stack refused what a test's preparation needs."""


class RunningStack:
    """An `AllInOne` whose services are called as applications.

    :ivar folder: holds ``core.sqlite3`` and ``cloud.sqlite3``
    """

    def __init__(self, folder: Path, settings: Mapping[str, Mapping[str, Any]] = SETTINGS) -> None:
        self.folder = folder
        self._all = AllInOne(folder, port=0, settings=settings)
        self.apps: Mapping[str, FastAPI] = {}
        self.rest: dict[str, str] = {}
        self.dmz: dict[str, str] = {}
        self.admin: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        await self._all.__aenter__()
        # The applications of one process have no other way in than the network, which is not the subject.
        self.apps = self._all._apps
        core = self.apps[CORE].state.core
        for kind in (IntegrationKind.REST, IntegrationKind.DMZ):
            credentials = await ensure_integration(core, f"tests-{kind.value}", kind)
            headers = basic(credentials.client_token, credentials.client_secret)
            (self.rest if kind is IntegrationKind.REST else self.dmz).update(headers)
        self.admin = basic(*self._all.admin)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._all.__aexit__(kind, error, trace)

    async def send(self, service: str, request: Request, *, client: str = "127.0.0.1") -> Answer:
        """Send a request whose target lies below the service's context path.

        :param service: the context path
        """
        target = service + request.target
        return await send(
            self.apps[service], Request(request.method, target, request.headers, request.body), client=client
        )

    async def call(
        self, service: str, method: str, path: str, content: object, headers: Mapping[str, str]
    ) -> Any:
        """Make a call that must succeed and return its JSON.

        :raises Refused: it did not
        """
        body = b"" if content is None else json.dumps(content).encode()
        answer = await self.send(
            service, Request(method, path, header_list({**JSON_HEADERS, **headers}), body)
        )
        if answer.status != 200:
            raise Refused(f"{method} {path}: HTTP {answer.status} {answer.body!r}")
        return answer.json()

    async def core(self, path: str, **request: object) -> Any:
        """Call the core's ``/rest/v3`` and return the response object."""
        content = {"requestObject": request}
        answer = await self.call(CORE, "POST", f"/rest/v3/{path}", content, self.rest)
        return answer.get("responseObject")

    async def cloud(
        self, method: str, path: str, content: object = None, *, user: Mapping[str, str] | None = None
    ) -> Any:
        """Call the cloud API, as the administrator unless another user is named."""
        return await self.call(CLOUD, method, path, content, user or self.admin)


class DeviceTransport:
    """How the SDK's device reaches the enrollment service of this process."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack

    async def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> DeviceAnswer:
        """See the SDK's `Transport`."""
        answer = await self._stack.send(ENROLLMENT, Request(method, path, header_list(headers), body))
        return DeviceAnswer(answer.status, answer.body)


@dataclass
class Bank:
    """An application with one bank user, a template with texts, and customers' phones.

    :ivar user: credentials header of the bank's user
    """

    stack: RunningStack
    application_id: str
    template: str
    operation_type: str
    user: dict[str, str]
    username: str
    config: AppConfig

    @classmethod
    async def create(cls, stack: RunningStack, version: ProtocolVersion = ProtocolVersion.V3_3) -> Bank:
        """Set up an application under a new name."""
        name = f"bank-{uuid4().hex[:12]}"
        application = await stack.cloud("POST", "/admin/applications", {"id": name})
        user = await stack.cloud("POST", "/admin/users", {"username": name})
        await stack.cloud("POST", f"/admin/users/{name}/applications/{name}")
        bank = cls(
            stack=stack,
            application_id=name,
            template=name,
            operation_type=f"{name}-payment",
            user=basic(user["username"], user["password"]),
            username=name,
            config=AppConfig.from_sdk_config("http://localhost", application["mobileSdkConfig"], version),
        )
        await bank.save_template()
        await stack.cloud("PUT", f"/admin/operations/texts/{bank.operation_type}/en", TEXT)
        return bank

    async def save_template(self) -> None:
        """Create the operation template."""
        template = {**TEMPLATE, "templateName": self.template, "operationType": self.operation_type}
        await self.stack.cloud("POST", "/admin/operations/templates", template)

    def with_version(self, version: ProtocolVersion) -> AppConfig:
        """The application's keys, spoken with another protocol version."""
        config = self.config
        return AppConfig(
            config.base_url,
            config.application_key,
            config.application_secret,
            config.master_public_key,
            version,
        )

    async def call(self, method: str, path: str, content: object = None) -> Any:
        """Call the cloud API as the bank's user."""
        return await self.stack.cloud(method, path, content, user=self.user)

    async def registration(self, user_id: str = "alice", **more: object) -> dict[str, str]:
        """Create a registration: its id and code."""
        content = {"userId": user_id, "appId": self.application_id, **more}
        registration: dict[str, str] = await self.call("POST", "/v2/registrations", content)
        return registration

    async def phone(
        self,
        user_id: str = "alice",
        version: ProtocolVersion | None = None,
        *,
        commit: bool = True,
        biometry: bool = True,
    ) -> Device:
        """Activate a phone."""
        config = self.config if version is None else self.with_version(version)
        device = Device(config, DeviceTransport(self.stack))
        registration = await self.registration(user_id)
        profile = DeviceProfile(name="Phone", platform="ios", biometry=biometry)
        await device.activate_with_code(registration["activationQrCodeData"], PIN, profile=profile)
        if commit:
            await self.call("POST", f"/v2/registrations/{device.state.activation_id}/commit", {})
        return device

    async def operation(self, user_id: str | None = "alice", **more: object) -> dict[str, Any]:
        """Create an operation."""
        content = {
            "template": self.template,
            "parameters": PARAMETERS,
            "silent": True,
            "applications": [self.application_id],
            **({"userId": user_id} if user_id else {}),
            **more,
        }
        operation: dict[str, Any] = await self.call("POST", "/v2/operations", content)
        return operation


def copy_of(state: ActivationState) -> ActivationState:
    """A state that steps its counter by itself."""
    return ActivationState.from_json(json.loads(json.dumps(state.to_json())))


__all__ = ["CLOUD", "CORE", "ENROLLMENT", "Bank", "RunningStack", "copy_of", "transport_key"]
