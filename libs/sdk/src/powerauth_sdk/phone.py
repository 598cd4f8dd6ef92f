"""What a phone computes, without storage and without a way of its own to a server; its keys lie open.

Whoever carries its requests gives it a `Call`, which posts a request object and returns the response object:
to the bank's door of the core, to the one of the enrollment service, or to anything that plays it.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.json_text import read_json_object
from powerauth_protocol.common.request_data import OFFLINE_SECRET, normalized_data, signature_base
from powerauth_protocol.generation import NEWEST
from powerauth_protocol.groups import ProtocolVersion
from powerauth_protocol.v3 import status_blob
from powerauth_protocol.v3.ecies import ClientEncryptor, EciesResponse, Scope, SharedInfo1
from powerauth_protocol.v3.http_headers import SignatureHeader
from powerauth_protocol.v3.keys import ActivationKeys, KeyPair, PublicKey, TransportKey, generate_key_pair
from powerauth_protocol.v3.signature import DEFAULT_COMPONENT_LENGTH, SignatureType
from powerauth_protocol.v3.temporary_key import TemporaryKey, verify_response_jwt
from powerauth_protocol.v3.versions import SignatureFormat
from powerauth_sdk.activation import DeviceProfile, Exchanged, layer2_request
from powerauth_sdk.config import App
from powerauth_sdk.encryption import client_encryptor, temporary_key_request
from powerauth_sdk.errors import WrongDeviceState
from powerauth_sdk.signing import next_code, sign_token

Call = Callable[[str, Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""Posts a request object to a path below a door of the core and returns the response object."""

PROFILE = DeviceProfile(name="Phone", platform="iOS", device_info="iPhone13,2", extras="extra")
_ANSWERED = ("encryptedData", "mac", "nonce", "timestamp")


