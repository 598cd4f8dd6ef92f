"""A device for tests of the core: it speaks layer 2, temporary keys, envelopes and authentication codes.

It needs only `call`, a function that posts a request object to the core and returns the response object,
like ``lambda path, request: api.ok(path, **request)``. All it does on the wire is
`powerauth_protocol`.

Test folders find this module on the path, where the conftest above them puts it.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from powerauth_protocol.common.encoding import b64decode, b64encode, parse_json_object, render_json
from powerauth_protocol.common.request_data import normalized_data, signature_base
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3 import status_blob, temporary_key
from powerauth_protocol.v3.activation import ActivationLayer2Request, ActivationLayer2Response
from powerauth_protocol.v3.counter import next_counter
from powerauth_protocol.v3.ecies import (
    ClientEncryptor,
    EciesContext,
    EciesResponse,
    SharedInfo1,
    shared_info2_base,
)
from powerauth_protocol.v3.fingerprint import activation_fingerprint
from powerauth_protocol.v3.http_headers import SignatureHeader
from powerauth_protocol.v3.keys import (
    ActivationKeys,
    KeyPair,
    PublicKey,
    compress_public_key,
    derive_factor_keys,
    generate_key_pair,
    import_public_key,
    master_secret,
)
from powerauth_protocol.v3.signature import SignatureType, compute_signature, signing_keys
from powerauth_protocol.v3.versions import ProtocolVersion, SignatureFormat

Call = Callable[[str, Mapping[str, Any]], Awaitable[dict[str, Any]]]
"""Posts a request object to a path below ``/rest/v3`` and returns the response object."""

ENVELOPE_FIELDS = ("temporaryKeyId", "ephemeralPublicKey", "encryptedData", "mac", "nonce", "timestamp")


@dataclass(frozen=True)
class App:
    """One application version as an app carries it."""

    application_id: str
    key: str
    secret: str
    master_public_key: PublicKey

    @classmethod
    def of(cls, application_id: str, key: str, secret: str, master_public_key: str) -> App:
        """From the texts that the core answers with."""
        return cls(application_id, key, secret, import_public_key(b64decode(master_public_key)))


@dataclass
class Sealed:
    """An encrypted request on its way, and what decrypts its answer."""

    fields: dict[str, Any]
    version: ProtocolVersion
    encryptor: ClientEncryptor = field(repr=False)

    def open(self, answer: Mapping[str, Any]) -> bytes:
        """Decrypt the answer; members that are no envelope fields are passed over."""
        members = {
            name: answer[name]
            for name in ("encryptedData", "mac", "nonce", "timestamp")
            if answer.get(name) is not None
        }
        return self.encryptor.decrypt(EciesResponse.from_json_dict(members, self.version))

    def open_json(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Decrypt the answer and parse it."""
        return parse_json_object(self.open(answer))


