"""What an activation's ``extras`` say of its passkey (spec/device-trust.md §4.1)."""

from __future__ import annotations

import uuid
from datetime import datetime

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from powerauth_core.passkeys.attestation.statements import Kind
from powerauth_core.passkeys.attestation.trust import Trust, Verdict

NO_AAGUID = uuid.UUID(int=0)


class Extras(BaseModel):
    """The members of ``extras``, under the same names in camel case; those that nobody knows are kept.

    :ivar credential_id: attested id, Base64
    :ivar be: flag BE at registration, or at the first sign-in that told it; None: not recorded yet
    :ivar bs: flag BS at the last ceremony
    :ivar uv: flag UV at the last ceremony
    :ivar last_origin: where the passkey was used last, if not at `origin`
    :ivar registered_at: moment of the registration, UTC; the activation itself is as old as its challenge
    :ivar att_vouched: `Verdict.vouched`
    :ivar att_reason: why trust is no higher, or what ``enforce`` would have said under ``monitor``
    :ivar user_handle: Base64 of 16 bytes
    """

    model_config = ConfigDict(
        frozen=True, extra="allow", alias_generator=to_camel, populate_by_name=True, strict=False
    )

    relying_party_id: str | None = None
    authenticator_attachment: str | None = None
    credential_id: str
    origin: str | None = None
    top_origin: str | None = None
    is_cross_origin: bool | None = None
    aaguid: uuid.UUID = NO_AAGUID
    transports: tuple[str, ...] | None = None
    be: bool | None = None
    bs: bool | None = None
    uv: bool | None = None
    fmt: str | None = None
    att_type: Kind | None = None
    att_trust: Trust = Trust.NONE
    att_anchor: str | None = None
    att_vouched: bool = False
    att_reason: str | None = None
    alg: int | None = None
    user_handle: str | None = None
    last_origin: str | None = None
    registered_at: datetime | None = None

    @property
    def used_from(self) -> str | None:
        """Origin of the last ceremony."""
        return self.last_origin or self.origin

    def judged(self, verdict: Verdict, reason: str | None = None) -> Extras:
        """With another verdict on the statement.

        :param reason: what ``monitor`` records, in place of the verdict's own
        """
        return self.model_copy(
            update={
                "att_type": verdict.kind,
                "att_trust": verdict.trust,
                "att_anchor": verdict.anchor,
                "att_vouched": verdict.vouched,
                "att_reason": reason or verdict.reason,
            }
        )

    def used(self, *, be: bool, bs: bool, uv: bool, origin: str) -> Extras:
        """After a sign-in; the same object if that tells nothing new."""
        last_origin = None if origin == self.origin else origin
        if (be, bs, uv, last_origin) == (self.be, self.bs, self.uv, self.last_origin):
            return self
        return self.model_copy(update={"be": be, "bs": bs, "uv": uv, "last_origin": last_origin})

    def encoded(self) -> str:
        """JSON text of the column."""
        return self.model_dump_json(by_alias=True, exclude_none=True)


def read(text: str | None) -> Extras | None:
    """What is stored; None if it can not be read, as of an activation that is no passkey."""
    try:
        return None if text is None else Extras.model_validate_json(text)
    except ValidationError:
        return None
