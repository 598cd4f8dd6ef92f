"""Who may call what (spec/cloud-api.md §1.3, §1.4)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import bcrypt
import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from cloud_client import PASSWORD, Client, Service
from sqlalchemy import select, update

from cloud_private_api import passwords
from cloud_private_api.accounts.models import User
from cloud_private_api.app import build, create_app
from cloud_private_api.passwords import PasswordWorker, hash_now, needs_upgrade, verify_now
from servicekit.calls.client import AsgiTransport
from servicekit.testing import DIALECTS

LIST = "/v2/registrations?userId=u"


def _basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.usefixtures("bank")
@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic !!!",
        _basic("no colon"),
        _basic("bank:wrong"),
        _basic("Bank:" + PASSWORD),
        _basic("nobody:" + PASSWORD),
        _basic(":"),
        _basic("bank\x00:" + PASSWORD),
        "Basic /////w==",
        "Bearer abc",
    ],
)
async def test_missing_and_wrong_credentials_look_alike(service: Service, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    response = await service.anonymous(**headers).send("GET", LIST)
    assert response.status_code == 401
    assert response.json() == {
        "status": "ERROR",
        "responseObject": {"code": "HTTP_401", "message": "Unauthorized"},
    }
    assert response.headers["www-authenticate"] == 'Basic realm="powerauth-cloud"'


async def test_disabled_user_looks_like_an_unknown_one(service: Service, bank: Client) -> None:
    await _set(service, enabled=False)
    await bank.refused("GET", LIST, status=401, code="HTTP_401")


async def test_nothing_is_read_before_the_caller_is_known(service: Service) -> None:
    anonymous = service.anonymous()
    response = await anonymous.http.post(
        "/v2/registrations", content=b"{", headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 401
    assert (await anonymous.send("GET", "/no/such/path")).status_code == 401


async def test_unknown_path_is_not_found(bank: Client) -> None:
    await bank.refused("GET", "/no/such/path", status=404, code="ERROR_NOT_FOUND")
    await bank.refused("GET", "/v2/registrations/", userId="u", status=404, code="ERROR_NOT_FOUND")


@pytest.mark.parametrize("path", ["/v2/devices", "/internal/x"])
async def test_what_is_not_built_is_absent(bank: Client, path: str) -> None:
    await bank.refused("POST", path, {}, status=404, code="ERROR_NOT_FOUND")


@pytest.mark.parametrize(
    "path", ["/actuator/health", "/actuator/health/liveness", "/actuator/info", "/v3/api-docs"]
)
async def test_health_and_documentation_need_no_login(service: Service, path: str) -> None:
    assert (await service.anonymous().send("GET", path)).status_code == 200


async def test_admin_paths_need_the_admin_role(bank: Client, admin: Client) -> None:
    answer = await bank.refused("GET", "/admin/users", status=403, code="HTTP_403")
    assert answer == {"code": "HTTP_403", "message": "Forbidden"}
    await admin.ok("GET", "/admin/users")


async def test_admin_role_gives_no_data(admin: Client) -> None:
    admin.core.application("app-a")
    activation_id = admin.core.activation("app-a")
    assert await admin.ok("GET", LIST) == {"registrations": []}
    await admin.refused("GET", f"/v2/registrations/{activation_id}", code="ERROR_REGISTRATION_NOT_FOUND")


async def test_user_without_any_role_may_do_nothing(service: Service) -> None:
    caller = await service.user("powerless", ["app-a"], roles=[])
    for path in (LIST, "/admin/users", "/audit/log?userId=u"):
        await caller.refused("GET", path, status=403, code="HTTP_403")


async def test_application_admin_paths_need_the_application_or_the_role(
    bank: Client, other_bank: Client, admin: Client
) -> None:
    path = "/v2/admin/applications/app-a/callbacks"
    await bank.ok("GET", path)
    await admin.ok("GET", path)
    await other_bank.refused("GET", path, status=403, code="HTTP_403")
    await bank.refused("GET", "/v2/admin/applications/app-x/callbacks", status=403, code="HTTP_403")


async def test_every_endpoint_asks_who_calls(service: Service) -> None:
    anonymous = service.anonymous()
    for path, operations in service.app.openapi()["paths"].items():
        for method in operations:
            expected = 200 if path.startswith("/actuator/") else 401
            response = await anonymous.send(method.upper(), path.replace("{", "").replace("}", ""), {})
            if path != "/actuator/health/readiness":
                assert response.status_code == expected, (method, path)


async def test_every_admin_endpoint_refuses_a_user(service: Service, bank: Client) -> None:
    for path, operations in service.app.openapi()["paths"].items():
        if path.startswith("/admin/"):
            for method in (*operations, "options", "patch"):
                response = await bank.send(method.upper(), path.replace("{", "").replace("}", ""), {})
                assert response.status_code == 403, (method, path)
    assert service.core.paths() == []


async def _set(service: Service, **values: Any) -> None:
    """Change the user ``bank`` behind the service's back."""
    async with service.cloud.database.transaction() as session:
        await session.execute(update(User).where(User.username == "bank").values(**values))


async def _stored(service: Service) -> str:
    async with service.cloud.database.read() as session:
        return (await session.scalars(select(User.userpassword).where(User.username == "bank"))).one()


