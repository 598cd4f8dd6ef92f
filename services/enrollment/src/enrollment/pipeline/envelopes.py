"""Opening and sealing envelopes of application scope with keys that the core hands out for one envelope.

The keys live as long as the request. Every other envelope passes through closed
(`enrollment.pipeline.sealed`); of those only the form is looked at (spec/enrollment-api.md §2.1, §2.3, §4.4;
spec/protocol-v3.md §5.7, §5.10).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from enrollment.core_client import CoreDoor
from enrollment.pipeline.incoming import Incoming
from enrollment.wire import JsonObject
from powerauth_contracts.dmz.models import EnvelopeKeysAnswer
from powerauth_contracts.dmz.table import ENVELOPE_KEYS
from powerauth_contracts.texts import CoreRefused
from powerauth_contracts.wire import json_bytes
from powerauth_protocol.common.errors import (
    DecryptionError,
    EncodingError,
    EnvelopeFormatError,
    EnvelopeStateError,
    ProtocolError,
)
from powerauth_protocol.common.json_text import JsonError, read_json_object
from powerauth_protocol.common.scope import Party, Scope
from powerauth_protocol.generation import generation_of, read_encryption
from powerauth_protocol.groups import EdgeEnvelope, ProtocolVersion
from powerauth_protocol.v3.http_headers import parse_fields
from servicekit.errors import RemoteUnavailable


class EnvelopeRefused(Exception):
    """The envelope cannot be opened; the endpoint decides which error that is."""


@dataclass(slots=True)
class OpenedEnvelope:
    """The plaintext of a request and the seal for the one answer."""

    application_key: str
    version: ProtocolVersion
    keys: EnvelopeKeysAnswer = field(repr=False)
    _envelope: EdgeEnvelope = field(repr=False)
    _sealed: bool = False

    @property
    def plaintext(self) -> bytes:
        """What the device sent."""
        return self._envelope.plaintext

    def plaintext_object(self) -> JsonObject:
        """Return the plaintext as a JSON object; empty plaintext is an empty object.

        :raises EnvelopeRefused: when it is not one (spec/enrollment-api.md §4.4 step 6).
        """
        if not self.plaintext:
            return {}
        try:
            return read_json_object(self.plaintext)
        except JsonError:
            raise EnvelopeRefused from None

    def seal(self, plaintext: bytes) -> bytes:
        """Encrypt the answer and return it as JSON.

        :raises EnvelopeStateError: the keys of one envelope answer once.
        """
        if self._sealed:
            raise EnvelopeStateError("one response per envelope")
        self._sealed = True
        try:
            return json_bytes(self._envelope.seal(plaintext))
        except ProtocolError:
            raise RemoteUnavailable("the core handed out unusable envelope keys") from None


def is_envelope(source: bytes, version: str) -> bool:
    """Whether a body has the form of an envelope of the version; it stays closed."""
    try:
        generation_of(version).envelopes.read(read_json_object(source))
    except ProtocolError:
        return False
    return True


async def open_application(door: CoreDoor, incoming: Incoming) -> OpenedEnvelope:
    """Open an envelope of application scope; only the encryption header is looked at.

    :raises EnvelopeRefused: header, form, keys or MAC are wrong.
    """
    try:
        header = read_encryption(parse_fields(incoming.encryption), Scope.APPLICATION)
        envelope = generation_of(header.version).envelopes.read(read_json_object(incoming.body))
    except ProtocolError:
        raise EnvelopeRefused from None
    try:
        keys = await door.call(
            ENVELOPE_KEYS,
            application_key=header.application_key,
            protocol_version=header.version,
            **envelope.members(),
        )
    except CoreRefused:
        raise EnvelopeRefused from None
    try:
        opened = envelope.open_at_edge(Party(header.application_key), dict(keys))
    except (DecryptionError, EnvelopeFormatError):
        raise EnvelopeRefused from None
    except EncodingError:
        raise RemoteUnavailable("the core handed out unusable envelope keys") from None
    return OpenedEnvelope(header.application_key, envelope.version, keys, opened)
