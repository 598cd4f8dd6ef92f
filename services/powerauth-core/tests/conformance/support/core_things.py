"""What a case may name, made when it names it: ``"{TOKEN}"``, ``{"$LAYER_2": {"otp": "1"}}``.

What one call makes is data (``cases/shared.json``); here is what has to be computed or encrypted.
"""

from __future__ import annotations

import json
import os
import tempfile
from functools import cache
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core_test_metadata import Publisher, known_by
from core_test_passkey_rows import store_passkey
from core_test_passkeys import ORIGIN, RP_ID
from joserfc.jwk import RSAKey
from sqlalchemy import text

from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3 import activation_code
from powerauth_protocol.v3.ecies import SharedInfo1
from powerauth_protocol.v3.keys import export_public_key, generate_key_pair
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Phone, token_request
from servicekit import clock

if TYPE_CHECKING:
    from core_world import World

_numbers = count(1)


async def APP(world: World) -> str:
    """The application's id."""
    return world.app.application_id


async def APP_KEY(world: World) -> str:
    """The application key of its version."""
    return world.app.key


async def OTHER_APP(world: World, member: str = "application_id") -> str:
    """The id of another application."""
    other = await type(world).create(world.core, world.http, world.monkeypatch)
    return str(getattr(other.app, member))


async def OTHER_APP_KEY(world: World) -> str:
    """An application key of another application."""
    return await OTHER_APP(world, "key")


async def NEW_NAME(_world: World) -> str:
    """A name that nothing has yet."""
    return f"name-{next(_numbers)}"


async def RSA_JWK(_world: World) -> dict[str, Any]:
    """A private RSA key that nothing has yet."""
    return dict(RSAKey.generate_key(2048).as_dict(private=True))


async def OIDC_CLIENT(world: World) -> str:
    """A client of the application that may do everything; its id."""
    made = await world.ok(
        "jwt/clients/create",
        applicationId=world.app.application_id,
        authMethod="client_secret_basic",
        grantTypes=["urn:pa:sign-in", "refresh_token"],
        scopes=["openid", "offline_access"],
    )
    return str(made["clientId"])


async def SIGNED_IN(world: World) -> dict[str, Any]:
    """A client and its tokens of a user, as members of a request."""
    client = await OIDC_CLIENT(world)
    issued = await world.ok(
        "jwt/issue",
        applicationId=world.app.application_id,
        userId="user-1",
        clientId=client,
        amr=["swk"],
        scope="openid offline_access",
    )
    return {**issued, "clientId": client}


async def REFRESH(world: World) -> dict[str, Any]:
    """A client with a refresh token."""
    found = await SIGNED_IN(world)
    return {name: found[name] for name in ("clientId", "refreshToken")}


async def ACCESS_TOKEN(world: World) -> str:
    """A signed access token."""
    return str((await SIGNED_IN(world))["accessToken"])


async def SESSION(world: World) -> str:
    """A sign-in."""
    return str((await SIGNED_IN(world))["sessionId"])


async def DISABLED_KEY(world: World) -> str:
    """A disabled signing key of the application."""
    key = await world.ok("jwt/keys/create", applicationId=world.app.application_id, name="old")
    await world.ok("jwt/keys/update", applicationId=world.app.application_id, id=key["id"], status="disabled")
    return str(key["id"])


async def NEW_CODE(_world: World) -> str:
    """An activation or recovery code that nothing has."""
    return activation_code.generate()


async def NOW(_world: World, plus: int) -> int:
    """A moment, in ms from now."""
    return clock.now_ms() + plus


async def USER(world: World) -> str:
    """A user who has nothing in the application yet."""
    return f"user-{world.app.application_id}"


async def PUBLIC_KEY(_world: World) -> str:
    """A public key of somebody's."""
    return b64encode(export_public_key(generate_key_pair().public))


