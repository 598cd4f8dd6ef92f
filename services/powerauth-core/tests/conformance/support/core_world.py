"""One case's surroundings: an application of its own, so that cases do not meet, and what the case names."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import core_things
import httpx2
import pytest
from core_cases import SHARED, Step
from core_test_api import ROOT
from core_test_rows import execute, rewrite
from sqlalchemy import text

from powerauth_contracts.enums import ActivationOtpValidation, ActivationStatus, CommitPhase
from powerauth_core.activations.models import Activation
from powerauth_core.container import Core
from powerauth_core.fido_metadata.memory import FidoMetadata
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.authenticator import Authenticator
from powerauth_sdk.config import App
from powerauth_sdk.phone import Phone
from servicekit.master_keys import MasterKeys

_REFERENCE = re.compile(r"\{(=?\w+)\}")
_numbers = count(1)
COLUMNS: dict[str, Callable[..., Any]] = {
    "activation_status": ActivationStatus,
    "activation_otp_validation": ActivationOtpValidation,
    "commit_phase": CommitPhase,
}


async def always(*_arguments: Any, **_named: Any) -> bool:
    """Every generated value is taken."""
    return True


async def never(*_arguments: Any, **_named: Any) -> bool:
    """No insert succeeds."""
    return False


REPLACEMENTS: dict[str, Callable[..., Any]] = {"always": always, "never": never}
"""Of parts of the core, for what cannot be brought about from outside."""


@dataclass
class World:
    """One case's surroundings.

    :ivar request: members of the call, once they are made
    :ivar answer: its response object
    :ivar same: the id that is made where every generated one is to be the same
    """

    core: Core
    http: httpx2.AsyncClient
    monkeypatch: pytest.MonkeyPatch
    app: App = field(init=False)
    device: Phone | None = None
    authenticator: Authenticator = field(default_factory=Authenticator)
    request: dict[str, Any] = field(default_factory=dict)
    answer: Any = None
    same: str = field(default_factory=lambda: str(uuid.uuid4()))

    @classmethod
    async def create(cls, core: Core, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> World:
        """A world with a new application, and without the metadata that another case may have loaded."""
        core.fido_metadata = FidoMetadata(core.settings, core.database)
        world = cls(core, http, monkeypatch)
        name = f"app-{next(_numbers)}"
        await world.ok("application/create", applicationId=name)
        detail = await world.ok("application/detail", applicationId=name)
        version = detail["versions"][0]
        world.app = App.of(
            name, version["applicationKey"], version["applicationSecret"], detail["masterPublicKey"]
        )
        return world

    async def post(self, path: str, request: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """Call; status and body."""
        url = f"http://core{ROOT}{path}" if path.startswith("/") else path
        response = await self.http.post(url, content=json.dumps({"requestObject": request}))
        return response.status_code, response.json()

    async def ok(self, path: str, /, **request: Any) -> Any:
        """Call, expect success; the response object."""
        status, body = await self.post(path, request)
        assert status == 200, body
        return body.get("responseObject")

    async def call(self, path: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """The core as devices see it."""
        answer: dict[str, Any] = await self.ok(path, **request)
        return answer

    async def made(self, value: Any) -> Any:
        """The value with its references resolved, members in their order."""
        if isinstance(value, str) and (reference := _REFERENCE.fullmatch(value)):
            return await self.thing(reference[1])
        if isinstance(value, list):
            return [await self.made(item) for item in value]
        if isinstance(value, dict):
            name = next(iter(value), "")
            if name.startswith("$"):
                return await self.thing(name[1:], **value[name])
            result: dict[str, Any] = {}
            for name, member in value.items():
                made = await self.made(member)
                result |= made if name.startswith("**") else {name: made}
            return result
        return value

    async def thing(self, name: str, **more: Any) -> Any:
        """What a name of the cases stands for."""
        if name.startswith("="):
            return self.request[name[1:]] if name[1:] in self.request else self.answer[name[1:]]
        content = SHARED["things"].get(name)
        if content is None:
            return await getattr(core_things, name)(self, **more)
        if "path" not in content:
            return await self.made(content)
        return (await self.ok(content["path"], **await self.made(content["request"] | more)))[content["take"]]

    async def play(self, steps: list[Step]) -> None:
        """Let something happen: a call, something made, a statement, a changed row, a replaced part."""
        for step in steps:
            if isinstance(step, str):
                await self.play(SHARED["steps"][step])
                continue
            ((kind, content),) = step.items()
            match kind:
                case "call":
                    await self.ok(content[0], **await self.made(content[1]))
                case "make":
                    await self.made(content)
                case "sql":
                    await self.sql(content)
                case "row":
                    await self.change(**content)
                case "patch":
                    self.monkeypatch.setattr(
                        content[0], (REPLACEMENTS | {"same": lambda: self.same})[content[1]]
                    )
                case "hide":
                    self.core.activation_keys._entries.clear()
                    self.monkeypatch.setattr(self.core.cipher, "keys", MasterKeys(None))

    async def change(self, **values: Any) -> None:
        """Write columns of the device's activation."""
        assert self.device is not None
        typed = {name: COLUMNS[name](value) if name in COLUMNS else value for name, value in values.items()}
        await rewrite(self.core, Activation.activation_id == self.device.activation_id, **typed)

    async def sql(self, statement: str, **values: Any) -> None:
        """Execute a statement; ``:app`` is the application's name."""
        await execute(self.core, text(statement), {"app": self.app.application_id} | values)
        self.core.application_cache.clear()

    async def activation(self, status: str, **init: Any) -> Phone:
        """A device of the application with an activation in a state."""
        started = await self.ok(
            "activation/init", userId="user-1", applicationId=self.app.application_id, **init
        )
        device = self.device = Phone(self.app, ProtocolVersion.V3_3)
        device.activation_id = started["activationId"]
        if status == "CREATED":
            return device
        await device.join(self.call, started["activationCode"])
        if status != "PENDING_COMMIT":
            await self.ok("activation/commit", activationId=device.activation_id)
        if status in ("BLOCKED", "REMOVED"):
            ending = "activation/block" if status == "BLOCKED" else "activation/remove"
            await self.ok(ending, activationId=device.activation_id)
        return device

    async def active(self) -> Phone:
        """The case's device, with an ACTIVE activation if it has none yet."""
        return self.device or await self.activation("ACTIVE")
