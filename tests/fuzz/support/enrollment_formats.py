"""What the public API itself reads: request objects, headers, texts and answers (spec/enrollment-api.md)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError
from wire_formats import WireFormat, vectors

from enrollment.core_client import told
from enrollment.errors import ActivationFailed, InvalidRequest
from enrollment.inbox.rules import check_id, check_page, message_detail
from enrollment.languages import preferred_language
from enrollment.mobile_token.rendering import render_operation
from enrollment.money import format_money
from enrollment.push.rules import check_registration
from enrollment.standard.activations import check_layer1
from enrollment.standard.keystore import named_activation
from enrollment.texts.attributes import render_attributes
from enrollment.texts.form_data import render_form_data
from enrollment.texts.placeholders import substitute, substitute_json
from enrollment.texts.rows import TextRow, TextsBroken
from enrollment.texts.screens import render_ui
from enrollment.wire import request_object
from powerauth_contracts.dmz.models import (
    CreateActivationAnswer,
    EnvelopeKeysAnswer,
    OperationActionAnswer,
    OperationDetailAnswer,
    TextsAnswer,
    WhoAmIAnswer,
)
from powerauth_contracts.wire import json_bytes
from powerauth_protocol.common.json_text import JsonError, read_json, read_json_object, write_json
from servicekit.callers import TrustedProxies, limited_network
from servicekit.errors import RemoteUnavailable

PROXIES = TrustedProxies(["10.0.0.0/8", "2001:db8::/32"])
PARAMETERS = {"amount": "10.5", "currency": "EUR", "note": 'a "quoted" ${note}', "level": 3, "none": None}
ATTRIBUTES = json.dumps(
    [
        {"id": "1", "type": "AMOUNT", "text": "T", "params": {"amount": "amount", "currency": "currency"}},
        {
            "id": "2",
            "type": "AMOUNT_CONVERSION",
            "params": {
                "dynamic": "note",
                "sourceAmount": "amount",
                "sourceCurrency": "currency",
                "targetAmount": "amount",
                "targetCurrency": "currency",
            },
        },
        {"id": "3", "type": "HEADING", "text": "T", "params": {"level": "level"}},
        {"id": "4", "type": "ALERT", "params": {"type": "note", "title": "note", "message": "note"}},
        {"id": "5", "type": "IMAGE", "params": {"thumbnailUrl": "note", "originalUrl": "none"}},
        {"id": "6", "type": "PARTY_INFO", "params": {"logoUrl": "note", "name": "note"}},
        {"id": "7", "type": "OTHER", "text": "T", "params": {"value": "note"}},
    ]
)
UI = json.dumps(
    {
        "flipButtons": True,
        "preApprovalScreen": {
            "type": "WARNING",
            "heading": "${note}",
            "items": ["a"],
            "approvalType": "SLIDER",
        },
        "postApprovalScreen": {
            "type": "MERCHANT_REDIRECT",
            "payload": {"redirectText": "t", "redirectUrl": "https://bank.example", "countdown": 5},
        },
    }
)
RESULT_TEXTS = '{"success":"Done ${amount}","failure":"No","reject":"${note:-none}"}'
OPERATION = {
    "id": "7e0ba60f-bf22-4ff5-b999-2733784e5eaa",
    "operationType": "login",
    "data": "A2",
    "status": "PENDING",
    "parameters": PARAMETERS,
    "riskFlags": "XFC",
    "signatureType": ["possession_knowledge"],
    "timestampCreated": 1_700_000_000_000,
    "timestampExpires": 1_700_000_300_000,
    "proximityCheck": True,
}
ENVELOPE = {
    "temporaryKeyId": "2b0c0000-0000-4000-8000-000000000000",
    "ephemeralPublicKey": "A" * 44,
    "encryptedData": "A" * 44,
    "mac": "A" * 43 + "=",
    "nonce": "A" * 22 + "==",
    "timestamp": 1_700_000_000_000,
}
LAYER_1 = {
    "type": "CODE",
    "identityAttributes": {"code": "VVVVV-VVVVV-VVVVV-VTFVA"},
    "customAttributes": {"a": 1},
    "activationData": ENVELOPE,
}
MESSAGE = {
    "id": "ae64",
    "type": "text",
    "subject": "Hi",
    "summary": "s",
    "body": "b",
    "read": False,
    "timestampCreated": "2025-01-01T00:00:00.000+0000",
}


def _wrapped(**members: Any) -> bytes:
    return json.dumps({"requestObject": members}).encode()


def _requests() -> list[WireFormat]:
    registration = _wrapped(platform="fcm", token="token", environment="production")
    page = _wrapped(page=0, size=50, onlyUnread=True)
    bodies = [registration, page, _wrapped(id="ae64"), b'{"requestObject":null}', b"{}"]
    return [
        WireFormat(
            "JSON",
            bodies,
            lambda data: json_bytes(read_json(data)),
            (JsonError,),
            lambda written: written,
            share=2,
        ),
        WireFormat("request object", bodies, request_object),
        WireFormat(
            "outer layer",
            [json.dumps(LAYER_1).encode()],
            lambda data: check_layer1(read_json_object(data)),
            (JsonError, ActivationFailed),
            share=2,
        ),
        WireFormat(
            "push registration",
            [registration],
            lambda data: check_registration(request_object(data)),
            (InvalidRequest,),
            lambda members: json_bytes({"requestObject": members}),
        ),
        WireFormat("inbox page", [page], lambda data: check_page(request_object(data)), (InvalidRequest,)),
        WireFormat(
            "inbox id", [_wrapped(id="ae64")], lambda data: check_id(request_object(data)), (InvalidRequest,)
        ),
        WireFormat(
            "named activation",
            [given["jwt"] for given, _ in vectors("temporary_key_jwt_request")],
            named_activation,
        ),
    ]


def _header_values() -> list[WireFormat]:
    def language(text: str) -> str:
        found = preferred_language(text)
        assert found.isascii()
        assert found.isalpha()
        return found

    def address(text: str) -> str:
        return limited_network(PROXIES.client_address("10.1.2.3", [text]))

    return [
        WireFormat("Accept-Language", ["cs-CZ,cs;q=0.9,en;q=0.8", "*", "zh-Hant-TW;q=1", "de_DE"], language),
        WireFormat(
            "X-Forwarded-For",
            [
                "203.0.113.7, 10.0.0.1",
                "[2001:db8::1]:443",
                "::ffff:203.0.113.7",
                "203.0.113.7:1234",
                "unknown",
            ],
            address,
        ),
    ]


def _texts() -> list[WireFormat]:
    sources = ["Pay ${amount} ${currency}", "$${amount}", "${x:-y}", RESULT_TEXTS, UI]
    money: list[Callable[[str], Any]] = [
        lambda text: format_money(text, "EUR", "cs").value_formatted,
        lambda text: format_money("10.5", text, "en").value_formatted,
    ]
    return [
        WireFormat("title", sources, lambda text: substitute(text, PARAMETERS)),
        WireFormat("JSON template", sources, lambda text: substitute_json(text, PARAMETERS)),
        WireFormat(
            "attributes", [ATTRIBUTES], lambda text: render_attributes(text, PARAMETERS, "en"), (TextsBroken,)
        ),
        WireFormat(
            "screens",
            [UI],
            lambda text: render_ui(text, PARAMETERS, None, proximity_check=False),
            (TextsBroken,),
        ),
        WireFormat(
            "result texts",
            [RESULT_TEXTS],
            lambda text: render_form_data(TextRow("en", "t", "m", None, None, text), PARAMETERS, "en"),
            (TextsBroken,),
        ),
        WireFormat("amount", ["10.5", "-1E3", "0.567567567567567567567", "007", ".5"], money[0]),
        WireFormat("currency", ["EUR", "CZK", "BTC", "JPY"], money[1]),
    ]


def _answers() -> list[WireFormat]:
    """A core that answers nonsense is an outage, never a fault here."""

    def rendered(data: bytes) -> bytes:
        operation = told(OperationDetailAnswer.model_validate_json(data).operation)
        row = TextRow("en", "T ${amount}", "M ${note}", ATTRIBUTES, UI, RESULT_TEXTS)
        return write_json(render_operation(operation, row, "en", ()))

    def model(kind: Any, **members: Any) -> WireFormat:
        return WireFormat(
            kind.__name__,
            [json.dumps(members).encode()],
            lambda data: kind.model_validate(read_json_object(data)),
            (JsonError, ValidationError),
        )

    return [
        WireFormat(
            "operation of the core",
            [json.dumps({"authenticated": True, "operation": OPERATION}).encode()],
            rendered,
            (JsonError, ValidationError, TextsBroken, RemoteUnavailable),
            share=2,
        ),
        model(
            EnvelopeKeysAnswer,
            secretKey="A" * 64,
            requestSharedInfo2="AAAA",
            responseNonce="AAAA",
            responseTimestamp=1,
            userInfo={"sub": "a"},
        ),
        model(CreateActivationAnswer, activationData=ENVELOPE, customAttributes={}, userInfo=None),
        model(OperationActionAnswer, authenticated=True, result="APPROVED", operationStatus="APPROVED"),
        model(
            TextsAnswer, etag="e", rows=[{"placeholder": "a", "language": "en", "title": "t", "message": "m"}]
        ),
        model(
            WhoAmIAnswer, authenticated=True, activationId="a", userId="u", applicationId="a", statement="s"
        ),
        WireFormat(
            "inbox message",
            [json.dumps(MESSAGE).encode()],
            lambda data: message_detail(read_json_object(data)),
            (JsonError, ValueError),
        ),
    ]


def enrollment_formats() -> list[WireFormat]:
    """All of them."""
    return [*_requests(), *_header_values(), *_texts(), *_answers()]
