"""Applications, versions and roles (spec/core-api.md §5)."""

from __future__ import annotations

import asyncio
from operator import itemgetter

from core_test_api import Api, Serve, StartCore, TestApplication
from sqlalchemy import select

from powerauth_core.applications.models import ApplicationVersion, MasterKeyPair
from powerauth_core.container import Core
from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.common.sdk_config import MobileSdkConfig


async def test_a_new_application_has_a_key_pair_and_a_supported_default_version(api: Api) -> None:
    created = await api.ok("application/create", applicationId="bank")
    detail = await api.ok("application/detail", applicationId="bank")
    assert created == {"applicationId": "bank", "applicationRoles": []}
    assert detail["applicationRoles"] == []
    assert len(b64decode(detail["masterPublicKey"])) == 65
    [version] = detail["versions"]
    assert (version["applicationVersionId"], version["supported"]) == ("default", True)
    assert len(b64decode(version["applicationKey"], 16)) == len(b64decode(version["applicationSecret"], 16))


async def test_sdk_config_carries_key_secret_and_master_public_key(
    api: Api, application: TestApplication
) -> None:
    detail = await api.ok("application/detail", applicationId=application.application_id)
    config = MobileSdkConfig.parse(detail["versions"][0]["mobileSdkConfig"])
    assert config.application_key == b64decode(application.application_key)
    assert config.application_secret == b64decode(application.application_secret)
    assert config.master_public_key == b64decode(detail["masterPublicKey"])


async def test_list_shows_all_applications_with_roles(api: Api) -> None:
    for name in ("one", "two"):
        await api.ok("application/create", applicationId=name)
    await api.ok("application/roles/create", applicationId="two", applicationRoles=["B", "A"])
    listed = (await api.ok("application/list"))["applications"]
    # In the order of their row ids, of which each connection takes some in advance.
    assert sorted(listed, key=itemgetter("applicationId")) == [
        {"applicationId": "one", "applicationRoles": []},
        {"applicationId": "two", "applicationRoles": ["A", "B"]},
    ]


async def test_application_id_is_unique_and_case_sensitive(api: Api) -> None:
    await api.ok("application/create", applicationId="bank")
    assert await api.error("application/create", applicationId="bank") == "ERR0043"
    await api.ok("application/create", applicationId="Bank")
    assert await api.error("application/detail", applicationId="BANK") == "ERR0015"


async def test_concurrent_creations_of_one_application_make_one(api: Api) -> None:
    answers = await asyncio.gather(*[api.post("application/create", applicationId="bank") for _ in range(4)])
    codes = sorted(body["responseObject"].get("code", "") for _, body in answers)
    assert codes == ["", "ERR0043", "ERR0043", "ERR0043"]


async def test_version_create_makes_a_key_and_secret_of_its_own(
    api: Api, application: TestApplication
) -> None:
    names = {"applicationId": application.application_id, "applicationVersionId": "2.0"}
    version = await api.ok("application/version/create", **names)
    assert version["applicationVersionId"] == "2.0"
    assert version["applicationVersionName"] is None
    assert version["supported"] is True
    assert version["applicationKey"] != application.application_key
    assert await api.error("application/version/create", **names) == "ERR0043"
    names["applicationId"] = "unknown"
    assert await api.error("application/version/create", **names) == "ERR0015"


async def test_unsupporting_is_seen_at_once_by_the_cache(
    api: Api, core: Core, application: TestApplication
) -> None:
    async def supported() -> bool:
        async with core.database.read() as session:
            facts = await core.application_cache.by_key(session, application.application_key)
            return facts is not None and facts.supported

    assert await supported()
    names = {"applicationId": application.application_id, "applicationVersionId": "default"}
    await api.ok("application/version/unsupport", **names)
    assert not await supported()


async def test_roles_are_added_sorted_replaced_as_given_and_removed_in_order(
    api: Api, application: TestApplication
) -> None:
    name = {"applicationId": application.application_id}

    async def call(path: str, *roles: str) -> list[str]:
        answer = await api.ok(f"application/roles/{path}", **name, applicationRoles=list(roles))
        assert answer["applicationId"] == application.application_id
        return list(answer["applicationRoles"])

    assert await call("create", "C", "A") == ["A", "C"]
    assert await call("create", "B", "A") == ["A", "B", "C"]
    assert await call("update", "Z", "X", "X") == ["X", "X", "Z"]
    assert await call("remove", "X", "absent") == ["Z"]
    assert (await api.ok("application/roles/list", **name))["applicationRoles"] == ["Z"]


async def test_private_key_and_secret_are_encrypted_at_rest(core: Core, application: TestApplication) -> None:
    async with core.database.read() as session:
        pair = (await session.execute(select(MasterKeyPair))).scalar_one()
        version = (await session.execute(select(ApplicationVersion))).scalar_one()
    assert (pair.master_key_private_encryption, version.application_secret_encryption) == (1, 1)
    assert version.application_secret != application.application_secret


async def test_without_a_master_key_they_are_stored_as_the_original_does(
    serve: Serve, start_core: StartCore
) -> None:
    api = await serve(master_encryption_key="")
    await api.ok("application/create", applicationId="bank")
    detail = await api.ok("application/detail", applicationId="bank")
    core = await start_core(master_encryption_key="")
    async with core.database.read() as session:
        version = (await session.execute(select(ApplicationVersion))).scalar_one()
        identity = await core.application_cache.by_id(session, "bank")
    assert version.application_secret == detail["versions"][0]["applicationSecret"]
    assert identity is not None
    assert identity.master_key().public_base64 == detail["masterPublicKey"]


async def test_production_creates_applications_that_need_protocol_3_2(serve: Serve) -> None:
    api = await serve(environment="production")
    await api.ok("application/create", applicationId="bank")
    detail = await api.ok("application/config/detail", applicationId="bank")
    assert detail["applicationConfigs"] == [{"key": "minimumProtocolVersion", "values": ["3.2"]}]
