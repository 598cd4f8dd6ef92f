"""System users (spec/cloud-api.md §11.1, §11.2), on both databases."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode

import bcrypt
import pytest
from cloud_client import Client, Service

from cloud_private_api.users.service import seed_first_admin
from servicekit.testing import DIALECTS

pytestmark = pytest.mark.parametrize("dialect", DIALECTS, indirect=True)

PATH = "/admin/users"


async def test_created_user_gets_a_password_that_is_shown_once(admin: Client, service: Service) -> None:
    made = await admin.ok("POST", PATH, {"username": "bob"})
    password = made.pop("password")
    assert len(b64decode(password, validate=True)) == 18
    assert made == {"username": "bob", "enabled": True, "role": ["ROLE_USER"], "applications": []}
    assert await admin.ok("GET", f"{PATH}/bob") == made
    assert made in (await admin.ok("GET", PATH))["users"]
    assert await service.client("bob", password).ok("GET", "/v2/registrations", userId="u")
    assert password not in json.dumps([row.param for row in await service.audit()])


async def test_user_names_are_unique_and_case_sensitive(admin: Client) -> None:
    await admin.ok("POST", PATH, {"username": "bob"})
    assert await admin.violation("POST", PATH, {"username": "bob"}) == "username"
    await admin.ok("POST", PATH, {"username": "Bob"})


@pytest.mark.parametrize("username", ["", "a:b", "a b", "é", "u" * 256, "a\n"])
async def test_user_name_has_a_pattern(admin: Client, username: str) -> None:
    assert await admin.violation("POST", PATH, {"username": username}) == "username"


async def test_roles_can_be_chosen(admin: Client) -> None:
    made = await admin.ok("POST", PATH, {"username": "bob", "role": ["ROLE_ADMIN", "ROLE_USER"]})
    assert made["role"] == ["ROLE_USER", "ROLE_ADMIN"]
    assert await admin.violation("POST", PATH, {"username": "x", "role": ["ROLE_ROOT"]}) == "role.0"


async def test_applications_are_assigned_and_taken(admin: Client, service: Service) -> None:
    bob = await service.user("bob")
    admin.core.application("app-a")
    path = f"{PATH}/bob/applications/app-a"
    assert (await admin.ok("POST", path))["applications"] == ["app-a"]
    assert (await admin.ok("POST", path))["applications"] == ["app-a"]
    activation_id = admin.core.activation("app-a")
    await bob.ok("GET", f"/v2/registrations/{activation_id}")
    taken = await admin.ok("DELETE", path)
    assert taken["applications"] == []
    assert "password" not in taken
    await bob.refused("GET", f"/v2/registrations/{activation_id}", code="ERROR_REGISTRATION_NOT_FOUND")


async def test_assignment_takes_an_empty_form(admin: Client, service: Service) -> None:
    await service.user("bob")
    admin.core.application("app-a")
    response = await admin.http.post(
        f"{PATH}/bob/applications/app-a", headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert response.status_code == 200


@pytest.mark.parametrize(
    "path", ["nobody/applications/app-a", "bob/applications/app-x", "bob/applications/%00"]
)
async def test_assignment_needs_both_to_exist(admin: Client, service: Service, path: str) -> None:
    await service.user("bob")
    admin.core.application("app-a")
    await admin.refused("POST", f"{PATH}/{path}", status=404, code="ERROR_NOT_FOUND")


async def test_disabled_user_is_out_at_once(admin: Client, service: Service) -> None:
    bob = await service.user("bob")
    await bob.ok("GET", "/v2/registrations", userId="u")
    assert (await admin.ok("PUT", f"{PATH}/bob", {"enabled": False}))["enabled"] is False
    await bob.refused("GET", "/v2/registrations", userId="u", status=401, code="HTTP_401")
    await admin.ok("PUT", f"{PATH}/bob", {"enabled": True})
    await bob.ok("GET", "/v2/registrations", userId="u")


async def test_renewed_password_replaces_the_old_one_at_once(admin: Client, service: Service) -> None:
    bob = await service.user("bob")
    await bob.ok("GET", "/v2/registrations", userId="u")
    password = (await admin.ok("POST", f"{PATH}/bob/password"))["password"]
    assert len(password) == 24
    await bob.refused("GET", "/v2/registrations", userId="u", status=401, code="HTTP_401")
    await service.client("bob", password).ok("GET", "/v2/registrations", userId="u")


async def test_changed_roles_count_at_once(admin: Client, service: Service) -> None:
    bob = await service.user("bob")
    await bob.refused("GET", PATH, status=403, code="HTTP_403")
    await admin.ok("PUT", f"{PATH}/bob", {"role": ["ROLE_ADMIN"]})
    await bob.ok("GET", PATH)


async def test_deleted_user_is_gone_with_roles_and_applications(admin: Client, service: Service) -> None:
    bob = await service.user("bob", ["app-a"])
    await bob.ok("GET", "/v2/registrations", userId="u")
    assert await admin.ok("DELETE", f"{PATH}/bob") == {"status": "OK"}
    await bob.refused("GET", "/v2/registrations", userId="u", status=401, code="HTTP_401")
    await admin.refused("GET", f"{PATH}/bob", status=404, code="ERROR_NOT_FOUND")
    made = await admin.ok("POST", PATH, {"username": "bob"})
    assert made["applications"] == []


@pytest.mark.parametrize("username", ["nobody", "%00", "x" * 300])
@pytest.mark.parametrize(
    ("method", "suffix", "body"),
    [
        ("GET", "", None),
        ("PUT", "", {"enabled": False}),
        ("PUT", "", {"enabled": True}),
        ("DELETE", "", None),
        ("POST", "/password", None),
        ("POST", "/applications/app-a", None),
        ("DELETE", "/applications/app-a", None),
    ],
)
async def test_unknown_user_is_not_found(
    admin: Client, username: str, method: str, suffix: str, body: object
) -> None:
    await admin.refused(method, f"{PATH}/{username}{suffix}", body, status=404, code="ERROR_NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "body"), [("PUT", {"enabled": False}), ("PUT", {"role": ["ROLE_USER"]}), ("DELETE", None)]
)
async def test_last_enabled_administrator_stays(
    admin: Client, service: Service, method: str, body: object
) -> None:
    await service.user("second", roles=["ROLE_ADMIN"])
    await admin.ok("PUT", f"{PATH}/second", {"enabled": False})
    await admin.refused(method, f"{PATH}/admin", body, code="ERROR_REQUEST")
    await admin.ok("PUT", f"{PATH}/second", {"enabled": True})
    await admin.ok(method, f"{PATH}/admin", body)


async def test_two_administrators_cannot_remove_each_other_at_once(service: Service) -> None:
    for _ in range(5):
        first = await service.user("first", roles=["ROLE_ADMIN"])
        second = await service.user("second", roles=["ROLE_ADMIN"])
        for caller in (first, second):
            await caller.ok("GET", PATH)
        answers = await asyncio.gather(
            first.send("PUT", f"{PATH}/second", {"role": ["ROLE_USER"]}),
            second.send("DELETE", f"{PATH}/first"),
        )
        assert sorted(answer.status_code for answer in answers)[1] == 400
        keeper = first if answers[0].status_code == 200 else second
        assert any("ROLE_ADMIN" in user["role"] for user in (await keeper.ok("GET", PATH))["users"])
        async with service.cloud.database.transaction() as session:
            for table in ("pa_cloud_user_authority", "pa_cloud_user"):
                connection = await session.connection()
                await connection.exec_driver_sql(f"DELETE FROM {table}")
        service.cloud.users.forget("first")
        service.cloud.users.forget("second")


async def test_the_same_name_is_created_once_under_concurrency(admin: Client) -> None:
    answers = await asyncio.gather(*(admin.send("POST", PATH, {"username": "bob"}) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]


async def test_seed_makes_an_administrator_but_never_overwrites_one(service: Service) -> None:
    encoded = bcrypt.hashpw(b"first", bcrypt.gensalt(4)).decode()
    await seed_first_admin(service.cloud.database, "root", encoded)
    other = bcrypt.hashpw(b"second", bcrypt.gensalt(4)).decode()
    await seed_first_admin(service.cloud.database, "root", other)
    root = service.client("root", "first")
    assert (await root.ok("GET", f"{PATH}/root"))["role"] == ["ROLE_ADMIN"]
    await service.client("root", "second").refused("GET", PATH, status=401, code="HTTP_401")


async def test_seed_refuses_a_password_in_clear(service: Service) -> None:
    with pytest.raises(ValueError, match="must be a hash"):
        await seed_first_admin(service.cloud.database, "root", "password")


async def test_every_change_is_recorded_with_its_maker(admin: Client, service: Service) -> None:
    admin.core.application("app-a")
    await admin.ok("POST", PATH, {"username": "bob"})
    await admin.ok("PUT", f"{PATH}/bob", {"role": []})
    await admin.ok("POST", f"{PATH}/bob/applications/app-a")
    await admin.ok("DELETE", f"{PATH}/bob")
    rows = await service.audit()
    assert [row.message for row in rows] == [
        "System user created",
        "System user changed",
        "Application assigned to system user",
        "System user deleted",
    ]
    assert {(row.audit_type, row.subject_id, row.application_name) for row in rows} == {
        ("cloud-admin", "admin", "powerauth-cloud")
    }
    changed = json.loads(rows[1].param or "")
    assert (changed["old"]["role"], changed["new"]["role"]) == (["ROLE_USER"], [])
