"""Online verification and the signature audit (spec/core-api.md §9.1, §9.7)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from powerauth_core.activations.repository import ApplicationIds
from powerauth_core.applications.models import ApplicationVersion
from powerauth_core.applications.secrets import application_secret
from powerauth_core.audit.signatures import SignatureAudit
from powerauth_core.kernel.errors import SignatureNotComputable
from powerauth_core.kernel.records import RecordCipher
from powerauth_core.verification import repository
from powerauth_core.verification.jobs import VerificationJob, Verified
from powerauth_core.verification.ports import Ports
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import VersionError
from powerauth_protocol.common.json_text import read_json
from powerauth_protocol.generation import forces_hash_counter, generation_of
from powerauth_protocol.v3.signature import SignatureType
from servicekit.replicas import Reader


@dataclass(frozen=True, slots=True)
class ListedSignature:
    """One row of the signature audit.

    :ivar data_base64: as the original stores it, with the application secret (D12)
    :ivar additional_info: pairs of ``key`` and ``value``
    """

    row: SignatureAudit
    application_id: str
    data_base64: str | None = field(repr=False)
    additional_info: Sequence[dict[str, Any]]


async def verify(
    ports: Ports,
    *,
    activation_id: str,
    application_key: str,
    data: str,
    signature: str,
    signature_type: SignatureType,
    version: str,
    forced_version: int | None,
    scope: ApplicationIds,
) -> Verified:
    """Check an online signature, move the counter or count the failure, and answer after the commit.

    :param data: without the application secret
    :param version: of the signature
    :raises SignatureNotComputable: unknown signature version, or one that the application does not accept
    :raises InvalidRequest: a FIDO2 activation
    :raises IncorrectActivationState: an activation of protocol version 2
    """
    try:
        known_version = generation_of(version).version
    except VersionError:
        raise SignatureNotComputable() from None
    verified = await ports.verifier.run(
        VerificationJob(
            activation_id=activation_id,
            signed_data=(data,),
            signature=signature,
            types=(signature_type,),
            version=known_version,
            application_key=application_key,
            application_ids=None if scope is None else frozenset(scope),
            force_hash_counter=forces_hash_counter(forced_version),
        )
    )
    return verified.checked()


async def list_signatures(
    database: Reader,
    cipher: RecordCipher,
    *,
    user_id: str,
    application_id: str | None,
    since: datetime | None,
    until: datetime | None,
    scope: ApplicationIds,
) -> list[ListedSignature]:
    """Signature audit of a user, newest first; application secrets are put back where rows leave them out."""
    wanted: Collection[str] | None = scope
    if application_id is not None:
        wanted = {application_id} if scope is None else {application_id}.intersection(scope)
    async with database.read() as session:
        rows = await repository.audit_of_user(session, user_id, wanted, since, until)
        return [
            ListedSignature(
                row, name, _with_secret(cipher, row.data_base64, version), _pairs(row.additional_info)
            )
            for row, name, version in rows
        ]


def _with_secret(
    cipher: RecordCipher, data_base64: str | None, version: ApplicationVersion | None
) -> str | None:
    if data_base64 is None or version is None:
        return data_base64
    return b64encode(b64decode(data_base64) + b"&" + application_secret(cipher, version).encode())


def _pairs(stored: str | None) -> list[dict[str, Any]]:
    return read_json(stored) if stored else []
