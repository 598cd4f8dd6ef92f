"""What holds for every endpoint: JSON, errors, headers, documentation (spec/cloud-api.md §1, §17, §18)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cloud_client import Client, Service, Start
from fastapi import FastAPI

from cloud_private_api.core_errors import Area, translated
from powerauth_contracts.texts import CoreRefused
from powerauth_protocol.common.json_text import read_first_json
from servicekit.calls.client import RawAnswer, RemoteUnavailable

JSON = {"Content-Type": "application/json"}

# fmt: off
OPERATION_IDS = [
    "createRegistrationV2", "listRegistrationsV2", "getRegistrationV2", "commitRegistrationV2",
    "changeRegistrationV2", "removeRegistrationV2", "updateRegistrationOtp", "updateRegistrationName",
    "getRegistrationFlags", "addRegistrationFlags", "updateRegistrationFlags", "removeRegistrationFlags",
    "getRegistrationHistory", "lookupRegistrations", "createRegistration", "getRegistration",
    "commitRegistration", "changeRegistration", "removeRegistration", "createOperationV2",
    "createOperation", "getOperationV2", "getOperation", "cancelOperationV2", "cancelOperation",
    "getOfflineQrV2", "getOfflineQr", "verifyOfflineOtpV2", "verifyOfflineOtp", "listOperationsV2",
    "claimOperation", "failOperation", "rejectOperation", "verifySignatureV2", "verifyTokenV2",
    "createOfflinePayload", "verifyOfflineSignature", "verifyEcdsaSignature", "getAuditLog",
    "getAuditLogV2", "createUser", "listUsers", "getUser", "updateUser", "deleteUser",
    "renewUserPassword", "assignUserApplication", "unassignUserApplication", "createApplication",
    "getApplication", "listApplications", "listApplicationVersions", "createApplicationVersion",
    "updateApplicationVersion", "getApplicationRoles", "updateApplicationRoles", "createCallback",
    "listCallbacks", "getCallback", "updateCallback", "removeCallback", "getApplicationConfig",
    "updateApplicationConfig", "removeApplicationConfig", "listOidcProviders", "getOidcProvider",
    "updateOidcProvider", "removeOidcProvider", "listOperationTemplates", "createOperationTemplate",
    "getOperationTemplate", "updateOperationTemplate", "removeOperationTemplate", "telemetryReport",
    "listOperationTexts", "getOperationText", "updateOperationText", "removeOperationText",
    "listLocalizations", "getLocalization", "updateLocalization", "removeLocalization", "listProperties",
    "updateProperty",
    "sendMessage", "createInboxMessage", "listInboxMessages", "countInboxMessages", "getInboxMessage",
    "readInboxMessage", "readAllInboxMessages", "createCampaign", "listCampaigns", "getCampaign",
    "removeCampaign", "addCampaignUsers", "removeCampaignUsers", "listCampaignUsers", "sendCampaign",
    "testCampaign", "getPushProviders", "updateApns", "updateFcm", "updateHms", "removeApns", "removeFcm",
    "removeHms", "getLoginPreferences", "updateLoginPreferences", "getLoginPreferencesImpact",
    "listPasskeys", "getPasskeyStatistics", "removePasskey",
    "listAuthenticators", "registrationChallenge", "registerAuthenticator", "assertionChallenge",
    "verifyAssertion",
    "loadMetadata", "getMetadata", "listMetadataEntries",
    "createDeviceBinding", "deleteDeviceBinding", "listOidcClients", "createOidcClient", "getOidcClient",
    "updateOidcClient", "removeOidcClient", "renewOidcClientSecret", "listApplicationSigningKeys",
    "createApplicationSigningKey", "uploadApplicationSigningKey", "updateApplicationSigningKey",
    "removeApplicationSigningKey", "listSigningKeys", "createSigningKey", "uploadSigningKey",
    "updateSigningKey", "removeSigningKey",
]
# fmt: on


async def _post(client: Client, content: bytes, **headers: str) -> tuple[int, Any]:
    response = await client.http.post("/v2/registrations", content=content, headers={**JSON, **headers})
    return response.status_code, response.json()


@pytest.mark.parametrize(
    "content",
    [
        b'{"userId":"u"}}',
        b'{"userId":"u"} and more',
        b' \n{"userId":"u"}{"userId":"v"}',
        '\ufeff{"userId":"u"}'.encode(),
    ],
)
async def test_text_behind_the_first_value_is_ignored(bank: Client, content: bytes) -> None:
    assert (await _post(bank, content))[0] == 200
    assert bank.core.last("activation/init")["userId"] == "u"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"{",
        b'{"userId":"u"',
        b"null",
        b"[]",
        b'"text"',
        b'{"userId":"\\ud800"}',
        b'{"userId":"u","extra":NaN}',
        b'{"userId":"\xff"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
async def test_unreadable_body_is_a_request_error(bank: Client, content: bytes) -> None:
    status, body = await _post(bank, content)
    assert (status, body["responseObject"]["code"]) == (400, "ERROR_REQUEST")
    assert bank.core.paths() == []


@pytest.mark.parametrize("content", [b"1 2", b'{"a": 1}', b"[1]]"])
def test_first_value(content: bytes) -> None:
    assert read_first_json(content) in (1, {"a": 1}, [1])


async def test_unknown_members_are_ignored(bank: Client) -> None:
    await bank.ok("POST", "/v2/registrations", {"userId": "u", "operationType": "x", "other": {"a": [None]}})


async def test_body_of_another_type_is_refused(bank: Client) -> None:
    status, body = await _post(bank, b"userId=u", **{"Content-Type": "application/x-www-form-urlencoded"})
    assert (status, body["responseObject"]["code"]) == (415, "HTTP_415")
    assert (await _post(bank, b'{"userId":"u"}', **{"Content-Type": "application/vnd.bank+json"}))[0] == 200


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/json", 200),
        ("text/html, application/*;q=0.5", 200),
        ("*/*", 200),
        ("", 200),
        ("text/html", 406),
        ("application/xml, text/plain", 406),
    ],
)
async def test_answers_are_json(bank: Client, accept: str, status: int) -> None:
    response = await bank.http.get("/v2/registrations?userId=u", headers={"Accept": accept})
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    if status == 406:
        assert response.json()["responseObject"]["code"] == "HTTP_406"


async def test_wrong_method(bank: Client) -> None:
    response = await bank.send("PATCH", "/v2/registrations/1")
    assert response.status_code == 405
    assert response.json()["responseObject"]["code"] == "HTTP_405"
    assert response.headers["allow"]


async def test_large_body(bank: Client) -> None:
    status, body = await _post(bank, b'{"userId":"' + b"u" * 1_048_577 + b'"}')
    assert (status, body["responseObject"]["code"]) == (413, "ERROR_REQUEST")


async def test_nothing_may_be_stored_on_the_way(bank: Client) -> None:
    for path in ("/v2/registrations?userId=u", "/v2/registrations", "/no/such"):
        response = await bank.send("GET", path)
        assert response.headers["cache-control"] == "no-store"
        assert "set-cookie" not in response.headers


async def test_correlation_id_goes_back_and_on(bank: Client) -> None:
    headers = {"X-Correlation-ID": "bank-call-0001"}
    response = await bank.http.get("/v2/registrations?userId=u", headers=headers)
    assert response.headers["x-correlation-id"] == "bank-call-0001"
    assert bank.core.calls[-1].headers["x-correlation-id"] == "bank-call-0001"


async def test_path_variables_are_decoded_once(bank: Client) -> None:
    activation_id = bank.core.activation("app-a")
    encoded = activation_id.replace("-", "%2D")
    await bank.ok("GET", f"/v2/registrations/{encoded}")
    await bank.refused(
        "GET", f"/v2/registrations/{encoded.replace('%', '%25')}", code="ERROR_REGISTRATION_NOT_FOUND"
    )


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"not json"),
        (200, b'{"status":"OK"}'),
        (200, b'{"status":"OK","responseObject":{"activations":[{}]}}'),
        (302, b""),
        (400, b"<html>"),
        (400, b'{"status":"ERROR","responseObject":{"code":"ERR9999"}}'),
        (401, b"{}"),
        (403, b"{}"),
        (404, b"{}"),
        (500, b"{}"),
    ],
)
async def test_core_that_answers_nonsense(bank: Client, status: int, body: bytes) -> None:
    bank.core.raw("activation/list", status, body)
    answer = await bank.refused("GET", "/v2/registrations", userId="u", status=500, code="ERROR_INTERNAL_API")
    assert answer == {"code": "ERROR_INTERNAL_API", "message": "Unable to call upstream service"}


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_core_that_asks_to_come_again(bank: Client, status: int) -> None:
    bank.core.raw("activation/list", status, b"{}")
    await bank.refused("GET", "/v2/registrations", userId="u", status=503, code="ERROR_INTERNAL_API")


class Unreachable:
    """A network without a core."""

    async def send(self, *_: object) -> RawAnswer:
        raise RemoteUnavailable("core: connection refused")

    async def close(self) -> None:
        """Nothing is open."""


async def test_core_that_cannot_be_reached(start: Start) -> None:
    service = await start(transport=Unreachable())
    bank = await service.user("bank", ["app-a"])
    answer = await bank.send("GET", "/v2/registrations", userId="u")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert answer.json()["responseObject"]["code"] == "ERROR_INTERNAL_API"
    response = await bank.send("GET", "/actuator/health/readiness")
    assert (response.status_code, response.json()) == (503, {"status": "DOWN"})
    assert (await bank.send("GET", "/actuator/health")).status_code == 200


R, OP, S, T, A = Area.REGISTRATIONS, Area.OPERATIONS, Area.SIGNATURES, Area.TOKENS, Area.ADMIN


@pytest.mark.parametrize(
    ("core_code", "area", "code"),
    [
        ("ERR0007", R, "ERROR_REGISTRATION_CHANGE"),
        ("ERR0008", R, "ERROR_REGISTRATION_CHANGE"),
        ("ERR0008", OP, "ERROR_REGISTRATION_CHANGE"),
        ("ERR0009", R, "ERROR_REGISTRATION_NOT_FOUND"),
        ("ERR0009", OP, "ERROR_REGISTRATION_NOT_FOUND"),
        ("ERR0014", A, "ERROR_REQUEST"),
        ("ERR0015", R, "ERROR_REGISTRATION"),
        ("ERR0015", OP, "ERROR_REQUEST"),
        ("ERR0015", A, "ERROR_NOT_FOUND"),
        ("ERR0024", R, "ERROR_REQUEST"),
        ("ERR0024", OP, "ERROR_REQUEST"),
        ("ERR0024", S, "ERROR_SIGNATURE_INVALID"),
        ("ERR0024", T, "ERROR_TOKEN_INVALID"),
        ("ERR0024", A, "ERROR_REQUEST"),
        ("ERR0030", T, "ERROR_TOKEN_INVALID"),
        ("ERR0031", R, "ERROR_OTP_INVALID"),
        ("ERR0032", R, "ERROR_OTP_INVALID"),
        ("ERR0033", OP, "ERROR_REQUEST"),
        ("ERR0033", A, "ERROR_NOT_FOUND"),
        ("ERR0034", OP, "ERROR_OPERATION_NOT_FOUND"),
        ("ERR0036", OP, "ERROR_OPERATION_STATE_CHANGE"),
        ("ERR0037", OP, "ERROR_OPERATION_STATE_CHANGE"),
        ("ERR0038", OP, "ERROR_OPERATION_STATE_CHANGE"),
        ("ERR0039", A, "ERROR_REQUEST"),
        ("ERR0040", R, "ERROR_REQUEST"),
        ("ERR0043", A, "ERROR_REQUEST"),
        ("ERR0044", T, "ERROR_TOKEN_INVALID"),
        ("ERR0000", R, "ERROR_INTERNAL_API"),
        ("ERR0034", R, "ERROR_INTERNAL_API"),
        ("unreadable", A, "ERROR_INTERNAL_API"),
    ],
)
def test_core_errors_are_mapped_by_area(core_code: str, area: Area, code: str) -> None:
    error = translated(CoreRefused(core_code, "path", {}), area)
    assert error.code == code
    assert error.http_status == {"ERROR_INTERNAL_API": 500, "ERROR_NOT_FOUND": 404}.get(code, 400)


@pytest.mark.parametrize(
    ("area", "message", "violations"),
    [
        (
            A,
            "requestObject.values.0.issuerUri - cannot be called",
            [("values.0.issuerUri", "cannot be called")],
        ),
        (
            R,
            "The request cannot be read: requestObject.activationFlags.1 - must not be blank, "
            "requestObject.userId - must not be null",
            [("flags.1", "must not be blank"), ("userId", "must not be null")],
        ),
        (
            A,
            "requestObject.authentication.a, requestObject.authentication.b - must be given, anew",
            [("authentication.a", "must be given, anew"), ("authentication.b", "must be given, anew")],
        ),
        (OP, "requestObject.templateName - is wrong", [("template", "is wrong")]),
        (A, "requestObject.templateName - is wrong", [("templateName", "is wrong")]),
        (A, "Invalid request object", []),
        (A, "requestObject. - ", []),
        (A, "", []),
    ],
)
def test_what_the_core_refuses_names_member_and_reason(
    area: Area, message: str, violations: list[tuple[str, str]]
) -> None:
    error = translated(CoreRefused("ERR0024", "path", {"message": message}), area)
    assert [(violation.field, violation.hint) for violation in error.violations] == violations


async def test_core_codes_and_texts_never_come_out(bank: Client) -> None:
    bank.core.refuse("activation/list", "ERR0000")
    response = await bank.send("GET", "/v2/registrations?userId=u")
    assert "ERR0000" not in response.text
    assert "core text" not in response.text


async def test_info(service: Service) -> None:
    info = (await service.anonymous().send("GET", "/actuator/info")).json()
    assert info["app"]["name"] == "powerauth-cloud"


def test_documentation_has_the_known_operation_ids(shared_app: FastAPI) -> None:
    document = shared_app.openapi()
    found = [
        operation["operationId"]
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if not path.startswith("/actuator/")
    ]
    assert sorted(found) == sorted(OPERATION_IDS)
    assert document["paths"]["/admin/users"]["post"]["tags"] == ["System Users"]
    assert document["paths"]["/admin/applications"]["post"]["tags"] == ["Applications"]
    assert document["components"]["securitySchemes"]["login"]["scheme"] == "basic"
    assert "HTTPValidationError" not in json.dumps(document)


async def test_documentation_page(service: Service) -> None:
    for path in ("/swagger-ui/index.html", "/v3/api-docs"):
        assert (await service.anonymous().send("GET", path)).status_code == 200


async def test_documentation_and_metrics_can_be_switched(start: Start) -> None:
    service = await start(swagger_enabled=False, metrics_enabled=True)
    anonymous = service.anonymous()
    assert (await anonymous.send("GET", "/v3/api-docs")).status_code == 401
    assert (await anonymous.send("GET", "/actuator/prometheus")).status_code == 200
