"""The `powerauth` command as its users meet it: a developer, an operator, the reader of the README."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from argon2 import PasswordHasher
from e2e_commands import answer_of, powerauth, told
from e2e_customer import Deployment
from e2e_stacks import Stack

from powerauth_cli.all_in_one import AllInOne
from powerauth_cli.demo.bank import Bank
from powerauth_cli.localservers.programs import free_port

pytestmark = pytest.mark.e2e
PIN = "1234"
ROOT = Path(__file__).parents[2]


class Phone:
    """A phone driven by `powerauth device`."""

    def __init__(self, folder: Path) -> None:
        self._state = folder / f"{uuid4().hex}.json"

    async def run(self, *arguments: object, pin: str = PIN) -> Any:
        said = await self.says(*arguments, pin=pin)
        return json.loads(said) if said.startswith(("{", "[")) else said

    async def says(self, *arguments: object, pin: str = PIN) -> str:
        done = await self._powerauth(*arguments, pin=pin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    async def fail(self, *arguments: object, pin: str = PIN) -> str:
        done = await self._powerauth(*arguments, pin=pin)
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stderr
        return done.stderr

    async def _powerauth(self, *arguments: object, pin: str) -> subprocess.CompletedProcess[str]:
        """In a thread: the server may run in this test's own event loop."""
        return await asyncio.to_thread(
            powerauth, "device", *arguments, POWERAUTH_DEVICE_STATE=str(self._state), POWERAUTH_DEVICE_PIN=pin
        )


@pytest.fixture(scope="module")
def phone_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("phones")


@pytest.mark.parametrize("deployment", ["separate processes"], indirect=True)
async def test_a_developers_first_day(
    deployment: Deployment, backend: tuple[Bank, Bank, str, str], phone_folder: Path
) -> None:
    _admin, bank, application_id, sdk_config = backend
    user_id = f"cli-{uuid4().hex[:8]}"
    phone = Phone(phone_folder)
    assert "configure" in await phone.fail("status")
    await phone.run("configure", "--url", deployment.enrollment, "--sdk-config", sdk_config)
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
    assert deployment.split is not None
    await _messages(deployment.split, bank, phone, application_id, user_id)
    assert (await phone.run("rename", "Another name"))["activationName"] == "Another name"
    await phone.run("token", "remove")
    await phone.run("remove")
    assert "not activated" in await phone.fail("status")
    assert (await bank.registration(registration["registrationId"]))["registrationStatus"] == "REMOVED"


async def _messages(stack: Stack, bank: Bank, phone: Phone, application_id: str, user_id: str) -> None:
    """What reaches the phone by itself, and what the bank keeps for its user."""
    await stack.equip(application_id)
    assert (await phone.run("push", "--platform", "hms", "--token", "hms-token"))["status"] == "OK"
    assert "INVALID_REQUEST" in await phone.fail("push", "--platform", "windows")
    created = await bank.create_operation(user_id, "e2e-one-factor", silent=False)
    shown = await phone.says("push", "--platform", "hms", "--messages", 1, "--fake-phones", stack.phones)
    assert shown.count("HMS …hms-to: Approval request") == 1
    assert f"operationId={created['operationId']}" in shown
    assert "no fake phones" in await phone.fail("push", "--platform", "hms", "--messages", 1)
    kept: dict[str, Any] = {"userId": user_id, "type": "text", "subject": "Good day", "summary": "Short text"}
    kept |= {"body": "A body that is long enough", "applications": [application_id]}
    await stack.push.call("POST", "/inbox/messages", kept)
    assert await phone.run("inbox", "count") == {"unread": 1}
    (listed,) = await phone.run("inbox", "list", "--unread")
    assert (await phone.run("inbox", "read", listed["id"]))["body"] == kept["body"]
    assert await phone.run("inbox", "list", "--unread") == []
    await phone.run("inbox", "read-all")


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
        ("push", "/push/message/send"),
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


def test_the_version_is_told() -> None:
    command = [sys.executable, "-m", "powerauth_cli", "--version"]
    version = subprocess.check_output(command, text=True)
    assert re.fullmatch(r"powerauth \d+\.\d+\.\d+\n", version)
    assert powerauth("--version").stdout == version, "forked it is the same command"


@pytest.mark.parametrize("service", ["core", "cloud", "push"])
def test_without_a_database_in_the_settings_that_of_the_all_in_one_is_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = told(powerauth("db", "check", service), 1)
    assert f"{service.upper()}_DATABASE_URL is not set: this is about data/{service}.sqlite3" in lines[0]
    assert list(tmp_path.iterdir()) == [], "who looks makes nothing"


