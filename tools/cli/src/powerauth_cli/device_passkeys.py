"""`powerauth device passkey`: a browser with a software authenticator, beside the simulated phone.

Its passkeys, the application, the origin and the access token of the last sign-in lie in the phone's file.
The phone has to be configured; activated only where it signs for a new passkey.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from powerauth_cli.device_file import STATE, State, configured_store, open_store, run_phone
from powerauth_sdk import Device

if TYPE_CHECKING:
    from powerauth_sdk.passkeys import PasskeyBrowser

passkey_app = typer.Typer(no_args_is_help=True, help="Passkeys, as a browser uses them.")

_KEPT = "passkeys"
_TOKEN = "access_token"  # noqa: S105 - the name of a member
Application = Annotated[
    str | None, typer.Option("--application", help="Id of the application; remembered from then on.")
]
Origin = Annotated[
    str | None, typer.Option("--origin", help="Of the page, e.g. https://bank.example; remembered.")
]
Action = Callable[["PasskeyBrowser", Device, dict[str, Any]], Awaitable[dict[str, Any]]]


@passkey_app.command("register")
def register(
    name: Annotated[str, typer.Option(help="Name of the passkey.")] = "Simulated browser",
    ticket: Annotated[str | None, typer.Option(help="Of the bank, which knows the user.")] = None,
    pin: Annotated[
        str | None,
        typer.Option("--pin", envvar="POWERAUTH_DEVICE_PIN", help="The activated phone signs instead."),
    ] = None,
    application: Application = None,
    origin: Origin = None,
    state: State = STATE,
) -> None:
    """Make a passkey: with a ticket, with the phone's signature, or as who has just signed in."""

    async def run(browser: PasskeyBrowser, device: Device, kept: dict[str, Any]) -> dict[str, Any]:
        if ticket is not None:
            return await browser.register(name, ticket=ticket)
        if pin is not None:
            return await browser.register(name, device=device, pin=pin)
        return await browser.register(name, access_token=_token(kept))

    _browse(state, application, origin, run)


@passkey_app.command("sign-in")
def sign_in(
    user: Annotated[str | None, typer.Option(help="Left out, the passkey names the user.")] = None,
    scope: Annotated[str | None, typer.Option(help="Of the tokens, e.g. openid passkey:manage")] = None,
    application: Application = None,
    origin: Origin = None,
    state: State = STATE,
) -> None:
    """Sign in and keep the access token."""

    async def run(browser: PasskeyBrowser, device: Device, kept: dict[str, Any]) -> dict[str, Any]:
        answer = await browser.sign_in(user, **({} if scope is None else {"scope": scope}))
        kept[_TOKEN] = answer.get(_TOKEN)
        return answer

    _browse(state, application, origin, run)


@passkey_app.command("approve")
def approve(operation_id: str, state: State = STATE) -> None:
    """Approve an operation as who has signed in."""

    async def run(browser: PasskeyBrowser, device: Device, kept: dict[str, Any]) -> dict[str, Any]:
        return await browser.approve(operation_id, _token(kept))

    _browse(state, None, None, run)


def _token(kept: dict[str, Any]) -> str:
    token = kept.get(_TOKEN)
    if not isinstance(token, str):
        raise typer.BadParameter("nobody is signed in; run: powerauth device passkey sign-in")
    return token


def _browse(state: Path, application: str | None, origin: str | None, action: Action) -> None:
    """Run one action of the browser; what its authenticator has afterwards is kept, whatever came of it."""
    # CBOR and certificates, which no other command of the phone needs.
    from powerauth_sdk.authenticator import Authenticator, Passkey  # noqa: PLC0415
    from powerauth_sdk.passkeys import PasskeyBrowser  # noqa: PLC0415

    kept: dict[str, Any] = dict(configured_store(state).settings.get(_KEPT, {}))
    kept |= {key: value for key, value in (("application", application), ("origin", origin)) if value}
    if not {"application", "origin"} <= kept.keys():
        raise typer.BadParameter("give --application and --origin once")
    passkeys = [Passkey.from_json(one) for one in kept.get("credentials", [])]
    authenticator = Authenticator(passkeys=passkeys)

    async def run(device: Device) -> dict[str, Any]:
        browser = PasskeyBrowser(device.transport, kept["application"], kept["origin"], authenticator)
        return await action(browser, device, kept)

    try:
        run_phone(state, run)
    finally:
        kept["credentials"] = [one.to_json() for one in authenticator.passkeys]
        store = open_store(state)  # anew: the phone may have signed meanwhile
        store.save_settings({**store.settings, _KEPT: kept})
