"""Passkeys of the software authenticator before the core, and who vouches for them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from powerauth_core.passkeys import ceremony, keys
from powerauth_core.passkeys.attestation import statements
from powerauth_core.passkeys.attestation.chains import Anchor, spki_of
from powerauth_core.passkeys.attestation.roots import Root
from powerauth_core.passkeys.authenticator_data import Flags
from powerauth_core.passkeys.ceremony import (
    Asserted,
    AssertionAnswer,
    Expected,
    Registered,
    RegistrationAnswer,
    StoredCredential,
)
from powerauth_sdk.authenticator import AssertionResponse, Authenticator, Maker, RegistrationResponse

RP_ID = "bank.example"
ORIGIN = "https://login.bank.example"
CHALLENGE = b"3H2QU-NJQR2-U7IWB-GGW6Q"
EXPECTED = Expected(
    rp_id=RP_ID,
    origins=frozenset({ORIGIN}),
    challenge=CHALLENGE,
    user_verification=True,
    algorithms=frozenset({keys.ES256, keys.EDDSA, keys.RS256}),
)


NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def root_of(
    maker: Maker,
    *formats: str,
    aaguids: Iterable[uuid.UUID] | None = None,
    name: str = "test",
    dates: bool = False,
) -> Root:
    """A named local root; without AAGUIDs it vouches for the one that a leaf names."""
    listed = None if aaguids is None else frozenset(aaguids)
    anchor = Anchor(name, maker.root, spki_of(maker.root), dates, aaguids=listed)
    return Root(anchor, frozenset(formats))


def register(authenticator: Authenticator, **client: object) -> RegistrationResponse:
    return authenticator.register(RP_ID, ORIGIN, CHALLENGE, **client)  # type: ignore[arg-type]


def sign_in(authenticator: Authenticator, **client: Any) -> AssertionResponse:
    return authenticator.sign_in(RP_ID, ORIGIN, CHALLENGE, **client)


def registered(response: RegistrationResponse, **expected: Any) -> Registered:
    answer = RegistrationAnswer(
        credential_id=response.credential_id,
        client_data_json=response.client_data_json,
        attestation_object=response.attestation_object,
    )
    return ceremony.registration(answer, replace(EXPECTED, **expected))


def attested(response: RegistrationResponse, **expected: Any) -> statements.Statement:
    return statements.verify(registered(response, **expected))


def asserted(
    response: AssertionResponse, stored: StoredCredential | None, operation_data: bytes = b"", **expected: Any
) -> Asserted:
    answer = AssertionAnswer(
        credential_id=response.credential_id,
        client_data_json=response.client_data_json,
        authenticator_data=response.authenticator_data,
        signature=response.signature,
        user_handle=response.user_handle,
    )
    return ceremony.assertion(answer, replace(EXPECTED, **expected), stored, operation_data)


def stored(credential: Registered) -> StoredCredential:
    """As it is kept and read again."""
    key = keys.from_stored(credential.key.stored())
    return StoredCredential(credential.credential_id, key, bool(credential.flags & Flags.BE), b"user")