def test_in_production_no_caller_gets_a_secret_that_is_stored_in_clear() -> None:
    settings = {"CORE_ENVIRONMENT": "production", "CORE_DATABASE_URL": "postgresql://core@127.0.0.1:1/core"}
    for verb in ("create", "rotate"):
        lines = told(powerauth("integration", verb, "bank", "--door", "rest", **settings), 78)
        assert [line.partition(":")[0] for line in lines] == ["CORE_MASTER_ENCRYPTION_KEY"]


@pytest.mark.parametrize("service", ["core", "cloud", "push"])
def test_an_operator_sets_up_a_database(tmp_path: Path, service: str) -> None:
    url = {f"{service.upper()}_DATABASE_URL": f"sqlite:///{tmp_path / 'new' / 'database.sqlite3'}"}
    assert told(powerauth("db", "check", service, **url), 1)[-1] == "The database is empty: migrate."
    done = powerauth("db", "migrate", service, **url)
    assert done.stdout.startswith("The schema is current, revision ")
    assert powerauth("db", "check", service, **url).stdout == done.stdout, "the answer alone"
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "new").iterdir()} == {0o600}
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_an_operator_gives_a_caller_credentials(tmp_path: Path) -> None:
    url = {"CORE_DATABASE_URL": f"sqlite:///{tmp_path / 'core.sqlite3'}"}
    bank = ("bank", "--door", "rest")
    assert told(powerauth("integration", "list", **url), 1)[-1] == "The database is empty: migrate."
    powerauth("db", "migrate", **url)

    made = answer_of(powerauth("integration", "create", *bank, **url))
    assert set(made) == {"clientToken", "clientSecret"}
    again = powerauth("integration", "create", *bank, **url)
    assert answer_of(again) == {"clientToken": made["clientToken"]}
    assert "known only at creation" in again.stderr
    other = answer_of(powerauth("integration", "create", "bank", "--door", "dmz", **url))
    assert answer_of(powerauth("integration", "list", **url)) == [
        {"name": "bank", "door": "rest", "clientToken": made["clientToken"]},
        {"name": "bank", "door": "dmz", "clientToken": other["clientToken"]},
    ]
    rotated = answer_of(powerauth("integration", "rotate", *bank, **url))
    assert rotated["clientToken"] == made["clientToken"]
    assert rotated["clientSecret"] != made["clientSecret"]
    assert powerauth("integration", "remove", *bank, **url).returncode == 0
    for verb in ("rotate", "remove"):
        lines = told(powerauth("integration", verb, *bank, **url), 1)
        assert lines[-1] == "there is no integration bank of the rest door"


def test_a_service_says_at_once_all_that_keeps_it_from_starting() -> None:
    lines = told(
        powerauth(
            "serve",
            "core",
            CORE_ENVIRONMENT="production",
            CORE_DATABSE_URL="postgresql://core:hunter2@db/core",
            CORE_REPLAY_VERIFICATION_SERVICE="none",
        ),
        78,
    )
    assert [line.partition(":")[0] for line in lines] == [
        "CORE_MASTER_ENCRYPTION_KEY",
        "CORE_REPLAY_VERIFICATION_SERVICE",
        "CORE_DATABASE_URL",
        "CORE_BUS_URL",
        "CORE_DATABSE_URL",
    ]
    assert lines[-1].endswith("the nearest is CORE_DATABASE_URL")
    assert "hunter2" not in "".join(lines)


@pytest.mark.parametrize("command", ["serve enrollment", "db check", "admin create x"])
def test_a_wrong_setting_is_a_line(command: str) -> None:
    names = {"enrollment": "ENROLLMENT", "x": "CLOUD"}
    prefix = names.get(command.rsplit(maxsplit=1)[-1], "CORE")
    (line,) = told(powerauth(*command.split(), **{f"{prefix}_KEEP_ALIVE_SECONDS": "hunter2"}), 78)
    assert line.startswith(f"{prefix}_KEEP_ALIVE_SECONDS: ")
    assert line.endswith("(example: 75)")
    assert "hunter2" not in line


@pytest.mark.parametrize("service", ["core", "cloud", "push"])
def test_a_service_that_is_started_before_its_database_ends_so_that_it_is_started_again(service: str) -> None:
    port = free_port()
    name = service.upper()
    settings = {
        f"{name}_DATABASE_URL": f"postgresql://nobody@127.0.0.1:{port}/none",
        f"{name}_PORT": "0",
        f"{name}_ENVIRONMENT": "test",
    }
    done = powerauth("serve", service, **settings)
    assert (done.returncode, done.stderr) == (3, "")
    (line,) = map(json.loads, done.stdout.splitlines())
    assert (line["event"], line["level"]) == ("not started", "error")
    assert line["reason"].startswith("database connection failed")


