"""What an operator's commands have in common: how they end, and the database verbs of every service."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from servicekit import migrations
from servicekit.database import DatabaseUnavailable
from servicekit.key_records import KeyRecord
from servicekit.key_rotation import Rotated
from servicekit.master_keys import UNNAMED, MasterKeys


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended, and what it has to say.

    :ivar ok: the command did, or found, what was wished for
    :ivar note: what somebody should know who reads along, beside an answer for programs
    """

    ok: bool
    text: str
    note: str = ""


def finish(work: Coroutine[Any, Any, Outcome], *, answer: TextIO | None = None) -> int:
    """Do the work of a command and print its outcome; the exit status.

    :param answer: where a good one is printed; None: on standard output
    """
    try:
        outcome = asyncio.run(work)
    except DatabaseUnavailable as error:
        outcome = Outcome(False, str(error))
    ((answer or sys.stdout) if outcome.ok else sys.stderr).write(outcome.text + "\n")
    if outcome.note:
        sys.stderr.write(outcome.note + "\n")
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


def rotated(done: Mapping[str, Rotated], left: Mapping[str, int]) -> Outcome:
    """What a rotation of master keys did, by table; failed if something was left.

    :param left: how many values are left of each other key
    """
    lines = [f"{table}: {one.rows} rows written anew" for table, one in done.items()]
    for table, one in done.items():
        lines += [f"{column}: {number} unreadable" for column, number in one.unreadable.items()]
        lines += [f"{value}: unreadable, given up" for value in one.given_up]
        lines += left_out(table, one.changed, one.unjudged)
    lines += [f"key {name}: {number or 'nothing'} left of it" for name, number in left.items()]
    fine = not any(one.unreadable or one.changed or one.unjudged for one in done.values())
    return Outcome(fine and not any(left.values()), "\n".join(lines))


def left_out(table: str, changed: Sequence[str], unjudged: Sequence[str]) -> list[str]:
    """A line about each row of a table that a command has not touched.

    :param changed: names of those that others have written
    :param unjudged: of those that are bound with a key that was not given
    """
    return [f"{table}: {row} was written by others" for row in changed] + [
        f"{table}: {row} is bound with a master key that is not configured" for row in unjudged
    ]


def keys_in_use(
    counts: Mapping[str, Counter[str]], keys: MasterKeys, records: Sequence[KeyRecord]
) -> Outcome:
    """Which master keys the values of a database are of, by column; failed if any is not of the current one.

    :param records: of the database
    """
    names = {UNNAMED: keys.unnamed or "no known key"}
    totals: Counter[str] = Counter()
    lines = [_described(record, keys) for record in records]
    for column, counter in counts.items():
        by_id: Counter[str] = Counter()
        for name, number in counter.items():
            by_id[names.get(name, name)] += number
        totals += by_id
        told = [f"{number} of {name}" for name, number in sorted(by_id.items())]
        lines.append(f"{column}: {', '.join(told) or 'none'}")
    left = totals.total() - totals[keys.current_id]
    lines.append(f"{left} values are of other keys than {keys.current_id or 'none'}.")
    return Outcome(not left, "\n".join(lines))


def _described(record: KeyRecord, keys: MasterKeys) -> str:
    if not record.live:
        return f"key {record.key_id}: exchanged and forgotten; values without an id would be of it"
    if record.key_id == keys.current_id:
        return f"key {record.key_id}: the one that is written with here"
    known = keys.known(record.key_check) is not None
    return f"key {record.key_id}: {'read' if known else 'not configured'} here"
