"""Applications, configuration, templates, texts, telemetry (spec/cloud-api.md §11.3, §11.6-§11.8)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cloud_client import Client, Service, Start
from cloud_fake_core import FakeCore

from servicekit.testing import DIALECTS

APPLICATIONS = "/admin/applications"
TEMPLATES = "/admin/operations/templates"
TEXTS = "/admin/operations/texts"

PROVIDER = {
    "providerId": "idp",
    "clientId": "client",
    "clientSecret": "s3cret",
    "issuerUri": "https://idp.example",
    "redirectUri": "https://app.example/back",
}


async def test_created_application_has_what_a_mobile_app_needs(admin: Client) -> None:
    await admin.ok("PUT", "/admin/properties/service.base.url", {"value": "https://public.example"})
    made = await admin.ok("POST", APPLICATIONS, {"id": "app-1", "roles": ["R"]})
    version = admin.core.applications["app-1"]["versions"][0]
    assert made == {
        "id": "app-1",
        "serviceBaseUrl": "https://public.example",
        "mobileSdkConfig": version["mobileSdkConfig"],
        "roles": ["R"],
        "appKey": version["applicationKey"],
        "appSecret": version["applicationSecret"],
        "masterServerPublicKey": admin.core.applications["app-1"]["masterPublicKey"],
    }
    assert await admin.ok("GET", f"{APPLICATIONS}/app-1") == made
    assert await admin.ok("GET", APPLICATIONS) == {"applications": [{"id": "app-1", "roles": ["R"]}]}


async def test_service_base_url_is_absent_until_it_is_set(admin: Client) -> None:
    assert "serviceBaseUrl" not in await admin.ok("POST", APPLICATIONS, {"id": "app-1"})


async def test_application_ids_are_unique(admin: Client) -> None:
    await admin.ok("POST", APPLICATIONS, {"id": "app-1"})
    await admin.refused("POST", APPLICATIONS, {"id": "app-1"}, code="ERROR_REQUEST")


@pytest.mark.parametrize("app_id", ["", "ab", "a b c", "é-app", "a" * 256, None])
async def test_application_id_has_a_pattern(admin: Client, app_id: str | None) -> None:
    assert await admin.violation("POST", APPLICATIONS, {"id": app_id}) == "id"


async def test_application_is_shown_with_its_default_or_first_supported_version(admin: Client) -> None:
    versions = admin.core.application("app-1")["versions"]
    versions.insert(0, {**admin.core.version("first"), "supported": False})
    versions.append(admin.core.version("third"))
    assert (await admin.ok("GET", f"{APPLICATIONS}/app-1"))["appKey"] == versions[1]["applicationKey"]
    versions[1]["applicationVersionId"] = "other"
    assert (await admin.ok("GET", f"{APPLICATIONS}/app-1"))["appKey"] == versions[1]["applicationKey"]
    for version in versions:
        version["supported"] = False
    assert "appKey" not in await admin.ok("GET", f"{APPLICATIONS}/app-1")


async def test_versions(admin: Client) -> None:
    admin.core.application("app-1")
    path = f"{APPLICATIONS}/app-1/versions"
    made = await admin.ok("POST", path, {"name": "2"})
    assert set(made) == {"name", "appKey", "appSecret", "mobileSdkConfig", "supported"}
    assert (made["name"], made["supported"]) == ("2", True)
    assert (await admin.ok("PUT", f"{path}/2", {"supported": False}))["supported"] is False
    assert (await admin.ok("PUT", f"{path}/2", {"supported": True}))["supported"] is True
    listed = (await admin.ok("GET", path))["versions"]
    assert [item["name"] for item in listed] == ["default", "2"]
    await admin.refused("POST", path, {"name": "2"}, code="ERROR_REQUEST")
    await admin.refused("PUT", f"{path}/3", {"supported": True}, status=404, code="ERROR_NOT_FOUND")
    assert await admin.violation("PUT", f"{path}/2", {"supported": "no"}) == "supported"


async def test_roles(admin: Client) -> None:
    admin.core.application("app-1", ["OLD"])
    path = f"{APPLICATIONS}/app-1/roles"
    assert await admin.ok("GET", path) == {"roles": ["OLD"]}
    assert await admin.ok("PUT", path, {"roles": ["B", "A", "B"]}) == {"roles": ["A", "B"]}
    assert await admin.ok("PUT", path, {"roles": []}) == {"roles": []}
    assert await admin.ok("PUT", path, {"roles": []}) == {"roles": []}
    assert await admin.violation("PUT", path, {"roles": [" "]}) == "roles.0"


async def test_configuration(admin: Client) -> None:
    admin.core.application("app-1")["config"]["webauthn_api"] = [{"hidden": True}]
    path = f"{APPLICATIONS}/app-1/config"
    assert await admin.ok("GET", path) == {"items": []}
    made = await admin.ok("PUT", f"{path}/fido2_attestation_fmt_allowed", {"values": ["packed"]})
    assert made == {"key": "fido2_attestation_fmt_allowed", "values": ["packed"]}
    await admin.ok("PUT", f"{path}/fido2_aaguids_allowed", {"values": []})
    assert [item["key"] for item in (await admin.ok("GET", path))["items"]] == [
        "fido2_attestation_fmt_allowed",
        "fido2_aaguids_allowed",
    ]
    for _ in range(2):
        await admin.ok("DELETE", f"{path}/fido2_attestation_fmt_allowed")
    assert len((await admin.ok("GET", path))["items"]) == 1


@pytest.mark.parametrize(
    ("key", "values", "field"),
    [
        ("unknown", [], "updateApplicationConfig.key"),
        ("webauthn_api", [], "updateApplicationConfig.key"),
        ("fido2_aaguids_allowed", ["x"], "values"),
        ("fido2_attestation_fmt_allowed", [1], "values"),
        ("fido2_root_ca_certs", ["x"], "values"),
        ("oauth2_providers", ["x"], "values"),
        ("device_trust", None, "values"),
    ],
)
async def test_configuration_refuses_what_it_cannot_use(
    admin: Client, key: str, values: Any, field: str
) -> None:
    admin.core.application("app-1")
    path = f"{APPLICATIONS}/app-1/config/{key}"
    assert await admin.violation("PUT", path, {"values": values}) == field
    assert admin.core.applications["app-1"]["config"] == {}


async def test_oidc_providers_are_a_view_on_the_configuration(admin: Client, service: Service) -> None:
    admin.core.application("app-1")
    path = f"{APPLICATIONS}/app-1/oidc-providers"
    masked = {**PROVIDER, "clientSecret": "***"}
    assert await admin.ok("PUT", f"{path}/idp", PROVIDER) == masked
    assert await admin.ok("GET", path) == {"providers": [masked]}
    assert await admin.ok("GET", f"{path}/idp") == masked
    config = (await admin.ok("GET", f"{APPLICATIONS}/app-1/config"))["items"]
    assert config == [{"key": "oauth2_providers", "values": [masked]}]

    renamed = {**masked, "clientId": "client-2", "pkceEnabled": True}
    await admin.ok("PUT", f"{path}/idp", renamed)
    await admin.ok("PUT", f"{path}/idp-2", {**PROVIDER, "providerId": "idp-2"})
    stored = admin.core.applications["app-1"]["config"]["oauth2_providers"]
    assert stored == [
        {**PROVIDER, "clientId": "client-2", "pkceEnabled": True},
        {**PROVIDER, "providerId": "idp-2"},
    ]
    config_path = f"{APPLICATIONS}/app-1/config/oauth2_providers"
    await admin.ok("PUT", config_path, {"values": [{**masked, "providerId": "idp-2"}]})
    assert admin.core.applications["app-1"]["config"]["oauth2_providers"] == [
        {**PROVIDER, "providerId": "idp-2"}
    ]

    assert await admin.ok("DELETE", f"{path}/idp-2") == {"status": "OK"}
    assert admin.core.applications["app-1"]["config"] == {}
    await admin.refused("DELETE", f"{path}/idp-2", status=404, code="ERROR_NOT_FOUND")
    await admin.refused("GET", f"{path}/idp", status=404, code="ERROR_NOT_FOUND")
    assert "s3cret" not in json.dumps([row.param for row in await service.audit()])


@pytest.mark.parametrize("member", ["issuerUri", "tokenUri", "jwkSetUri"])
async def test_provider_that_could_never_be_called_is_refused_when_it_is_configured(
    start: Start, core: FakeCore, member: str
) -> None:
    service = await start(environment="development")
    admin = await service.user("admin", roles=["ROLE_ADMIN"])
    core.application("app-1")
    body = {**PROVIDER, member: "http://idp.example"}
    path = f"{APPLICATIONS}/app-1"
    assert await admin.violation("PUT", f"{path}/oidc-providers/idp", body) == member
    config = {"values": [PROVIDER, body]}
    assert await admin.violation("PUT", f"{path}/config/oauth2_providers", config) == f"values.1.{member}"
    await admin.ok("PUT", f"{path}/oidc-providers/idp", PROVIDER)


async def test_what_the_core_says_about_a_provider_names_the_member_of_the_request(admin: Client) -> None:
    admin.core.application("app-1")
    path = f"{APPLICATIONS}/app-1"
    await admin.ok("PUT", f"{path}/oidc-providers/other", {**PROVIDER, "providerId": "other"})
    message = "requestObject.values.1.issuerUri - cannot be called: not a port"
    answer = {"status": "ERROR", "responseObject": {"code": "ERR0024", "message": message}}
    admin.core.raw("application/config/create", 400, json.dumps(answer).encode())
    found = await admin.refused("PUT", f"{path}/oidc-providers/idp", PROVIDER, code="ERROR_REQUEST")
    assert found["violations"] == [{"fieldName": "issuerUri", "hint": "cannot be called: not a port"}]
    config = {"values": [{**PROVIDER, "providerId": "other"}, PROVIDER]}
    found = await admin.refused("PUT", f"{path}/config/oauth2_providers", config, code="ERROR_REQUEST")
    assert found["violations"][0]["fieldName"] == "values.1.issuerUri"


async def test_masked_secret_needs_a_stored_one(admin: Client) -> None:
    admin.core.application("app-1")
    body = {**PROVIDER, "clientSecret": "***"}
    path = f"{APPLICATIONS}/app-1/oidc-providers/idp"
    assert await admin.violation("PUT", path, body) == "clientSecret"
    name = await admin.violation("PUT", f"{APPLICATIONS}/app-1/config/oauth2_providers", {"values": [body]})
    assert name == "clientSecret"


@pytest.mark.parametrize(
    "change",
    [
        {"issuerUri": "https://evil.example"},
        {"tokenUri": "https://evil.example/token"},
        {"clientAuthenticationMethod": "client_secret_post"},
    ],
)
async def test_masked_secret_does_not_follow_a_new_address(admin: Client, change: dict[str, str]) -> None:
    admin.core.application("app-1")
    path = f"{APPLICATIONS}/app-1/oidc-providers/idp"
    await admin.ok("PUT", path, PROVIDER)
    moved = {**PROVIDER, **change}
    with admin.core.no_change():
        assert await admin.violation("PUT", path, {**moved, "clientSecret": "***"}) == "clientSecret"
        config = f"{APPLICATIONS}/app-1/config/oauth2_providers"
        body = {"values": [{**moved, "clientSecret": "***"}]}
        assert await admin.violation("PUT", config, body) == "clientSecret"
    await admin.ok("PUT", path, moved)


async def test_provider_id_is_that_of_the_path(admin: Client) -> None:
    admin.core.application("app-1")
    path = f"{APPLICATIONS}/app-1/oidc-providers/other"
    assert await admin.violation("PUT", path, PROVIDER) == "providerId"


async def test_secret_is_masked_in_a_violation(admin: Client) -> None:
    admin.core.application("app-1")
    path = f"{APPLICATIONS}/app-1/oidc-providers/idp"
    found = await admin.refused("PUT", path, {**PROVIDER, "clientSecret": ""}, code="ERROR_REQUEST")
    assert found["violations"][0]["invalidValue"] == "***"


@pytest.mark.parametrize("app_id", ["unknown", "%00", "x" * 256])
@pytest.mark.parametrize(
    ("method", "suffix", "body"),
    [
        ("GET", "", None),
        ("GET", "/versions", None),
        ("POST", "/versions", {"name": "1"}),
        ("PUT", "/versions/default", {"supported": True}),
        ("GET", "/roles", None),
        ("PUT", "/roles", {"roles": []}),
        ("GET", "/config", None),
        ("PUT", "/config/fido2_aaguids_allowed", {"values": []}),
        ("DELETE", "/config/fido2_aaguids_allowed", None),
        ("GET", "/oidc-providers", None),
        ("GET", "/oidc-providers/idp", None),
        ("PUT", "/oidc-providers/idp", PROVIDER),
        ("DELETE", "/oidc-providers/idp", None),
    ],
)
async def test_unknown_application_is_not_found(
    admin: Client, app_id: str, method: str, suffix: str, body: object
) -> None:
    await admin.refused(method, f"{APPLICATIONS}/{app_id}{suffix}", body, status=404, code="ERROR_NOT_FOUND")


TEMPLATE = {
    "templateName": "payment",
    "operationType": "authorize_payment",
    "dataTemplate": "A1*A${amount}${currency}*I${iban}",
    "signatureType": ["POSSESSION_KNOWLEDGE", "POSSESSION_BIOMETRY"],
    "maxFailureCount": 5,
    "expiration": 300,
    "riskFlags": "XF",
    "proximityCheckEnabled": True,
    "numberMatching": {"digits": 2, "choices": 3},
    "onUnexpectedOperation": "BLOCK",
    "userLimits": {"pending": 3, "perMinute": 5},
    "issueTokens": True,
}


async def test_templates(admin: Client) -> None:
    assert await admin.ok("POST", TEMPLATES, TEMPLATE) == TEMPLATE
    assert await admin.ok("GET", TEMPLATES) == {"templates": [TEMPLATE]}
    path = f"{TEMPLATES}/payment"
    assert await admin.ok("GET", path) == TEMPLATE
    changed = {**TEMPLATE, "expiration": 60, "templateName": "renamed"}
    shown = {**changed, "templateName": "payment"}
    assert await admin.ok("PUT", path, changed) == shown
    # By a client that knows nothing of it: what protects from fatigue stays.
    protection = ("numberMatching", "onUnexpectedOperation", "userLimits")
    older = {name: value for name, value in changed.items() if name not in protection}
    assert await admin.ok("PUT", path, older) == shown
    for name in protection:
        del shown[name]
        assert await admin.ok("PUT", path, {**older, name: None}) == shown
    await admin.refused("POST", TEMPLATES, TEMPLATE, code="ERROR_REQUEST")
    assert await admin.ok("DELETE", path) == {"status": "OK"}
    for method, body in (("GET", None), ("PUT", TEMPLATE), ("DELETE", None)):
        await admin.refused(method, path, body, status=404, code="ERROR_NOT_FOUND")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"templateName": ""}, "templateName"),
        ({"templateName": "x" * 256}, "templateName"),
        ({"operationType": None}, "operationType"),
        ({"dataTemplate": " "}, "dataTemplate"),
        ({"signatureType": []}, "signatureType"),
        ({"signatureType": ["POSSESSION", "POSSESSION"]}, "signatureType"),
        ({"signatureType": ["possession"]}, "signatureType.0"),
        ({"maxFailureCount": 0}, "maxFailureCount"),
        ({"expiration": -1}, "expiration"),
        ({"expiration": 1.5}, "expiration"),
        ({"riskFlags": "Y"}, "riskFlags"),
        ({"numberMatching": {"digits": 1}}, "numberMatching.digits"),
        ({"numberMatching": {"choices": 2}}, "numberMatching.choices"),
        ({"onUnexpectedOperation": "WARN"}, "onUnexpectedOperation"),
        ({"userLimits": {"pending": 0}}, "userLimits.pending"),
        ({"userLimits": {"perMinute": 1001}}, "userLimits.perMinute"),
    ],
)
async def test_template_refuses_what_it_cannot_use(
    admin: Client, changed: dict[str, Any], field: str
) -> None:
    assert await admin.violation("POST", TEMPLATES, {**TEMPLATE, **changed}) == field
    assert admin.core.templates == {}


async def test_texts_for_the_app(admin: Client) -> None:
    path = f"{TEXTS}/authorize_payment/cs"
    body = {
        "title": "Platba",
        "message": "Zaplatit ${amount}",
        "attributes": [
            {"id": "a", "type": "AMOUNT", "params": {"amount": "amount", "currency": "currency"}, "own": 1}
        ],
        "ui": {"flipButtons": True},
        "resultTexts": {"success": "Hotovo"},
    }
    shown = {**body, "operationType": "authorize_payment", "language": "cs"}
    assert await admin.ok("PUT", path, body) == shown
    assert admin.core.texts["authorize_payment", "cs"]["attributes"] == json.dumps(body["attributes"])
    assert await admin.ok("GET", path) == shown
    assert await admin.ok("GET", TEXTS) == {"texts": [shown]}
    short = {"title": "Platba", "message": "x"}
    assert await admin.ok("PUT", path, short) == {
        **short,
        "operationType": "authorize_payment",
        "language": "cs",
    }
    assert await admin.ok("DELETE", path) == {"status": "OK"}
    for method in ("GET", "DELETE"):
        await admin.refused(method, path, status=404, code="ERROR_NOT_FOUND")
    name = await admin.violation("PUT", f"{TEXTS}/x/c1", short)
    assert name == "updateOperationText.language"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"attributes": ["foo"]}, "attributes.0"),
        ({"attributes": [{"type": "HEADING"}, {"type": "BOX"}]}, "attributes.1.type"),
        ({"attributes": [{"type": "NOTE", "params": {"note": ["x"]}}]}, "attributes.0.params.note"),
        ({"attributes": [{"type": "KEY_VALUE", "params": {"note": "n"}}]}, "attributes.0"),
        ({"ui": {"flipButtons": "yes"}}, "ui.flipButtons"),
        ({"ui": {"preApprovalScreen": {"type": "BIG"}}}, "ui.preApprovalScreen.type"),
        (
            {"ui": {"postApprovalScreen": {"type": "REVIEW", "payload": {"attributes": {}}}}},
            "ui.postApprovalScreen",
        ),
        ({"resultTexts": {"success": ["x"]}}, "resultTexts.success"),
        ({"ui": {"preApprovalScreen": {"type": "INFO", "\0": 1}}}, "ui.preApprovalScreen"),
        ({"ui": {"more": {"deep": "\0"}}}, "ui"),
    ],
)
async def test_text_of_wrong_shape_is_refused_by_its_path(
    admin: Client, body: dict[str, Any], field: str
) -> None:
    whole = {"title": "t", "message": "m", **body}
    assert await admin.violation("PUT", f"{TEXTS}/login/en", whole) == field
    assert admin.core.texts == {}


def test_shape_of_texts_is_in_the_api_document(service: Service) -> None:
    schemas = service.app.openapi()["components"]["schemas"]
    attributes = schemas["SaveText"]["properties"]["attributes"]["anyOf"][0]["items"]
    assert attributes == {"$ref": "#/components/schemas/Attribute"}
    assert schemas["AttributeType"]["enum"][0] == "AMOUNT"
    assert "AMOUNT amount, currency" in schemas["Attribute"]["properties"]["params"]["description"]


async def test_text_with_placeholders_outside_of_strings_stays_text(admin: Client) -> None:
    admin.core.texts["login", "en"] = {
        "placeholder": "login",
        "language": "en",
        "title": "t",
        "message": "m",
        "ui": '{"count":${n}}',
    }
    assert (await admin.ok("GET", f"{TEXTS}/login/en"))["ui"] == '{"count":${n}}'


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_push_texts(admin: Client, service: Service) -> None:
    path = "/admin/localizations/payment/en"
    body = {"title": "Payment", "summary": "Approve ${amount}"}
    shown = {**body, "placeholder": "payment", "language": "en"}
    assert await admin.ok("PUT", path, body) == shown
    assert await admin.ok("PUT", path, {**body, "title": "Pay"}) == {**shown, "title": "Pay"}
    await admin.ok("PUT", "/admin/localizations/login/CS", body)
    listed = (await admin.ok("GET", "/admin/localizations"))["localizations"]
    assert [(item["placeholder"], item["language"]) for item in listed] == [
        ("login", "cs"),
        ("payment", "en"),
    ]
    assert (await admin.ok("GET", path))["title"] == "Pay"
    assert await admin.ok("DELETE", path) == {"status": "OK"}
    for method in ("GET", "DELETE"):
        await admin.refused(method, path, status=404, code="ERROR_NOT_FOUND")
        await admin.refused(method, "/admin/localizations/%00/en", status=404, code="ERROR_NOT_FOUND")
    assert await admin.violation("PUT", path, {"title": "x"}) == "summary"
    assert {row.message for row in await service.audit()} == {"Push text changed", "Push text removed"}


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_properties(admin: Client, service: Service) -> None:
    path = "/admin/properties"
    assert await admin.ok("GET", path) == {"properties": []}
    assert await admin.ok("PUT", f"{path}/service.base.url", {"value": "https://a"}) == {
        "name": "service.base.url",
        "value": "https://a",
    }
    await admin.ok("PUT", f"{path}/service.base.url", {"value": "https://b"})
    await admin.ok("PUT", f"{path}/empty", {"value": None})
    assert await admin.ok("GET", path) == {
        "properties": [{"name": "empty"}, {"name": "service.base.url", "value": "https://b"}]
    }
    assert await admin.violation("PUT", f"{path}/a b", {"value": "x"}) == "updateProperty.name"
    assert await admin.violation("PUT", f"{path}/x", {}) == "value"
    changes = [json.loads(row.param or "") for row in await service.audit()]
    assert (changes[1]["old"], changes[1]["new"]) == ("https://a", "https://b")


async def test_telemetry(admin: Client) -> None:
    path = "/admin/telemetry/report"
    request = {"name": "USERS_IN_PAST_DAYS", "parameters": {"application": "app-1", "days": 7}}
    assert await admin.ok("POST", path, request) == {
        "name": "USERS_IN_PAST_DAYS",
        "reportData": {"application": "app-1", "days": 7, "users": 7},
    }
    await admin.ok("POST", path, {"name": "CURRENT_MAU", "parameters": {"application": "app-1"}})
    request["parameters"] = {"application": "app-1"}
    assert await admin.violation("POST", path, request) == "parameters.days"
    request["parameters"] = {"application": "app-1", "days": 366}
    assert await admin.violation("POST", path, request) == "parameters.days"
    request |= {"name": "OTHER"}
    found = await admin.refused("POST", path, request, code="ERROR_REQUEST")
    assert found["violations"][0]["fieldName"] == "name"
    admin.core.refuse("telemetry/report", "ERROR_TELEMETRY")
    request = {"name": "CURRENT_MAU", "parameters": {"application": "app-1"}}
    await admin.refused("POST", path, request, code="ERROR_REQUEST")


async def test_every_change_in_the_core_is_recorded_with_its_maker(admin: Client, service: Service) -> None:
    await admin.ok("POST", APPLICATIONS, {"id": "app-1"})
    await admin.ok("POST", f"{APPLICATIONS}/app-1/versions", {"name": "2"})
    await admin.ok("PUT", f"{APPLICATIONS}/app-1/versions/2", {"supported": False})
    await admin.ok("PUT", f"{APPLICATIONS}/app-1/roles", {"roles": ["R"]})
    await admin.ok("PUT", f"{APPLICATIONS}/app-1/config/fido2_aaguids_allowed", {"values": []})
    await admin.ok("DELETE", f"{APPLICATIONS}/app-1/config/fido2_aaguids_allowed")
    await admin.ok("POST", TEMPLATES, TEMPLATE)
    await admin.ok("PUT", f"{TEMPLATES}/payment", TEMPLATE)
    await admin.ok("DELETE", f"{TEMPLATES}/payment")
    await admin.ok("PUT", f"{TEXTS}/login/en", {"title": "t", "message": "m"})
    await admin.ok("DELETE", f"{TEXTS}/login/en")
    rows = await service.audit()
    assert len(rows) == 11
    assert {(row.audit_type, row.subject_id) for row in rows} == {("cloud-admin", "admin")}
    assert all(json.loads(row.param or "")["caller"] == "admin" for row in rows)
