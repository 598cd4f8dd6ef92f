"""Which database a command works on: that of the environment, or that of a folder of `powerauth run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from cloud_private_api.settings import CloudSettings
    from powerauth_core.settings import CoreSettings
    from powerauth_push.settings import PushSettings
    from servicekit.settings import DatabaseSettings

DataFolder = Annotated[
    Path | None,
    typer.Option("--data", help="Folder of `powerauth run`, instead of the database of the environment."),
]


def core_settings(folder: Path | None, *, stores_secrets: bool = False) -> CoreSettings:
    """The core's settings for a command.

    :param stores_secrets: the command writes what production must not hold in clear
    :raises StartRefused: the folder holds nothing of `powerauth run`, or a setting is wrong
    """
    from powerauth_core.commands import NEEDS, NEEDS_OF_SECRETS  # noqa: PLC0415 - heavy, needed when it runs
    from powerauth_core.settings import CoreSettings  # noqa: PLC0415
    from servicekit.startup import command_settings  # noqa: PLC0415

    needs = NEEDS_OF_SECRETS if stores_secrets else NEEDS
    if folder is None:
        settings = command_settings(CoreSettings, "powerauth-core", needs)
        _tell_unless_chosen("CORE_DATABASE_URL", settings)
        return settings
    from powerauth_cli.data_folder import Secrets, core_values  # noqa: PLC0415

    values = core_values(folder, Secrets.kept(folder))
    return command_settings(CoreSettings, "powerauth-core", needs, **values)


def cloud_settings(folder: Path | None) -> CloudSettings:
    """The cloud service's settings for a command.

    :raises StartRefused: the folder holds nothing of `powerauth run`, or a setting is wrong
    """
    from cloud_private_api.commands import NEEDS  # noqa: PLC0415
    from cloud_private_api.settings import CloudSettings  # noqa: PLC0415
    from servicekit.startup import command_settings  # noqa: PLC0415

    if folder is None:
        settings = command_settings(CloudSettings, "powerauth-cloud", NEEDS)
        if not settings.datasource_url:
            _tell_unless_chosen("CLOUD_DATABASE_URL", settings)
        return settings
    from powerauth_cli.data_folder import Secrets, cloud_values  # noqa: PLC0415

    Secrets.kept(folder)
    return command_settings(CloudSettings, "powerauth-cloud", NEEDS, **cloud_values(folder))


def push_settings(folder: Path | None, *, stores_secrets: bool = False) -> PushSettings:
    """The push service's settings for a command; raises as `core_settings`."""
    from powerauth_push.commands import NEEDS, NEEDS_OF_SECRETS  # noqa: PLC0415
    from powerauth_push.settings import PushSettings  # noqa: PLC0415
    from servicekit.startup import command_settings  # noqa: PLC0415

    needs = NEEDS_OF_SECRETS if stores_secrets else NEEDS
    if folder is None:
        settings = command_settings(PushSettings, "powerauth-push", needs)
        _tell_unless_chosen("PUSH_DATABASE_URL", settings)
        return settings
    from powerauth_cli.data_folder import Secrets, push_values  # noqa: PLC0415

    values = push_values(folder, Secrets.kept(folder))
    return command_settings(PushSettings, "powerauth-push", needs, **values)


def _tell_unless_chosen(variable: str, settings: DatabaseSettings) -> None:
    """Which database is meant when nobody said: the one that a newcomer's folder would have."""
    if "database_url" not in settings.model_fields_set:
        file = settings.effective_database_url.rpartition(":///./")[2]
        typer.echo(
            f"{variable} is not set: this is about {file}; --data data works on it with the keys of"
            " `powerauth run`",
            err=True,
        )
