"""Cases of the signature, vault, token, envelope and upgrade calls (spec/core-api.md §9 to §14)."""

from __future__ import annotations

from typing import Any

from core_cases import (
    Bad,
    Case,
    Then,
    blocked,
    fido2_now,
    never,
    no_master_key,
    out_of_scope,
    patched,
    present,
    same,
    temporary_keys_gone,
    unreadable_master_key,
    unreadable_server_key,
    unsupported,
    version_2,
)
from core_world import (
    ACTIVE,
    APP,
    APP_KEY,
    BLOCKED,
    CREATED,
    FUTURE,
    OFFLINE,
    OTHER_APP_KEY,
    TOKEN,
    TOKEN_HEADER,
    World,
    generic,
    sealed,
    signed,
    temporary_key_request,
    vault,
)

from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.ecies import SharedInfo1
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion
from servicekit import clock

UNKNOWN = Bad("0009", {"activationId": "unknown"})
NOT_FOUND = (UNKNOWN, out_of_scope("0009"))
BROKEN_MAC = Bad("0018", {"mac": b64encode(bytes(32))})
UNKNOWN_VERSION = Bad("0018", {"protocolVersion": "2.1"})
NO_NONCE = Bad("0024", {"nonce": None})
FIDO2 = Bad("0024", after=fido2_now)
KEYS_GONE = Bad("0045", after=temporary_keys_gone)
SHORT = {"userId": None, "applicationId": None, "signatureType": None, "remainingAttempts": None}
GONE = SHORT | {"signatureValid": False, "activationStatus": "REMOVED"}
SEED = b64encode(b"0123456789abcdef")


def audited(*items: dict[str, Any]) -> Then:
    """What the signature audit says, newest first."""
    request = {"userId": "user-1", "applicationId": APP, "timestampFrom": 0, "timestampTo": FUTURE}
    return Then("signature/list", request, {"items": list(items)})


async def _verified(world: World) -> None:
    await world.ok("signature/verify", **await signed()(world))


SIGNATURES = (
    Case(
        "signature/verify",
        {"**": signed()},
        {
            "signatureValid": True,
            "activationStatus": "ACTIVE",
            "userId": "user-1",
            "signatureType": "POSSESSION_KNOWLEDGE",
            "remainingAttempts": 5,
            "blockedReason": None,
        },
        (
            audited({"valid": True, "note": "signature_ok", "version": 3, "signatureVersion": "3.3"}),
            Then(
                "signature/verify",
                {name: same(name) for name in ("activationId", "applicationKey", "data", "signature")}
                | {"signatureType": "POSSESSION_KNOWLEDGE", "signatureVersion": "3.3"},
                {"signatureValid": False, "remainingAttempts": 4},
            ),
        ),
        more=(
            ({"signature": "AAAA"}, {"signatureValid": False, "remainingAttempts": 4, "userId": "user-1"}),
            (
                {"**": signed(SignatureType.POSSESSION)},
                {"signatureValid": True, "signatureType": "POSSESSION"},
            ),
            ({"activationId": "unknown"}, GONE),
            ({"applicationIds": ["other"]}, GONE),
            (
                {"applicationKey": OTHER_APP_KEY},
                SHORT | {"signatureValid": False, "activationStatus": "ACTIVE"},
            ),
            ({"forcedSignatureVersion": 3}, {"signatureValid": True}),
        ),
        bad=(
            Bad("0008", after=version_2),
            Bad("0010", after=unreadable_server_key),
            Bad("0013", {"signatureVersion": "2.1"}),
            FIDO2,
        ),
    ),
    Case(
        "signature/offline/personalized/create",
        {
            "activationId": ACTIVE,
            "data": "1\nT\nM\nA2\nB",
            "nonce": b64encode(bytes(16)),
            "proximityCheck": {"seed": SEED, "stepLength": 30},
        },
        {"nonce": b64encode(bytes(16)), "offlineData": lambda text: text.startswith("1\nT\nM\nA2\nB\n")},
        more=(({"activationId": BLOCKED, "nonce": None, "proximityCheck": None}, {}),),
        bad=(
            *NOT_FOUND,
            FIDO2,
            Bad("0024", {"nonce": "AAAA"}, "requestObject.nonce - must be Base64 of 16 bytes"),
            Bad(
                "0024",
                {"proximityCheck": {"seed": "*", "stepLength": 30}},
                "requestObject.proximityCheck.seed - must be Base64",
            ),
        ),
    ),
    Case(
        "signature/offline/non-personalized/create",
        {"applicationId": APP, "data": "1\nT\nM\nA2\nB"},
        {"offlineData": lambda text: "\n0" in text},
        bad=(
            Bad("0003", after=no_master_key),
            Bad("0004", after=unreadable_master_key),
            Bad("0015", {"applicationId": "unknown"}),
            out_of_scope("0015"),
        ),
    ),
    Case(
        "signature/offline/verify",
        {"**": OFFLINE, "allowBiometry": True, "componentLength": 8},
        {"signatureValid": True, "signatureType": "POSSESSION_KNOWLEDGE", "remainingAttempts": 5},
        (audited({"valid": True, "signatureVersion": None}),),
        more=(
            (
                {"signature": "00000000-00000000"},
                {"signatureValid": False, "remainingAttempts": 4, "signatureType": "POSSESSION_KNOWLEDGE"},
            ),
            (
                {"proximityCheck": {"seed": SEED, "stepLength": 30, "stepCount": 1}},
                {"signatureValid": False, "remainingAttempts": 4},
            ),
            ({"activationId": "unknown"}, GONE),
            ({"applicationIds": ["other"]}, GONE),
        ),
        bad=(Bad("0010", after=unreadable_server_key), FIDO2),
    ),
    Case(
        "signature/ecdsa/sign",
        {"activationId": ACTIVE, "data": b64encode(b"data")},
        bad=(
            Bad("0008", after=blocked),
            *NOT_FOUND,
            FIDO2,
            Bad("0024", {"data": "*"}, "requestObject.data - must be Base64"),
        ),
    ),
    Case(
        "signature/ecdsa/verify",
        {"activationId": ACTIVE, "data": b64encode(b"data"), "signature": b64encode(b"no signature")},
        {"signatureValid": False},
        more=(
            ({"activationId": "unknown"}, {"signatureValid": False}),
            ({"applicationIds": ["other"]}, {"signatureValid": False}),
            ({"activationId": CREATED}, {"signatureValid": False}),
            ({"signatureFormat": "JOSE", "signature": b64encode(bytes(64))}, {"signatureValid": False}),
        ),
        bad=(FIDO2, Bad("0024", {"signature": "*"}, "requestObject.signature - must be Base64")),
    ),
    Case(
        "signature/list",
        {"userId": "user-1", "applicationId": APP, "timestampFrom": 0, "timestampTo": FUTURE},
        {
            "items": [
                {
                    "valid": True,
                    "activationCounter": 0,
                    "additionalInfo": [],
                    "signatureType": "POSSESSION_KNOWLEDGE",
                    "note": "signature_ok",
                    "activationStatus": "ACTIVE",
                }
            ]
        },
        before=_verified,
        more=(
            ({"timestampTo": 1}, {"items": []}),
            ({"applicationId": "unknown"}, {"items": []}),
            ({"applicationIds": ["other"]}, {"items": []}),
        ),
    ),
)


