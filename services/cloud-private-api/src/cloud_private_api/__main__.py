"""Serve: ``python -m cloud_private_api``. ``python -m cloud_private_api migrate`` only updates the schema."""

from __future__ import annotations

import asyncio
import sys

from cloud_private_api.app import NAME, create_app, migrate
from cloud_private_api.settings import CloudSettings
from servicekit.app import serve
from servicekit.logs import configure_logging


def main(arguments: list[str]) -> int:
    """Run the command; the exit status."""
    settings = CloudSettings()
    configure_logging(NAME, settings.log_level, settings.log_json)
    if arguments == ["migrate"]:
        asyncio.run(migrate(settings))
    elif not arguments:
        serve(create_app(settings), settings)
    else:
        sys.stderr.write("usage: python -m cloud_private_api [migrate]\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
