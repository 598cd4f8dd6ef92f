"""The `powerauth` command as its users meet it: a developer, an operator, the reader of the README."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

pytestmark = pytest.mark.e2e
PIN = "1234"
ROOT = Path(__file__).parents[2]


def powerauth(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "powerauth_cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "200"} | environment,
        timeout=120,
        check=False,
    )


class Phone:
    """A phone driven by `powerauth device`."""

    def __init__(self, folder: Path) -> None:
        self._state = folder / f"{uuid4().hex}.json"

    async def run(self, *arguments: object, pin: str = PIN):
        done = await self._powerauth(*arguments, pin=pin)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stdout

    async def fail(self, *arguments: object, pin: str = PIN) -> str:
        done = await self._powerauth(*arguments, pin=pin)
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stderr
        return done.stderr

    async def _powerauth(self, *arguments: object, pin: str) -> subprocess.CompletedProcess[str]:
        """In a thread: the server may run in this test's own event loop."""
        return await asyncio.to_thread(
            powerauth,
            "device",
            *arguments,
            POWERAUTH_DEVICE_STATE=str(self._state),
            POWERAUTH_DEVICE_PIN=pin,
        )


@pytest.fixture(scope="module")
def phone_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("phones")


@pytest.mark.parametrize("version", ["3.3"], indirect=False)
async def test_a_developers_first_day(deployment, backend, phone_folder: Path, version: str) -> None:
    _admin, bank, application_id, sdk_config = backend
    user_id = f"cli-{uuid4().hex[:8]}"
    phone = Phone(phone_folder)
    assert "configure" in await phone.fail("status")
    await phone.run(
        "configure", "--url", deployment.enrollment, "--sdk-config", sdk_config, "--version", version
    )
    registration = await bank.call("POST", "/v2/registrations", {"userId": user_id, "appId": application_id})
    activated = await phone.run("activate", "--code", registration["activationQrCodeData"])
    seen = await bank.registration(registration["registrationId"])
    assert seen["activationFingerprint"] == activated["fingerprint"]
    await bank.call("POST", f"/v2/registrations/{registration['registrationId']}/commit")
    assert (await phone.run("status"))["state"] == "ACTIVE"

    (header,) = (await phone.run("sign", "/login", "--body", '{"a":1}')).values()
    assert (await bank.verify_signature("POST", "/login", header, b'{"a":1}'))["signatureValid"]
    assert (await phone.run("verify"))["status"] == "OK"
    assert "ERR_AUTHENTICATION" in await phone.fail("verify", pin="0000")

    (token_header,) = (await phone.run("token", "header")).values()
    verified = await bank.call("POST", "/v2/token/verify", {"authHeader": token_header})
    assert (verified["tokenValid"], verified["userId"]) == (True, user_id)

    parameters = {"amount": "1", "currency": "EUR", "account": "1/0300"}
    first = await bank.create_operation(user_id, "e2e-payment", parameters=parameters)
    second = await bank.create_operation(user_id, "e2e-payment", parameters=parameters)
    assert {item["id"] for item in await phone.run("operation", "list")} == {
        first["operationId"],
        second["operationId"],
    }
    assert (await phone.run("operation", "show", first["operationId"]))["formData"]["title"] == "Payment"
    await phone.run("operation", "approve", first["operationId"])
    await phone.run("operation", "reject", second["operationId"], "--reason", "INCORRECT_DATA")
    assert (await bank.operation(first["operationId"]))["status"] == "APPROVED"
    assert (await bank.operation(second["operationId"]))["status"] == "REJECTED"
    assert {item["status"] for item in await phone.run("operation", "history")} == {"APPROVED", "REJECTED"}

    third = await bank.create_operation(user_id, "e2e-payment", parameters=parameters)
    path = f"/v2/operations/{third['operationId']}/offline"
    payload = await bank.call("GET", f"{path}/qr", registrationId=registration["registrationId"])
    digits = (await phone.run("offline", payload["operationQrCodeData"]))["otp"]
    content = {"otp": digits, "nonce": payload["nonce"], "registrationId": registration["registrationId"]}
    assert (await bank.call("POST", f"{path}/otp", content))["otpValid"]

    signed = await phone.run("vault", "sign", "I agree.")
    content = {"registrationId": registration["registrationId"], **signed}
    assert (await bank.call("POST", "/v2/signature/ecdsa/verify", content))["signatureValid"]
    await phone.run("vault", "add-biometry")
    await phone.run("verify", "--factors", "possession_biometry")
    assert (await phone.run("user-info"))["sub"] == user_id
    assert (await phone.run("rename", "Another name"))["activationName"] == "Another name"
    await phone.run("token", "remove")
    await phone.run("remove")
    assert "not activated" in await phone.fail("status")
    assert (await bank.registration(registration["registrationId"]))["registrationStatus"] == "REMOVED"


