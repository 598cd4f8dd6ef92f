"""What each path of the enrollment service wants to see (spec/enrollment-api.md §6.0, §10, §16, §18)."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from powerauth_protocol.v3.ecies import Scope, SharedInfo1
from powerauth_protocol.v3.signature import SignatureType

P = SignatureType.POSSESSION
PK = SignatureType.POSSESSION_KNOWLEDGE
PB = SignatureType.POSSESSION_BIOMETRY

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
ENVELOPE: Schema = {
    "type": "object",
    "properties": {
        "temporaryKeyId": {"type": "string", "format": "uuid"},
        "ephemeralPublicKey": TEXT,
        "encryptedData": TEXT,
        "mac": TEXT,
        "nonce": TEXT,
        "timestamp": {"type": "integer"},
    },
    "required": ["ephemeralPublicKey", "encryptedData", "mac"],
}
ANYTHING: Schema = {"type": "object"}


def wrapped(**properties: Schema) -> Schema:
    """``{"requestObject": {…}}`` with every property required."""
    inner = {"type": "object", "properties": properties, "required": sorted(properties)}
    return {"type": "object", "properties": {"requestObject": inner}, "required": ["requestObject"]}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One path.

    :ivar body: what the innermost body looks like
    :ivar uri_id: of the signature, None where nothing is signed
    :ivar signature_type: one that is allowed
    :ivar scope: of the envelope that the service opens itself
    :ivar sealed: the envelope passes through to the core
    """

    path: str
    body: Schema
    uri_id: str | None = None
    signature_type: SignatureType = P
    token: bool = False
    scope: Scope | None = None
    sealed: SharedInfo1 | None = None
    method: str = "POST"
    tags: frozenset[str] = field(default_factory=frozenset)


_OPERATION = "/api/auth/token/app/operation"
_LAYER_1: Schema = {
    "type": "object",
    "properties": {
        "type": {"enum": ["CODE", "CUSTOM", "DIRECT", "RECOVERY"]},
        "identityAttributes": {"type": "object", "additionalProperties": TEXT},
        "customAttributes": {"type": "object"},
        "activationData": ENVELOPE,
    },
    "required": ["type", "identityAttributes", "activationData"],
}
_DECISION: Schema = {
    "type": "object",
    "properties": {
        "requestObject": {
            "type": "object",
            "properties": {
                "id": TEXT,
                "data": TEXT,
                "reason": TEXT,
                "proximityCheck": {
                    "type": "object",
                    "properties": {
                        "otp": TEXT,
                        "type": {"enum": ["QR_CODE", "DEEPLINK"]},
                        "timestampReceived": {"type": "string", "format": "date-time"},
                        "timestampSent": {"type": "integer"},
                    },
                    "required": ["otp"],
                },
                "mobileTokenData": {"type": "object"},
            },
            "required": ["id", "data"],
        }
    },
    "required": ["requestObject"],
}

_REGISTRATION = wrapped(
    platform={"enum": ["apns", "fcm", "hms", "ios", "android", "huawei"]},
    token=TEXT,
    environment={"enum": ["development", "production"]},
)
_NUMBER: Schema = {"type": "integer"}
_PAGE = wrapped(page=_NUMBER, size=_NUMBER, onlyUnread={"type": "boolean"})


def _credential(*members: str) -> Schema:
    """A browser's answer."""
    response = {"type": "object", "properties": dict.fromkeys(members, TEXT), "required": sorted(members)}
    properties = {"id": TEXT, "rawId": TEXT, "type": {"const": "public-key"}, "response": response}
    return {"type": "object", "properties": properties, "required": ["id", "type", "response"]}


_PASSKEY = "/api/passkey"
_BEGIN_PASSKEY = wrapped(applicationId=TEXT, displayName=TEXT)
_MADE = _credential("clientDataJSON", "attestationObject")
_SIGNED = _credential("clientDataJSON", "authenticatorData", "signature")
_OWN_PASSKEY = f"{_PASSKEY}/{{activationId}}"

