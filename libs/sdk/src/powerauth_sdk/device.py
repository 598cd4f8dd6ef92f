"""A simulated phone with one application on it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.request_data import canonical_query
from powerauth_protocol.v3 import status_blob
from powerauth_protocol.v3.activation import ActivationType
from powerauth_protocol.v3.counter import SyncOutcome, synchronise
from powerauth_protocol.v3.ecies import Scope, SharedInfo1
from powerauth_protocol.v3.http_headers import AUTHORIZATION_HEADER, TOKEN_HEADER
from powerauth_protocol.v3.signature import SignatureType
from powerauth_sdk.activation import ActivationResult, DeviceProfile, exchange_keys, trusted_code
from powerauth_sdk.config import AppConfig
from powerauth_sdk.encryption import Encryption
from powerauth_sdk.errors import UnexpectedAnswer, WrongDeviceState
from powerauth_sdk.factors import transport_key
from powerauth_sdk.signing import sign_request, sign_token
from powerauth_sdk.state import ActivationState, StateStore, TokenRecord
from powerauth_sdk.transport import (
    JSON_HEADERS,
    Answer,
    HttpTransport,
    Transport,
    request_object,
    require_success,
    response_object,
)

POSSESSION_KNOWLEDGE = SignatureType.POSSESSION_KNOWLEDGE


@dataclass(frozen=True, slots=True)
class DeviceStatus:
    """The decrypted status of the activation.

    :ivar state: ``CREATED``, ``PENDING_COMMIT``, ``ACTIVE``, ``BLOCKED`` or ``REMOVED``
    :ivar synchronisation: what the counters of both sides say about each other; None in 3.0
    :ivar custom_object: what the server's operator adds, in clear
    """

    state: str
    failed_attempts: int
    max_failed_attempts: int
    look_ahead: int
    synchronisation: SyncOutcome | None
    custom_object: Mapping[str, Any] | None

    @property
    def remaining_attempts(self) -> int:
        """Attempts left before the activation is blocked."""
        return max(0, self.max_failed_attempts - self.failed_attempts)


class Device:
    """One application on one phone, bound to at most one user.

    Calls that compute authentication codes run one after the other, and the stepped counter is stored
    before a request leaves (spec/protocol-v3.md §8.3).

    :param store: keeps the activation between runs; in memory by default
    """

    def __init__(
        self, config: AppConfig, transport: Transport | None = None, store: StateStore | None = None
    ) -> None:
        self.config = config
        self.transport = transport or HttpTransport(config.base_url)
        self.encryption = Encryption(config, self.transport)
        self._store = store or StateStore()
        self._codes = asyncio.Lock()

    @property
    def activated(self) -> bool:
        """True between key exchange and removal, whatever the server thinks."""
        return self._store.load() is not None

    @property
    def state(self) -> ActivationState:
        """The activation.

        :raises WrongDeviceState: there is none
        """
        state = self._store.load()
        if state is None:
            raise WrongDeviceState("this device is not activated")
        return state

    def save(self) -> None:
        """Store the activation after a change to its state."""
        self._store.save(self.state)

    # --- activation -------------------------------------------------------------------------------

    async def activate_with_code(
        self,
        scanned: str,
        pin: str,
        *,
        otp: str | None = None,
        profile: DeviceProfile | None = None,
        custom_attributes: Mapping[str, Any] | None = None,
    ) -> ActivationResult:
        """Activate with an activation code, as typed or scanned with its signature.

        :raises UntrustedData: the code's checksum or signature is wrong
        :raises ServerRefused: the server refused the code
        """
        identity = {"code": trusted_code(self.config, scanned)}
        return await self._activate(ActivationType.CODE, identity, pin, otp, profile, custom_attributes)

    async def activate_with_credentials(
        self,
        identity_attributes: Mapping[str, str],
        pin: str,
        *,
        activation_type: ActivationType = ActivationType.DIRECT,
        profile: DeviceProfile | None = None,
        custom_attributes: Mapping[str, Any] | None = None,
    ) -> ActivationResult:
        """Activate with whatever the server's activation provider asks for."""
        return await self._activate(
            activation_type, identity_attributes, pin, None, profile, custom_attributes
        )

    async def activate_with_recovery_code(
        self, recovery_code: str, puk: str, pin: str, *, profile: DeviceProfile | None = None
    ) -> ActivationResult:
        """Activate with a recovery code and its next PUK.

        :raises ServerRefused: with `extra["currentRecoveryPukIndex"]` when another PUK is due
        """
        identity = {"recoveryCode": recovery_code.removeprefix("R:"), "puk": puk.replace("-", "")}
        return await self._activate(ActivationType.RECOVERY, identity, pin, None, profile, None)

    async def activate_with_oidc(
        self,
        *,
        provider_id: str,
        code: str,
        nonce: str,
        pin: str,
        code_verifier: str | None = None,
        profile: DeviceProfile | None = None,
    ) -> ActivationResult:
        """Activate with the authorization code of an OpenID provider."""
        identity = {"method": "oidc", "providerId": provider_id, "code": code, "nonce": nonce}
        if code_verifier is not None:
            identity["codeVerifier"] = code_verifier
        return await self._activate(ActivationType.DIRECT, identity, pin, None, profile, None)

    async def _activate(
        self,
        activation_type: ActivationType,
        identity_attributes: Mapping[str, str],
        pin: str,
        otp: str | None,
        profile: DeviceProfile | None,
        custom_attributes: Mapping[str, Any] | None,
    ) -> ActivationResult:
        if self.activated:
            raise WrongDeviceState("this device is activated already")
        state, result = await exchange_keys(
            self.config,
            self.encryption,
            activation_type=activation_type,
            identity_attributes=identity_attributes,
            custom_attributes=custom_attributes or {},
            pin=pin,
            otp=otp,
            profile=profile or DeviceProfile(),
        )
        self.encryption.forget_activation()
        self._store.save(state)
        return result

    def forget(self) -> None:
        """Delete the activation from this device only."""
        self.encryption.forget_activation()
        self._store.save(None)

    # --- status -----------------------------------------------------------------------------------

    async def status(self) -> DeviceStatus:
        """Read the encrypted status and bring the counters together (spec/protocol-v3.md §9, §8.6).

        :raises ProtocolError: the answer is not that of this activation: removed, or unknown to the server
        """
        async with self._codes:
            state = self.state
            challenge = os.urandom(16) if self.config.version.facts.status_challenge else None
            body = request_object(
                activationId=state.activation_id, challenge=b64encode(challenge) if challenge else None
            )
            answer = await self.transport.send("POST", "/pa/v3/activation/status", JSON_HEADERS, body)
            content = response_object(answer)
            blob = status_blob.decrypt(
                transport_key(state),
                b64decode(content["encryptedStatusBlob"]),
                challenge=challenge,
                nonce=b64decode(content["nonce"]) if challenge else None,
            )
            outcome = None
            if challenge:
                sync = synchronise(
                    local_ctr_data=b64decode(state.ctr_data),
                    local_ctr_byte=state.ctr_byte,
                    server_hash=blob.ctr_data_hash,
                    server_ctr_byte=blob.ctr_byte,
                    look_ahead=blob.ctr_look_ahead,
                    transport_key=transport_key(state),
                )
                state.ctr_data, state.ctr_byte = b64encode(sync.ctr_data), sync.ctr_byte
                self.save()
                outcome = sync.outcome
            return DeviceStatus(
                state=status_blob.ActivationStatus(blob.activation_status).name,
                failed_attempts=blob.failed_attempts,
                max_failed_attempts=blob.max_failed_attempts,
                look_ahead=blob.ctr_look_ahead,
                synchronisation=outcome,
                custom_object=content.get("customObject"),
            )

    # --- signed requests --------------------------------------------------------------------------

    async def signed_header(
        self,
        *,
        method: str,
        uri_id: str,
        body: bytes,
        signature_type: SignatureType = POSSESSION_KNOWLEDGE,
        pin: str | None = None,
    ) -> dict[str, str]:
        """The authorization header for a request that somebody else sends, e.g. to the bank.

        :param body: raw body; for GET the raw query string
        """
        signed = (canonical_query(body.decode()) or "").encode() if method == "GET" else body
        async with self._codes:
            header = sign_request(
                self.config,
                self.state,
                method=method,
                uri_id=uri_id,
                body=signed,
                signature_type=signature_type,
                pin=pin,
            )
            self.save()
        return {AUTHORIZATION_HEADER: header.build()}

    async def signed_call(
        self,
        path: str,
        *,
        uri_id: str,
        body: bytes = b"{}",
        signature_type: SignatureType = POSSESSION_KNOWLEDGE,
        pin: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """POST a signed, unencrypted request to the enrollment service."""
        signed = await self.signed_header(
            method="POST", uri_id=uri_id, body=body, signature_type=signature_type, pin=pin
        )
        return await self.transport.send("POST", path, {**JSON_HEADERS, **(headers or {}), **signed}, body)

    async def encrypted_then_signed_call(
        self,
        path: str,
        *,
        sh1: SharedInfo1,
        uri_id: str,
        plaintext: bytes,
        signature_type: SignatureType = POSSESSION_KNOWLEDGE,
        pin: str | None = None,
    ) -> bytes:
        """POST a request whose encrypted body is signed as it is sent, and decrypt the answer."""
        encryptor = await self.encryption.encryptor(Scope.ACTIVATION, sh1, self.state)
        body = self.encryption.encrypt(encryptor, plaintext)
        answer = await self.signed_call(
            path, uri_id=uri_id, body=body, signature_type=signature_type, pin=pin
        )
        return self.encryption.decrypt(encryptor, answer)

    async def signed_then_encrypted_call(
        self,
        path: str,
        *,
        uri_id: str,
        plaintext: bytes,
        signature_type: SignatureType = POSSESSION_KNOWLEDGE,
        pin: str | None = None,
    ) -> bytes:
        """POST a request whose plaintext is signed before it is encrypted, and decrypt the answer."""
        header = await self.signed_header(
            method="POST", uri_id=uri_id, body=plaintext, signature_type=signature_type, pin=pin
        )
        return await self.encryption.call(
            path,
            Scope.ACTIVATION,
            SharedInfo1.ACTIVATION_GENERIC,
            plaintext,
            state=self.state,
            headers=header,
        )

    async def validate_signature(
        self,
        *,
        method: str = "POST",
        body: bytes = b"{}",
        signature_type: SignatureType = POSSESSION_KNOWLEDGE,
        pin: str | None = None,
    ) -> None:
        """Let the server check a signature, which also brings its counter up to this one.

        :param body: raw body; for GET the raw query string
        :raises ServerRefused: the signature is wrong, or the activation is not active
        """
        uri_id = "/pa/signature/validate"
        header = await self.signed_header(
            method=method, uri_id=uri_id, body=body, signature_type=signature_type, pin=pin
        )
        path = "/pa/v3/signature/validate"
        if method == "GET":
            path, body = f"{path}?{body.decode()}" if body else path, b""
        require_success(await self.transport.send(method, path, {**JSON_HEADERS, **header}, body))

    # --- tokens -----------------------------------------------------------------------------------

    async def token(
        self,
        name: str = "possession_universal",
        signature_type: SignatureType = SignatureType.POSSESSION,
        pin: str | None = None,
    ) -> TokenRecord:
        """Return the token of that name; it is created at first use (spec/protocol-v3.md §10)."""
        known = self.state.tokens.get(name)
        if known is not None:
            return known
        plaintext = await self.encrypted_then_signed_call(
            "/pa/v3/token/create",
            sh1=SharedInfo1.CREATE_TOKEN,
            uri_id="/pa/token/create",
            plaintext=b"{}",
            signature_type=signature_type,
            pin=pin,
        )
        content = json.loads(plaintext)
        token = TokenRecord(content["tokenId"], content["tokenSecret"], signature_type.value)
        self.state.tokens[name] = token
        self.save()
        return token

    def token_header(self, token: TokenRecord) -> dict[str, str]:
        """A fresh header that proves possession of a token."""
        secret = b64decode(token.token_secret)
        header = sign_token(token.token_id, secret, self.encryption.now_ms(), self.config.version)
        return {TOKEN_HEADER: header.build()}

    async def token_call(self, path: str, body: bytes = b"{}", language: str = "en") -> dict[str, Any]:
        """POST with the universal token and return the whole successful answer."""
        header = self.token_header(await self.token())
        headers = {**JSON_HEADERS, "Accept-Language": language, **header}
        return require_success(await self.transport.send("POST", path, headers, body))

    async def remove_token(
        self, name: str = "possession_universal", signature_type: SignatureType = SignatureType.POSSESSION
    ) -> None:
        """Remove a token on both sides."""
        token = self.state.tokens.get(name)
        if token is None:
            raise WrongDeviceState(f"there is no token {name}")
        answer = await self.signed_call(
            "/pa/v3/token/remove",
            uri_id="/pa/token/remove",
            body=request_object(tokenId=token.token_id),
            signature_type=signature_type,
        )
        require_success(answer)
        del self.state.tokens[name]
        self.save()

    # --- activation scope -------------------------------------------------------------------------

    async def user_info(self) -> dict[str, Any]:
        """The claims about the user that the server gives."""
        return self._object(
            await self.encryption.call(
                "/pa/v3/user/info", Scope.ACTIVATION, SharedInfo1.ACTIVATION_GENERIC, b"{}", state=self.state
            )
        )

    async def detail(self, token_name: str, signature_type: SignatureType, pin: str | None) -> dict[str, Any]:
        """Activation id and name, with a two-factor token."""
        header = self.token_header(await self.token(token_name, signature_type, pin))
        encryption = self.encryption.header(Scope.ACTIVATION, self.state)
        plaintext = await self.encryption.call(
            "/pa/v3/activation/detail",
            Scope.ACTIVATION,
            SharedInfo1.ACTIVATION_GENERIC,
            b"{}",
            state=self.state,
            headers={**header, **encryption},
        )
        return self._response_object(plaintext)

    async def rename(self, name: str, pin: str) -> dict[str, Any]:
        """Give the activation another name."""
        plaintext = await self.signed_then_encrypted_call(
            "/pa/v3/activation/rename",
            uri_id="/pa/activation/rename",
            plaintext=json.dumps({"activationName": name}, ensure_ascii=False).encode(),
            pin=pin,
        )
        return self._response_object(plaintext)

    async def remove(self, pin: str | None, signature_type: SignatureType = POSSESSION_KNOWLEDGE) -> None:
        """Remove the activation on the server and forget it here."""
        answer = await self.signed_call(
            "/pa/v3/activation/remove",
            uri_id="/pa/activation/remove",
            signature_type=signature_type,
            pin=pin,
        )
        require_success(answer)
        self.forget()

    async def serialised(self, compute: Callable[[ActivationState], Awaitable[str]]) -> str:
        """Run a computation that steps the counter, and store the counter before its result is used."""
        async with self._codes:
            result = await compute(self.state)
            self.save()
        return result

    @staticmethod
    def _object(plaintext: bytes) -> dict[str, Any]:
        content = json.loads(plaintext)
        if not isinstance(content, dict):
            raise UnexpectedAnswer("the decrypted answer is not an object")
        return content

    def _response_object(self, plaintext: bytes) -> dict[str, Any]:
        content = self._object(plaintext).get("responseObject")
        if not isinstance(content, dict):
            raise UnexpectedAnswer("the decrypted answer has no responseObject")
        return content