async def BLOB(world: World, no: int | None = None) -> str:
    """Metadata of a publisher whom the core takes it from, newer than any before."""
    anchors = Path(tempfile.gettempdir()) / f"publisher-{os.getpid()}.pem"
    for name, value in known_by(_publisher(), anchors.parent, name=anchors.name).items():
        world.monkeypatch.setattr(world.core.settings, name, value)
    return _publisher().sign([], next(_numbers) if no is None else no, "2050-01-01").decode()


@cache
def _publisher() -> Publisher:
    return Publisher()


async def REQUEST(world: World) -> dict[str, Any]:
    """The request of the case."""
    return world.request


async def ACTIVATION(world: World, status: str, **init: Any) -> str:
    """The id of a new activation in a state."""
    return (await world.activation(status, **init)).activation_id or ""


async def DEVICE(world: World) -> str:
    """The activation of the case's device."""
    return (await world.active()).activation_id or ""


async def CANCELED(world: World) -> str:
    """The id of an operation that was canceled."""
    operation_id = await world.thing("OPERATION")
    await world.ok("operation/cancel", operationId=operation_id)
    return str(operation_id)


# -- envelopes -----------------------------------------------------------------------------------------------


async def LAYER_2(
    world: World, otp: str | None = None, plaintext: str | None = None, version: str = "3.3"
) -> dict[str, Any]:
    """Envelope members of a key exchange by a new device."""
    device = world.device = Phone(world.app, ProtocolVersion.parse(version))
    said = None if plaintext is None else plaintext.encode()
    return device.env(await device.layer2(world.call, otp=otp, plaintext=said))


async def SEALED(world: World, sh1: str, plaintext: str = "{}") -> dict[str, Any]:
    """Envelope members of a request of the case's device."""
    device = await world.active()
    await device.prepare_scope(world.call, Scope.ACTIVATION)
    return device.env(device.seal(SharedInfo1[sh1], plaintext.encode()))


async def CONFIRMATION(world: World, code: str) -> dict[str, Any]:
    """Envelope members of the confirmation of a recovery code."""
    plaintext = json.dumps({"recoveryCode": await world.made(code)})
    return await SEALED(world, "CONFIRM_RECOVERY_CODE", plaintext)


async def GENERIC(world: World, scope: str, version: str = "3.3") -> dict[str, Any]:
    """What an edge asks a key for."""
    of = Scope(scope)
    device = Phone(world.app) if of is Scope.APPLICATION else await world.active()
    device.version = ProtocolVersion.parse(version)
    await device.prepare_scope(world.call, of)
    fields = device.env(device.seal(SharedInfo1.generic(of), b"{}", of))
    if of is Scope.ACTIVATION:
        fields["activationId"] = device.activation_id
    return {name: value for name, value in fields.items() if name not in ("encryptedData", "mac")}


async def KEY_REQUEST(world: World, scope: str) -> str:
    """The signed request for a temporary key."""
    of = Scope(scope)
    device = Phone(world.app) if of is Scope.APPLICATION else await world.active()
    return device.temporary_key_request(of)


# -- verification --------------------------------------------------------------------------------------------


async def SIGNED(world: World, kind: str = "POSSESSION_KNOWLEDGE") -> dict[str, Any]:
    """The members of ``signature/verify`` of the case's device."""
    return (await world.active()).sign(b"body", kind=SignatureType[kind]).request


async def VAULT(world: World, plaintext: str = '{"reason":"ADD_BIOMETRY"}') -> dict[str, Any]:
    """The members of ``vault/unlock`` of the case's device."""
    device = await world.active()
    await device.prepare_scope(world.call, Scope.ACTIVATION)
    envelope = device.seal(SharedInfo1.VAULT_UNLOCK, plaintext.encode()).fields
    members = device.sign(json.dumps(envelope).encode(), uri_id="/pa/vault/unlock").request
    return {"signedData": members.pop("data"), **members, **envelope}


