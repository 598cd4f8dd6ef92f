"""Opening and sealing envelopes of application scope with keys that the core hands out for one envelope.

The keys live as long as the request. Every other envelope passes through closed
(`enrollment.pipeline.sealed`); of those only the form is looked at (spec/enrollment-api.md §2.1, §2.3, §4.4;
spec/protocol-v3.md §5.7, §5.10).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from enrollment.core_client import CoreDoor
from enrollment.pipeline.incoming import Incoming
from enrollment.wire import JsonObject, MalformedJson, parse_json_object
from powerauth_contracts.dmz.models import EnvelopeKeysAnswer
from powerauth_contracts.dmz.table import ENVELOPE_KEYS
from powerauth_contracts.texts import CoreRefused
from powerauth_contracts.wire import json_bytes
from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.common.errors import (
    DecryptionError,
    EncodingError,
    EnvelopeFormatError,
    EnvelopeStateError,
    HeaderError,
    ProtocolError,
)
from powerauth_protocol.v3.ecies import (
    EciesContext,
    EciesRequest,
    EnvelopeKey,
    Scope,
    ServerEnvelope,
    SharedInfo1,
    decrypt_request,
    encrypt_response,
)
from powerauth_protocol.v3.http_headers import parse_encryption_header
from powerauth_protocol.v3.versions import ProtocolVersion
from servicekit.errors import RemoteUnavailable


class EnvelopeRefused(Exception):
    """The envelope cannot be opened; the endpoint decides which error that is."""


@dataclass(slots=True)
class OpenedEnvelope:
    """The plaintext of a request and the seal for the one answer."""

    plaintext: bytes
    context: EciesContext
    keys: EnvelopeKeysAnswer = field(repr=False)
    _request: EciesRequest = field(repr=False)
    _sealed: bool = False

    def plaintext_object(self) -> JsonObject:
        """Return the plaintext as a JSON object; empty plaintext is an empty object.

        :raises EnvelopeRefused: when it is not one (spec/enrollment-api.md §4.4 step 6).
        """
        if not self.plaintext:
            return {}
        try:
            return parse_json_object(self.plaintext)
        except MalformedJson:
            raise EnvelopeRefused from None

    def seal(self, plaintext: bytes) -> bytes:
        """Encrypt the answer and return it as JSON.

        :raises EnvelopeStateError: the keys of one envelope answer once.
        """
        if self._sealed:
            raise EnvelopeStateError("one response per envelope")
        self._sealed = True
        return json_bytes(_encrypt(self.context, self.keys, self._request, plaintext))


def is_envelope(source: bytes, version: str) -> bool:
    """Whether a body has the form of an envelope of the version; it stays closed."""
    try:
        EciesRequest.from_json_dict(parse_json_object(source), ProtocolVersion.parse(version))
    except (MalformedJson, ProtocolError):
        return False
    return True


async def open_application(door: CoreDoor, incoming: Incoming) -> OpenedEnvelope:
    """Open an envelope of application scope; only the encryption header is looked at.

    :raises EnvelopeRefused: header, form, keys or MAC are wrong.
    """
    try:
        header = parse_encryption_header(incoming.encryption, Scope.APPLICATION)
    except HeaderError:
        raise EnvelopeRefused from None
    context = EciesContext(
        version=ProtocolVersion.parse(header.version),
        scope=Scope.APPLICATION,
        sh1=SharedInfo1.APPLICATION_GENERIC,
        application_key=header.application_key,
    )
    return await _open(door, context, incoming.body)


async def _open(door: CoreDoor, context: EciesContext, body: bytes) -> OpenedEnvelope:
    try:
        request = EciesRequest.from_json_dict(parse_json_object(body), context.version)
    except (MalformedJson, ProtocolError):
        raise EnvelopeRefused from None
    call: JsonObject = {
        "applicationKey": context.application_key,
        "protocolVersion": context.version.value,
        **request.to_json_dict(),
    }
    try:
        keys = await door.call(ENVELOPE_KEYS, call)
    except CoreRefused:
        raise EnvelopeRefused from None
    return OpenedEnvelope(_decrypt(context, keys, request), context, keys, request)


def _decrypt(context: EciesContext, keys: EnvelopeKeysAnswer, request: EciesRequest) -> bytes:
    try:
        if context.version.facts.associated_data:
            return decrypt_request(
                context.version, _key(keys), _handed_out(keys.request_shared_info2), request
            )
        return _legacy_envelope(context, keys, request).decrypt(request)
    except (DecryptionError, EnvelopeFormatError):
        raise EnvelopeRefused from None
    except EncodingError:
        raise RemoteUnavailable("the core handed out unusable envelope keys") from None


def _encrypt(
    context: EciesContext, keys: EnvelopeKeysAnswer, request: EciesRequest, plaintext: bytes
) -> JsonObject:
    """From 3.2 with the nonce and time that the core has fixed; before that from the base."""
    try:
        if context.version.facts.associated_data:
            response = encrypt_response(
                context.version,
                _key(keys),
                _handed_out(keys.response_shared_info2),
                plaintext,
                nonce=_handed_out(keys.response_nonce),
                timestamp=keys.response_timestamp,
            )
        else:
            response = _legacy_envelope(context, keys, request).encrypt(plaintext)
    except ProtocolError:
        raise RemoteUnavailable("the core handed out unusable envelope keys") from None
    return response.to_json_dict()


def _legacy_envelope(
    context: EciesContext, keys: EnvelopeKeysAnswer, request: EciesRequest
) -> ServerEnvelope:
    return ServerEnvelope.from_secret(context, _key(keys), _handed_out(keys.shared_info2), request)


def _key(keys: EnvelopeKeysAnswer) -> EnvelopeKey:
    return EnvelopeKey(b64decode(keys.secret_key, 48))


def _handed_out(text: str | None) -> bytes:
    if text is None:
        raise EncodingError("missing")
    return b64decode(text)
