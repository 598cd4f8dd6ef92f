"""The whole stack, twice: all services in one process on SQLite, and one process each on PostgreSQL."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))

from e2e_commands import COMMAND
from e2e_customer import Customer, Deployment
from e2e_stacks import DEPLOYMENTS, ONE_PROCESS, SEPARATE, running

from powerauth_cli.all_in_one import CLOUD, AllInOne
from powerauth_cli.demo.bank import Bank
from powerauth_cli.fakes.phones import FAKE_PHONES
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk import AppConfig, Device

TEMPLATES = {
    "e2e-payment": {
        "operationType": "e2e_payment",
        "dataTemplate": "A1*A${amount}${currency}*Q${account}",
        "signatureType": ["POSSESSION_KNOWLEDGE", "POSSESSION_BIOMETRY"],
        "maxFailureCount": 3,
        "expiration": 300,
    },
    "e2e-proximity": {
        "operationType": "e2e_payment",
        "dataTemplate": "A2",
        "signatureType": ["POSSESSION_KNOWLEDGE"],
        "maxFailureCount": 3,
        "expiration": 300,
        "proximityCheckEnabled": True,
    },
    "e2e-one-factor": {
        "operationType": "e2e_payment",
        "dataTemplate": "A2",
        "signatureType": ["POSSESSION"],
        "maxFailureCount": 3,
        "expiration": 300,
    },
}
TEXTS = {
    "en": {
        "title": "Payment",
        "message": "Pay ${amount} ${currency}",
        "attributes": [
            {
                "id": "a",
                "type": "AMOUNT",
                "text": "Amount",
                "params": {"amount": "amount", "currency": "currency"},
            }
        ],
    },
    "cs": {"title": "Platba", "message": "Zaplatit ${amount} ${currency}"},
}
ENROLLMENT = {
    "limit_failures_per_address": 0,
    "limit_keystore_per_activation": 0,
    "limit_status_per_activation": 0,
    "activation_spawn_enabled": True,
}
"""All phones of a test run share one address, so the limits for strangers do not apply."""


@pytest.fixture(scope="session", autouse=True)
def _command_ends() -> Iterator[None]:
    yield
    COMMAND.close()


@pytest.fixture(scope="session", params=DEPLOYMENTS)
async def deployment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Deployment]:
    """A running stack with its administrator."""
    folder: Path = tmp_path_factory.mktemp("stack")
    if request.param == ONE_PROCESS:
        async with AllInOne(folder, port=0, settings={"enrollment": ENROLLMENT}) as stack:
            phones = stack.cloud_url.removesuffix(CLOUD) + FAKE_PHONES
            yield Deployment(request.param, stack.enrollment_url, stack.cloud_url, stack.admin, phones)
    else:
        settings = {f"ENROLLMENT_{name.upper()}": str(value) for name, value in ENROLLMENT.items()}
        async with running(SEPARATE, folder, settings) as split:
            yield Deployment(request.param, split.enrollment, split.cloud, split.admin, split.phones, split)


@pytest.fixture(params=list(ProtocolVersion), ids=lambda version: version.value)
def version(request: pytest.FixtureRequest) -> ProtocolVersion:
    """Each protocol version."""
    chosen: ProtocolVersion = request.param
    return chosen


@pytest.fixture(scope="session")
async def backend(deployment: Deployment) -> AsyncIterator[tuple[Bank, Bank, str, str]]:
    """An application with templates and texts: administrator, bank, application id, SDK configuration."""
    application_id = f"e2e-{uuid4().hex[:12]}"
    admin = deployment.bank(deployment.admin)
    application = await admin.call("POST", "/admin/applications", {"id": application_id})
    if deployment.split is not None:
        await deployment.split.equip(application_id)
    user = await admin.call("POST", "/admin/users", {"username": application_id})
    await admin.call("POST", f"/admin/users/{application_id}/applications/{application_id}")
    known = {
        item["templateName"] for item in (await admin.call("GET", "/admin/operations/templates"))["templates"]
    }
    for name, template in TEMPLATES.items():
        if name not in known:
            await admin.call("POST", "/admin/operations/templates", {"templateName": name, **template})
    for language, text in TEXTS.items():
        await admin.call("PUT", f"/admin/operations/texts/e2e_payment/{language}", text)
    bank = deployment.bank((user["username"], user["password"]))
    yield admin, bank, application_id, application["mobileSdkConfig"]
    await bank.close()
    await admin.close()


@pytest.fixture
def customer(
    deployment: Deployment, backend: tuple[Bank, Bank, str, str], version: ProtocolVersion
) -> Customer:
    """A new customer with a phone that is not activated yet."""
    admin, bank, application_id, sdk_config = backend
    config = AppConfig.from_sdk_config(deployment.enrollment, sdk_config, version)
    return Customer(
        deployment=deployment,
        admin=admin,
        bank=bank,
        application_id=application_id,
        user_id=f"user-{uuid4().hex[:12]}",
        config=config,
        phone=Device(config),
    )
