"""``sealed/<action>``: envelopes of activation scope are opened and sealed here and nowhere else (D1 rule 4).

The enrollment service hands on the body as it came, with the headers that came with it, and gets the answer
sealed for the device. No key, no base and no plaintext of this scope leaves the core.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.dmz.headers import ReceivedSignature
from powerauth_contracts.dmz.models import SealedRequest
from powerauth_contracts.dmz.purposes import Purpose
from powerauth_contracts.envelopes import SealedFields
from powerauth_core.activations.models import Activation
from powerauth_core.applications.cache import ApplicationFacts
from powerauth_core.dmz import signed
from powerauth_core.dmz.ports import Ports
from powerauth_core.envelopes import service as envelopes
from powerauth_core.envelopes.handout import usable_activation, usable_application
from powerauth_core.envelopes.service import Opened
from powerauth_core.envelopes.views import sealed_fields
from powerauth_core.kernel.errors import CoreError, InvalidRequest
from powerauth_core.verification.jobs import EarlyEnd, LockedActivation, Verified
from powerauth_protocol.groups import Envelope, EnvelopePurpose
from powerauth_protocol.v3.http_headers import EncryptionHeader, SignatureHeader

Sender = SignatureHeader | EncryptionHeader
"""The header that an envelope's application key, activation and version come from."""


@dataclass(frozen=True, slots=True)
class Received:
    """A generic envelope that was opened, and whose it is.

    :ivar opened: plaintext, and the seal of the one answer
    :ivar activation: as it was read, not locked
    """

    ports: Ports = field(repr=False)
    opened: Opened = field(repr=False)
    activation: Activation
    application: ApplicationFacts
    envelope: Envelope = field(repr=False)

    @property
    def plaintext(self) -> bytes:
        """What the device sent."""
        return self.opened.plaintext

    def seal(self, plaintext: bytes) -> SealedFields:
        """Encrypt the answer; once only.

        :raises EncryptionFailed: as `Opened.seal`
        """
        return sealed_fields(self.opened.seal(plaintext))

    async def remember(self, session: AsyncSession) -> None:
        """Accept the envelope once.

        :raises InvalidRequest: it was accepted before
        """
        await envelopes.remember(self.ports.settings, session, self.envelope, self.activation)


class PlaintextAction(signed.DoorAction):
    """An action signed over what the envelope holds (sign-then-encrypt, spec/enrollment-api.md §4.5)."""

    def __init__(self, received: Received) -> None:
        self.received = received

    async def prepare(self, session: AsyncSession, activation: LockedActivation) -> Sequence[tuple[str, str]]:
        """Remember the envelope in the transaction of the check (D10); one seen before is no attempt."""
        try:
            await self.received.remember(session)
        except InvalidRequest:
            raise EarlyEnd(None) from None
        return ()


def sender_of(request: SealedRequest) -> Sender | None:
    """Whom the envelope is from: a signature header goes before an encryption header (spec/enrollment-api.md
    §4.4). None if that one is malformed, or there is neither.
    """
    if request.authorization is not None:
        return request.authorization.header()
    return None if request.encryption is None else request.encryption.header()


def authorization_of(request: SealedRequest) -> ReceivedSignature | None:
    """The signature header; None if it is malformed or missing."""
    return None if request.authorization is None else request.authorization.header()


async def open_once(ports: Ports, sender: Sender | None, body: bytes) -> Received:
    """Open a generic envelope that nothing is signed or proved with, and remember it.

    :raises InvalidRequest: no usable header, no envelope of its version, or one that was accepted before
    :raises CoreError: as `_open`
    """
    if sender is None:
        raise InvalidRequest()
    async with ports.database.transaction() as session:
        received = await _open(ports, session, sender, body)
        await received.remember(session)
    return received


async def check_plaintext(
    ports: Ports,
    request: SealedRequest,
    purpose: Purpose,
    action: Callable[[Received], Awaitable[PlaintextAction]],
) -> tuple[Received, Verified] | None:
    """Open the envelope, check that the header signs what it holds, and act (D11).

    :param action: what is done with it under the activation's lock
    :return: None if the signature is not right, or if there is no plaintext that it could cover: a body that
        does not open, or was accepted before, is no attempt and nothing is counted
    :raises ServiceError: as `signed.check`
    """
    header = authorization_of(request)
    if header is None or not purpose.may_sign(header):
        return None
    try:
        async with ports.database.read() as session:
            received = await _open(ports, session, header, signed.read_body(request))
    except CoreError:
        return None
    verified = await signed.check(ports.verifier, header, received.plaintext, purpose, await action(received))
    return None if verified is None or not verified.valid else (received, verified)


async def _open(ports: Ports, session: AsyncSession, sender: Sender, body: bytes) -> Received:
    """
    :raises InvalidRequest: no envelope of the header's version
    :raises CoreError: as `usable_activation`, `usable_application` and `decrypt_envelope`
    """
    envelope = signed.read_envelope(body, sender.version)
    activation = await usable_activation(session, sender.activation_id)
    if activation is None:
        raise InvalidRequest()
    application = await usable_application(
        ports.application_cache, session, sender.application_key, activation
    )
    opened = await envelopes.decrypt_envelope(
        ports,
        session,
        envelope=envelope,
        purpose=EnvelopePurpose.ACTIVATION_GENERIC,
        application=application,
        activation=activation,
    )
    return Received(ports, opened, activation, application, envelope)
