"""`powerauth push`: callers of the push service, in its database (D23), and its campaigns, over its API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from powerauth_cli.credentials import SecretFile, Token, given_credentials
from powerauth_cli.folders import DataFolder, push_settings
from powerauth_cli.push_campaigns import app as campaigns

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from powerauth_push.settings import PushSettings
    from servicekit.commands import Outcome

app = typer.Typer(add_completion=False, no_args_is_help=True, help="What an operator does beside push.")
caller = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Callers of push and their credentials."
)
app.add_typer(caller, name="caller")
app.add_typer(campaigns, name="campaign")

Scopes = Annotated[
    str,
    typer.Option(
        help="Separated by commas: device, device:trusted, message, campaign, inbox, admin; or enrollment,"
        " callback. Without them all that the cloud service needs."
    ),
]


@caller.command()
def create(
    name: str,
    scopes: Scopes = "",
    token: Token = None,
    secret_file: SecretFile = None,
    data: DataFolder = None,
) -> None:
    """Make a caller and print its credentials, once. One that exists stays as it is unless they are given:
    only its token is printed. With other scopes it is refused.
    """
    from powerauth_push import commands  # noqa: PLC0415 - heavy, needed when it runs
    from powerauth_push.callers.rules import EVERYTHING, Scope  # noqa: PLC0415

    try:
        wanted = frozenset(Scope(scope.strip()) for scope in scopes.split(",")) if scopes else EVERYTHING
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--scopes") from None
    given = given_credentials(token, secret_file)

    def work(settings: PushSettings) -> Coroutine[Any, Any, Outcome]:
        if given is None:
            return commands.create_caller(settings, name, wanted)
        return commands.set_caller(settings, name, wanted, *given)

    _finish(work, data, stores_secrets=True)


@caller.command("list")
def list_all(data: DataFolder = None) -> None:
    """Print all callers and what they may do. Secrets are not told again."""
    from powerauth_push import commands  # noqa: PLC0415

    _finish(commands.list_callers, data)


@caller.command()
def remove(name: str, data: DataFolder = None) -> None:
    """Remove a caller: its credentials stop working within PUSH_CALLER_CACHE_SECONDS."""
    from powerauth_push import commands  # noqa: PLC0415

    _finish(lambda settings: commands.remove_caller(settings, name), data)


def _finish(
    work: Callable[[PushSettings], Coroutine[Any, Any, Outcome]],
    data: DataFolder,
    *,
    stores_secrets: bool = False,
) -> None:
    """Do the work and print its outcome; exit status 1 if it failed."""
    from servicekit.commands import finish  # noqa: PLC0415

    raise typer.Exit(finish(work(push_settings(data, stores_secrets=stores_secrets))))
