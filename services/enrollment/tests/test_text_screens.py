"""The `ui` object and the form data of an operation (spec/enrollment-api.md §11.1-11.5)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from enrollment.texts.form_data import render_form_data
from enrollment.texts.rows import TextRow, TextsBroken, choose_row
from enrollment.texts.screens import render_ui


def ui(source: object, parameters: dict[str, object] | None = None, *, proximity: bool = False) -> Any:
    text = source if isinstance(source, str) else json.dumps(source)
    return render_ui(text, parameters or {}, "XCF", proximity_check=proximity)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (None, None),
        ("", None),
        ("X", {"flipButtons": True}),
        ("C", {"blockApprovalOnCall": True}),
        ("F", {"preApprovalScreen": {"type": "WARNING", "approvalType": "SLIDER"}}),
        (
            "FCX",
            {
                "flipButtons": True,
                "blockApprovalOnCall": True,
                "preApprovalScreen": {"type": "WARNING", "approvalType": "SLIDER"},
            },
        ),
        ("QZ", {}),
    ],
)
def test_risk_flags(flags: str | None, expected: object) -> None:
    assert render_ui(None, {}, flags, proximity_check=False) == expected
    assert render_ui("  ", {}, flags, proximity_check=False) == expected


def test_a_template_goes_before_risk_flags() -> None:
    assert ui({"flipButtons": False}) == {"flipButtons": False}


def test_texts_in_screens_are_substituted_and_escaped() -> None:
    source = '{"preApprovalScreen":{"type":"INFO","heading":"${h}","message":"M","items":["${h}"]}}'
    assert ui(source, {"h": 'a"b'})["preApprovalScreen"] == {
        "type": "INFO",
        "heading": 'a"b',
        "message": "M",
        "items": ['a"b'],
    }


@pytest.mark.parametrize("proximity", [True, False])
def test_qr_scan_needs_a_proximity_check(proximity: bool) -> None:
    screen = {"type": "QR_SCAN", "heading": "h", "message": "m"}
    rendered = ui({"preApprovalScreen": screen, "flipButtons": True}, proximity=proximity)
    assert rendered == ({"preApprovalScreen": screen} if proximity else {}) | {"flipButtons": True}


@pytest.mark.parametrize(
    "screen",
    [
        {"type": "REVIEW", "payload": {"attributes": [{"type": "NOTE", "id": "1", "note": "n"}]}},
        {"type": "MERCHANT_REDIRECT", "payload": {"redirectText": "t", "redirectUrl": "u", "countdown": 5}},
        {"type": "GENERIC", "payload": {"anything": [1, None, {}]}},
        {"type": "GENERIC"},
    ],
)
def test_post_approval_screens(screen: dict[str, object]) -> None:
    assert ui({"postApprovalScreen": screen}) == {"postApprovalScreen": screen}


def test_members_not_known_here_pass_unchanged() -> None:
    source = {"preApprovalScreens": [{"id": "x", "elements": [None]}], "templates": {"a": 1}}
    assert ui(source) == source


def test_nulls_are_omitted() -> None:
    source = {"flipButtons": None, "preApprovalScreen": {"type": "INFO", "heading": None}}
    assert ui(source) == {"preApprovalScreen": {"type": "INFO"}}


@pytest.mark.parametrize(
    "source",
    [
        "{",
        "[]",
        {"flipButtons": "yes"},
        {"blockApprovalOnCall": 1},
        {"preApprovalScreen": []},
        {"preApprovalScreen": {}},
        {"preApprovalScreen": {"type": "ODD"}},
        {"preApprovalScreen": {"type": []}},
        {"preApprovalScreen": {"type": "INFO", "heading": 1}},
        {"preApprovalScreen": {"type": "INFO", "items": "a"}},
        {"preApprovalScreen": {"type": "INFO", "items": [1]}},
        {"preApprovalScreen": {"type": "INFO", "approvalType": "BUTTON"}},
        {"postApprovalScreen": {"type": "ODD"}},
        {"postApprovalScreen": {"payload": {}}},
        {"postApprovalScreen": {"type": "REVIEW", "payload": {"attributes": {}}}},
        {"postApprovalScreen": {"type": "MERCHANT_REDIRECT", "payload": {"countdown": True}}},
        {"postApprovalScreen": {"type": "MERCHANT_REDIRECT", "payload": {"countdown": "5"}}},
        {"postApprovalScreen": {"type": "GENERIC", "payload": []}},
        {"templates": "list"},
    ],
)
def test_broken_screens_are_reported(source: object) -> None:
    with pytest.raises(TextsBroken):
        ui(source)


def row(language: str, **changed: Any) -> TextRow:
    return TextRow(**({"language": language, "title": "T", "message": "M"} | changed))


@pytest.mark.parametrize(
    ("languages", "wanted", "chosen"),
    [
        (["cs", "en"], "cs", "cs"),
        (["cs", "en"], "de", "en"),
        (["sk", "cs"], "de", "cs"),
        (["sk"], "en", "sk"),
        ([], "en", None),
    ],
)
def test_language_fallback(languages: list[str], wanted: str, chosen: str | None) -> None:
    found = choose_row([row(language) for language in languages], wanted)
    assert (found.language if found else None) == chosen


def test_form_data_has_texts_attributes_and_result_texts() -> None:
    texts = row(
        "en",
        title="Pay ${amount}",
        message='"${name}"',
        attributes='[{"type":"KEY_VALUE","id":"i","text":"L","params":{"value":"name"}}]',
        result_texts='{"success":"Paid to ${name}","failure":null,"other":"x"}',
    )
    assert render_form_data(texts, {"amount": "5", "name": 'A "B"'}, "en") == {
        "title": "Pay 5",
        "message": '"A "B""',
        "attributes": [{"type": "KEY_VALUE", "id": "i", "label": "L", "value": 'A "B"'}],
        "resultTexts": {"success": 'Paid to A "B"'},
    }


def test_form_data_without_result_texts() -> None:
    assert render_form_data(row("en"), {}, "en") == {"title": "T", "message": "M", "attributes": []}


@pytest.mark.parametrize("source", ["[]", "{", '{"success":1}', '{"success":"${a:-"}'])
def test_broken_result_texts_are_reported(source: str) -> None:
    with pytest.raises(TextsBroken):
        render_form_data(row("en", result_texts=source), {"a": "1"}, "en")
