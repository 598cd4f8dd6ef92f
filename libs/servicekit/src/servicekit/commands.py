"""What an operator's commands have in common: how they end, and the database verbs of every service."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from servicekit import migrations
from servicekit.database import DatabaseUnavailable


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended, and what it has to say.

    :ivar ok: the command did, or found, what was wished for
    """

    ok: bool
    text: str


def finish(work: Coroutine[Any, Any, Outcome]) -> int:
    """Do the work of a command and print its outcome; the exit status."""
    try:
        outcome = asyncio.run(work)
    except DatabaseUnavailable as error:
        outcome = Outcome(False, str(error))
    (sys.stdout if outcome.ok else sys.stderr).write(outcome.text + "\n")
    return 0 if outcome.ok else 1


async def migrate(url: str, script_location: str | Path) -> Outcome:
    """Bring a database to the current schema.

    :raises DatabaseUnavailable: no connection, or no lock in time
    """
    await migrations.upgrade(url, script_location)
    return Outcome(True, f"The schema is current, revision {await migrations.current(url)}.")


async def check(url: str, script_location: str | Path) -> Outcome:
    """Whether a database is at the current schema.

    :raises DatabaseUnavailable: no connection, or no lock in time
    """
    return judge(await migrations.current(url), await migrations.head(script_location), script_location)


def judge(revision: str | None, newest: str | None, script_location: str | Path) -> Outcome:
    """What a database's revision means to this release.

    :param revision: of the database; None: it has no schema of ours
    :param newest: the newest that this release knows
    """
    if revision is None:
        return Outcome(False, "The database is empty: migrate.")
    if revision == newest:
        return Outcome(True, f"The schema is current, revision {revision}.")
    if revision in migrations.history(script_location):
        return Outcome(False, f"The schema is of revision {revision}, the newest is {newest}: migrate.")
    return Outcome(
        False,
        f"The schema is of revision {revision}, which this release does not know: that of a later release, or"
        " another database.",
    )
