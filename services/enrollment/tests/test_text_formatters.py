"""Formatters of operators (plug-in point `powerauth.operation_text_formatters`)."""

from __future__ import annotations

from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest
import structlog

from enrollment.texts import formatters
from enrollment.texts.formatters import FormattedOperation, apply_formatters, installed_formatters

OPERATION = FormattedOperation("id", "login", "A2", {"a": "1"}, "en")


def shout(operation: FormattedOperation, form_data: dict[str, Any]) -> dict[str, Any]:
    return form_data | {"title": form_data["title"].upper()}


def fail(operation: FormattedOperation, form_data: dict[str, Any]) -> dict[str, Any]:
    form_data.clear()
    raise ValueError("secret words")


def sign(operation: FormattedOperation, form_data: dict[str, Any]) -> dict[str, Any]:
    return form_data | {"message": f"{operation.operation_type} {operation.language}"}


def test_formatters_run_one_after_the_other() -> None:
    result = apply_formatters((shout, sign), OPERATION, {"title": "a", "message": "b"})
    assert result == {"title": "A", "message": "login en"}


def test_failing_formatter_is_left_out_and_its_words_are_not_logged() -> None:
    with structlog.testing.capture_logs() as logs:
        result = apply_formatters((fail, shout), OPERATION, {"title": "a"})
    assert result == {"title": "A"}
    assert logs[0]["reason"] == "ValueError"
    assert "secret words" not in str(logs)


def test_announced_formatters_load_in_the_order_of_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    announced = [
        EntryPoint("b", f"{__name__}:sign", formatters.ENTRY_POINT_GROUP),
        EntryPoint("a", f"{__name__}:shout", formatters.ENTRY_POINT_GROUP),
    ]
    monkeypatch.setattr(formatters, "entry_points", lambda group: EntryPoints(announced))
    monkeypatch.setattr(EntryPoint, "load", lambda self: globals()[self.attr])
    assert installed_formatters() == (shout, sign)
