"""Cases of the recovery calls (spec/core-api.md §8)."""

from __future__ import annotations

from typing import Any

from core_cases import (
    Bad,
    Case,
    Then,
    always,
    fido2_now,
    out_of_scope,
    patched,
    present,
    temporary_keys_gone,
    unsupported,
)
from core_cases_activations import EXCHANGE_REFUSALS, NOT_FOUND, NOT_POSITIVE, last_change, status_is
from core_world import (
    ACTIVE,
    APP,
    APP_KEY,
    BLOCKED,
    RECOVERY,
    RECOVERY_ID,
    World,
    layer2,
    recovery_on,
    sealed,
)
from sqlalchemy import text

from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.v3 import activation_code
from powerauth_protocol.v3.ecies import SharedInfo1


async def _recovery_off(world: World) -> None:
    await world.sql("UPDATE pa_recovery_config SET activation_recovery_enabled = false")


async def _one_attempt(world: World) -> None:
    await world.sql("UPDATE pa_recovery_code SET max_failed_attempts = 1")


RECOVER = Case(
    "activation/recovery/create",
    {"applicationKey": APP_KEY, "**code": RECOVERY, "**": layer2(), "maxFailureCount": 7},
    {"userId": "user-1", "activationStatus": "PENDING_COMMIT"},
    (status_is("PENDING_COMMIT", maxFailedAttempts=7), last_change("PENDING_COMMIT")),
    before=recovery_on,
    bad=(
        *EXCHANGE_REFUSALS,
        Bad("RECOVERY", {"puk": "0000000000"}, extra={"currentRecoveryPukIndex": 1}),
        Bad("0028", {"puk": "0000000000"}, after=_one_attempt),
        Bad("0024", {"recoveryCode": activation_code.generate()}),
        Bad("0024", {"applicationKey": "unknown"}),
        Bad("0024", after=unsupported),
        Bad("0024", after=_recovery_off),
        Bad(
            "0024",
            {"maxFailureCount": -1},
            NOT_POSITIVE,
        ),
        out_of_scope("0024"),
    ),
)


def confirmation(plaintext: bytes = b"{}") -> Any:
    return sealed(SharedInfo1.CONFIRM_RECOVERY_CODE, plaintext)


async def POSTCARD(world: World) -> dict[str, Any]:
    """The confirmation of a postcard that the printing centre derived."""
    device = world.device or await world.activation("ACTIVE")
    await RECOVERY_ID(world)
    async with world.core.database.read() as session:
        found = await session.execute(
            text(
                "SELECT recovery_code FROM pa_recovery_code c"
                " JOIN pa_application a ON a.id = c.application_id"
                " WHERE a.name = :app AND activation_id IS NULL"
            ),
            {"app": device.app.application_id},
        )
        code = found.scalar_one()
    made: dict[str, Any] = await confirmation(b'{"recoveryCode":"' + code.encode() + b'"}')(world)
    return made


_UNKNOWN_CODE = b'{"recoveryCode":"' + activation_code.generate().encode() + b'"}'
_SWITCHES = {
    "applicationId": APP,
    "activationRecoveryEnabled": True,
    "recoveryPostcardEnabled": True,
    "allowMultipleRecoveryCodes": True,
}


async def _no_remote_key(world: World) -> None:
    await world.sql("UPDATE pa_recovery_config SET remote_public_key_base64 = NULL")


async def _has_postcard(world: World) -> None:
    await RECOVERY_ID(world)


