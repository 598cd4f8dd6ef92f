"""Who plays in the corpus: phones in every state, two banks, operations, tokens; made when first needed."""

from __future__ import annotations

import hmac
import json
import os
import re
import sqlite3
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any
from uuid import uuid4

from running_stack import PIN, Bank, DeviceTransport, RunningStack

from powerauth_protocol.common.encoding import b64decode, b64url_encode
from powerauth_protocol.v3.ecies import Scope, SharedInfo1
from powerauth_protocol.v3.keys import compress_public_key, generate_key_pair
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.status_blob import ActivationStatus
from powerauth_protocol.v3.temporary_key import request_signing_key
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk import Device
from powerauth_sdk.factors import protect_knowledge_key, transport_key, unlocked_keys

TOKEN_TYPES = (SignatureType.POSSESSION, SignatureType.POSSESSION_KNOWLEDGE)
_NOW = re.compile(r"now(?P<offset>[+-][0-9]+)?")
_MANY_FAILURES, _FEW_FAILURES = 20, 2


class Cast:
    """The prepared state of one service's corpus.

    Phones, by name: ``active``, ``other`` (of another user), ``foreign`` (of another bank), ``blocked``,
    ``removed``, ``pending`` (before the commit), ``unsupported`` (its application version is).
    """

    def __init__(self, stack: RunningStack, bank: Bank, foreign: Bank) -> None:
        self.stack = stack
        self.bank = bank
        self.foreign = foreign
        self._phones: dict[tuple[str, ProtocolVersion], Device] = {}
        self._values: dict[str, str] = {}
        self._database = sqlite3.connect(f"file:{stack.folder / 'core.sqlite3'}?mode=ro", uri=True)
        self.secrets: set[str] = set()

    @classmethod
    async def create(cls, stack: RunningStack) -> Cast:
        """Two banks; the rest comes when it is needed."""
        cast = cls(stack, await Bank.create(stack), await Bank.create(stack))
        for bank in (cast.bank, cast.foreign):
            cast.secrets.add(bank.config.application_secret)
            cast.secrets.add(bank.user["authorization"].removeprefix("Basic "))
        for header in (stack.rest, stack.dmz, stack.admin):
            cast.secrets.add(header["authorization"].removeprefix("Basic "))
        return cast

    async def phone(self, name: str, version: ProtocolVersion, *, fresh: bool = False) -> Device:
        """The phone of that name, with its counter where the server's is.

        :param fresh: a new one, because the request will use it up
        """
        device = None if fresh else self._phones.get((name, version))
        if device is None:
            device = await self._new_phone(name, version)
            if not fresh:
                self._phones[name, version] = device
        await self._synchronise(name, device)
        return device

    async def _new_phone(self, name: str, version: ProtocolVersion) -> Device:
        bank = {"foreign": self.foreign}.get(name, self.bank)
        if name == "unsupported":
            bank = await Bank.create(self.stack)
        device = await bank.phone(
            "bob" if name == "other" else "alice", version=version, commit=name != "pending"
        )
        _quick_pin(device)
        self._remember_secrets(device)
        if name != "pending":
            # What needs an active activation is there before the state changes.
            for kind in TOKEN_TYPES:
                token = await device.token(kind.value, kind, PIN)
                self.secrets.add(token.token_secret)
            await device.encryption.encryptor(Scope.ACTIVATION, SharedInfo1.ACTIVATION_GENERIC, device.state)
            await device.encryption.encryptor(Scope.APPLICATION, SharedInfo1.APPLICATION_GENERIC)
        change = {"blocked": "activation/block", "removed": "activation/remove"}.get(name)
        if change is not None:
            await self.stack.core(change, activationId=device.state.activation_id)
        if name == "unsupported":
            await self.stack.core(
                "application/version/unsupport",
                applicationId=bank.application_id,
                applicationVersionId="default",
            )
        return device

    def _remember_secrets(self, device: Device) -> None:
        state = device.state
        keys = unlocked_keys(state, SignatureType.POSSESSION_KNOWLEDGE, PIN)
        self.secrets |= {state.transport_key, state.possession_key, b64encode(keys.knowledge).decode()}
        self.secrets.add(device.config.application_secret)

    async def _synchronise(self, name: str, device: Device) -> None:
        """Put the phone's counter to the server's, and forget failures before they block it."""
        state = device.state
        statement = "SELECT ctr_data, failed_attempts FROM pa_activation WHERE activation_id = ?"
        state.ctr_data, failures = self._row(statement, state.activation_id)
        if failures > _MANY_FAILURES and name in ("active", "other", "foreign"):
            await device.validate_signature(signature_type=SignatureType.POSSESSION)

    def renew_what_is_used_up(self) -> None:
        """Forget an operation that is decided or fails soon, and a code that has activated a phone."""
        statement = "SELECT status, failure_count, data FROM pa_operation WHERE id = ?"
        row = self._row(statement, self._values.get("operationId"))
        if row is not None:
            self._values["operationData"] = row[2]
            if row[0] != "PENDING" or row[1] > _FEW_FAILURES:
                self.forget("operationId", "operationData")
        statement = "SELECT activation_status FROM pa_activation WHERE activation_code = ?"
        row = self._row(statement, self._values.get("activationCode"))
        if row is not None and row[0] != ActivationStatus.CREATED:
            self.forget("activationCode")

    def _row(self, statement: str, key: object) -> Any:
        return None if key is None else self._database.execute(statement, (key,)).fetchone()

    def close(self) -> None:
        """Close the view of the core's database."""
        self._database.close()

    async def value(self, name: str) -> str | int:
        """What stands for ``{name}`` in a corpus file.

        :raises KeyError: nothing has this name
        """
        moment = _NOW.fullmatch(name)
        if moment:
            return int(time.time() * 1000) + int(moment["offset"] or 0)
        if name in _FRESH:
            return _FRESH[name]()
        if name not in self._values:
            self._values[name] = await _MADE[name](self)
        return self._values[name]

    def forget(self, *names: str) -> None:
        """Make these values anew when they are next needed."""
        for name in names:
            self._values.pop(name, None)

    async def operation(self, user_id: str | None = "alice", **more: object) -> str:
        """The id of a new pending operation."""
        return str((await self.bank.operation(user_id, **more))["operationId"])


