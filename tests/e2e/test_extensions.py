"""The example packages, installed as an operator installs them, do what their documentation says."""

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from e2e_stacks import DEPLOYMENTS, Stack, running

from powerauth_cli.demo.bank import Bank as Client
from powerauth_protocol.common.password_hash import hash_password
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk import AppConfig, Device, MobileToken, ServerRefused

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
EXAMPLES = ("custom-activation", "user-info", "operation-texts")
PIN = "1234"
ACCOUNT = "238400856/0300"
CLAIMS = {"name": "Alice Cooper", "given_name": "Alice", "email": "alice@example.com"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example packages in it, as pip puts them into an image."""
    target = tmp_path_factory.mktemp("site-packages")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    options = ["--no-build-isolation", "--disable-pip-version-check", "--root-user-action=ignore"]
    folders = [str(ROOT / "examples" / name) for name in EXAMPLES]
    done = subprocess.run(
        [*pip, *options, "--target", str(target), *folders], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return target


@dataclass
class Bank:
    """A bank with the examples in place."""

    stack: Stack
    application_id: str
    sdk_config: str

    def phone(self) -> Device:
        return Device(AppConfig.from_sdk_config(self.stack.enrollment, self.sdk_config, ProtocolVersion.V3_3))

    async def activated(self) -> Device:
        phone = self.phone()
        await phone.activate_with_credentials({"username": "alice", "secret": "s3cret"}, PIN)
        return phone


@pytest.fixture(scope="module", params=DEPLOYMENTS)
async def bank(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, installed: Path
) -> AsyncIterator[Bank]:
    folder = tmp_path_factory.mktemp("bank")
    customers, claims = folder / "customers.json", folder / "claims.json"
    secret = hash_password("s3cret")
    customers.write_text(
        json.dumps(
            {"alice": {"secret": secret, "flags": ["ONLINE"], "commit": True}, "bob": {"secret": secret}}
        )
    )
    claims.write_text(json.dumps({"alice": CLAIMS}))
    settings = {
        "PYTHONPATH": str(installed),
        "BANK_CUSTOMERS_FILE": str(customers),
        "BANK_CLAIMS_FILE": str(claims),
    }
    async with running(request.param, folder, settings) as stack:
        admin = stack.bank()
        application_id = f"ext-{uuid4().hex[:8]}"
        created = await admin.call("POST", "/admin/applications", {"id": application_id})
        await _texts(admin, stack, application_id)
        yield Bank(stack, application_id, created["mobileSdkConfig"])
        await admin.close()


async def _texts(admin: Client, stack: Stack, application_id: str) -> None:
    for kind in ("payment", "login"):
        await stack.core.call(
            "operation/template/create",
            templateName=f"{kind}-{application_id}",
            operationType=kind,
            dataTemplate="A1*Q${account}",
            signatureType=["POSSESSION_KNOWLEDGE"],
            maxFailureCount=3,
            expiration=300,
        )
        texts = {"title": "Hello", "message": "To ${account}"}
        await admin.call("PUT", f"/admin/operations/texts/{kind}/en", texts)


async def test_the_activation_provider_knows_its_customers(bank: Bank) -> None:
    phone = bank.phone()
    result = await phone.activate_with_credentials(
        {"username": "alice", "secret": "s3cret"}, PIN, custom_attributes={"channel": "web"}
    )
    assert result.custom_attributes == {"channel": "web", "greeting": "Welcome, alice"}
    seen = await bank.stack.core.call("activation/status", activationId=result.activation_id)
    assert (seen["userId"], seen["activationStatus"]) == ("alice", "ACTIVE")
    assert (seen["activationFlags"], seen["maxFailedAttempts"]) == (["ONLINE"], 3)
    await phone.validate_signature(pin=PIN)
    await phone.remove(PIN)


async def test_the_activation_provider_leaves_the_commit_to_the_bank(bank: Bank) -> None:
    phone = bank.phone()
    await phone.activate_with_credentials({"username": "bob", "secret": "s3cret"}, PIN)
    assert (await phone.status()).state == "PENDING_COMMIT"


@pytest.mark.parametrize(
    "identity", [{"username": "alice", "secret": "wrong"}, {"username": "eve", "secret": "s3cret"}]
)
async def test_the_activation_provider_refuses_strangers(bank: Bank, identity: dict[str, str]) -> None:
    with pytest.raises(ServerRefused) as refused:
        await bank.phone().activate_with_credentials(identity, PIN)
    assert (refused.value.http_status, refused.value.code) == (400, "ERR_ACTIVATION")


async def test_the_user_info_provider_tells_more_to_an_active_phone(bank: Bank) -> None:
    phone = bank.phone()
    result = await phone.activate_with_credentials({"username": "alice", "secret": "s3cret"}, PIN)
    assert result.user_info == {"sub": "alice", "name": "Alice Cooper"}
    assert await phone.user_info() == {"sub": "alice", **CLAIMS}


async def test_the_user_info_provider_may_say_nothing(bank: Bank) -> None:
    result = await bank.phone().activate_with_credentials({"username": "bob", "secret": "s3cret"}, PIN)
    assert result.user_info is None


async def test_the_text_formatter_words_payments_and_leaves_the_data_alone(bank: Bank) -> None:
    phone = await bank.activated()
    for kind, message in (("payment", "To ••••••••••0300"), ("login", f"To {ACCOUNT}")):
        created = await bank.stack.core.call(
            "operation/create",
            userId="alice",
            applications=[bank.application_id],
            templateName=f"{kind}-{bank.application_id}",
            parameters={"account": ACCOUNT},
        )
        operation = await MobileToken(phone).detail(created["id"])
        assert operation.message == message
        assert operation.content["data"] == f"A1*Q{ACCOUNT}"
        await MobileToken(phone).approve(operation, PIN)


def test_two_activation_providers_stop_the_start(installed: Path, tmp_path: Path) -> None:
    second = tmp_path / "second-1.dist-info"
    second.mkdir()
    (second / "METADATA").write_text("Metadata-Version: 2.1\nName: second\nVersion: 1\n")
    (second / "entry_points.txt").write_text(
        "[powerauth.activation_providers]\nsecond = bank_activation:Provider\n"
    )
    program = "from powerauth_core.providers.plug_ins import load_plug_ins; load_plug_ins()"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": f"{installed}:{tmp_path}", "BANK_CUSTOMERS_FILE": "x", "BANK_CLAIMS_FILE": "y"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "several plug-ins in powerauth.activation_providers: bank, second" in done.stderr


def test_the_documentation_names_every_entry_point_group_and_example() -> None:
    text = (ROOT / "docs" / "extending.md").read_text()
    for name in EXAMPLES:
        project = (ROOT / "examples" / name / "pyproject.toml").read_text()
        (group,) = re.findall(r'entry-points\."([^"]+)"', project)
        assert f"`{group}`" in text
        assert f"`examples/{name}`" in text
        assert (ROOT / "examples" / name / "README.md").exists()
