"""``python -m powerauth_core``: serve, and the work of an operator beside it.

serve             serve until told to stop (the default)
migrate           bring the database to the current schema
adopt             take over a database of the original, release 1.9, and bring it to the current schema
job NAME          run a scheduled job now
encrypt           encrypt the secrets that are stored in clear
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from powerauth_core.app import create_app
from powerauth_core.jobs import JOB_NAMES, run_job
from powerauth_core.migrations import BASELINE, SCRIPT_LOCATION
from powerauth_core.reencryption import encrypt_stored_secrets
from powerauth_core.runtime import offline_core
from powerauth_core.settings import CoreSettings
from servicekit import migrations
from servicekit.app import serve
from servicekit.logs import configure_logging


async def _migrate(settings: CoreSettings) -> int:
    await migrations.upgrade(settings.database_url.get_secret_value(), SCRIPT_LOCATION)
    return 0


async def _adopt(settings: CoreSettings) -> int:
    url = settings.database_url.get_secret_value()
    if await migrations.current(url) is not None:
        return _fail("The database has been adopted already.")
    await migrations.stamp(url, SCRIPT_LOCATION, BASELINE)
    return await _migrate(settings)


async def _job(settings: CoreSettings, name: str) -> int:
    async with offline_core(settings) as core:
        ran = await run_job(core, name)
        await core.callbacks.idle()
    return 0 if ran else _fail("Another replica is running the job.")


async def _encrypt(settings: CoreSettings) -> int:
    if settings.master_key is None:
        return _fail("No master encryption key is configured.")
    async with offline_core(settings) as core:
        done = await encrypt_stored_secrets(core)
    for column, progress in done.items():
        sys.stdout.write(f"{column}: {progress.encrypted} encrypted, {progress.unreadable} unreadable\n")
    return 1 if any(progress.unreadable for progress in done.values()) else 0


def _fail(reason: str) -> int:
    sys.stderr.write(reason + "\n")
    return 1


def main() -> int:
    """Run the command of the command line; its exit status."""
    parser = argparse.ArgumentParser(
        prog="powerauth_core", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command")
    for name in ("serve", "migrate", "adopt", "encrypt"):
        commands.add_parser(name)
    commands.add_parser("job").add_argument("name", choices=JOB_NAMES)
    arguments = parser.parse_args()
    settings = CoreSettings()
    configure_logging("powerauth-core", settings.log_level, json=settings.log_json)
    match arguments.command:
        case "migrate":
            return asyncio.run(_migrate(settings))
        case "adopt":
            return asyncio.run(_adopt(settings))
        case "job":
            return asyncio.run(_job(settings, arguments.name))
        case "encrypt":
            return asyncio.run(_encrypt(settings))
    serve(create_app(settings), settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
