"""`powerauth device`: a simulated phone, driven by hand.

The phone lives in one JSON file (`--state`), readable by its owner only. Its first command tells it where the
server is and which application it is: `powerauth device configure`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from secrets import token_urlsafe
from typing import Annotated, Any

import typer
from rich.console import Console

from powerauth_cli.device_file import STATE, State, open_store, run_phone
from powerauth_cli.device_messages import inbox_app, register
from powerauth_cli.device_passkeys import passkey_app
from powerauth_contracts.enums import UNEXPECTED_OPERATION
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.errors import ProtocolError
from powerauth_protocol.generation import NEWEST, generation_of
from powerauth_protocol.v3.signature import SignatureType
from powerauth_sdk import (
    AppConfig,
    Device,
    DeviceProfile,
    MobileToken,
    vault,
)
from powerauth_sdk.spawn import activation_code_for

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)
token_app = typer.Typer(no_args_is_help=True, help="MAC tokens for reading calls.")
operation_app = typer.Typer(no_args_is_help=True, help="Operations that wait for the user.")
vault_app = typer.Typer(no_args_is_help=True, help="The secure vault.")
app.add_typer(token_app, name="token")
app.add_typer(operation_app, name="operation")
app.add_typer(vault_app, name="vault")
app.add_typer(inbox_app, name="inbox")
app.add_typer(passkey_app, name="passkey")
app.command("push")(register)

Pin = Annotated[str, typer.Option("--pin", prompt=True, hide_input=True, envvar="POWERAUTH_DEVICE_PIN")]
OptionalPin = Annotated[
    str | None, typer.Option("--pin", envvar="POWERAUTH_DEVICE_PIN", help="Needed for the knowledge factor.")
]
Factors = Annotated[str, typer.Option("--factors", help="possession, possession_knowledge, …")]
Language = Annotated[str, typer.Option("--language", help="Language of the forms.")]

_SPAWN_OTP_BYTES = 18
_console = Console()


@app.command()
def configure(
    url: Annotated[
        str, typer.Option(help="Enrollment service, e.g. http://127.0.0.1:8080/enrollment-server")
    ],
    sdk_config: Annotated[str, typer.Option(help="mobileSdkConfig of the application version.")],
    version: Annotated[str, typer.Option(help="Protocol version.")] = NEWEST,
    state: State = STATE,
) -> None:
    """Tell the phone its server and application. An existing activation is kept."""
    try:
        AppConfig.from_sdk_config(url, sdk_config, generation_of(version).version)
    except ProtocolError as error:
        raise typer.BadParameter(str(error)) from error
    open_store(state).save_settings({"url": url, "sdkConfig": sdk_config, "version": version})
    _console.print(f"{state} is configured for {url}, protocol {version}")


@app.command()
def activate(
    pin: Pin,
    code: Annotated[str | None, typer.Option(help="Activation code, or QR text code#signature.")] = None,
    otp: Annotated[str | None, typer.Option(help="Activation OTP, if the bank set one.")] = None,
    recovery_code: Annotated[str | None, typer.Option(help="Recovery code, with --puk.")] = None,
    puk: Annotated[str | None, typer.Option(help="Next PUK of the recovery code.")] = None,
    credential: Annotated[
        list[str] | None, typer.Option(help="name=value for the server's provider; repeat it.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the activation.")] = "Simulated phone",
    biometry: Annotated[bool, typer.Option(help="Set up the biometric factor too.")] = False,
    state: State = STATE,
) -> None:
    """Activate with an activation code, a recovery code, or credentials."""
    profile = DeviceProfile(name=name, biometry=biometry)

    async def run(device: Device) -> dict[str, Any]:
        if code:
            result = await device.activate_with_code(code, pin, otp=otp, profile=profile)
        elif recovery_code and puk:
            result = await device.activate_with_recovery_code(recovery_code, puk, pin, profile=profile)
        elif credential:
            attributes = dict(item.partition("=")[::2] for item in credential)
            result = await device.activate_with_credentials(attributes, pin, profile=profile)
        else:
            raise typer.BadParameter("give --code, --recovery-code with --puk, or --credential")
        recovery = result.recovery
        return {
            "activationId": result.activation_id,
            "fingerprint": result.fingerprint,
            "recoveryCode": recovery.recovery_code if recovery else None,
            "puk": recovery.puk if recovery else None,
            "customAttributes": result.custom_attributes,
            "userInfo": result.user_info,
        }

    run_phone(state, run)


@app.command()
def status(state: State = STATE) -> None:
    """Read and decrypt the activation's status."""

    async def run(device: Device) -> dict[str, Any]:
        read = await device.status()
        return {
            "activationId": device.state.activation_id,
            "state": read.state,
            "failedAttempts": read.failed_attempts,
            "maxFailedAttempts": read.max_failed_attempts,
            "counters": read.synchronisation.name if read.synchronisation else None,
            "customObject": read.custom_object,
        }

    run_phone(state, run)


