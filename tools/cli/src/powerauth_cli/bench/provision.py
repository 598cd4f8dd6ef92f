"""Activations made directly at the core, so that what is measured afterwards is the core alone."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any

import httpx2

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.request_data import normalized_data, signature_base
from powerauth_protocol.v3.activation import ActivationLayer2Request, ActivationLayer2Response
from powerauth_protocol.v3.counter import next_counter
from powerauth_protocol.v3.ecies import (
    ClientEncryptor,
    EciesContext,
    EciesResponse,
    Scope,
    SharedInfo1,
    shared_info2_base,
)
from powerauth_protocol.v3.keys import (
    ActivationKeys,
    compress_public_key,
    derive_factor_keys,
    generate_key_pair,
    import_public_key,
    master_secret,
)
from powerauth_protocol.v3.signature import SignatureType, compute_signature, signing_keys
from powerauth_protocol.v3.versions import ProtocolVersion, SignatureFormat

_EXCHANGE_VERSION = ProtocolVersion.V3_2  # the newest one that needs no temporary key


class CoreApi:
    """The core's API, as a bank system inside the network calls it."""

    def __init__(self, base_url: str, auth: tuple[str, str]) -> None:
        self.base_url = base_url.rstrip("/")
        self.auth = auth
        self._http = httpx2.AsyncClient(auth=auth, timeout=60.0)

    async def call(self, path: str, **request: object) -> Any:
        """POST one request and return its response object.

        :raises RuntimeError: the core refused
        """
        response = await self._http.post(f"{self.base_url}/rest/v3/{path}", json={"requestObject": request})
        answer = response.json()
        if response.status_code != 200:
            raise RuntimeError(f"{path}: HTTP {response.status_code} {answer.get('responseObject')}")
        return answer.get("responseObject")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


@dataclass(frozen=True, slots=True)
class Application:
    """An application version of the measurement."""

    application_id: str
    key: str
    secret: str = field(repr=False)
    master_public_key: str
    sdk_config: str = field(repr=False)


@dataclass(slots=True)
class BenchDevice:
    """A device that signs fast: its keys lie open, nothing is stored."""

    activation_id: str
    user_id: str
    application: Application
    keys: ActivationKeys = field(repr=False)
    ctr_data: bytes = field(repr=False)
    server_public_key: bytes = field(repr=False)

    def sign(self, method: str, uri_id: str, body: bytes) -> tuple[str, str, str]:
        """Compute the next possession_knowledge code.

        :return: data without the secret, nonce, code
        """
        nonce = os.urandom(16)
        base = signature_base(method, uri_id, nonce, body)
        keys = signing_keys(self.keys, SignatureType.POSSESSION_KNOWLEDGE)
        data = normalized_data(base, self.application.secret)
        code = compute_signature(data, keys, self.ctr_data, SignatureFormat.BASE64)
        self.ctr_data = next_counter(self.ctr_data)
        return base, b64encode(nonce), code


async def create_application(core: CoreApi, application_id: str) -> Application:
    """Create an application, or read the one of that name."""
    known = {item["applicationId"] for item in (await core.call("application/list"))["applications"]}
    if application_id not in known:
        await core.call("application/create", applicationId=application_id)
    detail = await core.call("application/detail", applicationId=application_id)
    version = detail["versions"][0]
    return Application(
        application_id=application_id,
        key=version["applicationKey"],
        secret=version["applicationSecret"],
        master_public_key=detail["masterPublicKey"],
        sdk_config=version["mobileSdkConfig"],
    )


async def activate(core: CoreApi, application: Application, user_id: str) -> BenchDevice:
    """Initialise, exchange keys and commit one activation."""
    created = await core.call("activation/init", userId=user_id, applicationId=application.application_id)
    device = generate_key_pair()
    context = EciesContext(
        version=_EXCHANGE_VERSION,
        scope=Scope.APPLICATION,
        sh1=SharedInfo1.ACTIVATION_LAYER_2,
        application_key=application.key,
        application_secret=application.secret,
    )
    encryptor = ClientEncryptor(
        context,
        import_public_key(b64decode(application.master_public_key)),
        shared_info2_base(Scope.APPLICATION, application.secret),
    )
    inner = ActivationLayer2Request(device_public_key=compress_public_key(device.public))
    answer = await core.call(
        "activation/prepare",
        activationCode=created["activationCode"],
        applicationKey=application.key,
        protocolVersion=_EXCHANGE_VERSION.value,
        **encryptor.encrypt(inner.to_json()).to_json_dict(),
    )
    envelope = {name: answer[name] for name in ("encryptedData", "mac", "nonce", "timestamp")}
    response = EciesResponse.from_json_dict(envelope, _EXCHANGE_VERSION)
    exchanged = ActivationLayer2Response.from_json(encryptor.decrypt(response))
    await core.call("activation/commit", activationId=exchanged.activation_id)
    server = import_public_key(exchanged.server_public_key)
    keys = derive_factor_keys(master_secret(device.private, server))
    return BenchDevice(
        exchanged.activation_id,
        user_id,
        application,
        keys,
        exchanged.ctr_data,
        exchanged.server_public_key,
    )


def verify_body(device: BenchDevice, method: str, uri_id: str, body: bytes) -> bytes:
    """The body of a ``signature/verify`` call with the device's next code."""
    base, _, code = device.sign(method, uri_id, body)
    request = {
        "activationId": device.activation_id,
        "applicationKey": device.application.key,
        "data": base,
        "signature": code,
        "signatureType": "POSSESSION_KNOWLEDGE",
        "signatureVersion": "3.3",
    }
    return json.dumps({"requestObject": request}, separators=(",", ":")).encode()
