"""``python -m powerauth_push``: serve, and the work of an operator beside it.

serve             serve until told to stop (the default)
migrate           bring the database to the current schema
adopt [--check]   take over a database of the original; --check: only say whether it goes
check             say whether the schema is the current one
encrypt           encrypt credentials that stand in clear, and bind the rows that nobody has bound
callers           list the callers and what they may do
caller create NAME [--scopes device,message,…]
                  make a caller and show its credentials once; unless scopes are named, all that the cloud
                  service needs; `enrollment` is that of the enrollment service
caller remove NAME
                  remove a caller
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Coroutine
from typing import Any

from servicekit.loading import loading

with loading():
    from powerauth_push import commands
    from powerauth_push.app import NAME, create_app
    from powerauth_push.callers.rules import Scope
    from powerauth_push.settings import PushSettings
    from servicekit.app import serve
    from servicekit.commands import Outcome, finish
    from servicekit.startup import command_settings, serving_settings, told_without_traceback


def main(arguments: list[str]) -> int:
    """Run the command of the command line; its exit status."""
    parser = argparse.ArgumentParser(
        prog="powerauth_push", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    named = parser.add_subparsers(dest="command")
    for name in ("serve", "migrate", "check", "encrypt", "callers"):
        named.add_parser(name)
    named.add_parser("adopt").add_argument("--check", action="store_true")
    caller = named.add_parser("caller").add_subparsers(dest="caller", required=True)
    creating = caller.add_parser("create")
    creating.add_argument("name")
    creating.add_argument("--scopes", type=_scopes, default=commands.default_scopes())
    caller.add_parser("remove").add_argument("name")
    given = parser.parse_args(arguments)
    with told_without_traceback():
        if given.command in (None, "serve"):
            settings = serving_settings(PushSettings, NAME)
            serve(create_app(settings), settings)
            return 0
        stores_secrets = given.command in ("caller", "encrypt")
        needs = commands.NEEDS_OF_SECRETS if stores_secrets else commands.NEEDS
        return finish(_work(command_settings(PushSettings, NAME, needs), given))


def _scopes(text: str) -> frozenset[Scope]:
    return frozenset(Scope(name.strip()) for name in text.split(","))


def _work(settings: PushSettings, given: argparse.Namespace) -> Coroutine[Any, Any, Outcome]:
    match given.command:
        case "migrate":
            return commands.migrate(settings)
        case "check":
            return commands.check(settings)
        case "adopt":
            return commands.adopt(settings, check_only=given.check)
        case "encrypt":
            return commands.encrypt(settings)
        case "callers":
            return commands.list_callers(settings)
    if given.caller == "create":
        return commands.create_caller(settings, given.name, given.scopes)
    return commands.remove_caller(settings, given.name)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
