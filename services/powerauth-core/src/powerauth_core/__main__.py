"""``python -m powerauth_core``: serve, and the work of an operator beside it.

serve [--workers N]
                  serve until told to stop (the default), in N processes on one port
migrate           bring the database to the current schema
adopt [--check]   take over a database of the original, release 1.9 or 1.10; --check: only say whether it goes
check             say whether the schema is the current one
job NAME          run a scheduled job now
jobs              list the scheduled jobs
encrypt           encrypt the secrets that are stored in clear, and bind all rows by their MACs
accept-rows       bind rows that others have written as they are, and name them
audit verify [--checkpoint FILE]
                  check the chains of the signature audit, and compare them with a checkpoint
audit checkpoint FILE
                  write where the chains end now
audit accept      record that the rows which are in no chain are known
audit rebuild     make the registry of the chains anew if it is damaged
passkeys impact [--known-synced FILE] [--roots FILE]
                  who would lose passkeys by other data files
mds load FILE     put FIDO metadata in force
mds download      get it from its publisher, then the same (CORE_MDS_SOURCE=HTTP)
mds status        say what is in force, and what was offered
mds entries [ID]  models that it names, by AAGUID, AAID or key identifier
mds revalidate [--force]
                  look at stored attestations now, however many change
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from servicekit.loading import loading

with loading():
    from powerauth_core import commands
    from powerauth_core.app import create_app
    from powerauth_core.settings import CoreSettings
    from servicekit.app import serve
    from servicekit.commands import Outcome, finish
    from servicekit.startup import command_settings, serving_settings, told_without_traceback

NAME = "powerauth-core"


def main() -> int:
    """Run the command of the command line; its exit status."""
    parser = argparse.ArgumentParser(
        prog="powerauth_core", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    named = parser.add_subparsers(dest="command")
    named.add_parser("serve").add_argument("--workers", type=int)
    for name in ("migrate", "check", "jobs", "encrypt", "accept-rows"):
        named.add_parser(name)
    named.add_parser("adopt").add_argument("--check", action="store_true")
    named.add_parser("job").add_argument("name")
    audit = named.add_parser("audit").add_subparsers(dest="audit", required=True)
    audit.add_parser("verify").add_argument("--checkpoint", type=Path)
    audit.add_parser("checkpoint").add_argument("file", type=Path)
    audit.add_parser("accept")
    audit.add_parser("rebuild")
    impact = named.add_parser("passkeys").add_subparsers(dest="passkeys", required=True).add_parser("impact")
    impact.add_argument("--known-synced", type=Path)
    impact.add_argument("--roots", type=Path)
    mds = named.add_parser("mds").add_subparsers(dest="mds", required=True)
    mds.add_parser("load").add_argument("file", type=Path)
    mds.add_parser("download")
    mds.add_parser("status")
    mds.add_parser("entries").add_argument("id", nargs="?")
    mds.add_parser("revalidate").add_argument("--force", action="store_true")
    arguments = parser.parse_args()
    with told_without_traceback():
        if arguments.command in (None, "serve"):
            settings = serving_settings(CoreSettings, NAME, getattr(arguments, "workers", None))
            serve(create_app(settings), settings)
            return 0
        return finish(_work(command_settings(CoreSettings, NAME, commands.NEEDS), arguments))


def _work(settings: CoreSettings, arguments: argparse.Namespace) -> Coroutine[Any, Any, Outcome]:
    match arguments.command:
        case "migrate":
            return commands.migrate(settings)
        case "adopt":
            return commands.adopt(settings, check_only=arguments.check)
        case "check":
            return commands.check(settings)
        case "jobs":
            return commands.list_jobs(settings)
        case "job":
            return commands.run_job(settings, arguments.name)
        case "encrypt":
            return commands.encrypt(settings)
        case "accept-rows":
            return commands.accept_rows(settings)
        case "passkeys":
            return _passkeys(settings, arguments)
        case "mds":
            return _mds(settings, arguments)
    return _audit(settings, arguments)


def _passkeys(settings: CoreSettings, arguments: argparse.Namespace) -> Coroutine[Any, Any, Outcome]:
    from powerauth_core import passkey_commands  # noqa: PLC0415 - certificates: not for who serves

    return passkey_commands.impact(settings, known_synced=arguments.known_synced, roots=arguments.roots)


def _mds(settings: CoreSettings, arguments: argparse.Namespace) -> Coroutine[Any, Any, Outcome]:
    from powerauth_core import metadata_commands  # noqa: PLC0415 - certificates: not for who serves

    match arguments.mds:
        case "load":
            return metadata_commands.load(settings, arguments.file)
        case "download":
            return metadata_commands.download(settings)
        case "entries":
            return metadata_commands.entries(settings, arguments.id)
        case "revalidate":
            return metadata_commands.revalidate(settings, force=arguments.force)
    return metadata_commands.status(settings)


def _audit(settings: CoreSettings, arguments: argparse.Namespace) -> Coroutine[Any, Any, Outcome]:
    match arguments.audit:
        case "checkpoint":
            return commands.write_audit_checkpoint(settings, arguments.file)
        case "accept":
            return commands.accept_unchained_audit(settings)
        case "rebuild":
            return commands.rebuild_audit_registry(settings)
    return commands.verify_audit(
        settings, lambda line: sys.stdout.write(line + "\n"), checkpoint=arguments.checkpoint
    )


if __name__ == "__main__":
    sys.exit(main())
