"""Registration and sign-in: what is checked of an answer, in the order of spec/device-trust.md §4.3 with its
corrections.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from powerauth_core.passkeys import authenticator_data, cbor, client_data, keys
from powerauth_core.passkeys.authenticator_data import AuthenticatorData, Flags
from powerauth_core.passkeys.keys import CredentialKey
from powerauth_core.passkeys.refusals import CeremonyFailed, CeremonyReason, Malformed

PUBLIC_KEY: Final = "public-key"
UPSTREAM_ALGORITHMS: Final = frozenset({keys.ES256})

_NOBODYS_KEY: Final = keys.from_stored(
    "BGsX0fLhLEJH+Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT+NC4v4af5uO5+tKfA+eFivOM1drMV7Oy7ZAaDe/UfU="
)
"""The base point of P-256."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the server holds an answer against; nothing of it comes from the client.

    :ivar challenge: its bytes; None if the caller finds it by the client data
    :ivar origins: compared exactly
    :ivar user_verification: flag UV is demanded
    :ivar algorithms: COSE identifiers of keys that may be registered
    """

    rp_id: str
    origins: frozenset[str]
    top_origins: frozenset[str] = frozenset()
    challenge: bytes | None = None
    user_verification: bool = False
    algorithms: frozenset[int] = UPSTREAM_ALGORITHMS


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationAnswer:
    """What an authenticator and its browser sent, decoded from Base64.

    :ivar credential_id: as the browser names it, outside of what is signed
    """

    credential_id: bytes
    client_data_json: bytes
    attestation_object: bytes
    type: str = PUBLIC_KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionAnswer:
    """What an authenticator and its browser sent, decoded from Base64.

    :ivar signature: DER for ECDSA
    """

    credential_id: bytes
    client_data_json: bytes
    authenticator_data: bytes
    signature: bytes
    user_handle: bytes | None = None
    type: str = PUBLIC_KEY


@dataclass(frozen=True, slots=True)
class Registered:
    """A registration whose ceremony holds; its attestation is not judged yet.

    :ivar fmt: format of the statement
    :ivar statement: as it came, for `attestation.verify`
    :ivar client_data: with the challenge that was answered
    """

    credential_id: bytes
    aaguid: uuid.UUID
    key: CredentialKey
    fmt: str
    statement: dict[int | str, Any]
    data: AuthenticatorData
    client_data: client_data.ClientData

    @property
    def flags(self) -> Flags:
        """Those of the authenticator data."""
        return self.data.flags


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """What is known of a passkey at sign-in.

    :ivar backup_eligible: flag BE at registration; None where it was stored before that was recorded
    :ivar user_handle: of its user; None if no answer has to name it
    """

    id: bytes
    key: CredentialKey
    backup_eligible: bool | None = None
    user_handle: bytes | None = None


@dataclass(frozen=True, slots=True)
class Asserted:
    """A sign-in whose signature holds. Policy and counter come after it."""

    data: AuthenticatorData
    client_data: client_data.ClientData

    @property
    def flags(self) -> Flags:
        """Those of the authenticator data."""
        return self.data.flags


def registration(answer: RegistrationAnswer, expected: Expected) -> Registered:
    """Check a registration up to the statement.

    :raises Malformed: it can not be read
    :raises CeremonyFailed: a check failed; which one is for the audit only
    """
    fmt, statement, data = _attestation_object(answer.attestation_object)
    collected = _collected(answer, "webauthn.create", expected)
    _check_data(data, expected)
    credential = data.credential
    if credential is None:
        raise CeremonyFailed(CeremonyReason.NO_CREDENTIAL)
    if not hmac.compare_digest(credential.id, answer.credential_id):
        raise CeremonyFailed(CeremonyReason.CREDENTIAL_ID)
    key = keys.parse(credential.cose_key, expected.algorithms)
    return Registered(credential.id, credential.aaguid, key, fmt, statement, data, collected)


def assertion(
    answer: AssertionAnswer,
    expected: Expected,
    credential: StoredCredential | None,
    operation_data: bytes = b"",
    collected: client_data.ClientData | None = None,
) -> Asserted:
    """Check a sign-in, the signature before anything that would tell or change what is stored.

    :param credential: None: there is none of that id, which takes as long as a wrong signature
    :param collected: the answer's client data, if somebody has read them before
    :param operation_data: what the special model signs too (spec/device-trust.md §4.4); empty for all others
    :raises Malformed: it can not be read
    :raises CeremonyFailed: a check failed; which one is for the audit only
    """
    data = authenticator_data.parse(answer.authenticator_data)
    collected = _collected(answer, "webauthn.get", expected, collected)
    _check_data(data, expected)
    key = credential.key if credential is not None else _NOBODYS_KEY
    signed = key.verify(answer.authenticator_data + collected.hash + operation_data, answer.signature)
    if credential is None or not hmac.compare_digest(credential.id, answer.credential_id):
        raise CeremonyFailed(CeremonyReason.CREDENTIAL_ID)
    if not signed:
        raise CeremonyFailed(CeremonyReason.SIGNATURE)
    _check_owner(answer, credential)
    if credential.backup_eligible not in (None, bool(data.flags & Flags.BE)):
        raise CeremonyFailed(CeremonyReason.BACKUP_ELIGIBILITY)
    return Asserted(data, collected)


class CounterRule(StrEnum):
    """Policy ``counterMismatch``: what becomes of a sign-in whose counter did not rise."""

    REJECT = "reject"
    REJECT_AND_BLOCK = "rejectAndBlock"
    WARN = "warn"


def counter_holds(stored: int, received: int) -> bool:
    """Whether a signature counter may follow another; two zeros say that the authenticator counts nothing.

    To be asked after the signature, and stored with what comes of it.
    """
    return received > stored or stored == received == 0


def _collected(
    answer: RegistrationAnswer | AssertionAnswer,
    type_: str,
    expected: Expected,
    read: client_data.ClientData | None = None,
) -> client_data.ClientData:
    if answer.type != PUBLIC_KEY:
        raise CeremonyFailed(CeremonyReason.CREDENTIAL_TYPE)
    collected = read or client_data.parse(answer.client_data_json)
    collected.check(type_, expected.challenge, expected.origins, expected.top_origins)
    return collected


def _check_data(data: AuthenticatorData, expected: Expected) -> None:
    if not hmac.compare_digest(data.rp_id_hash, hashlib.sha256(expected.rp_id.encode()).digest()):
        raise CeremonyFailed(CeremonyReason.RP_ID)
    data.check_flags(expected.user_verification)


def _check_owner(answer: AssertionAnswer, credential: StoredCredential) -> None:
    handle, owner = answer.user_handle, credential.user_handle
    if handle is not None and owner is not None and not hmac.compare_digest(handle, owner):
        raise CeremonyFailed(CeremonyReason.USER_HANDLE)


def _attestation_object(encoded: bytes) -> tuple[str, dict[int | str, Any], AuthenticatorData]:
    members = cbor.decode(encoded)
    if not isinstance(members, dict):
        raise Malformed("attestationObject")
    fmt, statement, data = (members.get(name) for name in ("fmt", "attStmt", "authData"))
    if not isinstance(fmt, str) or not isinstance(statement, dict) or not isinstance(data, bytes):
        raise Malformed("attestationObject")
    return fmt, statement, authenticator_data.parse(data)
