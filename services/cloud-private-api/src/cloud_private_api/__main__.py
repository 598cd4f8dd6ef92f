"""Serve: ``python -m cloud_private_api``. ``migrate`` brings the schema up to date, ``check`` looks at it."""

from __future__ import annotations

import sys

from servicekit.loading import loading

with loading():
    from cloud_private_api import commands
    from cloud_private_api.app import NAME, create_app
    from cloud_private_api.settings import CloudSettings
    from servicekit.app import serve
    from servicekit.commands import finish
    from servicekit.startup import command_settings, serving_settings, told_without_traceback

_COMMANDS = {"migrate": commands.migrate, "check": commands.check}


def main(arguments: list[str]) -> int:
    """Run the command; the exit status."""
    with told_without_traceback():
        match arguments:
            case []:
                settings = serving_settings(CloudSettings, NAME)
                serve(create_app(settings), settings)
                return 0
            case [("migrate" | "check") as name]:
                return finish(_COMMANDS[name](command_settings(CloudSettings, NAME, commands.NEEDS)))
    sys.stderr.write("usage: python -m cloud_private_api [migrate|check]\n")
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
