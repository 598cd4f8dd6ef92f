"""Whatever a phone sends, with a proof or without, the answer is one of ours (spec/enrollment-api.md §5)."""

from __future__ import annotations

from random import Random

import pytest
from asgi_client import Request
from dressing import Dressing
from endpoints import BY_PATH, ENDPOINTS, Endpoint, with_bodies
from families import ENROLLMENT as ENROLLMENT_FAMILY
from fuzz_run import Findings, FuzzRun
from generated_requests import Amounts, Known, operations_of
from running_stack import ENROLLMENT, DeviceTransport, RunningStack
from world import World

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.activation import ActivationLayer2Request
from powerauth_protocol.v3.ecies import SharedInfo1
from powerauth_protocol.v3.keys import compress_public_key, generate_key_pair
from powerauth_protocol.v3.temporary_key import TemporaryKeyRequest, build_request_jwt, request_signing_key
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk import Device

pytestmark = pytest.mark.fuzz

AMOUNTS = Amounts(boundary=10, valid=15, invalid=10)
AREAS = (
    "/pa/v3/activation/",
    "/pa/v3/keystore/",
    "/pa/v3/signature/",
    "/pa/v3/token/",
    "/pa/v3/",
    "/api/",
    "/exchange/",
)
"""Groups of paths; each is in the first that fits."""


def is_of_clients(path: str) -> bool:
    """Whether OAuth clients call it, by forms, for OAuth's own answers: the core's tests of signed tokens."""
    return "/oidc/" in path.removeprefix("/api/config") or "/.well-known/" in path


def area_of(path: str) -> str | None:
    """The group of a path."""
    return next((area for area in AREAS if path.startswith(area)), None)


async def inner_layer(world: World, version: ProtocolVersion) -> dict[str, object]:
    """The envelope of a key exchange that only the core opens (spec/protocol-v3.md §4.7)."""
    phone = Device(world.bank.with_version(version), DeviceTransport(world.bank.stack))
    encryptor = await phone.encryption.encryptor(Scope.APPLICATION, SharedInfo1.ACTIVATION_LAYER_2)
    inner = ActivationLayer2Request(
        device_public_key=compress_public_key(generate_key_pair().public), activation_name="Phone"
    )
    return dict(encryptor.encrypt(inner.to_json()).to_json_dict())


async def known_to_the_phone(world: World) -> Known:
    """What exists, by the names of the members of request objects."""
    config = world.bank.config
    claims = TemporaryKeyRequest(config.application_key, None, b64encode(bytes(18)))
    key = request_signing_key(Scope.APPLICATION, b64decode(config.application_secret))
    jwt = build_request_jwt(claims, key)
    code = world.created["activationCode"]
    return world.values() | {
        "jwt": [jwt, jwt + "x", jwt.rpartition(".")[0]],
        "activationData": [
            await inner_layer(world, version) for version in (ProtocolVersion.V3_1, ProtocolVersion.V3_3)
        ],
        "id": [world.operation["operationId"], world.unclaimed["operationId"]],
        "data": [world.operation["data"]],
        "type": ["CODE", "DIRECT", "RECOVERY", "CUSTOM"],
        "identityAttributes": [
            {"code": code},
            {"method": "oidc", "providerId": "idp", "code": "c", "nonce": "n"},
            {"recoveryCode": code, "puk": "1234567890"},
        ],
        "reason": ["ADD_BIOMETRY", "not allowed!"],
        "otp": ["12345678"],
    }


@pytest.mark.parametrize("area", AREAS)
async def test_any_request(stack: RunningStack, area: str) -> None:
    world = await World.create(stack)
    dressing = Dressing(world.bank)

    async def prepare() -> Known:
        await world.refresh()
        await dressing.refresh()
        return await known_to_the_phone(world)

    run = FuzzRun(stack, ENROLLMENT, ENROLLMENT_FAMILY, AMOUNTS, prepare)
    findings = Findings()
    for operation in operations_of(with_bodies(stack.apps[ENROLLMENT].openapi())):
        if area_of(operation.path) != area:
            continue
        endpoint = BY_PATH[operation.method.upper(), operation.path]

        async def dress(request: Request, random: Random, endpoint: Endpoint = endpoint) -> Request:
            return await dressing.dress(endpoint, request, random)

        await run.operation(operation, dress, findings)
    findings.check()
    assert findings.statuses[200], "no request got through"


async def test_every_operation_is_in_an_area(stack: RunningStack) -> None:
    operations = operations_of(with_bodies(stack.apps[ENROLLMENT].openapi()))
    of_phones = {(item.method.upper(), item.path) for item in operations if not is_of_clients(item.path)}
    assert of_phones == set(BY_PATH)
    assert {area_of(item.path) for item in ENDPOINTS} == set(AREAS)
