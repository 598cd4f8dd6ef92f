"""Serve: ``python -m cloud_private_api``. ``python -m cloud_private_api migrate`` only updates the schema."""

from __future__ import annotations

import asyncio
import sys

from cloud_private_api.app import NAME, create_app, migrate
from cloud_private_api.settings import CloudSettings
from servicekit.app import serve
from servicekit.startup import command_settings, serving_settings, told_without_traceback


def main(arguments: list[str]) -> int:
    """Run the command; the exit status."""
    with told_without_traceback():
        if arguments == ["migrate"]:
            asyncio.run(migrate(command_settings(CloudSettings, NAME, ("database_url",))))
        elif not arguments:
            settings = serving_settings(CloudSettings, NAME)
            serve(create_app(settings), settings)
        else:
            sys.stderr.write("usage: python -m cloud_private_api [migrate]\n")
            return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