@dataclass(slots=True)
class Sealed:
    """An encrypted request on its way, and what decrypts its answer.

    :ivar fields: members of the envelope
    """

    fields: dict[str, Any]
    version: ProtocolVersion
    encryptor: ClientEncryptor = field(repr=False)

    def open(self, answer: Mapping[str, Any]) -> bytes:
        """Decrypt the answer; members that are no envelope fields are passed over.

        :raises ProtocolError: the answer is not authentic
        """
        members = {name: answer[name] for name in _ANSWERED if answer.get(name) is not None}
        return self.encryptor.decrypt(EciesResponse.from_json_dict(members, self.version))

    def open_json(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Decrypt the answer and parse it."""
        return read_json_object(self.open(answer))


@dataclass(slots=True)
class Phone:
    """A phone with one activation, or none yet.

    :ivar version: protocol version of all its requests
    :ivar pair: device key pair
    :ivar activation_id: empty before the key exchange
    :ivar counter: codes computed so far
    """

    app: App
    version: ProtocolVersion = NEWEST
    pair: KeyPair = field(default_factory=generate_key_pair)
    activation_id: str = ""
    server_public_key: PublicKey | None = None
    keys: ActivationKeys | None = field(default=None, repr=False)
    ctr_data: bytes = field(default=b"", repr=False)
    counter: int = 0
    fingerprint: str = ""
    recovery: tuple[str, str] | None = field(default=None, repr=False)
    temporary: dict[Scope, tuple[str, PublicKey]] = field(default_factory=dict, repr=False)

    # --- key exchange -----------------------------------------------------------------------------

    async def join(
        self, call: Call, activation_code: str, *, otp: str | None = None, **more: Any
    ) -> dict[str, Any]:
        """Key exchange by activation code (``activation/prepare``)."""
        sealed = await self.layer2(call, otp=otp)
        ids = {"activationCode": activation_code, "applicationKey": self.app.key}
        answer = await call("activation/prepare", {**ids, **self.env(sealed), **more})
        self.accept(sealed, answer)
        return answer

    async def create(self, call: Call, user_id: str, **more: Any) -> dict[str, Any]:
        """Key exchange for a known user (``activation/create``)."""
        sealed = await self.layer2(call)
        ids = {"userId": user_id, "applicationKey": self.app.key}
        answer = await call("activation/create", {**ids, **self.env(sealed), **more})
        self.accept(sealed, answer)
        return answer

    async def layer2(self, call: Call, *, otp: str | None = None, plaintext: bytes | None = None) -> Sealed:
        """An encrypted layer 2 request; `plaintext` replaces what a phone would say."""
        said = layer2_request(self.pair, PROFILE, otp) if plaintext is None else plaintext
        await self.prepare_scope(call, Scope.APPLICATION)
        return self.seal(SharedInfo1.ACTIVATION_LAYER_2, said, Scope.APPLICATION)

    def env(self, sealed: Sealed) -> dict[str, Any]:
        """The envelope members of a request, with its protocol version."""
        return {"protocolVersion": self.version.value, **sealed.fields}

    def accept(self, sealed: Sealed, answer: Mapping[str, Any]) -> None:
        """Take activation id, keys and counter from the answer of a key exchange."""
        exchanged = Exchanged.read(self.pair, sealed.open(answer))
        self.activation_id, self.keys = exchanged.activation_id, exchanged.keys
        self.server_public_key, self.fingerprint = exchanged.server_public_key, exchanged.fingerprint
        self.ctr_data, self.counter = exchanged.ctr_data, 0
        self.temporary.pop(Scope.ACTIVATION, None)
        recovery = exchanged.recovery
        self.recovery = None if recovery is None else (recovery.recovery_code, recovery.puk)

    # --- temporary keys and envelopes -------------------------------------------------------------

    async def prepare_scope(self, call: Call, scope: Scope) -> None:
        """Get a temporary key for the scope if the version needs one and there is none yet."""
        if self.version.facts.temporary_keys and scope not in self.temporary:
            await self.new_temporary_key(call, scope)

    async def new_temporary_key(self, call: Call, scope: Scope) -> TemporaryKey:
        """Ask for a temporary key and use it from now on."""
        answer = await call("keystore/create", {"jwt": self.temporary_key_request(scope)})
        issued = verify_response_jwt(answer["jwt"], self._long_term_key(scope))
        self.temporary[scope] = (issued.key_id, issued.public_key)
        return issued

    def temporary_key_request(self, scope: Scope, challenge: str | None = "Y2hhbGxlbmdl") -> str:
        """The signed request for a temporary key."""
        _, jwt = temporary_key_request(self.app, scope, *self._of_scope(scope), challenge)
        return jwt

    def seal(
        self,
        sh1: str,
        plaintext: bytes,
        scope: Scope = Scope.ACTIVATION,
        *,
        timestamp: int | None = None,
    ) -> Sealed:
        """Encrypt a request; `prepare_scope` comes first.

        :param timestamp: ms, now by default
        """
        key_id, public_key = self.encryption_key(scope)
        activation_id, transport = self._of_scope(scope)
        encryptor = client_encryptor(
            self.app,
            self.version,
            scope,
            sh1,
            public_key=public_key,
            key_id=key_id,
            activation_id=activation_id,
            transport=transport,
        )
        request = encryptor.encrypt(plaintext, timestamp=timestamp)
        return Sealed(request.to_json_dict(), self.version, encryptor)

    def encryption_key(self, scope: Scope) -> tuple[str | None, PublicKey]:
        """What requests of a scope are encrypted for, with the id of a temporary key."""
        return (
            self.temporary[scope] if self.version.facts.temporary_keys else (None, self._long_term_key(scope))
        )

    def _long_term_key(self, scope: Scope) -> PublicKey:
        if scope is Scope.APPLICATION:
            return self.app.master_public_key
        if self.server_public_key is None:
            raise WrongDeviceState("this phone is not activated")
        return self.server_public_key

    def _of_scope(self, scope: Scope) -> tuple[str | None, TransportKey | None]:
        if scope is Scope.APPLICATION:
            return None, None
        return self.activation_id, self.open_keys.transport

    # --- authentication codes ---------------------------------------------------------------------

    def sign(
        self,
        body: bytes,
        *,
        uri_id: str = "/pa/signature/validate",
        method: str = "POST",
        kind: SignatureType = SignatureType.POSSESSION_KNOWLEDGE,
        nonce: bytes | None = None,
    ) -> Signed:
        """Compute an authentication code and move the counter, as a phone does before it sends."""
        used = os.urandom(16) if nonce is None else nonce
        data = signature_base(method, uri_id, used, body)
        code = self.code(data, kind)
        return Signed(self.app, self.version, self.activation_id, data, used, kind, code)

    def code(
        self,
        data: str,
        kind: SignatureType,
        *,
        offline: bool = False,
        component_length: int = DEFAULT_COMPONENT_LENGTH,
    ) -> str:
        """The code over normalised data; moves the counter."""
        secret = OFFLINE_SECRET if offline else self.app.secret
        fmt = SignatureFormat.DECIMAL if offline else self.version.facts.signature_format
        normalised = normalized_data(data, secret)
        code, self.ctr_data = next_code(
            self.open_keys, self.ctr_data, normalised, kind, fmt, component_length
        )
        self.counter += 1
        return code

    # --- tokens -----------------------------------------------------------------------------------

    async def create_token(
        self, call: Call, kind: SignatureType = SignatureType.POSSESSION_KNOWLEDGE
    ) -> tuple[str, bytes]:
        """Create a token (``token/create``).

        :return: its id and its secret of 16 bytes
        """
        await self.prepare_scope(call, Scope.ACTIVATION)
        sealed = self.seal(SharedInfo1.CREATE_TOKEN, b"{}")
        ids = {"activationId": self.activation_id, "applicationKey": self.app.key}
        request = {**ids, "signatureType": kind.enum_name, **self.env(sealed)}
        opened = sealed.open_json(await call("token/create", request))
        return opened["tokenId"], b64decode(opened["tokenSecret"])

    # --- status -----------------------------------------------------------------------------------

    async def status(self, call: Call) -> status_blob.StatusBlob:
        """Ask for the status and decrypt it."""
        challenge = os.urandom(16) if self.version.facts.status_challenge else None
        request = {"activationId": self.activation_id, "challenge": challenge and b64encode(challenge)}
        return self.read_status(await call("activation/status", request), challenge)

    def read_status(self, answer: Mapping[str, Any], challenge: bytes | None) -> status_blob.StatusBlob:
        """Decrypt the status of an answer."""
        nonce = answer.get("encryptedStatusBlobNonce")
        blob = b64decode(answer["encryptedStatusBlob"])
        transport = self.open_keys.transport
        return status_blob.decrypt(transport, blob, challenge, None if nonce is None else b64decode(nonce))

    @property
    def open_recovery(self) -> tuple[str, str]:
        """Recovery code and PUK of the activation.

        :raises WrongDeviceState: it came without
        """
        if self.recovery is None:
            raise WrongDeviceState("this phone got no recovery code")
        return self.recovery

    @property
    def open_keys(self) -> ActivationKeys:
        """The keys of the activation.

        :raises WrongDeviceState: there is none
        """
        if self.keys is None:
            raise WrongDeviceState("this phone is not activated")
        return self.keys


def token_request(
    token: tuple[str, bytes], timestamp: int, version: ProtocolVersion = NEWEST
) -> dict[str, Any]:
    """The request object of ``token/validate``.

    :param token: id and secret
    :param timestamp: ms
    """
    header = sign_token(*token, timestamp, version)
    return {
        "tokenId": header.token_id,
        "tokenDigest": header.token_digest,
        "nonce": header.nonce,
        "protocolVersion": header.version,
        "timestamp": timestamp,
    }


@dataclass(frozen=True, slots=True)
class Signed:
    """An authentication code and what it covers.

    :ivar data: normalised data without the application secret
    """

    app: App
    version: ProtocolVersion
    activation_id: str
    data: str
    nonce: bytes
    kind: SignatureType
    code: str

    @property
    def request(self) -> dict[str, Any]:
        """The request object of ``signature/verify``."""
        return {
            "activationId": self.activation_id,
            "applicationKey": self.app.key,
            "data": self.data,
            "signature": self.code,
            "signatureType": self.kind.enum_name,
            "signatureVersion": self.version.value,
        }

    @property
    def fields(self) -> SignatureHeader:
        """The fields of the authorization header."""
        return SignatureHeader(
            activation_id=self.activation_id,
            application_key=self.app.key,
            nonce=b64encode(self.nonce),
            signature_type=self.kind.value,
            signature=self.code,
            version=self.version.value,
        )

    @property
    def header(self) -> dict[str, str]:
        """The members of the authorization header, as the core's door for enrollment takes them."""
        return {f"pa_{name}": value for name, value in asdict(self.fields).items()}

    @property
    def header_text(self) -> str:
        """The authorization header."""
        return self.fields.build()
