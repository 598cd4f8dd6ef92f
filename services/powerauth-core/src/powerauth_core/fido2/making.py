"""What of a registration is stored (spec/device-trust.md §4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from fido2 import cbor

from powerauth_core.passkey_records.extras import Extras
from powerauth_core.passkey_records.models import Fido2Attestation
from powerauth_core.passkeys.attestation.statements import Kind
from powerauth_core.passkeys.authenticator_data import Flags
from powerauth_core.passkeys.ceremony import Registered
from powerauth_core.passkeys.evaluation import Accepted
from powerauth_protocol.common.encoding import b64encode


@dataclass(frozen=True, slots=True)
class Made:
    """A passkey whose ceremony holds, and what else is known of it.

    :ivar description: name of its model
    :ivar attachment: as the browser claims it; `transports` likewise
    :ivar user_handle: that the authenticator was given, if it is known
    """

    registered: Registered
    description: str
    attachment: str | None = None
    transports: tuple[str, ...] | None = None
    user_handle: bytes | None = None


def extras(made: Made, rp_id: str, accepted: Accepted, now: datetime) -> Extras:
    """What its activation says of it.

    :param now: naive UTC
    """
    registered = made.registered
    collected, flags = registered.client_data, registered.flags
    plain = Extras(
        relying_party_id=rp_id,
        authenticator_attachment=made.attachment,
        credential_id=b64encode(registered.credential_id),
        origin=collected.origin,
        top_origin=collected.top_origin,
        is_cross_origin=collected.cross_origin,
        aaguid=registered.aaguid,
        transports=made.transports,
        be=bool(flags & Flags.BE),
        bs=bool(flags & Flags.BS),
        uv=bool(flags & Flags.UV),
        fmt=registered.fmt,
        alg=registered.key.algorithm,
        user_handle=None if made.user_handle is None else b64encode(made.user_handle),
        registered_at=now.replace(tzinfo=UTC),
    )
    return plain.judged(accepted.verdict, accepted.monitored)


def attestation(
    activation_id: str, registered: Registered, accepted: Accepted, mds_no: int | None, now: datetime
) -> Fido2Attestation | None:
    """Its statement; None if it has none.

    :param mds_no: number of the metadata in force
    :param now: naive UTC
    """
    verdict = accepted.verdict
    if verdict.kind is Kind.NONE:
        return None
    return Fido2Attestation(
        activation_id=activation_id,
        fmt=registered.fmt,
        statement=cbor.encode(registered.statement),
        x5c=[b64encode(one) for one in verdict.chain],
        mds_no=mds_no,
        evaluated_at=now,
    )
