"""MAC tokens made directly at the core."""

from __future__ import annotations

import json
import os
import time

from powerauth_cli.bench.provision import BenchDevice, CoreApi
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.v3.ecies import (
    ClientEncryptor,
    EciesContext,
    EciesResponse,
    Scope,
    SharedInfo1,
    shared_info2_base,
)
from powerauth_protocol.v3.keys import import_public_key
from powerauth_protocol.v3.token import token_digest
from powerauth_protocol.v3.versions import ProtocolVersion

_VERSION = ProtocolVersion.V3_2  # the newest one that needs no temporary key


async def create_token(core: CoreApi, device: BenchDevice) -> tuple[str, bytes]:
    """Create a token.

    :return: its id and its secret of 16 bytes
    """
    application = device.application
    context = EciesContext(
        version=_VERSION,
        scope=Scope.ACTIVATION,
        sh1=SharedInfo1.CREATE_TOKEN,
        application_key=application.key,
        application_secret=application.secret,
        activation_id=device.activation_id,
    )
    base = shared_info2_base(Scope.ACTIVATION, application.secret, device.keys.transport)
    encryptor = ClientEncryptor(context, import_public_key(device.server_public_key), base)
    answer = await core.call(
        "token/create",
        activationId=device.activation_id,
        applicationKey=application.key,
        signatureType="POSSESSION",
        protocolVersion=_VERSION.value,
        **encryptor.encrypt(b"{}").to_json_dict(),
    )
    envelope = {name: answer[name] for name in ("encryptedData", "mac", "nonce", "timestamp")}
    content = json.loads(encryptor.decrypt(EciesResponse.from_json_dict(envelope, _VERSION)))
    return content["tokenId"], b64decode(content["tokenSecret"])


def validate_body(token_id: str, secret: bytes) -> bytes:
    """The body of a ``token/validate`` call with a fresh nonce."""
    nonce, timestamp = os.urandom(16), int(time.time() * 1000)
    request = {
        "tokenId": token_id,
        "tokenDigest": b64encode(token_digest(secret, nonce, timestamp, _VERSION)),
        "nonce": b64encode(nonce),
        "protocolVersion": _VERSION.value,
        "timestamp": timestamp,
    }
    return json.dumps({"requestObject": request}, separators=(",", ":")).encode()
