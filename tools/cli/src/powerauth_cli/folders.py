"""Which database a command works on: that of the environment, or that of a folder of `powerauth run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cloud_private_api.settings import CloudSettings
    from powerauth_core.settings import CoreSettings

DataFolder = Annotated[
    Path | None,
    typer.Option("--data", help="Folder of `powerauth run`, instead of the database of the environment."),
]


def core_settings(folder: Path | None) -> CoreSettings:
    """The core's settings for a command.

    :raises StartRefused: the folder holds nothing of `powerauth run`, or a setting is wrong
    """
    from powerauth_core.commands import NEEDS  # noqa: PLC0415 - heavy, needed when a command runs
    from powerauth_core.settings import CoreSettings  # noqa: PLC0415
    from servicekit.startup import command_settings  # noqa: PLC0415

    if folder is None:
        return command_settings(CoreSettings, "powerauth-core", NEEDS)
    from powerauth_cli.all_in_one import Secrets, core_values  # noqa: PLC0415

    values = core_values(folder, Secrets.kept(folder))
    return command_settings(CoreSettings, "powerauth-core", NEEDS, **values)


def cloud_settings(folder: Path | None) -> CloudSettings:
    """The cloud service's settings for a command.

    :raises StartRefused: the folder holds nothing of `powerauth run`, or a setting is wrong
    """
    from cloud_private_api.commands import NEEDS  # noqa: PLC0415
    from cloud_private_api.settings import CloudSettings  # noqa: PLC0415
    from servicekit.startup import command_settings  # noqa: PLC0415

    if folder is None:
        return command_settings(CloudSettings, "powerauth-cloud", NEEDS)
    from powerauth_cli.all_in_one import Secrets, cloud_values  # noqa: PLC0415

    Secrets.kept(folder)
    return command_settings(CloudSettings, "powerauth-cloud", NEEDS, **cloud_values(folder))
