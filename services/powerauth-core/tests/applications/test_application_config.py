"""Configuration of applications (spec/core-api.md §6)."""

from __future__ import annotations

from typing import Any

from core_test_api import Api, Serve, TestApplication
from core_test_rows import found
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


NO_URLS = ("http://idp.example", "idp.example", "", 7)
NEVER_USABLE: list[tuple[str, Any, str]] = [
    *[
        (member, uri, "must be an https URL")
        for member in ("issuerUri", "tokenUri", "jwkSetUri")
        for uri in NO_URLS
    ],
    ("issuerUri", "https://[::1", "not a URL"),
    ("tokenUri", "https://idp.example:99999/", "not a port"),
    ("jwkSetUri", "https://idp..example/", "not a host name"),
    ("issuerUri", "https://169.254.169.254/", "CORE_EGRESS_ALLOWED_NETWORKS"),
    ("issuerUri", "https://user:secret@idp.example/", "credentials inside a URL"),
    ("signatureAlgorithm", "HS256", "must be one of RS256, "),
    ("clientAuthenticationMethod", "private_key_jwt", "must be one of client_secret_basic, "),
]


async def test_the_reason_why_a_provider_could_never_be_used_is_told(
    serve: Serve, application: TestApplication
) -> None:
    api = await serve(environment="development")
    request = {"applicationId": application.application_id, "key": "oauth2_providers"}
    for member, value, reason in NEVER_USABLE:
        _, body = await api.post(
            "application/config/create", **request, values=["x", {**PROVIDER, member: value}]
        )
        refusal = body["responseObject"]
        assert refusal["code"] == "ERR0024", (member, value)
        assert refusal["message"].startswith(f"requestObject.values.1.{member} - ")
        assert reason in refusal["message"]
        assert "secret@" not in refusal["message"]
    for member in ("issuerUri", "tokenUri", "jwkSetUri"):
        await api.ok(
            "application/config/create", **request, values=["x", {**PROVIDER, member: "https://idp"}]
        )


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
    params = await found(core, select(AuditLog.param))
    assert params
    assert not any("hidden" in str(param) for param in params)
