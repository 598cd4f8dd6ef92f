"""`powerauth vectors check`: counts, exit status, no traceback."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from powerauth_cli.vectors import app

VECTORS = Path(__file__).resolve().parents[3] / "tests" / "vectors"
RUNNER = CliRunner()


def _check(directory: Path) -> tuple[int, list[str]]:
    result = RUNNER.invoke(app, ["check", str(directory)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output.splitlines()


def test_the_reference_vectors_pass_with_four_known_deviations() -> None:
    status, lines = _check(VECTORS)
    assert status == 0
    assert lines[-1] == "1095 passed, 0 failed, 0 not run"
    assert len([line for line in lines if "known deviation" in line]) == 4
    assert len([line for line in lines if ".json:" in line]) == len(list(VECTORS.glob("*.json")))


def test_a_failure_is_named_and_sets_the_exit_status(tmp_path: Path) -> None:
    wrong = {"vectors": [{"id": "001", "input": {"data_b64": ""}, "output": {"crc16": 1}}]}
    (tmp_path / "crc16.json").write_text(json.dumps(wrong))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "future.json").write_text(
        json.dumps({"vectors": [{"id": "1", "input": {}, "output": {"a": 1}}]})
    )
    status, lines = _check(tmp_path)
    assert status == 1
    assert lines == [
        "broken.json: 0 passed, 1 failed, 0 not run",
        "  failed: not a JSON file",
        "crc16.json: 0 passed, 1 failed, 0 not run",
        "  failed: 001: crc16 differs",
        "future.json: 0 passed, 0 failed, 1 not run (unknown topic)",
        "0 passed, 2 failed, 1 not run",
    ]


def test_a_missing_or_empty_directory_is_a_usage_error(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "none", VECTORS / "README.md"):
        status, lines = _check(directory)
        assert status == 2
        assert "passed" not in lines[-1]