def _quick_pin(device: Device) -> None:
    """Put the knowledge key under the PIN with one iteration: what a slow derivation protects is not here."""
    state = device.state
    key = unlocked_keys(state, SignatureType.POSSESSION_KNOWLEDGE, PIN).knowledge
    salt = os.urandom(16)
    state.encrypted_knowledge_key = protect_knowledge_key(key, PIN, salt, 1)
    state.pin_salt, state.pin_iterations = b64encode(salt).decode(), 1


def _random(length: int) -> str:
    return b64encode(os.urandom(length)).decode()


async def _constant(value: str) -> str:
    return value


async def _registration(bank: Bank, member: str) -> str:
    return (await bank.registration())[member]


async def _activation_id(cast: Cast, name: str) -> str:
    return (await cast.phone(name, ProtocolVersion.V3_3)).state.activation_id


async def _token_id(cast: Cast, name: str) -> str:
    device = await cast.phone(name, ProtocolVersion.V3_3)
    return device.state.tokens[SignatureType.POSSESSION.value].token_id


async def _canceled_operation(cast: Cast) -> str:
    operation_id = await cast.operation()
    await cast.bank.call("DELETE", f"/v2/operations/{operation_id}")
    return operation_id


async def _operation_data(cast: Cast) -> str:
    return str((await cast.bank.call("GET", f"/v2/operations/{await cast.value('operationId')}"))["data"])


async def _used_code(cast: Cast) -> str:
    registration = await cast.bank.registration()
    phone = Device(cast.bank.config, DeviceTransport(cast.stack))
    await phone.activate_with_code(registration["activationCode"], PIN)
    return registration["activationCode"]


async def _key_request(cast: Cast, name: str) -> str:
    """A request for a temporary key, in application scope unless an activation is named."""
    config, other = cast.bank.config, cast.foreign.config
    claims = {"applicationKey": config.application_key, "challenge": _random(18)}
    key = b64decode(config.application_secret)
    match name:
        case "Unsigned":
            return _jwt(claims, key).rpartition(".")[0] + "."
        case "None":
            return _jwt(claims, key, algorithm="none")
        case "WrongSecret":
            key = b64decode(other.application_secret)
        case "OtherScope":
            phone = await cast.phone("active", ProtocolVersion.V3_3)
            key = request_signing_key(Scope.ACTIVATION, key, transport_key(phone.state))
        case "UnknownApplication":
            claims["applicationKey"] = _random(16)
        case "LongChallenge":
            claims["challenge"] = "A" * 200
        case "UnknownActivation":
            claims["activationId"] = str(uuid4())
        case "Removed" | "Foreign":
            phone = await cast.phone(name.lower(), ProtocolVersion.V3_3)
            claims["activationId"] = phone.state.activation_id
            key = request_signing_key(Scope.ACTIVATION, key, transport_key(phone.state))
    return _jwt(claims, key)


def _jwt(claims: Mapping[str, str], key: bytes, algorithm: str = "HS256") -> str:
    parts = [b64url_encode(json.dumps(part).encode()) for part in ({"alg": algorithm}, claims)]
    mac = hmac.digest(key, ".".join(parts).encode(), "sha256")
    return ".".join([*parts, b64url_encode(mac)])


_FRESH: dict[str, Callable[[], str]] = {
    "unknownId": lambda: str(uuid4()),
    "unknownBraced": lambda: f"{{{uuid4()}}}",
    "random16": lambda: _random(16),
    "publicKey": lambda: b64encode(compress_public_key(generate_key_pair().public)).decode(),
}
"""Another one every time."""

_MADE: dict[str, Callable[[Cast], Awaitable[str]]] = {
    "activationId": lambda cast: _activation_id(cast, "active"),
    "otherActivationId": lambda cast: _activation_id(cast, "other"),
    "removedId": lambda cast: _activation_id(cast, "removed"),
    "createdId": lambda cast: _registration(cast.bank, "registrationId"),
    "activationCode": lambda cast: _registration(cast.bank, "activationCode"),
    "foreignActivationCode": lambda cast: _registration(cast.foreign, "activationCode"),
    "usedActivationCode": _used_code,
    "applicationId": lambda cast: _constant(cast.bank.application_id),
    "foreignApplicationKey": lambda cast: _constant(cast.foreign.config.application_key),
    "otherTokenId": lambda cast: _token_id(cast, "other"),
    "operationId": lambda cast: cast.operation(),
    "operationData": _operation_data,
    "unclaimedOperationId": lambda cast: cast.operation(None),
    "bobsOperationId": lambda cast: cast.operation("bob"),
    "canceledOperationId": _canceled_operation,
    "longText": lambda _cast: _constant("x" * 5000),
    "longJwt": lambda _cast: _constant("a" * 8193),
    "text256": lambda _cast: _constant("x" * 256),
    **{
        f"keyRequest{name}": partial(_key_request, name=name)
        for name in (
            *("", "Unsigned", "None", "WrongSecret", "OtherScope", "UnknownApplication", "UnknownActivation"),
            *("Removed", "Foreign", "LongChallenge"),
        )
    },
}
"""Made once and kept."""