@app.command()
def sign(
    uri_id: Annotated[str, typer.Argument(help="Resource id that bank and app agreed on, e.g. /login")],
    body: Annotated[str, typer.Option(help="Request body, or @file; for GET the query string.")] = "",
    method: Annotated[str, typer.Option()] = "POST",
    factors: Factors = "possession_knowledge",
    pin: OptionalPin = None,
    state: State = STATE,
) -> None:
    """Print the authorization header for a request to the bank."""

    async def run(device: Device) -> dict[str, Any]:
        return dict(
            await device.signed_header(
                method=method.upper(),
                uri_id=uri_id,
                body=_bytes(body),
                signature_type=_type(factors),
                pin=pin,
            )
        )

    run_phone(state, run)


@app.command()
def verify(
    body: Annotated[str, typer.Option(help="Request body, or @file; for GET the query string.")] = "{}",
    method: Annotated[str, typer.Option()] = "POST",
    factors: Factors = "possession_knowledge",
    pin: OptionalPin = None,
    state: State = STATE,
) -> None:
    """Have the server verify a signature, online."""

    async def run(device: Device) -> dict[str, Any]:
        await device.validate_signature(
            method=method.upper(), body=_bytes(body), signature_type=_type(factors), pin=pin
        )
        return {"status": "OK"}

    run_phone(state, run)


@app.command()
def offline(
    qr_text: Annotated[str, typer.Argument(help="Text of the QR code, @file, or - for standard input.")],
    pin: Pin,
    state: State = STATE,
) -> None:
    """Check an offline QR payload and print the digits to type at the bank."""
    text = sys.stdin.read() if qr_text == "-" else _bytes(qr_text).decode()

    async def run(device: Device) -> dict[str, Any]:
        payload = MobileToken(device).trusted_payload(text.rstrip("\n"))
        digits = await MobileToken(device).approve_offline(text.rstrip("\n"), pin)
        return {
            "operationId": payload.operation_id,
            "title": payload.title,
            "message": payload.message,
            "data": payload.operation_data,
            "otp": digits,
        }

    run_phone(state, run)


@app.command("user-info")
def user_info(state: State = STATE) -> None:
    """Read the claims about the user."""

    async def run(device: Device) -> dict[str, Any]:
        return await device.user_info()

    run_phone(state, run)


@app.command()
def rename(name: str, pin: Pin, state: State = STATE) -> None:
    """Give the activation another name."""

    async def run(device: Device) -> dict[str, Any]:
        return await device.rename(name, pin)

    run_phone(state, run)


@app.command()
def spawn(
    application_id: Annotated[str, typer.Argument(help="Destination; this phone's own for another phone.")],
    pin: Pin,
    otp: Annotated[str | None, typer.Option(help="At least 16 characters; made up if not given.")] = None,
    state: State = STATE,
) -> None:
    """Get an activation code for another application or phone; it activates with the code and the OTP."""

    async def run(device: Device) -> dict[str, Any]:
        password = otp or token_urlsafe(_SPAWN_OTP_BYTES)
        spawned = await activation_code_for(device, application_id, password, pin)
        return {
            "activationId": spawned.activation_id,
            "activationCode": spawned.code,
            "qrText": spawned.qr_text,
            "otp": password,
        }

    run_phone(state, run)


@app.command()
def remove(pin: Pin, state: State = STATE) -> None:
    """Remove the activation on the server and from the file."""

    async def run(device: Device) -> dict[str, Any]:
        await device.remove(pin)
        return {"status": "OK"}

    run_phone(state, run)


@token_app.command("create")
def token_create(
    name: Annotated[str, typer.Argument()] = "possession_universal",
    factors: Factors = "possession",
    pin: OptionalPin = None,
    state: State = STATE,
) -> None:
    """Create a token, or show the one of that name."""

    async def run(device: Device) -> dict[str, Any]:
        token = await device.token(name, _type(factors), pin)
        return {"name": name, "tokenId": token.token_id, "factors": token.signature_type}

    run_phone(state, run)


