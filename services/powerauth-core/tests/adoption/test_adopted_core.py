"""A running core does its work on an adopted database, with what the original stored (D5, D12)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from core_test_api import Api
from core_test_original import CALLBACK_PASSWORD, OTP, PUK, SEQUENCES, Original
from core_test_rows import execute, found
from fastapi import FastAPI
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from powerauth_core.container import Core
from powerauth_core.reencryption import encrypt_stored_secrets
from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.ecies import SharedInfo1
from powerauth_protocol.v3.keys import generate_key_pair
from powerauth_protocol.v3.status_blob import ActivationStatus
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Phone, token_request
from servicekit import clock
from servicekit.serving import BackgroundServer

VERSIONS = list(ProtocolVersion)
PARAMETERS = {"amount": "100.50", "instant": "true", "count": "3", "note": None}
ALL_TIME = {"timestampFrom": "2000-01-01T00:00:00.000Z", "timestampTo": "2100-01-01T00:00:00.000Z"}


def phone(original: Original, name: str, version: ProtocolVersion = ProtocolVersion.V3_3) -> Phone:
    """A phone as it was when the original stopped; a copy, so that no test moves the counter of another."""
    kept = original.devices[name]
    device = Phone(kept.app, version, kept.pair)
    device.activation_id, device.server_public_key = kept.activation_id, kept.server_public_key
    device.keys, device.ctr_data, device.counter = kept.keys, kept.ctr_data, kept.counter
    return device


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["sealed", "clear"])
async def test_signatures_of_adopted_activations_are_verified(
    api: Api, original: Original, name: str, version: ProtocolVersion
) -> None:
    device = phone(original, name, version)
    answer = await api.ok("signature/verify", **device.sign(b"{}").request)
    assert answer["signatureValid"]
    assert (answer["userId"], answer["applicationId"]) == (f"uživatel-{name}", "bank")
    assert answer["applicationRoles"] == ["ROLE_USER", "ROLE_VIP"]
    assert answer["activationFlags"] == (["VIP", "VERIFICATION_PENDING"] if name == "sealed" else [])
    forged = device.sign(b"{}").request | {"data": "POST&L290aGVy&bm9uY2U=&e30="}
    assert not (await api.ok("signature/verify", **forged))["signatureValid"]


async def test_the_status_is_what_the_phone_knows(api: Api, original: Original) -> None:
    expected = {"pending": 2, "sealed": 3, "clear": 3, "blocked": 4, "removed": 5}
    for name, status in expected.items():
        device = phone(original, name)
        blob = await device.status(api.call)
        assert blob.activation_status == ActivationStatus(status)
        assert (blob.current_version, blob.ctr_byte) == (3, 300 % 256)
    clear = await phone(original, "clear").status(api.call)
    assert (clear.failed_attempts, clear.max_failed_attempts) == (2, 7)


async def test_an_adopted_token_is_valid_and_a_wrong_digest_is_not(api: Api, original: Original) -> None:
    for secret, valid in ((original.token_secret, True), (os.urandom(16), False)):
        request = token_request((original.token_id, secret), clock.now_ms())
        answer = await api.ok("token/validate", **request)
        assert answer["tokenValid"] is valid
        assert answer["activationId"] == original.devices["sealed"].activation_id


@pytest.mark.parametrize(
    "version", [ProtocolVersion.V3_0, ProtocolVersion.V3_2, ProtocolVersion.V3_3], ids=str
)
async def test_envelopes_are_opened_with_adopted_keys(
    api: Api, original: Original, version: ProtocolVersion
) -> None:
    """Server private keys and, before 3.3, master private keys of both lengths."""
    device = phone(original, "sealed", version)
    await device.prepare_scope(api.call, Scope.ACTIVATION)
    sealed = device.seal(SharedInfo1.CREATE_TOKEN, b"{}")
    answer = await api.ok(
        "token/create",
        activationId=device.activation_id,
        applicationKey=device.app.key,
        signatureType="POSSESSION",
        **device.env(sealed),
    )
    assert set(sealed.open_json(answer)) == {"tokenId", "tokenSecret"}


async def test_an_activation_begun_at_the_original_is_finished_here(api: Api, original: Original) -> None:
    begun = original.devices["created"]
    device = Phone(begun.app, ProtocolVersion.V3_3, generate_key_pair())
    await device.join(api.call, original.codes["created"], otp=OTP)
    assert device.activation_id == begun.activation_id
    assert (await device.status(api.call)).activation_status == ActivationStatus.ACTIVE
    pending = phone(original, "pending")
    await api.ok("activation/commit", activationId=pending.activation_id)
    assert (await api.ok("signature/verify", **pending.sign(b"{}").request))["signatureValid"]


async def test_an_adopted_recovery_code_opens_a_new_activation(api: Api, original: Original) -> None:
    lost = original.devices["clear"]
    for code, puk in ((original.recovery_code, PUK), (original.postcard_code, PUK)):
        device = Phone(lost.app, ProtocolVersion.V3_3, generate_key_pair())
        sealed = await device.layer2(api.call)
        request = {"recoveryCode": code, "applicationKey": device.app.key, **device.env(sealed)}
        if code == original.postcard_code:
            # A postcard counts only after a phone has confirmed it.
            assert await api.error("activation/recovery/create", **request, puk=puk) == "ERR0024"
            continue
        device.accept(sealed, await api.ok("activation/recovery/create", **request, puk=puk))
        assert (await device.status(api.call)).activation_status == ActivationStatus.PENDING_COMMIT
    old = await api.ok("activation/status", activationId=lost.activation_id)
    assert old["activationStatus"] == "REMOVED"


async def test_a_wrong_puk_is_counted_on_an_adopted_code(api: Api, original: Original, core: Core) -> None:
    device = Phone(original.devices["clear"].app, ProtocolVersion.V3_3, generate_key_pair())
    sealed = await device.layer2(api.call)
    code = await api.error(
        "activation/recovery/create",
        recoveryCode=original.recovery_code,
        puk="0000000000",
        applicationKey=device.app.key,
        **device.env(sealed),
    )
    assert code == "ERR_RECOVERY"
    assert await values(core, "SELECT failed_attempts FROM pa_recovery_code WHERE id = 1") == [1]


async def test_a_callback_is_delivered_with_the_adopted_password(
    api: Api, core: Core, original: Original
) -> None:
    received: list[tuple[Mapping[str, str], bytes]] = []

    async def take(request: Request) -> Response:
        received.append((request.headers, await request.body()))
        return Response()

    blocked = original.devices["sealed"].activation_id
    async with BackgroundServer(Starlette(routes=[Route("/callback", take, methods=["POST"])])) as server:
        await execute(
            core,
            text("UPDATE pa_application_callback SET callback_url = :url WHERE enabled"),
            {"url": f"{server.url}/callback"},
        )
        await api.ok("activation/block", activationId=blocked)
        await core.callbacks.idle()
    ((headers, body),) = received
    credentials = b64decode(headers["authorization"].removeprefix("Basic ")).decode()
    assert credentials == f"bank:{CALLBACK_PASSWORD}"
    assert b'"activationStatus":"BLOCKED"' in body
    assert b"u\xc5\xbeivatel-sealed" in body
    number = "SELECT max(id) FROM pa_application_callback_event"
    assert (await values(core, number))[0] > SEQUENCES["pa_app_callback_event_seq"]


async def test_callbacks_that_the_original_left_are_taken_up(
    api: Api, core: Core, original: Original
) -> None:
    listed = await api.ok("application/callback/list", applicationId="bank")
    (callback,) = listed["callbackUrlList"]
    assert callback["id"] == original.callback_id
    assert (callback["initialBackoff"], callback["retentionPeriod"], callback["maxAttempts"]) == (
        "PT2S",
        "PT720H",
        3,
    )
    assert callback["authentication"]["httpBasic"] == {
        "enabled": True,
        "username": "bank",
        "passwordSet": True,
    }
    async with core.database.transaction() as session:
        past = "SET timestamp_rerun_after = now() AT TIME ZONE 'UTC' - interval '1 hour'"
        await session.execute(text(f"UPDATE pa_application_callback_event {past} WHERE id = 54"))
    await core.callbacks.rerun_stale()
    pending = "SELECT id FROM pa_application_callback_event WHERE status = 'PENDING' ORDER BY id"
    assert await values(core, pending) == [52, 54]


async def test_new_rows_are_numbered_after_the_old_ones(api: Api, core: Core, original: Original) -> None:
    await api.ok("application/create", applicationId="new")
    await api.ok("signature/verify", **phone(original, "sealed").sign(b"{}").request)
    await api.ok("activation/block", activationId=original.devices["clear"].activation_id)
    await api.ok("activation/init", userId="user", applicationId="new")
    await api.ok("recovery/create", applicationId="bank", userId="user", pukCount=2)
    for table, sequence in (
        ("pa_application", "pa_application_seq"),
        ("pa_application_version", "pa_application_version_seq"),
        ("pa_master_keypair", "pa_master_keypair_seq"),
        ("pa_signature_audit", "pa_signature_audit_seq"),
        ("pa_activation_history", "pa_activation_history_seq"),
        ("pa_recovery_code", "pa_recovery_code_seq"),
        ("pa_recovery_puk", "pa_recovery_puk_seq"),
    ):
        (newest,) = await values(core, f"SELECT max(id) FROM {table}")
        assert newest > SEQUENCES[sequence], table


async def test_audits_and_history_show_what_the_original_wrote(api: Api, original: Original) -> None:
    user, device = "uživatel-blocked", original.devices["blocked"]
    signatures = (await api.ok("signature/list", userId=user, **ALL_TIME))["items"]
    (signature,) = signatures
    assert signature["additionalInfo"] == [{"key": "BLOCKED_REASON", "value": "MAX_FAILED_ATTEMPTS"}]
    assert (signature["note"], signature["valid"]) == ("signature_does_not_match", False)
    # The original stored the data with the secret: it is not appended a second time.
    assert b64decode(signature["dataBase64"]).decode().count(original.app_secret) == 1
    history = await api.ok("activation/history", activationId=device.activation_id, **ALL_TIME)
    assert [item["eventReason"] for item in history["items"]] == ["MAX_FAILED_ATTEMPTS", None]
    assert history["items"][0]["externalUserId"] == "operator-1"
    audit = await api.ok("audit/log/list", subjectId=user, applicationIds=["bank"], **ALL_TIME)
    assert sorted(item["type"] for item in audit["items"]) == ["activation", "signature"]
    assert {item["applicationName"] for item in audit["items"]} == {"powerauth-server"}


async def test_adopted_operations_are_listed_and_approved(api: Api, original: Original) -> None:
    pending = await api.ok("operation/list/pending", userId="uživatel-sealed", applications=["bank"])
    (operation,) = pending
    assert operation["id"] == original.operations[1]
    assert operation["parameters"] == PARAMETERS
    assert operation["additionalData"] == {"userAgent": "PowerAuthNetworking/1.1.7", "score": 0.5}
    statuses = {
        (await api.ok("operation/detail", operationId=operation_id))["status"]
        for operation_id in original.operations.values()
    }
    assert statuses == {"PENDING", "CANCELED", "EXPIRED", "APPROVED", "REJECTED", "FAILED"}
    approved = await api.ok(
        "operation/approve",
        operationId=original.operations[1],
        userId="uživatel-sealed",
        applicationId="bank",
        data="A1*A100CZK",
        signatureType="POSSESSION_KNOWLEDGE",
    )
    assert approved["result"] == "APPROVED"
    assert approved["operation"]["parameters"] == PARAMETERS
    assert [found["templateName"] for found in await api.ok("operation/template/list")] == ["payment"]


@pytest.mark.parametrize(
    ("action", "more"),
    [
        ("claim", {"userId": "somebody"}),
        ("approve/fail", {}),
        ("reject", {"userId": "uživatel-sealed", "applicationId": "bank"}),
        ("cancel", {}),
    ],
)
async def test_adopted_operations_go_on_whatever_their_parameters_are(
    api: Api, core: Core, original: Original, action: str, more: dict[str, Any]
) -> None:
    operation_id = original.operations[1]
    if action == "claim":
        async with core.database.transaction() as session:
            forgotten = text("UPDATE pa_operation SET user_id = NULL WHERE id = :id")
            await session.execute(forgotten, {"id": operation_id})
    answer = await api.ok(f"operation/{action}", operationId=operation_id, **more)
    assert answer.get("operation", answer)["parameters"] == PARAMETERS


async def test_adopted_configuration_and_callers_are_read(api: Api, app: FastAPI, original: Original) -> None:
    config = await api.ok("application/config/detail", applicationId="bank")
    assert config["applicationConfigs"] == [
        {"key": "oauth2_providers", "values": [{"providerId": "idp", "clientSecret": "tajemství"}]}
    ]
    detail = await api.ok("application/detail", applicationId="bank")
    assert b64decode(detail["masterPublicKey"])[0] == 4
    assert {version["supported"] for version in detail["versions"]} == {True, False}
    for secret, status in ((original.client_secret, 200), ("another", 401)):
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app),
            base_url="http://core/powerauth-java-server",
            auth=(original.client_token, secret),
        ) as client:
            assert (await client.post("/rest/v3/application/list", json={})).status_code == status


async def test_activations_that_are_not_served_can_be_listed_and_removed(
    api: Api, original: Original
) -> None:
    for name in ("legacy", "passkey"):
        activation_id = original.devices[name].activation_id
        found = await api.ok("activation/list", userId=f"uživatel-{name}", applicationId="bank")
        assert [item["activationId"] for item in found["activations"]] == [activation_id]
        await api.ok("activation/block", activationId=activation_id)
        removed = await api.ok("activation/remove", activationId=activation_id)
        assert removed["removed"]


async def test_the_clear_part_can_be_encrypted_and_goes_on_to_work(
    api: Api, core: Core, original: Original
) -> None:
    done = await encrypt_stored_secrets(core)
    assert not any(progress.unreadable for progress in done.values())
    assert done["pa_activation.server_private_key_base64"].encrypted == 2
    assert done["pa_master_keypair.master_key_private_base64"].encrypted == 3
    assert done["pa_token.token_secret"].encrypted == 2
    for name in ("sealed", "clear"):
        answer = await api.ok("signature/verify", **phone(original, name).sign(b"{}").request)
        assert answer["signatureValid"]


async def values(core: Core, query: str) -> list[Any]:
    """The first column of a query's rows."""
    return await found(core, text(query))
