"""Audit queries (spec/cloud-api.md §10)."""

from __future__ import annotations

from typing import Any

import pytest
from cloud_client import Client, Service
from cloud_fake_core import b64, iso

from cloud_private_api.audit.rules import event_data

LOG = "/audit/log"
LOG_V2 = "/v2/audit/log"
SECRET = "MTIzNDU2Nzg5MDEyMzQ1Ng=="


def _signature(app_id: str, moment: int, **changed: Any) -> dict[str, Any]:
    signed = f"POST&{b64(b'/login')}&{b64(bytes(16))}&{b64('žádost'.encode())}&{SECRET}"
    return {
        "id": moment,
        "userId": "user-1",
        "applicationId": app_id,
        "activationId": "a-1",
        "activationCounter": 1,
        "activationCtrData": None,
        "activationStatus": "ACTIVE",
        "additionalInfo": [],
        "signatureVersion": "3.3",
        "signatureType": "POSSESSION",
        "signature": "12345678",
        "valid": True,
        "version": 3,
        "dataBase64": b64(signed.encode()),
        "note": "signature_ok",
        "timestampCreated": iso(moment),
        **changed,
    }


async def test_verifications_of_a_user(service: Service) -> None:
    caller = await service.user("two", ["app-a", "app-b"])
    service.core.signature_audit += [
        _signature("app-a", 1_700_000_000_001),
        _signature("app-b", 1_700_000_000_002, note="signature_does_not_match"),
        _signature("app-c", 1_700_000_000_003),
    ]
    found = await caller.ok("GET", LOG, userId="user-1")
    assert found["items"] == [
        {
            "activationId": "a-1",
            "eventType": "signature_does_not_match",
            "eventData": "POST\n/login\nžádost",
            "timestamp": 1_700_000_000_002,
        },
        {
            "activationId": "a-1",
            "eventType": "signature_ok",
            "eventData": "POST\n/login\nžádost",
            "timestamp": 1_700_000_000_001,
        },
    ]
    sent = service.core.last("signature/list")
    assert sent["applicationIds"] == ["app-a", "app-b"]
    assert sent["timestampTo"] - sent["timestampFrom"] == 30 * 86_400_000


@pytest.mark.parametrize(
    ("signed", "shown"),
    [
        ("GET&L2E=&bm9uY2U=&YT0x&c2VjcmV0", "GET\n/a\na=1"),
        ("POST&L2E=&bm9uY2U=&YT0x&offline", "POST\n/a\na=1"),
        ("POST&L2E=&bm9uY2U=&&c2VjcmV0", "POST\n/a\n"),
        ("POST&L2E=&bm9uY2U=&/w==&c2VjcmV0", "POST\n/a\n\ufffd"),
        ("A&B&C2VjcmV0", ""),
        ("", ""),
    ],
)
def test_event_data_never_shows_the_secret(signed: str, shown: str) -> None:
    assert event_data(b64(signed.encode())) == shown
    assert event_data("not base64") == ""
    assert event_data(None) == ""


async def test_negative_timestamp_is_the_violation_of_the_documentation(bank: Client) -> None:
    response = await bank.send("GET", LOG, userId="user-1", timestampFrom="-1000")
    assert response.status_code == 400
    assert response.json() == {
        "status": "ERROR",
        "responseObject": {
            "code": "ERROR_REQUEST",
            "message": "Required Long parameter 'timestampFrom' is invalid",
            "violations": [
                {
                    "fieldName": "getAuditLog.timestampFrom",
                    "invalidValue": -1000,
                    "hint": "must be greater than or equal to 0",
                }
            ],
        },
    }


@pytest.mark.parametrize("path", [LOG, LOG_V2])
@pytest.mark.parametrize(
    "query", [{"userId": ""}, {"userId": "  "}, {"userId": "u", "timestampFrom": "2", "timestampTo": "1"}]
)
async def test_unusable_query(bank: Client, path: str, query: dict[str, Any]) -> None:
    await bank.refused("GET", path, code="ERROR_AUDIT", **query)


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        (LOG, {}, "getAuditLog.userId"),
        (LOG, {"userId": "u", "timestampTo": "x"}, "getAuditLog.timestampTo"),
        (LOG, {"userId": "u", "timestampTo": "1" * 20}, "getAuditLog.timestampTo"),
        (LOG_V2, {}, "getAuditLogV2.subjectId"),
        (LOG_V2, {"subjectId": "u", "level": "info"}, "getAuditLogV2.level"),
        (LOG_V2, {"subjectId": "u", "size": "501"}, "getAuditLogV2.size"),
        (LOG_V2, {"subjectId": "u", "type": "a b"}, "getAuditLogV2.type.0"),
    ],
)
async def test_query_parameters(bank: Client, path: str, query: dict[str, Any], field: str) -> None:
    assert await bank.violation("GET", path, **query) == field


def _record(app_id: str | None, number: int) -> dict[str, Any]:
    return {
        "id": str(number),
        "subjectId": "user-1",
        "applicationName": "powerauth-server",
        "type": "activation",
        "level": "INFO",
        "timestamp": iso(1_700_000_000_000 + number),
        "message": "Activation created",
        "param": {} if app_id is None else {"applicationId": app_id},
        "stackTrace": "secret path",
    }


async def test_general_log_shows_a_bank_its_own_applications(bank: Client) -> None:
    bank.core.audit_log += [_record("app-a", 3), _record("app-b", 2), _record(None, 1)]
    found = await bank.ok("GET", LOG_V2, subjectId="user-1")
    assert found == {
        "items": [
            {
                "id": "3",
                "subjectId": "user-1",
                "applicationName": "powerauth-server",
                "type": "activation",
                "level": "INFO",
                "timestamp": 1_700_000_000_003,
                "message": "Activation created",
                "param": {"applicationId": "app-a"},
            }
        ],
        "page": 0,
        "size": 100,
        "hasNext": False,
    }
    assert bank.core.last("audit/log/list")["applicationIds"] == ["app-a"]


async def test_general_log_shows_an_administrator_everything(admin: Client) -> None:
    admin.core.audit_log += [_record("app-a", 3), _record("app-b", 2), _record(None, 1)]
    found = await admin.ok("GET", LOG_V2, userId="user-1", page="1", size="2")
    assert [item["id"] for item in found["items"]] == ["1"]
    assert "applicationIds" not in admin.core.last("audit/log/list")


async def test_general_log_passes_every_condition(bank: Client) -> None:
    await bank.ok(
        "GET",
        LOG_V2,
        subjectId="user-1",
        type=["activation", "token"],
        level="DEBUG",
        timestampFrom="1",
        timestampTo="2",
    )
    assert bank.core.last("audit/log/list") == {
        "subjectId": "user-1",
        "applicationIds": ["app-a"],
        "types": ["activation", "token"],
        "minLevel": "DEBUG",
        "timestampFrom": 1,
        "timestampTo": 2,
        "pageNumber": 0,
        "pageSize": 100,
    }


async def test_caller_without_applications_sees_nothing(service: Service) -> None:
    nobody = await service.user("nobody")
    assert await nobody.ok("GET", LOG, userId="user-1") == {"items": []}
    found = await nobody.ok("GET", LOG_V2, subjectId="user-1")
    assert (found["items"], found["hasNext"]) == ([], False)
    assert service.core.paths() == []
