"""The `formData` object of an operation (spec/enrollment-api.md §10.1, §11)."""

from __future__ import annotations

from enrollment.texts.attributes import render_attributes
from enrollment.texts.placeholders import Parameters, substitute, substitute_json
from enrollment.texts.rows import TextRow, TextsBroken
from enrollment.texts.screens import parse_object

RESULT_TEXTS = ("success", "failure", "reject")


def render_form_data(row: TextRow, parameters: Parameters, language: str) -> dict[str, object]:
    """Return title, message, attributes and result texts of one operation in `language`.

    :raises TextsBroken: when the row's JSON is broken.
    """
    form_data: dict[str, object] = {
        "title": substitute(row.title, parameters),
        "message": substitute(row.message, parameters),
        "attributes": render_attributes(row.attributes, parameters, language),
    }
    result_texts = _result_texts(row.result_texts, parameters)
    if result_texts is not None:
        form_data["resultTexts"] = result_texts
    return form_data


def _result_texts(source: str | None, parameters: Parameters) -> dict[str, object] | None:
    if source is None or not source.strip():
        return None
    texts = parse_object(substitute_json(source, parameters), "resultTexts")
    known = {name: texts[name] for name in RESULT_TEXTS if texts.get(name) is not None}
    if not all(isinstance(text, str) for text in known.values()):
        raise TextsBroken("resultTexts")
    return known