@dataclass
class Device:
    """A phone with one activation.

    :ivar version: protocol version of all its requests
    :ivar pair: device key pair
    """

    app: App
    version: ProtocolVersion = ProtocolVersion.V3_3
    pair: KeyPair = field(default_factory=generate_key_pair)
    activation_id: str | None = None
    server_public_key: PublicKey | None = None
    keys: ActivationKeys | None = field(default=None, repr=False)
    ctr_data: bytes = field(default=b"", repr=False)
    counter: int = 0
    recovery: tuple[str, str] | None = field(default=None, repr=False)
    _temporary: dict[Scope, tuple[str, PublicKey]] = field(default_factory=dict, repr=False)

    # -- key exchange --------------------------------------------------------------------------------------

    async def join(
        self, call: Call, activation_code: str, *, otp: str | None = None, **more: Any
    ) -> dict[str, Any]:
        """Key exchange by activation code (``activation/prepare``)."""
        sealed = await self.layer2(call, otp=otp)
        answer = await call(
            "activation/prepare",
            {"activationCode": activation_code, "applicationKey": self.app.key, **self.env(sealed), **more},
        )
        self.accept(sealed, answer)
        return answer

    async def create(self, call: Call, user_id: str, **more: Any) -> dict[str, Any]:
        """Key exchange for a known user (``activation/create``)."""
        sealed = await self.layer2(call)
        answer = await call(
            "activation/create",
            {"userId": user_id, "applicationKey": self.app.key, **self.env(sealed), **more},
        )
        self.accept(sealed, answer)
        return answer

    async def layer2(self, call: Call, *, otp: str | None = None, plaintext: bytes | None = None) -> Sealed:
        """An encrypted layer 2 request; `plaintext` replaces what a device would say."""
        offer = ActivationLayer2Request(
            device_public_key=compress_public_key(self.pair.public),
            activation_name="Phone",
            activation_otp=otp,
            extras="extra",
            platform="iOS",
            device_info="iPhone13,2",
        )
        await self.prepare_scope(call, Scope.APPLICATION)
        return self.seal(
            SharedInfo1.ACTIVATION_LAYER_2,
            offer.to_json() if plaintext is None else plaintext,
            Scope.APPLICATION,
        )

    def env(self, sealed: Sealed) -> dict[str, Any]:
        """The envelope members of a request, with its protocol version."""
        return {"protocolVersion": self.version.value, **sealed.fields}

    def accept(self, sealed: Sealed, answer: Mapping[str, Any]) -> None:
        """Take activation id, keys and counter from the answer of a key exchange."""
        layer2 = ActivationLayer2Response.from_json(sealed.open(answer))
        self.activation_id = layer2.activation_id
        self.server_public_key = import_public_key(layer2.server_public_key)
        self.keys = derive_factor_keys(master_secret(self.pair.private, self.server_public_key))
        self.ctr_data, self.counter = layer2.ctr_data, 0
        self._temporary.pop(Scope.ACTIVATION, None)
        recovery = layer2.activation_recovery
        self.recovery = None if recovery is None else (recovery.recovery_code, recovery.puk)

    @property
    def fingerprint(self) -> str:
        """The digits that both sides show before the commit."""
        assert self.server_public_key is not None
        assert self.activation_id is not None
        return activation_fingerprint(self.pair.public, self.server_public_key, self.activation_id)

    # -- temporary keys and envelopes ----------------------------------------------------------------------

    async def prepare_scope(self, call: Call, scope: Scope) -> None:
        """Get a temporary key for the scope if the version needs one and there is none yet."""
        if self.version.temporary_keys and scope not in self._temporary:
            await self.new_temporary_key(call, scope)

    async def new_temporary_key(self, call: Call, scope: Scope) -> temporary_key.TemporaryKey:
        """Ask for a temporary key and use it from now on."""
        answer = await call("keystore/create", {"jwt": self.temporary_key_request(scope)})
        signer = self.app.master_public_key if scope is Scope.APPLICATION else self.server_public_key
        assert signer is not None
        issued = temporary_key.verify_response_jwt(answer["jwt"], signer)
        self._temporary[scope] = (issued.key_id, issued.public_key)
        return issued

    def temporary_key_request(self, scope: Scope, challenge: str | None = "Y2hhbGxlbmdl") -> str:
        """The signed request for a temporary key."""
        transport = None if scope is Scope.APPLICATION else self._keys.transport
        claims = temporary_key.TemporaryKeyRequest(
            application_key=self.app.key,
            activation_id=None if scope is Scope.APPLICATION else self.activation_id,
            challenge=challenge,
        )
        signing_key = temporary_key.request_signing_key(scope, b64decode(self.app.secret), transport)
        return temporary_key.build_request_jwt(claims, signing_key)

    def seal(
        self,
        sh1: SharedInfo1,
        plaintext: bytes,
        scope: Scope = Scope.ACTIVATION,
        *,
        timestamp: int | None = None,
    ) -> Sealed:
        """Encrypt a request; `prepare_scope` comes first.

        :param timestamp: ms, now by default
        """
        key_id, public = self.encryption_key(scope)
        transport = None if scope is Scope.APPLICATION else self._keys.transport
        context = EciesContext(
            version=self.version,
            scope=scope,
            sh1=sh1,
            application_key=self.app.key,
            activation_id=None if scope is Scope.APPLICATION else self.activation_id,
            temporary_key_id=key_id,
        )
        encryptor = ClientEncryptor(context, public, shared_info2_base(scope, self.app.secret, transport))
        request = encryptor.encrypt(plaintext, timestamp=timestamp)
        return Sealed(request.to_json_dict(), self.version, encryptor)

    def encryption_key(self, scope: Scope) -> tuple[str | None, PublicKey]:
        """What requests of a scope are encrypted for, with the id of a temporary key."""
        if self.version.temporary_keys:
            return self._temporary[scope]
        public = self.app.master_public_key if scope is Scope.APPLICATION else self.server_public_key
        assert public is not None
        return None, public

    # -- authentication codes ------------------------------------------------------------------------------

    def sign(
        self,
        body: bytes,
        *,
        uri_id: str = "/pa/signature/validate",
        method: str = "POST",
        kind: SignatureType = SignatureType.POSSESSION_KNOWLEDGE,
        nonce: bytes | None = None,
    ) -> Signed:
        """Compute an authentication code and move the counter, as a device does before it sends."""
        used = os.urandom(16) if nonce is None else nonce
        data = signature_base(method, uri_id, used, body)
        code = self.code(data, kind)
        return Signed(self.app, self.version, self.activation_id or "", data, used, kind, code)

    def code(
        self, data: str, kind: SignatureType, *, offline: bool = False, component_length: int = 8
    ) -> str:
        """The code over normalised data; moves the counter."""
        secret = "offline" if offline else self.app.secret
        fmt = SignatureFormat.DECIMAL if offline else self.version.signature_format
        signing = signing_keys(self._keys, kind)
        code = compute_signature(normalized_data(data, secret), signing, self.ctr_data, fmt, component_length)
        self.ctr_data = next_counter(self.ctr_data)
        self.counter += 1
        return code

    # -- status --------------------------------------------------------------------------------------------

    async def status(self, call: Call) -> status_blob.StatusBlob:
        """Ask for the status and decrypt it."""
        challenge = os.urandom(16) if self.version.status_challenge else None
        answer = await call(
            "activation/status",
            {"activationId": self.activation_id, "challenge": challenge and b64encode(challenge)},
        )
        return self.read_status(answer, challenge)

    def read_status(self, answer: Mapping[str, Any], challenge: bytes | None) -> status_blob.StatusBlob:
        """Decrypt the status of an answer."""
        nonce = answer.get("encryptedStatusBlobNonce")
        return status_blob.decrypt(
            self._keys.transport,
            b64decode(answer["encryptedStatusBlob"]),
            challenge,
            None if nonce is None else b64decode(nonce),
        )

    @property
    def _keys(self) -> ActivationKeys:
        assert self.keys is not None, "no key exchange yet"
        return self.keys


@dataclass(frozen=True)
class Signed:
    """An authentication code and what it covers."""

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
    def header(self) -> dict[str, str]:
        """The members of the authorization header, as the dmz door takes them."""
        return {
            "pa_activation_id": self.activation_id,
            "pa_application_key": self.app.key,
            "pa_nonce": b64encode(self.nonce),
            "pa_signature_type": self.kind.value,
            "pa_signature": self.code,
            "pa_version": self.version.value,
        }

    @property
    def header_text(self) -> str:
        """The authorization header."""
        return SignatureHeader(
            self.activation_id,
            self.app.key,
            b64encode(self.nonce),
            self.kind.value,
            self.code,
            self.version.value,
        ).build()


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """Compact JSON."""
    return render_json(value)