ENDPOINTS = (
    Endpoint("/pa/v3/status", ANYTHING),
    Endpoint("/pa/v3/keystore/create", wrapped(jwt=TEXT)),
    Endpoint("/pa/v3/activation/create", _LAYER_1, scope=Scope.APPLICATION),
    Endpoint("/pa/v3/activation/status", wrapped(activationId=TEXT, challenge=TEXT)),
    Endpoint("/pa/v3/activation/remove", ANYTHING, uri_id="/pa/activation/remove", signature_type=PK),
    Endpoint("/pa/v3/activation/detail", ANYTHING, token=True, scope=Scope.ACTIVATION),
    Endpoint(
        "/pa/v3/activation/rename",
        {"type": "object", "properties": {"activationName": TEXT}, "required": ["activationName"]},
        uri_id="/pa/activation/rename",
        signature_type=PK,
        scope=Scope.ACTIVATION,
    ),
    Endpoint("/pa/v3/token/create", ANYTHING, uri_id="/pa/token/create", sealed=SharedInfo1.CREATE_TOKEN),
    Endpoint("/pa/v3/token/remove", wrapped(tokenId=TEXT), uri_id="/pa/token/remove"),
    Endpoint(
        "/pa/v3/vault/unlock",
        {"type": "object", "properties": {"reason": TEXT}, "required": ["reason"]},
        uri_id="/pa/vault/unlock",
        signature_type=PK,
        sealed=SharedInfo1.VAULT_UNLOCK,
    ),
    Endpoint("/pa/v3/upgrade/start", ANYTHING, sealed=SharedInfo1.UPGRADE),
    Endpoint("/pa/v3/upgrade/commit", ANYTHING, uri_id="/pa/upgrade/commit"),
    Endpoint(
        "/pa/v3/recovery/confirm",
        {"type": "object", "properties": {"recoveryCode": TEXT}, "required": ["recoveryCode"]},
        uri_id="/pa/recovery/confirm",
        signature_type=PK,
        sealed=SharedInfo1.CONFIRM_RECOVERY_CODE,
    ),
    Endpoint("/pa/v3/user/info", ANYTHING, scope=Scope.ACTIVATION),
    Endpoint(
        "/api/config/oidc",
        {"type": "object", "properties": {"providerId": TEXT}, "required": ["providerId"]},
        scope=Scope.APPLICATION,
    ),
    Endpoint(f"{_OPERATION}/list", ANYTHING, token=True),
    Endpoint(f"{_OPERATION}/detail", wrapped(id=TEXT), token=True),
    Endpoint(f"{_OPERATION}/detail/claim", wrapped(id=TEXT), token=True),
    Endpoint(f"{_OPERATION}/history", ANYTHING, uri_id="/operation/history", signature_type=PK),
    Endpoint(f"{_OPERATION}/authorize", _DECISION, uri_id="/operation/authorize"),
    Endpoint(f"{_OPERATION}/cancel", _DECISION, uri_id="/operation/cancel"),
    *(Endpoint(f"/api/push/device/register{part}", _REGISTRATION, token=True) for part in ("", "/token")),
    Endpoint("/api/inbox/count", ANYTHING, token=True),
    Endpoint("/api/inbox/message/list", _PAGE, token=True),
    Endpoint("/api/inbox/message/detail", wrapped(id=TEXT), token=True),
    Endpoint("/api/inbox/message/read", wrapped(id=TEXT), token=True),
    Endpoint("/api/inbox/message/read-all", ANYTHING, token=True),
    Endpoint(
        f"{_PASSKEY}/registration/options",
        _BEGIN_PASSKEY,
        uri_id=f"{_PASSKEY}/registration/options",
        signature_type=PK,
    ),
    Endpoint(f"{_PASSKEY}/registration", wrapped(registrationId=TEXT, name=TEXT, credential=_MADE)),
    Endpoint(f"{_PASSKEY}/assertion/options", wrapped(applicationId=TEXT, userId=TEXT)),
    Endpoint(f"{_PASSKEY}/assertion", wrapped(sessionId=TEXT, credential=_SIGNED)),
    Endpoint(_PASSKEY, ANYTHING, method="GET"),
    Endpoint(f"{_OWN_PASSKEY}/rename", wrapped(name=TEXT)),
    Endpoint(_OWN_PASSKEY, ANYTHING, method="DELETE"),
    Endpoint("/exchange/v3/application", ANYTHING, scope=Scope.APPLICATION),
    Endpoint("/exchange/v3/activation", ANYTHING, scope=Scope.ACTIVATION),
    *(
        Endpoint(
            f"/exchange/v3/signed{part}",
            ANYTHING,
            uri_id=f"/exchange/v3/signed{part}",
            signature_type=PB,
            scope=Scope.ACTIVATION,
        )
        for part in ("", "/string", "/raw", "/generics")
    ),
    *(
        Endpoint("/pa/v3/signature/validate", ANYTHING, uri_id="/pa/signature/validate", method=method)
        for method in ("GET", "POST", "PUT", "DELETE")
    ),
)

BY_PATH = {(endpoint.method, endpoint.path): endpoint for endpoint in ENDPOINTS}


def with_bodies(document: Mapping[str, Any]) -> dict[str, Any]:
    """The service's document with the bodies that it reads by itself instead of declaring them."""
    completed = deepcopy(dict(document))
    responses = {"default": {"description": "Error"}, "200": {"description": "OK"}}
    for endpoint in ENDPOINTS:
        item = completed["paths"].setdefault(endpoint.path, {})
        operation = item.setdefault(endpoint.method.lower(), {"responses": responses})
        if endpoint.method != "GET":
            operation["requestBody"] = {
                "content": {"application/json": {"schema": deepcopy(dict(endpoint.body))}}
            }
    return completed
