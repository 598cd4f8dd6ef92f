"""Models of authenticators: what they are called, and what a sign-in with one proves (spec/device-trust.md
§4.4).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from powerauth_contracts.enums import SignatureType
from powerauth_core.fido2 import repository
from powerauth_core.fido2.models import Fido2Authenticator
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.json_text import read_json
from servicekit.caching import Cache
from servicekit.database import Database

if TYPE_CHECKING:
    from powerauth_core.passkeys.metadata.entries import Metadata

_SPECIAL: Final = "Wultra Authenticator"


@dataclass(frozen=True, slots=True)
class Model:
    """One model.

    :ivar signature_type: of a sign-in with flag UV; None: nothing is known of it
    :ivar signs_operation: it shows the operation's data, gets it behind its credential id, and signs it too
    """

    description: str
    signature_type: SignatureType | None = None
    transports: tuple[str, ...] = ()
    signs_operation: bool = False


UNKNOWN: Final = Model("Unknown FIDO2 Authenticator")
BUILT_IN: Final[Mapping[str, Model]] = {
    "dca09ba7-4992-4be8-9283-ee98cd6fb529": Model(
        f"{_SPECIAL} 1", SignatureType.POSSESSION_KNOWLEDGE, ("usb",), signs_operation=True
    )
}


class AuthenticatorModels:
    """The table of models, and what stands behind it. Belongs to one event loop."""

    def __init__(self, database: Database, seconds: float) -> None:
        """
        :param seconds: after this age the table is read again
        """
        self._database = database
        self._rows: Cache[str, Mapping[str, Model]] = Cache(1, seconds)

    async def table(self) -> Mapping[str, Model]:
        """Models by AAGUID in lower case: the rows of the table before what is built in."""
        return await self._rows.load("", self._read) or BUILT_IN

    async def _read(self) -> Mapping[str, Model]:
        async with self._database.read() as session:
            rows = await repository.authenticators(session)
        return {**BUILT_IN, **{row.aaguid.lower(): _model(row) for row in rows}}


def of(table: Mapping[str, Model], aaguid: uuid.UUID, metadata: Metadata | None) -> Model:
    """What is known of a model: from the table, else its name from the metadata."""
    found = table.get(str(aaguid))
    if found is not None:
        return found
    entry = None if metadata is None else metadata.by_aaguid.get(aaguid)
    return UNKNOWN if entry is None else Model(entry.description)


def _model(row: Fido2Authenticator) -> Model:
    try:
        kind = SignatureType(row.signature_type.upper())
    except ValueError:
        # What nobody knows proves nothing more than the key.
        kind = SignatureType.POSSESSION
    special = row.description.startswith(_SPECIAL)
    return Model(row.description, kind, _texts(row.transports), signs_operation=special)


def _texts(stored: str | None) -> tuple[str, ...]:
    try:
        found = read_json(stored or "[]")
    except EncodingError:
        found = []
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()
