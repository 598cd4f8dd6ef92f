"""What an operator does about passkeys beside a running core; the same for ``powerauth passkeys`` and
``python -m powerauth_core passkeys``.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from powerauth_core.fido_metadata import data_files
from powerauth_core.kernel.errors import CoreError
from powerauth_core.passkey_administration import dry_run
from powerauth_core.passkey_administration.dry_run import Files
from powerauth_core.passkey_administration.figures import Figures
from powerauth_core.runtime import offline_core
from powerauth_core.settings import CoreSettings
from servicekit.commands import Outcome

_NOBODY = "No application has a passkey policy: nobody would lose a passkey."


async def impact(settings: CoreSettings, *, known_synced: Path | None, roots: Path | None) -> Outcome:
    """Who would lose passkeys by other data files; nothing is changed.

    :param known_synced: in place of ``CORE_PASSKEY_KNOWN_SYNCED_FILE``, None: that stays
    :param roots: in place of ``CORE_PASSKEY_LOCAL_ROOTS_FILE``, likewise
    """
    named = {"passkey_known_synced_file": known_synced, "passkey_local_roots_file": roots}
    changed = {name: file for name, file in named.items() if file is not None}
    found = await asyncio.to_thread(data_files.read, settings.model_copy(update=changed))
    if found.problems:
        return Outcome(False, f"Not usable: {', '.join(sorted(found.problems))}")
    proposed = Files(found.known_synced, {root.anchor.name for root in found.roots})
    async with offline_core(settings) as core:
        await core.fido_metadata.look()
        try:
            lines = [_line(name, figures) async for name, figures in dry_run.of_files(core, proposed)]
        except CoreError as error:
            return Outcome(False, f"A passkey policy can not be read: {error}")
    return Outcome(True, "\n".join(lines) or _NOBODY)


def _line(name: str, figures: Figures) -> str:
    reasons = ", ".join(f"{reason} {count}" for reason, count in figures.by_reason.items())
    text = (
        f"{name}: {figures.credentials_blocked} of {figures.credentials_total} passkeys would stop,"
        f" of {figures.users_affected} users, {figures.users_locked_out} locked out"
    )
    return f"{text} ({reasons})" if reasons else text