_CLOSED = {"signatureValid": False, "encryptedData": None, "mac": None, "nonce": None, "timestamp": None}

VAULT = Case(
    "vault/unlock",
    {"**": vault()},
    {"signatureValid": True, "encryptedData": present, "nonce": present, "timestamp": present},
    (
        audited(
            {"valid": True, "additionalInfo": [{"key": "VAULT_UNLOCKED_REASON", "value": "ADD_BIOMETRY"}]}
        ),
    ),
    more=(
        ({"signature": "AAAA"}, {"signatureValid": False, "encryptedData": present}),
        ({"activationId": "unknown"}, _CLOSED),
        ({"applicationKey": "unknown"}, _CLOSED),
        ({"applicationIds": ["other"]}, _CLOSED),
        ({"**": vault(b"no json")}, _CLOSED),
    ),
    bad=(
        Bad("0011", {"**": vault(b'{"reason":"a b"}')}),
        Bad("0012", {"signatureType": "POSSESSION"}),
        Bad("0012", {"signatureType": "POSSESSION_BIOMETRY"}),
        BROKEN_MAC,
        Bad("0018", {"signatureVersion": "2.1"}),
        NO_NONCE,
        FIDO2,
        KEYS_GONE,
    ),
)


def stale(milliseconds: int) -> Any:
    """A timestamp of a token header, so many ms from now."""

    async def make(_world: World) -> int:
        return clock.now_ms() + milliseconds

    return make


async def _once(world: World) -> None:
    await world.ok("token/validate", **world.request)


_NO_TOKEN: dict[str, Any] = {
    "tokenValid": False,
    **dict.fromkeys(("activationId", "activationStatus", "userId", "applicationId", "signatureType")),
    "applicationRoles": [],
    "activationFlags": [],
}