@token_app.command("header")
def token_header(
    name: Annotated[str, typer.Argument()] = "possession_universal", state: State = STATE
) -> None:
    """Print a fresh token header for a request to the bank."""

    async def run(device: Device) -> dict[str, Any]:
        return dict(device.token_header(await device.token(name)))

    run_phone(state, run)


@token_app.command("remove")
def token_remove(
    name: Annotated[str, typer.Argument()] = "possession_universal", state: State = STATE
) -> None:
    """Remove a token."""

    async def run(device: Device) -> dict[str, Any]:
        await device.remove_token(name)
        return {"status": "OK"}

    run_phone(state, run)


@operation_app.command("list")
def operation_list(language: Language = "en", state: State = STATE) -> None:
    """List the pending operations."""

    async def run(device: Device) -> list[dict[str, Any]]:
        return [item.content for item in await MobileToken(device, language).pending()]

    run_phone(state, run)


@operation_app.command("history")
def operation_history(pin: Pin, language: Language = "en", state: State = STATE) -> None:
    """List the newest operations of every status."""

    async def run(device: Device) -> list[dict[str, Any]]:
        return [item.content for item in await MobileToken(device, language).history(pin)]

    run_phone(state, run)


@operation_app.command("show")
def operation_show(
    operation_id: str,
    claim: Annotated[bool, typer.Option(help="Take over an operation without a user.")] = False,
    language: Language = "en",
    state: State = STATE,
) -> None:
    """Show one operation as the phone does."""

    async def run(device: Device) -> dict[str, Any]:
        mobile_token = MobileToken(device, language)
        found = await (mobile_token.claim if claim else mobile_token.detail)(operation_id)
        return found.content

    run_phone(state, run)


@operation_app.command("approve")
def operation_approve(
    operation_id: str,
    factors: Factors = "possession_knowledge",
    pin: OptionalPin = None,
    otp: Annotated[str | None, typer.Option(help="Proximity OTP that the bank shows.")] = None,
    number: Annotated[
        str | None, typer.Option(help="Number that the bank shows, where the operation asks for one.")
    ] = None,
    state: State = STATE,
) -> None:
    """Approve an operation."""

    async def run(device: Device) -> dict[str, Any]:
        mobile_token = MobileToken(device)
        await mobile_token.approve(
            await mobile_token.detail(operation_id),
            pin,
            signature_type=_type(factors),
            proximity_check={"otp": otp, "type": "QR_CODE"} if otp else None,
            number=number,
        )
        return {"status": "OK"}

    run_phone(state, run)


@operation_app.command("reject")
def operation_reject(
    operation_id: str,
    reason: Annotated[str, typer.Option(help="UNKNOWN, INCORRECT_DATA or UNEXPECTED_OPERATION")] = "UNKNOWN",
    unexpected: Annotated[bool, typer.Option("--unexpected", help="The user did not ask for it.")] = False,
    state: State = STATE,
) -> None:
    """Reject an operation."""

    async def run(device: Device) -> dict[str, Any]:
        mobile_token = MobileToken(device)
        why = UNEXPECTED_OPERATION if unexpected else reason
        await mobile_token.reject(await mobile_token.detail(operation_id), why)
        return {"status": "OK"}

    run_phone(state, run)


@vault_app.command("sign")
def vault_sign(
    data: Annotated[str, typer.Argument(help="Text to sign, or @file.")], pin: Pin, state: State = STATE
) -> None:
    """Sign data with the device's private key (ECDSA)."""

    async def run(device: Device) -> dict[str, Any]:
        content = _bytes(data)
        signature = await vault.sign_statement(device, content, pin)
        return {"data": b64encode(content), "signature": b64encode(signature)}

    run_phone(state, run)


@vault_app.command("add-biometry")
def vault_add_biometry(pin: Pin, state: State = STATE) -> None:
    """Set up the biometric factor."""

    async def run(device: Device) -> dict[str, Any]:
        await vault.add_biometry(device, pin)
        return {"status": "OK"}

    run_phone(state, run)


@vault_app.command("confirm-recovery")
def vault_confirm_recovery(recovery_code: str, pin: Pin, state: State = STATE) -> None:
    """Confirm a recovery code."""

    async def run(device: Device) -> dict[str, Any]:
        return {"alreadyConfirmed": await vault.confirm_recovery_code(device, recovery_code, pin)}

    run_phone(state, run)


def _type(name: str) -> SignatureType:
    try:
        return SignatureType(name)
    except ValueError:
        raise typer.BadParameter(f"{name} is not a factor combination") from None


def _bytes(text: str) -> bytes:
    return Path(text[1:]).read_bytes() if text.startswith("@") else text.encode()
