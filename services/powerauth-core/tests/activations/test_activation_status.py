"""Status: what is told, and what cannot be told apart (spec/core-api.md §7.6, spec/protocol-v3.md §9)."""

from __future__ import annotations

import asyncio
import os

import pytest
from core_test_api import Api, TestApplication
from core_test_phones import Activate, InitActivation
from core_test_rows import execute, rewrite
from sqlalchemy import update

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.activations.models import Activation
from powerauth_core.container import Core
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import DecryptionError
from powerauth_protocol.v3.counter import advance, counter_hash
from servicekit.testing import PATIENCE_SECONDS

UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
CHALLENGE = b64encode(bytes(range(16)))


async def test_an_unknown_activation_looks_like_a_removed_one(api: Api, application: TestApplication) -> None:
    found = await api.ok("activation/status", activationId=UNKNOWN_ID, challenge=CHALLENGE)
    assert len(b64decode(found.pop("encryptedStatusBlob"))) == 32
    assert len(b64decode(found.pop("encryptedStatusBlobNonce"))) == 16
    assert found == {
        "activationId": UNKNOWN_ID,
        "activationStatus": "REMOVED",
        "activationOtpValidation": "NONE",
        "commitPhase": "ON_COMMIT",
        "blockedReason": None,
        "activationName": "unknown",
        "userId": "unknown",
        "extras": None,
        "protocol": None,
        "externalId": None,
        "platform": None,
        "deviceInfo": None,
        "applicationId": None,
        "failedAttempts": 0,
        "maxFailedAttempts": 5,
        "timestampCreated": "1970-01-01T00:00:00.000+00:00",
        "timestampLastUsed": "1970-01-01T00:00:00.000+00:00",
        "timestampLastChange": None,
        "activationCode": None,
        "activationSignature": None,
        "devicePublicKeyFingerprint": None,
        "version": 0,
        "activationFlags": [],
        "applicationRoles": [],
        "additionalData": None,
        "parentActivationId": None,
        "transferType": None,
    }


async def test_a_bad_challenge_is_refused_for_known_and_unknown_ids_alike(
    api: Api, init: InitActivation
) -> None:
    known = (await init())["activationId"]
    for challenge in ("", "AAAA", "%", b64encode(bytes(17)), CHALLENGE.rstrip("=")):
        for activation_id in (UNKNOWN_ID, known):
            request = {"activationId": activation_id, "challenge": challenge}
            assert await api.error("activation/status", **request) == "ERR0024", challenge


async def test_without_device_key_the_blob_is_random_with_a_nonce_for_a_challenge(
    api: Api, activate: Activate
) -> None:
    created = await activate(ActivationStatus.CREATED)
    removed = await activate(ActivationStatus.CREATED)
    await api.ok("activation/remove", activationId=removed.activation_id)
    for activation_id in (UNKNOWN_ID, created.activation_id, removed.activation_id):
        answers = [
            await api.ok("activation/status", activationId=activation_id, challenge=CHALLENGE)
            for _ in range(2)
        ]
        assert answers[0]["encryptedStatusBlob"] != answers[1]["encryptedStatusBlob"]
        assert answers[0]["encryptedStatusBlobNonce"] != answers[1]["encryptedStatusBlobNonce"]
        plain = await api.ok("activation/status", activationId=activation_id)
        assert plain["encryptedStatusBlobNonce"] is None


@pytest.mark.parametrize("status", [s for s in ActivationStatus if s is not ActivationStatus.CREATED])
async def test_the_device_reads_its_state_and_counter(
    core: Core, api: Api, activate: Activate, status: ActivationStatus
) -> None:
    device = await activate(status)
    moved = advance(device.ctr_data, 300)
    await execute(
        core, update(Activation).values(counter=300, ctr_data=b64encode(moved), failed_attempts=258)
    )
    blob = await device.status(api.call)
    assert blob.activation_status == status.code
    assert (blob.current_version, blob.upgrade_version) == (3, 3)
    assert (blob.ctr_byte, blob.failed_attempts, blob.max_failed_attempts) == (300 % 256, 2, 5)
    assert (blob.ctr_look_ahead, blob.ctr_data_hash) == (20, counter_hash(device.open_keys.transport, moved))


async def test_without_challenge_counter_and_window_are_filler(api: Api, activate: Activate) -> None:
    device = await activate()
    blobs = []
    for _ in range(2):
        answer = await api.ok("activation/status", activationId=device.activation_id)
        assert answer["encryptedStatusBlobNonce"] is None
        blobs.append(device.read_status(answer, None))
    assert blobs[0].activation_status == ActivationStatus.ACTIVE.code
    assert blobs[0].ctr_data_hash != blobs[1].ctr_data_hash
    assert counter_hash(device.open_keys.transport, device.ctr_data) not in (
        blob.ctr_data_hash for blob in blobs
    )


async def test_the_blob_answers_this_challenge_only(api: Api, activate: Activate) -> None:
    device = await activate()
    answer = await api.ok("activation/status", activationId=device.activation_id, challenge=CHALLENGE)
    with pytest.raises(DecryptionError):
        device.read_status(answer, os.urandom(16))


async def test_code_and_signature_are_told_only_before_the_key_exchange(api: Api, activate: Activate) -> None:
    device = await activate(ActivationStatus.PENDING_COMMIT)
    found = await api.ok("activation/status", activationId=device.activation_id)
    assert (found["activationCode"], found["activationSignature"]) == (None, None)


async def test_an_activation_of_another_version_has_no_status(
    api: Api, core: Core, activate: Activate
) -> None:
    device = await activate()
    await rewrite(core, version=2)
    assert await api.error("activation/status", activationId=device.activation_id) == "ERR0008"
    items = (await api.ok("activation/list", userId="user-1"))["activations"]
    assert [item["version"] for item in items] == [2]
    await api.ok("activation/block", activationId=device.activation_id)
    await api.ok("activation/remove", activationId=device.activation_id)


async def test_a_poll_does_not_wait_for_the_one_who_writes(
    api: Api, dmz: Api, activate: Activate, core: Core
) -> None:
    device = await activate()
    async with core.database.transaction() as session, asyncio.timeout(PATIENCE_SECONDS):
        await session.execute(update(Activation).values(extras="written"))
        for door in (api, dmz):
            assert (await door.ok("activation/status", activationId=device.activation_id))["activationId"]
