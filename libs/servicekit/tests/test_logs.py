import io
import json
import logging
from collections.abc import Generator
from typing import Any

import pytest
import structlog

from servicekit import logs


@pytest.fixture
def stream() -> Generator[io.StringIO]:
    root = logging.getLogger()
    before = (root.handlers, root.level)
    captured = io.StringIO()
    logs.configure_logging("test-service", "INFO", stream=captured)
    yield captured
    structlog.reset_defaults()
    root.handlers, root.level = before


def _last(stream: io.StringIO) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(stream.getvalue().splitlines()[-1])
    return line


SNAKE_CASE = ["password", "otp", "puk", "activation_code", "signature", "token_digest", "mac", "jwt"]
OTHER_CASES = ["PIN", "clientSecret", "activationCode", "X-PowerAuth-Token", "JWTBody", "serverPrivateKey"]


@pytest.mark.parametrize("key", [*SNAKE_CASE, *OTHER_CASES])
def test_values_under_sensitive_keys_are_masked(stream: io.StringIO, key: str) -> None:
    logs.get_logger("x").info("event", **{key: "hidden-value", "nested": [{key: {"a": "hidden-value"}}]})
    assert "hidden-value" not in stream.getvalue()
    assert _last(stream)[key] == logs.MASK


@pytest.mark.parametrize(
    "key", ["activation_id", "spinner", "status_code", "error_code", "encoded", "reason"]
)
def test_other_values_are_written(stream: io.StringIO, key: str) -> None:
    logs.get_logger("x").info("event", **{key: "shown"})
    assert _last(stream)[key] == "shown"


def test_lines_carry_service_level_and_correlation_id(stream: io.StringIO) -> None:
    token = logs.correlation_id.set("12345678-abc")
    logs.get_logger("some.module").warning("event")
    logs.correlation_id.reset(token)
    line = _last(stream)
    assert (line["service"], line["level"], line["name"]) == ("test-service", "warning", "some.module")
    assert line["correlation_id"] == "12345678-abc"
    logs.get_logger("x").info("outside of a request")
    assert "correlation_id" not in _last(stream)


def test_library_logs_take_the_same_form(stream: io.StringIO) -> None:
    logging.getLogger("some.library").error("failed: %s", "reason")
    line = _last(stream)
    assert (line["event"], line["logger"], line["service"]) == (
        "failed: reason",
        "some.library",
        "test-service",
    )


def test_lines_below_the_level_are_not_written(stream: io.StringIO) -> None:
    logs.get_logger("x").debug("event")
    assert stream.getvalue() == ""


def test_exceptions_are_one_line_without_local_values(stream: io.StringIO) -> None:
    try:
        hidden_local = "hidden-value"
        raise ValueError(len(hidden_local))
    except ValueError:
        logs.get_logger("x").exception("event")
    assert len(stream.getvalue().splitlines()) == 1
    assert "ValueError: 12" in _last(stream)["exception"]
    assert "hidden-value" not in stream.getvalue().replace('hidden_local = "hidden-value"', "")


def test_an_endless_structure_is_cut(stream: io.StringIO) -> None:
    nested: list[Any] = []
    nested.append(nested)
    logs.get_logger("x").info("event", nested=nested)
    assert logs.MASK in stream.getvalue()
