"""Configuration of applications (spec/core-api.md §6)."""

from __future__ import annotations

from typing import Any

import pytest
from core_test_api import Api, Serve, TestApplication
from sqlalchemy import select

from powerauth_core.applications import config_service
from powerauth_core.applications.models import ApplicationConfig
from powerauth_core.container import Core

PROVIDER = {"providerId": "p", "clientId": "c", "clientSecret": "hidden", "issuerUri": "https://id.example"}


async def test_a_key_is_replaced_as_a_whole(api: Api, application: TestApplication) -> None:
    name = {"applicationId": application.application_id}
    key = "fido2_attestation_fmt_allowed"
    await api.ok("application/config/create", **name, key=key, values=["packed", "tpm"])
    echo = await api.ok("application/config/create", **name, key=key, values=["packed"])
    assert echo == name | {"key": key, "values": ["packed"]}
    await api.ok("application/config/create", **name, key="oauth2_providers", values=[PROVIDER])
    detail = await api.ok("application/config/detail", **name)
    assert detail == name | {
        "applicationConfigs": [
            {"key": key, "values": ["packed"]},
            {"key": "oauth2_providers", "values": [PROVIDER]},
        ]
    }


async def test_an_empty_list_is_kept_as_such(api: Api, application: TestApplication) -> None:
    name = {"applicationId": application.application_id}
    await api.ok("application/config/create", **name, key="fido2_aaguids_allowed", values=[])
    detail = await api.ok("application/config/detail", **name)
    assert detail["applicationConfigs"] == [{"key": "fido2_aaguids_allowed", "values": []}]


async def test_remove_answers_without_response_object_and_can_be_repeated(
    api: Api, application: TestApplication
) -> None:
    name = {"applicationId": application.application_id, "key": "fido2_root_ca_certs"}
    await api.ok("application/config/create", **name, values=["PEM"])
    for _ in range(2):
        assert await api.post("application/config/remove", **name) == (200, {"status": "OK"})
    unknown = name | {"applicationId": "unknown"}
    assert await api.post("application/config/remove", **unknown) == (200, {"status": "OK"})
    detail = await api.ok("application/config/detail", applicationId=application.application_id)
    assert detail["applicationConfigs"] == []


async def test_detail_of_an_unknown_application_is_empty(api: Api) -> None:
    detail = await api.ok("application/config/detail", applicationId="unknown")
    assert detail == {"applicationId": "unknown", "applicationConfigs": []}


@pytest.mark.parametrize(
    ("request_object", "code"),
    [
        ({"key": "unknown_key", "values": []}, "ERR0024"),
        ({"key": None, "values": []}, "ERR0024"),
        ({"values": []}, "ERR0024"),
        ({"key": "minimumProtocolVersion", "values": ["2.0"]}, "ERR0024"),
        ({"key": "minimumProtocolVersion", "values": []}, "ERR0024"),
        ({"key": "minimumProtocolVersion", "values": ["3.1", "3.2"]}, "ERR0024"),
        ({"key": "minimumProtocolVersion", "values": [{}]}, "ERR0024"),
    ],
)
async def test_unknown_keys_and_unusable_values_are_refused(
    api: Api, application: TestApplication, request_object: dict[str, Any], code: str
) -> None:
    name = {"applicationId": application.application_id}
    assert await api.error("application/config/create", **name, **request_object) == code


async def test_unknown_application_and_disallowed_key(api: Api) -> None:
    request = {"applicationId": "unknown", "key": "oauth2_providers"}
    assert await api.error("application/config/create", **request, values=[]) == "ERR0015"
    request["key"] = "other"
    assert await api.error("application/config/remove", **request) == "ERR0024"


async def test_values_are_encrypted_at_rest_bound_to_the_application(
    api: Api, core: Core, application: TestApplication
) -> None:
    await api.ok(
        "application/config/create",
        applicationId=application.application_id,
        key="oauth2_providers",
        values=[PROVIDER],
    )
    async with core.database.read() as session:
        row = (await session.execute(select(ApplicationConfig))).scalar_one()
        values = await config_service.values_of(
            core.cipher, session, row.application_id, application.application_id, "oauth2_providers"
        )
    assert row.encryption_mode == "AES_HMAC"
    assert "hidden" not in str(row.config_values)
    assert values == [PROVIDER]


@pytest.mark.parametrize("member", ["issuerUri", "tokenUri", "jwkSetUri"])
@pytest.mark.parametrize("uri", ["http://idp.example", "idp.example", "", 7])
async def test_provider_that_could_never_be_called_is_refused_when_it_is_configured(
    serve: Serve, application: TestApplication, member: str, uri: Any
) -> None:
    api = await serve(environment="development")
    request = {"applicationId": application.application_id, "key": "oauth2_providers"}
    _, body = await api.post("application/config/create", **request, values=["x", {**PROVIDER, member: uri}])
    assert body["responseObject"]["code"] == "ERR0024"
    assert body["responseObject"]["message"] == f"requestObject.values.1.{member} - must be an https URL"
    await api.ok("application/config/create", **request, values=["x", {**PROVIDER, member: "https://idp"}])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"issuerUri": "https://[::1"}, "not a URL"),
        ({"tokenUri": "https://idp.example:99999/"}, "not a port"),
        ({"jwkSetUri": "https://idp..example/"}, "not a host name"),
        ({"issuerUri": "https://169.254.169.254/"}, "CORE_EGRESS_ALLOWED_NETWORKS"),
        ({"issuerUri": "https://user:secret@idp.example/"}, "credentials inside a URL"),
        ({"signatureAlgorithm": "HS256"}, "must be one of RS256, "),
        ({"clientAuthenticationMethod": "private_key_jwt"}, "must be one of client_secret_basic, "),
    ],
    ids=repr,
)
async def test_the_reason_why_a_provider_could_never_be_used_is_told(
    serve: Serve, application: TestApplication, change: Any, reason: str
) -> None:
    api = await serve(environment="development")
    request = {"applicationId": application.application_id, "key": "oauth2_providers"}
    _, body = await api.post("application/config/create", **request, values=[{**PROVIDER, **change}])
    assert body["responseObject"]["code"] == "ERR0024"
    (member,) = change
    assert body["responseObject"]["message"].startswith(f"requestObject.values.0.{member} - ")
    assert reason in body["responseObject"]["message"]
    assert "secret@" not in body["responseObject"]["message"]


async def test_secrets_in_values_do_not_reach_the_audit(
    api: Api, core: Core, application: TestApplication
) -> None:
    from powerauth_core.audit.models import AuditLog

    await api.ok(
        "application/config/create",
        applicationId=application.application_id,
        key="oauth2_providers",
        values=[PROVIDER],
    )
    async with core.database.read() as session:
        params = (await session.execute(select(AuditLog.param))).scalars().all()
    assert params
    assert not any("hidden" in str(param) for param in params)
