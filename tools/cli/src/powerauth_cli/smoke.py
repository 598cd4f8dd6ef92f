"""`powerauth smoke`: whether running services do their job, by one activation and one approval through them.

What it needs at the bank, an application and a template of its own, is made once and stays; the user of its
calls and the phone's registration are gone afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import httpx2
import typer

from powerauth_cli.credentials import secret_in
from powerauth_cli.demo.bank import Bank, BankRefused
from powerauth_cli.demo.transcript import Unexpected, expect
from powerauth_protocol.common.errors import ProtocolError
from powerauth_protocol.generation import NEWEST, generation_of
from powerauth_sdk import AppConfig, Device, HttpTransport, MobileToken, SdkError

app = typer.Typer(add_completion=False)

_PIN = "1234"
_SECONDS = 30.0
_TEMPLATE = {
    "templateName": "powerauth-smoke",
    "operationType": "powerauth_smoke",
    "dataTemplate": "A2",
    "signatureType": ["POSSESSION_KNOWLEDGE"],
    "maxFailureCount": 5,
    "expiration": 300,
}
_TEXT = {"title": "Smoke test", "message": "No person is asked."}


@dataclass(frozen=True, slots=True)
class Target:
    """The services that are tried.

    :ivar enrollment: its address with context path, as phones have it
    :ivar cloud: the same of the private API
    :ivar administrator: (name, password) of a user of the private API with ROLE_ADMIN
    :ivar trust: what their certificates are checked with
    """

    enrollment: str
    cloud: str
    administrator: tuple[str, str]
    trust: ssl.SSLContext

    def bank(self, credentials: tuple[str, str]) -> Bank:
        """A caller of the private API."""
        return Bank(self.cloud, *credentials, verify=self.trust)


@app.command()
def smoke(
    enrollment: Annotated[str, typer.Option(help="https://…/enrollment-server, as phones call it.")],
    cloud: Annotated[str, typer.Option(help="https://…/powerauth-cloud")],
    username: Annotated[str, typer.Option(help="An administrator of the private API.")],
    password_file: Annotated[Path, typer.Option(help="File with the password.")],
    application: Annotated[str, typer.Option(help="Made if it is not there.")] = "powerauth-smoke",
    ca: Annotated[Path | None, typer.Option(help="Trust anchors (PEM) in place of the system's.")] = None,
) -> None:
    """Activate a phone and approve an operation through running services, and clean up."""
    try:
        trust = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError):
        raise typer.BadParameter("holds no trust anchors", param_hint="--ca") from None
    password = secret_in(password_file, "--password-file")
    target = Target(enrollment, cloud, (username, password), trust)
    try:
        approved = asyncio.run(try_services(target, application))
    except (Unexpected, BankRefused, SdkError, ProtocolError, httpx2.TransportError, ValueError) as error:
        typer.echo(f"{type(error).__name__}: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(json.dumps(approved, indent=2))


async def try_services(target: Target, application: str) -> dict[str, str]:
    """Activate, approve, remove.

    :return: the activation and the operation
    :raises Unexpected: a step ended otherwise than it must
    """
    admin = target.bank(target.administrator)
    try:
        sdk_config = await _equipped(admin, application)
        async with _user(admin, application) as credentials, _client(target) as client:
            config = AppConfig.from_sdk_config(target.enrollment, sdk_config, generation_of(NEWEST).version)
            phone = Device(config, HttpTransport(config.base_url, client))
            bank = target.bank(credentials)
            try:
                return await _main_job(bank, phone, application)
            finally:
                await bank.close()
    finally:
        await admin.close()


async def _equipped(admin: Bank, application: str) -> str:
    """See that application and template are there; the former's ``mobileSdkConfig``."""
    there = (await admin.call("GET", "/admin/applications"))["applications"]
    if all(one["id"] != application for one in there):
        await admin.call("POST", "/admin/applications", {"id": application})
    name = _TEMPLATE["templateName"]
    templates = (await admin.call("GET", "/admin/operations/templates"))["templates"]
    if all(one["templateName"] != name for one in templates):
        await admin.call("POST", "/admin/operations/templates", _TEMPLATE)
        await admin.call("PUT", f"/admin/operations/texts/{_TEMPLATE['operationType']}/en", _TEXT)
    found = await admin.call("GET", f"/admin/applications/{application}")
    return str(found["mobileSdkConfig"])


@contextlib.asynccontextmanager
async def _user(admin: Bank, application: str) -> AsyncIterator[tuple[str, str]]:
    """A user of the private API for this application, for a while."""
    made = await admin.call("POST", "/admin/users", {"username": f"smoke-{uuid4().hex}"})
    name: str = made["username"]
    try:
        await admin.call("POST", f"/admin/users/{name}/applications/{application}")
        yield name, made["password"]
    finally:
        await admin.call("DELETE", f"/admin/users/{name}")


def _client(target: Target) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(timeout=_SECONDS, verify=target.trust)


async def _main_job(bank: Bank, phone: Device, application: str) -> dict[str, str]:
    customer = f"smoke-{uuid4().hex}"
    created = await bank.call("POST", "/v2/registrations", {"userId": customer, "appId": application})
    registration = created["registrationId"]
    try:
        result = await phone.activate_with_code(created["activationQrCodeData"], _PIN)
        await bank.call("POST", f"/v2/registrations/{registration}/commit")
        expect((await phone.status()).state == "ACTIVE", "the phone is active")
        operation = (await bank.create_operation(customer, str(_TEMPLATE["templateName"])))["operationId"]
        waiting = await MobileToken(phone).pending()
        expect([one.id for one in waiting] == [operation], "the phone sees the operation, and no other")
        await MobileToken(phone).approve(waiting[0], _PIN)
        seen = (await bank.operation(operation))["status"]
        expect(seen == "APPROVED", f"the bank sees the approval, not {seen}")
    finally:
        await bank.call("DELETE", f"/v2/registrations/{registration}")
    return {"activationId": result.activation_id, "operationId": operation, "status": seen}