RECOVERY_CASES = (
    Case(
        "recovery/create",
        {"applicationId": APP, "userId": "user-1", "pukCount": 2},
        {
            "status": "CREATED",
            "puks": [{"pukIndex": 1, "status": "VALID"}, {"pukIndex": 2, "status": "VALID"}],
        },
        (
            Then(
                "recovery/lookup",
                {"userId": "user-1", "applicationId": APP},
                {"recoveryCodes": [{"status": "CREATED", "activationId": None}]},
            ),
        ),
        before=recovery_on,
        bad=(
            Bad(
                "0024",
                {"pukCount": 0},
                "requestObject.pukCount - must be greater than or equal to 1",
            ),
            Bad(
                "0024",
                {"pukCount": 101},
                "requestObject.pukCount - must be less than or equal to 100",
            ),
            Bad("0024", {"applicationId": "unknown"}),
            Bad("0024", after=_recovery_off),
            out_of_scope("0024"),
            Bad("0025", after=_has_postcard),
            Bad("0026", patch=patched("powerauth_core.recovery.lifecycle.repository.code_exists", always)),
            Bad("0029", after=_no_remote_key),
        ),
    ),
    Case(
        "recovery/confirm",
        {"activationId": ACTIVE, "applicationKey": APP_KEY, "**": POSTCARD},
        {"userId": "user-1"},
        (
            Then(
                "recovery/lookup",
                {"userId": "user-1", "applicationId": APP, "recoveryCodeStatus": "ACTIVE"},
                {"recoveryCodes": lambda codes: codes[0]["activationId"] is None},
            ),
        ),
        before=recovery_on,
        bad=(
            Bad("0008", {"activationId": BLOCKED, "**": confirmation()}),
            *NOT_FOUND,
            Bad("0018", {"mac": b64encode(bytes(32))}),
            Bad("0024", {"nonce": None}),
            Bad("0024", {"**": confirmation()}),
            Bad("0024", {"**": confirmation(b'{"recoveryCode":"AAAAA"}')}),
            Bad("0024", after=_recovery_off),
            Bad("0024", after=fido2_now),
            Bad("0027", {"**": confirmation(_UNKNOWN_CODE)}),
            Bad("0045", after=temporary_keys_gone),
        ),
    ),
    Case(
        "recovery/lookup",
        {"userId": "user-1", "applicationId": APP, "id": RECOVERY_ID},
        {
            "recoveryCodes": [
                {
                    "recoveryCodeMasked": lambda text: (
                        text.startswith("XXXXX-XXXXX-XXXXX-") and len(text) == 23
                    ),
                    "puks": [{"pukIndex": 1, "pukDerivationIndex": 0, "status": "VALID"}],
                }
            ]
        },
        before=recovery_on,
        more=(
            ({"recoveryPukStatus": "USED"}, {"recoveryCodes": []}),
            ({"recoveryCodeStatus": "ACTIVE"}, {"recoveryCodes": []}),
            ({"applicationIds": ["other"]}, {"recoveryCodes": []}),
        ),
        bad=(
            Bad("0024", {"userId": None}, "requestObject.userId - must not be null without activationId"),
            Bad("0024", {"applicationId": "unknown"}),
        ),
    ),
    Case(
        "recovery/revoke",
        {"recoveryCodeIds": [RECOVERY_ID, 999_999_999]},
        {"revoked": True},
        (
            Then(
                "recovery/lookup",
                {"userId": "user-1", "applicationId": APP},
                {"recoveryCodes": [{"status": "REVOKED", "puks": [{"status": "INVALID"}]}]},
            ),
        ),
        before=recovery_on,
        more=(
            ({"recoveryCodeIds": [999_999_999]}, {"revoked": False}),
            ({"applicationIds": ["other"]}, {"revoked": False}),
        ),
        bad=(
            Bad(
                "0024",
                {"recoveryCodeIds": [-1]},
                "requestObject.recoveryCodeIds.0 - must be greater than or equal to 0",
            ),
            Bad(
                "0024",
                {"recoveryCodeIds": []},
                "requestObject.recoveryCodeIds - must not be empty",
            ),
        ),
    ),
    Case(
        "recovery/config/detail",
        {"applicationId": APP},
        {"activationRecoveryEnabled": False, "postcardPublicKey": None},
        bad=(Bad("0024", {"applicationId": "unknown"}), out_of_scope("0024")),
    ),
    Case(
        "recovery/config/update",
        _SWITCHES,
        {"updated": True},
        (
            Then(
                "recovery/config/detail",
                {"applicationId": APP},
                {
                    "allowMultipleRecoveryCodes": True,
                    "postcardPublicKey": present,
                    "remotePostcardPublicKey": None,
                },
            ),
        ),
        more=(({"remotePostcardPublicKey": ""}, {"updated": True}),),
        bad=(
            Bad("0010", {"remotePostcardPublicKey": "AAAA"}),
            Bad("0024", {"applicationId": "unknown"}),
            out_of_scope("0024"),
        ),
    ),
)

CASES = (RECOVER, *RECOVERY_CASES)