@pytest.mark.parametrize("protocol", ["3.0", "3.3"])
def test_the_demo_runs_to_its_end(protocol: str) -> None:
    done = powerauth("demo", "--protocol", protocol)
    assert done.returncode == 0, done.stdout + done.stderr
    fingerprints = re.findall(r"fingerprint (?:on the phone|at the bank): (\d{8})", done.stdout)
    assert len(fingerprints) == 2
    assert len(set(fingerprints)) == 1
    assert f"protocol {protocol}" in done.stdout.splitlines()[-1]


def test_the_demo_names_an_unknown_protocol() -> None:
    done = powerauth("demo", "--protocol", "2.1")
    assert done.returncode == 2
    assert "3.0, 3.1, 3.2, 3.3" in done.stdout


@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("core", "/rest/v3/signature/verify"),
        ("enrollment", "/pa/v3/activation/create"),
        ("cloud", "/v2/registrations"),
    ],
)
def test_each_service_describes_itself(service: str, path: str) -> None:
    document = json.loads(powerauth("openapi", service).stdout)
    assert document["openapi"].startswith("3.")
    assert path in document["paths"]


def test_reference_vectors_pass() -> None:
    done = powerauth("vectors", "check", ROOT / "tests" / "vectors")
    assert done.returncode == 0
    assert re.fullmatch(r"\d+ passed, 0 failed, 0 not run", done.stdout.splitlines()[-1])


def test_a_callers_credentials_stay_the_same(tmp_path: Path) -> None:
    from powerauth_core.migrations import SCRIPT_LOCATION
    from servicekit import migrations

    url = f"sqlite+aiosqlite:///{tmp_path / 'core.sqlite3'}"
    asyncio.run(migrations.upgrade(url, SCRIPT_LOCATION))
    first = powerauth("integration", "create", "bank", "--door", "rest", CORE_DATABASE_URL=url)
    again = powerauth("integration", "create", "bank", "--door", "rest", CORE_DATABASE_URL=url)
    assert first.returncode == 0, first.stderr
    assert set(json.loads(first.stdout)) == {"clientToken", "clientSecret"}
    assert json.loads(first.stdout) == json.loads(again.stdout)


@pytest.mark.parametrize(
    ("host", "settings", "limited"),
    [
        ("127.0.0.1", {}, False),
        ("localhost", {}, False),
        ("0.0.0.0", {}, True),
        ("127.0.0.1", {"limit_loopback": True}, True),
        ("127.0.0.1", {"environment": "production"}, True),
    ],
)
def test_on_loopback_the_all_in_one_limits_nobody_outside_production(
    tmp_path: Path, host: str, settings: dict[str, object], limited: bool
) -> None:
    from powerauth_cli.all_in_one import AllInOne
    from powerauth_core.integrations.service import Credentials

    stack = AllInOne(tmp_path, host=host, settings={"enrollment": settings})
    assert stack._enrollment_settings(Credentials("token", "secret")).limit_loopback is limited


async def test_the_data_folder_outlives_the_process(tmp_path: Path) -> None:
    from powerauth_cli.all_in_one import AllInOne
    from powerauth_cli.demo.bank import Bank

    async with AllInOne(tmp_path, port=0) as first:
        admin = first.admin
        bank = Bank(first.cloud_url, *admin)
        created = await bank.call("POST", "/admin/applications", {"id": "kept"})
        await bank.close()
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
    async with AllInOne(tmp_path, port=0) as second:
        assert second.first_password is None, "the password is told at the first run only"
        bank = Bank(second.cloud_url, *admin)
        assert await bank.call("GET", "/admin/applications/kept") == created
        await bank.close()