TOKENS = (
    Case(
        "token/create",
        {
            "activationId": ACTIVE,
            "applicationKey": APP_KEY,
            "signatureType": "POSSESSION_KNOWLEDGE",
            "**": sealed(SharedInfo1.CREATE_TOKEN),
        },
        {"nonce": present, "timestamp": present},
        bad=(
            Bad("0008", after=blocked),
            *NOT_FOUND,
            Bad("0015", {"applicationKey": "unknown"}),
            Bad("0015", {"applicationKey": OTHER_APP_KEY}),
            Bad("0015", after=unsupported),
            BROKEN_MAC,
            UNKNOWN_VERSION,
            Bad("0019", patch=patched("powerauth_core.tokens.service.repository.add", never)),
            NO_NONCE,
            FIDO2,
            KEYS_GONE,
        ),
    ),
    Case(
        "token/validate",
        {"**": TOKEN_HEADER},
        {"tokenValid": True, "userId": "user-1", "signatureType": "POSSESSION_KNOWLEDGE"},
        more=(
            ({"tokenDigest": b64encode(bytes(32))}, {"tokenValid": False, "userId": "user-1"}),
            ({"tokenId": "unknown"}, _NO_TOKEN),
            ({"applicationIds": ["other"]}, _NO_TOKEN),
        ),
        bad=(
            Bad("0022", {"protocolVersion": "2.1"}),
            Bad("0024", after=_once),
            FIDO2,
            Bad("0024", {"nonce": "AAAA"}, "requestObject.nonce - must be Base64 of 16 bytes"),
            Bad("0024", {"tokenDigest": "*"}, "requestObject.tokenDigest - must be Base64 of 32 bytes"),
            Bad("0030", {"timestamp": stale(-7_200_000 - 60_000)}),
            Bad("0044", {"timestamp": stale(1_800_000 + 60_000)}),
        ),
    ),
    Case(
        "token/remove",
        {"activationId": ACTIVE, "tokenId": TOKEN},
        {"removed": True},
        (
            Then(
                "token/remove", {name: same(name) for name in ("tokenId", "activationId")}, {"removed": False}
            ),
        ),
        more=(
            ({"tokenId": "unknown"}, {"removed": False}),
            ({"activationId": "unknown"}, {"removed": False}),
            ({"applicationIds": ["other"]}, {"removed": False}),
        ),
    ),
)

_APPLICATION, _ACTIVATION = generic(Scope.APPLICATION), generic(Scope.ACTIVATION)
_WITHOUT_TEMPORARY_KEY = generic(Scope.APPLICATION, ProtocolVersion.V3_2)
_IN_ACTIVATION: dict[str, Any] = {"**": _ACTIVATION}


async def _removed(world: World) -> None:
    device = await world.active()
    await world.ok("activation/remove", activationId=device.activation_id)


ENVELOPES = (
    Case(
        "ecies/decryptor",
        {"applicationKey": APP_KEY, "**": _APPLICATION},
        more=((_IN_ACTIVATION, {}),),
        bad=(
            Bad("0003", {"**": _WITHOUT_TEMPORARY_KEY}, after=no_master_key),
            Bad("0004", {"**": _WITHOUT_TEMPORARY_KEY}, after=unreadable_master_key),
            Bad("0008", _IN_ACTIVATION, after=blocked),
            Bad("0009", {"activationId": "unknown"}),
            Bad("0009", _IN_ACTIVATION | {"applicationIds": ["other"]}),
            Bad("0010", _IN_ACTIVATION, after=unreadable_server_key),
            Bad("0015", {"applicationKey": "unknown"}),
            Bad("0015", after=unsupported),
            Bad("0015", _IN_ACTIVATION | {"applicationKey": OTHER_APP_KEY}),
            UNKNOWN_VERSION,
            Bad("0024", {"timestamp": 1}),
            Bad("0024", _IN_ACTIVATION, after=fido2_now),
            KEYS_GONE,
        ),
    ),
    Case(
        "keystore/create",
        {"jwt": temporary_key_request(Scope.APPLICATION)},
        {"jwt": lambda text: text.count(".") == 2},
        more=(({"jwt": temporary_key_request(Scope.ACTIVATION)}, {}),),
        bad=(
            Bad("0009", {"jwt": temporary_key_request(Scope.ACTIVATION)}, after=_removed),
            Bad("0009", {"jwt": temporary_key_request(Scope.ACTIVATION)}, after=fido2_now),
            Bad("0015", after=unsupported),
            out_of_scope("0015"),
            Bad("0024", {"jwt": "a.b.c"}),
        ),
    ),
    Case("keystore/remove", {"id": "unknown"}, {"id": "unknown", "removed": True}),
)


_UPGRADE = {"activationId": ACTIVE, "applicationKey": APP_KEY}

# No activation is of a version that could be upgraded: both calls always refuse (§14, D8).
UPGRADE = (
    Case(
        "upgrade/start",
        _UPGRADE | {"**": sealed(SharedInfo1.UPGRADE)},
        bad=(Bad("0008"), *NOT_FOUND, UNKNOWN_VERSION, Bad("0018", {"nonce": None}), FIDO2),
    ),
    Case("upgrade/commit", _UPGRADE, bad=(Bad("0008"), *NOT_FOUND, FIDO2)),
)
ALWAYS_REFUSED = ("upgrade/start", "upgrade/commit")

CASES = (*SIGNATURES, VAULT, *TOKENS, *ENVELOPES, *UPGRADE)
