"""Two schemas that security systems read: Elastic Common Schema 8.11, and OCSF 1.3.0 with the classes
Authentication (3002), Account Change (3001) and API Activity (6003).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC
from enum import StrEnum
from typing import Any

from servicekit.audit_export.records import AuditRecord

ECS_VERSION = "8.11.0"
OCSF_VERSION = "1.3.0"

_AUTHENTICATION, _ACCOUNT, _API = 3002, 3001, 6003
_CLASSES = {"signature": _AUTHENTICATION, "cloud-auth": _AUTHENTICATION, "activation": _ACCOUNT}
"""By what a record is about; everything else is the use of an API."""
_ECS_CATEGORIES = {_AUTHENTICATION: ["authentication"], _ACCOUNT: ["iam"], _API: ["api"]}
_SEVERITIES = {"WARN": 3, "WARNING": 3, "ERROR": 4, "FATAL": 6}
_INFORMATIONAL, _OTHER, _LOGON = 1, 99, 1
_ACCOUNT_ACTIVITIES = {"CREATED": 1, "ACTIVE": 2, "REMOVED": 6, "BLOCKED": 9}
_API_ACTIVITIES = {"created": 1, "added": 1, "removed": 4, "deleted": 4, "canceled": 4}
_UPDATE = 3
_ECS_TYPES = {1: "creation", 6: "deletion"}
_ECS_API_TYPES = {1: "creation", 4: "deletion"}
_CAPTIONS = {
    _AUTHENTICATION: {_LOGON: "Logon"},
    _ACCOUNT: {1: "Create", 2: "Enable", 6: "Delete", 9: "Lock"},
    _API: {1: "Create", 3: "Update", 4: "Delete"},
}


class Format(StrEnum):
    """How lines are written."""

    ECS = "ecs"
    OCSF = "ocsf"


def line_of(chosen: Format, record: AuditRecord, service: str) -> dict[str, Any]:
    """A record as an object of the schema.

    :param service: which keeps the log, ``powerauth-core`` …
    """
    return _WRITERS[chosen](record, service)


def succeeded(record: AuditRecord) -> bool:
    """Whether what the record tells of went well."""
    valid = record.facts.get("valid")
    return valid if isinstance(valid, bool) else "failed" not in record.message.lower()


def _class(record: AuditRecord) -> int:
    # A change of an account needs a user; one of an application's parts is the use of an API.
    found = _CLASSES.get(record.kind, _API)
    return _API if found == _ACCOUNT and record.subject is None else found


def _activity(record: AuditRecord, kind: int) -> int:
    if kind == _AUTHENTICATION:
        return _LOGON if record.kind == "cloud-auth" else _OTHER
    if kind == _ACCOUNT:
        return _ACCOUNT_ACTIVITIES.get(str(record.facts.get("status")), _OTHER)
    words = record.message.lower().replace(":", " ").split()
    return next((_API_ACTIVITIES[word] for word in words if word in _API_ACTIVITIES), _UPDATE)


def _action(record: AuditRecord) -> str:
    return "-".join(record.message.lower().replace(":", " ").split())[:128]


def _ecs(record: AuditRecord, service: str) -> dict[str, Any]:
    kind = _class(record)
    activity = _activity(record, kind)
    types = {_AUTHENTICATION: "start", _ACCOUNT: _ECS_TYPES.get(activity, "change")}
    event: dict[str, Any] = {
        "kind": "event",
        "category": _ECS_CATEGORIES[kind],
        "type": [types.get(kind) or _ECS_API_TYPES.get(activity, "change")],
        "outcome": "success" if succeeded(record) else "failure",
        "action": _action(record),
        "id": record.record_id,
        "module": "powerauth",
        "dataset": f"powerauth.{record.kind}",
        "severity": _SEVERITIES.get(record.level, _INFORMATIONAL),
    }
    if kind == _ACCOUNT:
        event["type"].insert(0, "user")
    if record.position is not None:
        event["sequence"] = record.position
    line: dict[str, Any] = {
        "@timestamp": record.moment.replace(tzinfo=UTC).isoformat(timespec="microseconds"),
        "ecs": {"version": ECS_VERSION},
        "message": record.message,
        "event": event,
        "log": {"level": record.level.lower()},
        "service": {"name": service},
        "powerauth": dict(record.facts),
    }
    if record.subject is not None:
        line["user"] = {"id": record.subject}
    if record.address is not None:
        line["source"] = {"address": record.address}
    return line


def _ocsf(record: AuditRecord, service: str) -> dict[str, Any]:
    kind = _class(record)
    activity = _activity(record, kind)
    line: dict[str, Any] = {
        "class_uid": kind,
        "category_uid": kind // 1000,
        "activity_id": activity,
        "activity_name": _CAPTIONS[kind].get(activity, record.message[:128]),
        "type_uid": kind * 100 + activity,
        "severity_id": _SEVERITIES.get(record.level, _INFORMATIONAL),
        "status_id": 1 if succeeded(record) else 2,
        "time": int(record.moment.replace(tzinfo=UTC).timestamp() * 1000),
        "message": record.message,
        "metadata": _metadata(record, service),
        "unmapped": dict(record.facts),
    }
    return line | _OCSF_PARTS[kind](record, service)


def _metadata(record: AuditRecord, service: str) -> dict[str, Any]:
    metadata = {
        "version": OCSF_VERSION,
        "product": {"name": service, "vendor_name": "PowerAuth"},
        "uid": record.record_id,
        "log_name": "audit_log",
        "event_code": record.kind,
        "original_time": record.moment.replace(tzinfo=UTC).isoformat(timespec="microseconds"),
    }
    return metadata if record.position is None else metadata | {"sequence": record.position}


def _endpoint(record: AuditRecord, service: str) -> dict[str, Any]:
    return {"svc_name": service} if record.address is None else {"ip": record.address}


def _user(record: AuditRecord) -> dict[str, Any]:
    return {"uid": record.subject or "unknown", "type_id": 1}


def _authentication(record: AuditRecord, service: str) -> dict[str, Any]:
    from_where = {} if record.address is None else {"src_endpoint": _endpoint(record, service)}
    return {"user": _user(record), "service": {"name": service}} | from_where


def _account_change(record: AuditRecord, service: str) -> dict[str, Any]:
    return {"user": _user(record), "src_endpoint": _endpoint(record, service)}


def _api_activity(record: AuditRecord, service: str) -> dict[str, Any]:
    actor: Mapping[str, Any] = (
        {"app_name": service} if record.subject is None else {"user": _user(record), "app_name": service}
    )
    return {
        "actor": actor,
        "api": {"operation": _action(record), "service": {"name": service}},
        "src_endpoint": _endpoint(record, service),
    }


_WRITERS: dict[Format, Callable[[AuditRecord, str], dict[str, Any]]] = {
    Format.ECS: _ecs,
    Format.OCSF: _ocsf,
}
_OCSF_PARTS = {_AUTHENTICATION: _authentication, _ACCOUNT: _account_change, _API: _api_activity}
