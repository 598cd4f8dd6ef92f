"""The `ui` object of an operation: from its template, else its risk flags (spec/enrollment-api.md §11.5)."""

from __future__ import annotations

from collections.abc import Mapping

from enrollment.texts.placeholders import Parameters, substitute_json
from enrollment.texts.rows import TextsBroken
from powerauth_protocol.common.json_text import JsonError, read_json

PRE_APPROVAL_TYPES = frozenset({"WARNING", "INFO", "QR_SCAN"})
POST_APPROVAL_TYPES = frozenset({"REVIEW", "MERCHANT_REDIRECT", "GENERIC"})

_UI_FIELDS = {
    "flipButtons": bool,
    "blockApprovalOnCall": bool,
    "preApprovalScreen": dict,
    "postApprovalScreen": dict,
    "templates": dict,
}
_PRE_APPROVAL_FIELDS = {"heading": str, "message": str, "items": list, "approvalType": str}
_POST_APPROVAL_FIELDS = {"heading": str, "message": str, "payload": dict}
_PAYLOAD_FIELDS: dict[str, dict[str, type]] = {
    "REVIEW": {"attributes": list},
    "MERCHANT_REDIRECT": {"redirectText": str, "redirectUrl": str, "countdown": int},
    "GENERIC": {},
}
_FLAG_RESULTS: dict[str, dict[str, object]] = {
    "X": {"flipButtons": True},
    "C": {"blockApprovalOnCall": True},
    "F": {"preApprovalScreen": {"type": "WARNING", "approvalType": "SLIDER"}},
}


def render_ui(
    source: str | None, parameters: Parameters, risk_flags: str | None, *, proximity_check: bool
) -> dict[str, object] | None:
    """Return the `ui` object, or None when neither the template nor the risk flags ask for one.

    :param source: the `ui` JSON of the text row; when it is not blank the risk flags are ignored.
    :param proximity_check: whether the operation has one; without it a QR_SCAN screen is left out.
    :raises TextsBroken: when the JSON does not parse or a known member has an unknown type or value.
    """
    if source is None or not source.strip():
        return _from_risk_flags(risk_flags) if risk_flags else None
    ui = parse_object(substitute_json(source, parameters), "ui")
    _check_types(ui, _UI_FIELDS)
    pre_approval = ui.get("preApprovalScreen")
    if isinstance(pre_approval, dict):
        _check_pre_approval(pre_approval)
        if pre_approval["type"] == "QR_SCAN" and not proximity_check:
            del ui["preApprovalScreen"]
    post_approval = ui.get("postApprovalScreen")
    if isinstance(post_approval, dict):
        _check_post_approval(post_approval)
    return _without_nulls(ui)


def parse_object(text: str, part: str) -> dict[str, object]:
    """Parse JSON that must be an object; `part` names it in the TextsBroken raised otherwise."""
    try:
        value = read_json(text)
    except JsonError:
        raise TextsBroken(part) from None
    if not isinstance(value, dict):
        raise TextsBroken(part)
    return value


def _from_risk_flags(risk_flags: str) -> dict[str, object]:
    return {
        name: value
        for flag, fields in _FLAG_RESULTS.items()
        if flag in risk_flags
        for name, value in fields.items()
    }


def _check_pre_approval(screen: Mapping[str, object]) -> None:
    screen_type = screen.get("type")
    if not isinstance(screen_type, str) or screen_type not in PRE_APPROVAL_TYPES:
        raise TextsBroken("ui")
    _check_types(screen, _PRE_APPROVAL_FIELDS)
    items = screen.get("items")
    if isinstance(items, list) and not all(isinstance(item, str) for item in items):
        raise TextsBroken("ui")
    if screen.get("approvalType") not in {None, "SLIDER"}:
        raise TextsBroken("ui")


def _check_post_approval(screen: Mapping[str, object]) -> None:
    screen_type = screen.get("type")
    if not isinstance(screen_type, str) or screen_type not in POST_APPROVAL_TYPES:
        raise TextsBroken("ui")
    _check_types(screen, _POST_APPROVAL_FIELDS)
    payload = screen.get("payload")
    if isinstance(payload, dict):
        _check_types(payload, _PAYLOAD_FIELDS[screen_type])


def _check_types(members: Mapping[str, object], expected: Mapping[str, type]) -> None:
    for name, kind in expected.items():
        value = members.get(name)
        if value is None:
            continue
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise TextsBroken("ui")


def _without_nulls(members: Mapping[str, object]) -> dict[str, object]:
    """Plain answers omit nulls, at the levels whose members are known; unknown members pass unchanged."""
    cleaned: dict[str, object] = {}
    for name, value in members.items():
        if isinstance(value, dict) and name in {"preApprovalScreen", "postApprovalScreen"}:
            cleaned[name] = {inner: item for inner, item in value.items() if item is not None}
        elif value is not None:
            cleaned[name] = value
    return cleaned