async def OFFLINE(world: World) -> dict[str, Any]:
    """The members of ``signature/offline/verify`` of the case's device."""
    device = await world.active()
    data = f"POST&{b64encode(b'/op')}&{b64encode(bytes(16))}&{b64encode(b'A2')}"
    code = device.code(data, SignatureType.POSSESSION_KNOWLEDGE, offline=True)
    return {"activationId": device.activation_id, "data": data, "signature": code}


async def TOKEN(world: World) -> str:
    """The id of a new token of the case's device."""
    return (await (await world.active()).create_token(world.call))[0]


async def TOKEN_HEADER(world: World) -> dict[str, Any]:
    """The members of ``token/validate`` with a new token."""
    token = await (await world.active()).create_token(world.call)
    return token_request(token, clock.now_ms())


# -- recovery ------------------------------------------------------------------------------------------------


async def RECOVERY(world: World) -> dict[str, Any]:
    """Recovery code and PUK of an activation of the application."""
    owner = Phone(world.app)
    await owner.create(world.call, "user-1")
    await world.ok("activation/commit", activationId=owner.activation_id)
    assert owner.recovery is not None
    return dict(zip(("recoveryCode", "puk"), owner.recovery, strict=True))


async def POSTCARD(world: World) -> dict[str, Any]:
    """The confirmation of a postcard that the printing centre derived."""
    await world.active()
    await world.thing("RECOVERY_ID")
    statement = text(
        "SELECT recovery_code FROM pa_recovery_code c JOIN pa_application a ON a.id = c.application_id"
        " WHERE a.name = :app AND activation_id IS NULL"
    )
    async with world.core.database.read() as session:
        code = (await session.execute(statement, {"app": world.app.application_id})).scalar_one()
    return await CONFIRMATION(world, code)


# -- passkeys ------------------------------------------------------------------------------------------------


async def NEW_PASSKEY(world: World, user_id: str = "user-1", **change: Any) -> dict[str, Any]:
    """What an authenticator answers to a new challenge: ``authenticatorParameters``."""
    asked = {"userId": user_id, "applicationId": world.app.application_id}
    waiting = await world.ok("/fido2/registrations/challenge", **asked)
    response = world.authenticator.register(RP_ID, ORIGIN, waiting["challenge"].encode())
    return {
        "credentialId": b64encode(response.credential_id),
        "type": "public-key",
        "response": {
            "clientDataJSON": b64encode(response.client_data_json),
            "attestationObject": b64encode(response.attestation_object),
        },
        "relyingPartyId": RP_ID,
        "allowedOrigins": [ORIGIN],
        **change,
    }


async def SIGN_IN(world: World, template: str, **change: Any) -> dict[str, Any]:
    """The members of ``/fido2/assertions`` of a new passkey and a new operation."""
    members = {"applicationId": world.app.application_id, "activationName": "phone"}
    parameters = await NEW_PASSKEY(world)
    await world.ok("/fido2/registrations", **members, authenticatorParameters=parameters)
    asked = {"applicationIds": [world.app.application_id], "templateName": await world.made(template)}
    operation = await world.ok("/fido2/assertions/challenge", **asked, userId="user-1")
    response = world.authenticator.sign_in(RP_ID, ORIGIN, operation["challenge"].encode())
    return {
        "credentialId": b64encode(response.credential_id),
        "type": "public-key",
        "response": {
            "clientDataJSON": b64encode(response.client_data_json),
            "authenticatorData": b64encode(response.authenticator_data),
            "signature": b64encode(response.signature),
        },
        "applicationId": world.app.application_id,
        "relyingPartyId": RP_ID,
        "allowedOrigins": [ORIGIN],
        **change,
    }


async def PASSKEY(world: World, user: str = "user-1", **extras: Any) -> str:
    """A passkey, by the id of its activation."""
    return await store_passkey(world.core, world.app.application_id, user, **extras)
