"""Turns the description of a request into bytes: placeholders, envelopes, signatures, and what is wrong."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

from asgi_client import Request, header_list
from broken import body_of
from corpus_cast import Cast
from running_stack import JSON_HEADERS, PIN

from powerauth_protocol.v3.ecies import Scope, SharedInfo1
from powerauth_protocol.v3.http_headers import (
    AUTHORIZATION_HEADER,
    ENCRYPTION_HEADER,
    TOKEN_HEADER,
    parse_fields,
)
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk import Device

_PLACEHOLDER = re.compile(r"\{([A-Za-z][A-Za-z0-9]*(?:[+-][0-9]+)?)\}")
_APPLICATION_SCOPE = (SharedInfo1.APPLICATION_GENERIC, SharedInfo1.ACTIVATION_LAYER_2)

Description = Mapping[str, Any]


class Builder:
    """Builds requests to the public API."""

    def __init__(self, cast: Cast) -> None:
        self._cast = cast

    async def build(self, description: Description) -> Request:
        """The request that a description stands for.

        :raises KeyError: an unknown placeholder
        """
        self._cast.renew_what_is_used_up()
        device = await self._device(description)
        plain = await self._plain(description, device)
        body = await self._sealed(description, device, plain) if "seal" in description else plain
        proofs = await self._proofs(description, device, plain, body)
        headers = JSON_HEADERS | proofs
        if "tamper" in description:
            body = changed(body.decode("latin-1"), description["tamper"]).encode("latin-1")
        pairs = await self._headers(description, headers)
        target = await self._text(description["path"])
        query = description.get("query")
        if isinstance(query, str):
            target += "?" + await self._text(query)
        return Request(description["method"], target, header_list(pairs), body)

    async def _device(self, description: Description) -> Device:
        version = ProtocolVersion.parse(description.get("version", "3.3"))
        device = await self._cast.phone(
            description.get("phone", "active"), version, fresh=bool(description.get("fresh"))
        )
        device.encryption.clock_offset_ms = 0
        return device

    # --- body ---------------------------------------------------------------------------------------

    async def _plain(self, description: Description, device: Device) -> bytes:
        if "bodyBase64" in description or "bodyRepeat" in description:
            return body_of(description)
        if "body" in description:
            return (await self._text(description["body"])).encode("utf-8", "surrogatepass")
        if "json" not in description:
            return b""
        content = await self._value(description["json"])
        if "inner" in description:
            content["activationData"] = await self._layer_2(description, device)
        content = await self._changed(content, description.get("change", {}))
        return json.dumps(content, separators=(",", ":")).encode()

    async def _layer_2(self, description: Description, device: Device) -> dict[str, Any]:
        inner = await self._value(description["inner"])
        if not isinstance(inner, str):
            inner = json.dumps(await self._changed(inner, description.get("changeInner", {})))
        return await self._envelope(device, SharedInfo1.ACTIVATION_LAYER_2, inner.encode())

    async def _sealed(self, description: Description, device: Device, plain: bytes) -> bytes:
        if "sealedBy" in description:
            device = await self._device({**description, "phone": description["sealedBy"]})
        members = await self._envelope(device, description["seal"], plain, description.get("clock", 0))
        content = await self._changed(members, description.get("changeSealed", {}))
        return json.dumps(content, separators=(",", ":")).encode()

    async def _envelope(
        self, device: Device, shared_info_1: str, plaintext: bytes, clock: int = 0
    ) -> dict[str, Any]:
        scope = Scope.APPLICATION if shared_info_1 in _APPLICATION_SCOPE else Scope.ACTIVATION
        encryptor = await device.encryption.encryptor(scope, shared_info_1, device.state)
        device.encryption.clock_offset_ms = clock
        members: dict[str, Any] = json.loads(device.encryption.encrypt(encryptor, plaintext))
        device.encryption.clock_offset_ms = 0
        return members

    # --- headers ------------------------------------------------------------------------------------

    async def _proofs(
        self, description: Description, device: Device, plain: bytes, body: bytes
    ) -> dict[str, str]:
        proofs: dict[str, str] = {}
        if "sign" in description:
            signed = plain if description.get("signs") == "plaintext" else body
            value = await self._signature(description, device, signed)
            proofs[AUTHORIZATION_HEADER] = value
        if "token" in description:
            token = device.state.tokens[description["token"]]
            device.encryption.clock_offset_ms = description.get("clock", 0)
            (proofs[TOKEN_HEADER],) = device.token_header(token).values()
            device.encryption.clock_offset_ms = 0
        if "encryption" in description:
            scope = Scope(description["encryption"])
            sender = device
            if "sealedBy" in description:
                sender = await self._device({**description, "phone": description["sealedBy"]})
            (proofs[ENCRYPTION_HEADER],) = sender.encryption.header(scope, sender.state).values()
        for name, header in (
            ("authorization", AUTHORIZATION_HEADER),
            ("encryptionFields", ENCRYPTION_HEADER),
            ("tokenFields", TOKEN_HEADER),
        ):
            if name in description:
                proofs[header] = await self._changed_header(proofs.get(header), description[name])
        return {name.lower(): value for name, value in proofs.items()}

    async def _signature(self, description: Mapping[str, Any], device: Device, body: bytes) -> str:
        method = description.get("signedMethod", description.get("method", "POST"))
        if method == "GET":
            body = (await self._text(description.get("signedQuery", description.get("query", "")))).encode()
        (value,) = (
            await device.signed_header(
                method=method,
                uri_id=description["uriId"],
                body=body,
                signature_type=SignatureType(description["sign"]),
                pin=description.get("pin", PIN),
            )
        ).values()
        return value

    async def _changed_header(self, value: str | None, changes: Any) -> str:
        """A header with some fields changed, with one change to its text, or another text altogether."""
        if isinstance(changes, str):
            return await self._text(changes)
        if any(name.startswith("$") for name in changes):
            return changed(value, changes)
        fields = await self._changed(dict(parse_fields(value)), changes)
        return "PowerAuth " + ", ".join(f'{name}="{field}"' for name, field in fields.items())

    async def _headers(self, description: Description, headers: dict[str, str]) -> list[tuple[str, str]]:
        """With the case's own headers put over them; a list is sent as several headers, null removes one."""
        merged: dict[str, Any] = dict(headers)
        for name, value in description.get("headers", {}).items():
            merged[name.lower()] = await self._header_value(value)
        pairs: list[tuple[str, str]] = []
        for name, value in merged.items():
            if value is None:
                continue
            values = value if isinstance(value, list) else [value]
            # {proof} repeats what would stand there otherwise.
            pairs += [(name, item.replace("{proof}", headers.get(name, ""))) for item in values]
        return pairs

    async def _header_value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return value["text"] * value["times"]
        if isinstance(value, list):
            return [await self._header_value(item) for item in value]
        return value if value is None or "{proof}" in value else await self._text(value)

    # --- values -------------------------------------------------------------------------------------

    async def _text(self, text: str) -> str:
        parts = _PLACEHOLDER.split(text)
        return "".join(
            [str(await self._cast.value(part)) if index % 2 else part for index, part in enumerate(parts)]
        )

    async def _value(self, value: Any) -> Any:
        """A copy with every placeholder filled in; one that is a whole text keeps the value's type."""
        if isinstance(value, str):
            whole = _PLACEHOLDER.fullmatch(value)
            return await self._cast.value(whole[1]) if whole else await self._text(value)
        if isinstance(value, Mapping):
            return {await self._text(name): await self._value(member) for name, member in value.items()}
        if isinstance(value, list):
            return [await self._value(item) for item in value]
        return value

    async def _changed(self, content: Any, changes: Mapping[str, Any]) -> Any:
        """Apply changes by path (``requestObject.mac``) to JSON content, in place."""
        for path, change in changes.items():
            *parents, last = path.split(".")
            target = content
            for parent in parents:
                target = target[parent]
            if isinstance(change, Mapping) and any(name.startswith("$") for name in change):
                if "$drop" in change:
                    target.pop(last)
                else:
                    target[last] = changed(target[last], change)
            else:
                target[last] = await self._value(change)
        return content


def changed(value: Any, change: Mapping[str, Any]) -> str:
    """One text with one thing wrong.

    ``$flip``: a bit of the bytes that the Base64 stands for; ``$bytes``: another number of bytes, Base64;
    ``$append``, ``$prepend``, ``$replace`` (two texts); ``$all``: another text; ``$wrap``: in an object, by
    name.
    """
    ((operation, argument),) = change.items()
    text = str(value)
    match operation:
        case "$flip":
            flipped = bytearray(b64decode(text))
            flipped[argument // 8 % len(flipped)] ^= 1 << argument % 8
            return b64encode(bytes(flipped)).decode()
        case "$bytes":
            raw = b64decode(text)
            return b64encode((raw * (argument // max(1, len(raw)) + 1))[:argument]).decode()
        case "$append":
            return text + str(argument)
        case "$prepend":
            return str(argument) + text
        case "$replace":
            return text.replace(argument[0], argument[1])
        case "$all":
            return str(argument)
        case "$wrap":
            return f'{{"{argument}":{text}}}'
    raise KeyError(operation)
