"""What vouches for models of authenticators, in the memory of one process (spec/device-trust.md §4.11).

Nothing is asked of the database when a passkey is judged. Whether there is a newer BLOB, or a data file has
changed, is looked at in the background; reading one is work for a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from powerauth_core.fido_metadata import repository
from powerauth_core.passkeys import classification
from powerauth_core.passkeys.refusals import MetadataRefused
from powerauth_core.settings import CoreSettings
from servicekit import clock
from servicekit.database import Database
from servicekit.errors import Unavailable
from servicekit.logs import get_logger
from servicekit.waiting import set_within

if TYPE_CHECKING:
    from powerauth_core.fido_metadata.data_files import DataFiles
    from powerauth_core.fido_metadata.models import MdsBlob
    from powerauth_core.passkeys.attestation.trust import Sources
    from powerauth_core.passkeys.classification import KnownList
    from powerauth_core.passkeys.metadata.blob import Known, Verified
    from powerauth_core.passkeys.metadata.entries import Metadata
    from powerauth_core.passkeys.policy import Policy

LOOK_SECONDS = 30.0
"""How often a process looks for what others have loaded: each knows of it within a minute."""

_log = get_logger(__name__)


class Age(StrEnum):
    """What the age of the BLOB in force means."""

    NONE = "NONE"
    CURRENT = "CURRENT"
    STALE = "STALE"
    UNUSABLE = "UNUSABLE"


class FidoMetadata:
    """The BLOB in force and the data files. Belongs to one event loop."""

    def __init__(self, settings: CoreSettings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._verified: Verified | None = None
        self._files: DataFiles | None = None
        self._of: tuple[object, ...] | None = None
        """What `_verified` was made of: a row and local statements; those that can not be read too."""
        self._marks: tuple[object, ...] = ()
        self._stopping = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    @property
    def metadata(self) -> Metadata | None:
        """The models that are known, past their time too; None: no BLOB is in force."""
        return None if self._verified is None else self._verified.metadata

    @property
    def number(self) -> int | None:
        """The number of the BLOB in force."""
        return None if self._verified is None else self._verified.known.no

    @property
    def known(self) -> Known | None:
        """The BLOB in force by number and content."""
        return None if self._verified is None else self._verified.known

    @property
    def row_id(self) -> str | None:
        """The row in force that was looked at last, believed or not."""
        return None if self._of is None else str(self._of[0])

    @property
    def known_synced(self) -> KnownList:
        """Providers that synchronise without saying so."""
        return classification.shipped() if self._files is None else self._files.known_synced

    @property
    def root_names(self) -> frozenset[str]:
        """Names that ``localRoots`` of a policy may have."""
        return frozenset(root.anchor.name for root in self.files.roots)

    @property
    def files(self) -> DataFiles:
        """What the data files say."""
        if self._files is None:
            from powerauth_core.fido_metadata import data_files  # noqa: PLC0415 - certificates: costs a start

            self._files = data_files.shipped()
        return self._files

    def usable(self, now: datetime | None = None) -> Metadata | None:
        """The models that registrations may rest on; None: no BLOB, or one past its time.

        :param now: naive UTC
        """
        moment = (now or clock.now()).replace(tzinfo=UTC)
        found = self.metadata
        kept = found is not None and found.usable(moment, self._settings.mds_max_stale_days)
        return found if kept else None

    def age(self, now: datetime | None = None) -> Age:
        """What the age of the BLOB in force means.

        :param now: naive UTC
        """
        found = self.metadata
        if found is None:
            return Age.NONE
        if self.usable(now) is None:
            return Age.UNUSABLE
        return Age.STALE if found.stale((now or clock.now()).replace(tzinfo=UTC)) else Age.CURRENT

    @property
    def current(self) -> bool:
        """Whether nobody has to look after anything: a newer BLOB, a data file that can not be read."""
        unread = self._files is not None and bool(self._files.problems)
        return not unread and self.age() in (Age.NONE, Age.CURRENT)

    def sources(self, policy: Policy | None, own_roots: Sequence[str] = ()) -> Sources:
        """What may vouch for a model under a policy.

        :param policy: None: as the original, where nothing but an application's own roots does
        :param own_roots: ``fido2_root_ca_certs`` of the application, PEM
        """
        from powerauth_core.fido_metadata import data_files  # noqa: PLC0415 - as above
        from powerauth_core.passkeys.attestation.trust import Sources  # noqa: PLC0415

        own = data_files.own_roots(tuple(own_roots))
        if policy is None:
            return Sources(roots=own)
        named = [root for root in self.files.roots if root.anchor.name in policy.local_roots]
        revoked = self.files.revoked_serials if policy.android_revocation == "file" else frozenset()
        return Sources(metadata=self.usable(), roots=(*named, *own), revoked_serials=revoked)

    async def start(self) -> None:
        """Read what is in force, then look for changes from time to time."""
        await self.look()
        self._watching = asyncio.create_task(self._watch(), name="fido metadata")

    async def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        if self._watching is not None:
            await self._watching

    async def look(self) -> None:
        """Read what has changed: data files, and the BLOB in force.

        :raises DatabaseUnavailable: the database does not say which
        """
        async with self._turn:
            await self._look_at_files()
            if self._settings.mds_source != "OFF":
                await self._look_at_blob()

    def take(self, row: MdsBlob, verified: Verified) -> None:
        """Use what this process has just put in force."""
        self._verified, self._of = verified, self._mark(row)

    async def _look_at_files(self) -> None:
        if not self._settings.names_passkey_files:
            return
        from powerauth_core.fido_metadata import data_files  # noqa: PLC0415 - as above

        marks = await asyncio.to_thread(data_files.signature, self._settings)
        if self._files is None or marks != self._marks:
            self._files = await asyncio.to_thread(data_files.read, self._settings, self._files)
            self._marks = marks

    async def _look_at_blob(self) -> None:
        async with self._database.read() as session:
            row = await repository.active(session)
            of = None if row is None else self._mark(row)
            if of == self._of:
                return
            stored = None if row is None else await repository.with_blob(session, row.id)
        if stored is None:
            self._verified = None
        else:
            from powerauth_core.fido_metadata import judging  # noqa: PLC0415 - as above

            try:
                self._verified = await asyncio.to_thread(
                    judging.judge, self._settings, stored.blob, stored.loaded_at, local=self._statements
                )
            except MetadataRefused as refused:
                # Anchors have changed, or somebody has written to the table.
                _log.error("stored metadata refused", no=stored.no, reason=str(refused))
                self._verified = None
        self._of = of

    def _mark(self, row: MdsBlob) -> tuple[object, ...]:
        return (row.id, row.sha256, self._statements)

    @property
    def _statements(self) -> tuple[object, ...]:
        return () if self._files is None else self._files.statements

    async def _watch(self) -> None:
        while not await set_within(self._stopping, LOOK_SECONDS):
            try:
                await self.look()
            except (Unavailable, SQLAlchemyError) as error:
                _log.warning("metadata not looked at", error=type(error).__name__)