def test_a_taken_port_is_a_line_and_nothing_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        (line,) = told(powerauth("run", "--port", port, "--data", tmp_path / "data"), 1)
        assert line.startswith(f"cannot serve on 127.0.0.1:{port}: ")
        assert "PORT=" in line
        assert list(tmp_path.iterdir()) == []
        served = powerauth("serve", "core", CORE_PORT=str(port), CORE_DATABASE_URL="sqlite://")
        assert served.returncode == 3
        assert f"cannot serve on 127.0.0.1:{port}" in served.stdout
        assert "Traceback" not in served.stdout + served.stderr


async def test_an_administrator_who_lost_the_password(tmp_path: Path) -> None:
    data = ("--data", tmp_path / "data")
    assert "no such file" in told(powerauth("admin", "reset", "admin", *data), 78)[0].lower()
    async with AllInOne(tmp_path / "data", port=0) as stack:
        for done in (
            await asyncio.to_thread(powerauth, "admin", "reset", "admin", *data),
            await asyncio.to_thread(powerauth, "admin", "create", "second", *data),
        ):
            user = answer_of(done)
            bank = Bank(stack.cloud_url, user["username"], user["password"])
            assert await bank.call("GET", "/admin/users")
            await bank.close()
        for verb, name in (("create", "second"), ("create", "no name"), ("reset", "third")):
            assert name in told(await asyncio.to_thread(powerauth, "admin", verb, name, *data), 1)[-1]
        callers = await asyncio.to_thread(powerauth, "integration", "list", *data)
        assert {one["name"] for one in answer_of(callers)} == {"cloud", "enrollment", "push"}


async def test_running_services_are_tried_again_and_again(deployment: Deployment, tmp_path: Path) -> None:
    name, password = deployment.admin
    file = tmp_path / "password"
    file.write_text(password)
    where = ("--enrollment", deployment.enrollment, "--cloud", deployment.cloud, "--username", name)
    for _ in range(2):
        done = await asyncio.to_thread(powerauth, "smoke", *where, "--password-file", file)
        assert answer_of(done)["status"] == "APPROVED"
    bank = deployment.bank(deployment.admin)
    assert not [
        one for one in (await bank.call("GET", "/admin/users"))["users"] if "smoke" in one["username"]
    ]
    await bank.close()
    file.write_text("not-the-administrators-password")
    (line,) = told(await asyncio.to_thread(powerauth, "smoke", *where, "--password-file", file), 1)
    assert (line.startswith("BankRefused: HTTP 401"), file.read_text() in line) == (True, False)


def test_a_password_is_hashed_for_the_configuration() -> None:
    done = powerauth("admin", "hash", typed="correct horse\n")
    assert PasswordHasher().verify(done.stdout.removesuffix("\n"), "correct horse")
    assert told(powerauth("admin", "hash", typed="\n"), 1) == ["no password was given"]


def readme_blocks(*headings: str) -> list[str]:
    """The shell lines of sections of the README, in order."""
    text = (ROOT / "README.md").read_text()
    sections = {part.partition("\n")[0]: part for part in text.split("\n## ")}
    return [
        block for heading in headings for block in re.findall(r"```sh\n(.*?)```", sections[heading], re.S)
    ]


async def test_what_the_readme_says_works(tmp_path: Path) -> None:
    receiver, heard = ROOT / "examples" / "webhooks" / "receiver.py", free_port()
    async with AllInOne(tmp_path / "data", port=0) as stack:
        process = await asyncio.create_subprocess_exec(
            sys.executable, receiver, str(heard), stdout=asyncio.subprocess.PIPE
        )
        blocks = readme_blocks("First steps of a bank developer", "Webhooks")
        script = "\n".join(block for block in blocks if "receiver.py" not in block)
        script = script.replace("http://127.0.0.1:8080", stack.cloud_url.removesuffix("/powerauth-cloud"))
        script = script.replace("127.0.0.1:9000", f"127.0.0.1:{heard}")
        script = script.replace(".venv/bin/powerauth", f"{sys.executable} -m powerauth_cli")
        shell = await asyncio.create_subprocess_exec(
            *("sh", "-e", "-c", script),
            cwd=tmp_path,
            env=os.environ | {"ADMIN": stack.admin[1]},
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await shell.communicate()
        assert (shell.returncode, b'"signatureValid":true' in said) == (0, True), said.decode()
        assert process.stdout is not None
        event = (await process.stdout.readline()).decode()
        assert '"activationStatus":"BLOCKED"' in event.replace(" ", "")
        process.terminate()
        await process.wait()
