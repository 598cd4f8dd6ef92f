"""Where the services of a stack are, and a customer of a bank there with a phone."""

from __future__ import annotations

from dataclasses import dataclass

from e2e_stacks import Stack

from powerauth_cli.demo.bank import Bank
from powerauth_sdk import ActivationResult, AppConfig, Device, DeviceProfile

PIN = "1234"
PARAMETERS = {"amount": "10.5", "currency": "EUR", "account": "238400856/0300"}


@dataclass(frozen=True)
class Deployment:
    """Where the services of a running stack are.

    :ivar phones: address where fake phones tell what they have shown
    :ivar split: the stack of one process each
    """

    name: str
    enrollment: str
    cloud: str
    admin: tuple[str, str]
    phones: str
    split: Stack | None = None

    def bank(self, credentials: tuple[str, str]) -> Bank:
        """A client of the cloud API."""
        return Bank(self.cloud, *credentials)


@dataclass
class Customer:
    """A bank with one application, and a customer with one phone."""

    deployment: Deployment
    admin: Bank
    bank: Bank
    application_id: str
    user_id: str
    config: AppConfig
    phone: Device

    async def register(self, **more: object) -> dict[str, str]:
        """Create a registration for the customer."""
        content = {"userId": self.user_id, "appId": self.application_id, **more}
        return await self.bank.call("POST", "/v2/registrations", content)

    async def activate(self, phone: Device | None = None, *, biometry: bool = False) -> ActivationResult:
        """Activate a phone and commit."""
        registration = await self.register()
        profile = DeviceProfile(name="Phone", platform="ios", biometry=biometry)
        device = phone or self.phone
        result = await device.activate_with_code(registration["activationQrCodeData"], PIN, profile=profile)
        await self.bank.call("POST", f"/v2/registrations/{registration['registrationId']}/commit")
        return result

    async def operation(self, template: str = "e2e-payment", **more: object) -> dict[str, object]:
        """Create an operation for the customer."""
        return await self.bank.create_operation(self.user_id, template, **{"parameters": PARAMETERS, **more})

    async def status_of(self, operation_id: object) -> str:
        """The status of an operation, as the bank sees it."""
        return str((await self.bank.operation(str(operation_id)))["status"])
