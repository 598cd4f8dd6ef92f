"""Keys of one envelope open one request and seal one answer (spec/enrollment-api.md §2.1, §2.3)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from enrollment_fakes import FakeCore, Phone
from starlette.types import Message

from enrollment.core_client import CoreDoor
from enrollment.pipeline.envelopes import EnvelopeRefused, OpenedEnvelope, is_envelope, open_application
from enrollment.pipeline.incoming import Incoming
from powerauth_protocol.common.errors import EnvelopeStateError
from powerauth_protocol.v3.ecies import Scope
from powerauth_sdk.phone import Sealed
from servicekit.calls.client import AsgiTransport, ServiceClient

VERSIONS = ["3.0", "3.1", "3.2", "3.3"]


async def _stays() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def opened(core: FakeCore, phone: Phone, plaintext: bytes) -> tuple[OpenedEnvelope, Sealed]:
    door = CoreDoor(ServiceClient("http://core/powerauth-java-server", transport=AsgiTransport(core)))
    sealed = phone.generic(plaintext)
    body = json.dumps(sealed.fields).encode()
    header = phone.encryption(Scope.APPLICATION)["X-PowerAuth-Encryption"]
    return await open_application(door, Incoming(None, header, None, body, _stays)), sealed


@pytest.mark.parametrize("version", VERSIONS)
async def test_one_set_of_keys_answers_once(core: FakeCore, version: str) -> None:
    phone = Phone(core, version)
    envelope, sealed = await opened(core, phone, b"\x00\xff")
    assert envelope.plaintext == b"\x00\xff"
    assert sealed.open(json.loads(envelope.seal(b"answer"))) == b"answer"
    with pytest.raises(EnvelopeStateError):
        envelope.seal(b"another")


async def test_answers_carry_the_cores_nonce_and_time(core: FakeCore, phone: Phone) -> None:
    envelope, _ = await opened(core, phone, b"{}")
    sealed = json.loads(envelope.seal(b"{}"))
    assert sealed["nonce"] == envelope.keys.response_nonce
    assert sealed["timestamp"] == envelope.keys.response_timestamp == 1_735_689_600_456


@pytest.mark.parametrize("version", ["3.2", "3.3"])
async def test_base_of_shared_information_is_not_needed_from_3_2(core: FakeCore, version: str) -> None:
    envelope, _ = await opened(core, Phone(core, version), b"{}")
    assert envelope.keys.shared_info2 is None


async def test_keys_do_not_show_in_representations(core: FakeCore, phone: Phone) -> None:
    envelope, _ = await opened(core, phone, b"{}")
    assert envelope.keys.secret_key not in repr(envelope)


async def test_edge_verifies_the_mac_itself(core: FakeCore, phone: Phone) -> None:
    real = core.envelope_keys

    def other_keys(request: dict[str, Any]) -> Any:
        return real(request) | {"secretKey": "A" * 64}

    core.script["envelope/keys"] = other_keys
    with pytest.raises(EnvelopeRefused):
        await opened(core, phone, b"{}")


@pytest.mark.parametrize("version", VERSIONS)
def test_form_of_a_closed_envelope(core: FakeCore, version: str) -> None:
    good = json.loads(Phone(core, version).closed("/pa/vault/unlock"))
    assert fits(good, version)
    assert fits(good | dict.fromkeys(set(FIELDS) - set(good)), version)
    for name, example in FIELDS.items():
        changed = {key: value for key, value in good.items() if key != name}
        if name not in good:
            changed[name] = example
        assert not fits(changed, version)
    assert not fits(good, "2.1")
    assert not is_envelope(b"[]", version)


def fits(members: dict[str, object], version: str) -> bool:
    return is_envelope(json.dumps(members).encode(), version)


FIELDS: dict[str, object] = {
    "temporaryKeyId": "x",
    "ephemeralPublicKey": "QUJD",
    "encryptedData": "QUJD",
    "mac": "QUJD",
    "nonce": "QUJD",
    "timestamp": 1,
}