def _bcrypt(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def _sha256(password: str) -> str:
    return hashlib.sha256(password.encode()).hexdigest()


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
@pytest.mark.parametrize(
    "make",
    [
        _bcrypt,
        lambda password: _bcrypt(password).replace("$2b$", "$2a$"),
        lambda password: _bcrypt(password).replace("$2b$", "$2y$"),
        lambda password: "{bcrypt}" + _bcrypt(password),
        _sha256,
        lambda password: _sha256(password).upper(),
        lambda password: "{SHA-256}" + _sha256(password),
    ],
)
async def test_old_hash_is_read_and_replaced_at_login(service: Service, make: Callable[[str], str]) -> None:
    bank = await service.user("bank", password_hash=make(PASSWORD))
    await service.client("bank", "wrong").refused("GET", LIST, status=401, code="HTTP_401")
    assert not (await _stored(service)).startswith("$argon2id$")
    await bank.ok("GET", LIST)
    upgraded = await _stored(service)
    assert upgraded.startswith("$argon2id$")
    await bank.ok("GET", LIST)
    service.cloud.users.forget("bank")
    await bank.ok("GET", LIST)
    assert await _stored(service) == upgraded


@pytest.mark.parametrize("stored", ["", "plain", "$2b$", "$argon2id$broken", "{bcrypt}", "a" * 63])
def test_unreadable_hash_never_matches(stored: str) -> None:
    assert not verify_now(stored, stored)
    assert not verify_now(stored, "")


def test_long_password_is_cut_for_bcrypt_as_by_the_original() -> None:
    assert verify_now(_bcrypt("x" * 72), "x" * 100)


def test_new_hash_needs_no_upgrade() -> None:
    assert not needs_upgrade(hash_now("password"))
    assert needs_upgrade(_bcrypt("password"))


async def test_the_hash_of_nobody_costs_as_much_as_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    monkeypatch.setattr(passwords, "verify_now", lambda stored, _password: compared.append(stored))
    worker = PasswordWorker(1)
    await worker.verify("nobody", None, PASSWORD)
    worker.close()
    (stored,) = compared
    assert not needs_upgrade(stored)
    with pytest.raises(VerifyMismatchError):
        PasswordHasher().verify(stored, PASSWORD)


@pytest.fixture
def counted(service: Service, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Passwords that were really compared with a hash."""
    verified: list[str] = []
    worker = type(service.cloud.passwords)
    real = worker._verify

    def verify(self: PasswordWorker, stored: str | None, password: str) -> bool:
        verified.append(password)
        return real(self, stored, password)

    monkeypatch.setattr(worker, "_verify", verify)
    return verified


async def test_verified_password_is_remembered(bank: Client, counted: list[str]) -> None:
    for _ in range(3):
        await bank.ok("GET", LIST)
    assert counted == [PASSWORD]


async def test_wrong_password_is_not_remembered(service: Service, bank: Client, counted: list[str]) -> None:
    wrong = service.client("bank", "wrong")
    for _ in range(2):
        await wrong.refused("GET", LIST, status=401, code="HTTP_401")
    assert counted == ["wrong", "wrong"]


async def test_unknown_and_disabled_users_cost_a_verification_too(
    service: Service, bank: Client, counted: list[str]
) -> None:
    await service.client("nobody").refused("GET", LIST, status=401, code="HTTP_401")
    await bank.ok("GET", LIST)
    await _set(service, enabled=False)
    service.cloud.users.forget("bank")
    await bank.refused("GET", LIST, status=401, code="HTTP_401")
    assert len(counted) == 3


@pytest.mark.parametrize("other_replica", [False, True])
@pytest.mark.parametrize(
    ("change", "status"),
    [
        (("PUT", "/admin/users/bank", {"role": ["ROLE_USER", "ROLE_ADMIN"]}), 200),
        (("PUT", "/admin/users/bank", {"enabled": False}), 401),
        (("POST", "/admin/users/bank/applications/app-b", None), 200),
        (("DELETE", "/admin/users/bank/applications/app-a", None), 200),
        (("POST", "/admin/users/bank/password", None), 401),
        (("DELETE", "/admin/users/bank", None), 401),
    ],
)
async def test_any_change_of_the_user_ends_the_memory_of_its_password(
    service: Service,
    bank: Client,
    admin: Client,
    counted: list[str],
    change: tuple[str, str, Any],
    status: int,
    other_replica: bool,
) -> None:
    service.core.application("app-b")
    await bank.ok("GET", LIST)
    replica = service
    if other_replica:
        cloud = build(service.cloud.settings, AsgiTransport(service.core))
        replica = Service(
            create_app(service.cloud.settings, core_transport=AsgiTransport(service.core)),
            cloud,
            service.core,
        )
        replica.app.state.cloud = cloud
    await replica.client("admin").ok(*change)
    if other_replica:
        replica.cloud.passwords.close()
        await replica.cloud.database.dispose()
        # What the other replica did is seen when the facts are read again, seconds later.
        service.cloud.users.forget("bank")
    counted.clear()
    assert (await bank.send("GET", LIST)).status_code == status
    assert counted == [PASSWORD]


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_failed_logins_are_recorded_once_a_minute_and_user(service: Service, bank: Client) -> None:
    for _ in range(3):
        await service.client("bank", "wrong").send("GET", LIST)
        await service.client("guess-1").send("GET", LIST)
        await service.client("guess-2").send("GET", LIST)
    await service.cloud.authenticator.close()
    rows = await service.audit()
    assert sorted((row.audit_type, row.subject_id) for row in rows) == [
        ("cloud-auth", "bank"),
        ("cloud-auth", "unknown user"),
    ]
    assert "wrong" not in str([row.param for row in rows])


async def test_core_is_called_with_the_services_own_credentials(bank: Client) -> None:
    await bank.ok("GET", LIST)
    sent = bank.core.calls[-1].headers["authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")).decode() == "cloud:core-secret"
