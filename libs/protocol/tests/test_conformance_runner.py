"""The runner counts honestly: broken files, unknown topics and wrong outputs are never passes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from powerauth_protocol.conformance import run_directory, run_file


def _write(path: Path, vectors: list[Any]) -> Path:
    path.write_text(json.dumps({"description": "", "source": "", "vectors": vectors}), encoding="utf-8")
    return path


def test_a_wrong_output_fails(tmp_path: Path) -> None:
    path = _write(
        tmp_path / "crc16.json",
        [
            {"id": "right", "input": {"data_b64": "MTIzNDU2Nzg5"}, "output": {"crc16": 47933}},
            {"id": "wrong", "input": {"data_b64": "MTIzNDU2Nzg5"}, "output": {"crc16": 47934}},
        ],
    )
    result = run_file(path)
    assert (result.passed, result.failed, result.not_run) == (1, 1, 0)
    assert result.failures == ("wrong: crc16 differs",)


def test_a_refusal_that_was_not_expected_fails(tmp_path: Path) -> None:
    path = _write(
        tmp_path / "activation_code.json",
        [{"id": "1", "input": {"random_bytes_b64": "AAAA"}, "output": {"crc16": 0}}],
    )
    assert run_file(path).failed == 1


def test_an_accepted_input_that_should_be_refused_fails(tmp_path: Path) -> None:
    vector = {"id": "1", "input": {"data_b64": "MTIzNDU2Nzg5"}, "output": {"error": True}}
    assert run_file(_write(tmp_path / "crc16.json", [vector])).failed == 1


def test_true_is_not_one(tmp_path: Path) -> None:
    vector = {"id": "1", "input": {"activation_code": "AAAAA-AAAAA-AAAAA-AAAAA"}, "output": {"valid": 1}}
    assert run_file(_write(tmp_path / "activation_code_validation.json", [vector])).failed == 1


def test_a_vector_without_its_inputs_fails_with_a_name(tmp_path: Path) -> None:
    result = run_file(_write(tmp_path / "crc16.json", [{"id": "1", "input": {}, "output": {"crc16": 1}}]))
    assert result.failed == 1
    assert result.failures[0].startswith("1: KeyError")


def test_an_unknown_topic_is_not_run(tmp_path: Path) -> None:
    vector = {"id": "1", "input": {}, "output": {"a": 1}}
    result = run_file(_write(tmp_path / "ml_kem.json", [vector, vector]))
    assert (result.passed, result.failed, result.not_run) == (0, 0, 2)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"vectors": 1}',
        b'{"vectors": [1]}',
        b'{"vectors": [{"id": "1", "input": {}, "output": {}}]}',
        b"[" * 200_000,
    ],
)
def test_a_file_of_another_form_is_one_failure(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "crc16.json"
    path.write_bytes(content)
    result = run_file(path)
    assert (result.passed, result.failed, result.not_run) == (0, 1, 0)
    assert result.failures


def test_a_directory_in_place_of_a_file_is_one_failure(tmp_path: Path) -> None:
    (tmp_path / "crc16.json").mkdir()
    assert [result.failed for result in run_directory(tmp_path)] == [1]


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError):
        run_directory(tmp_path / "none")


def test_the_four_known_deviations_count_neither_as_passed_nor_as_failed(
    tmp_path: Path, vectors_directory: Path
) -> None:
    for name in ("public_key_import.json", "http_header_parse.json"):
        shutil.copy(vectors_directory / name, tmp_path / name)
    results = {result.file: result for result in run_directory(tmp_path)}
    keys, headers = results["public_key_import.json"], results["http_header_parse.json"]
    assert (keys.passed, keys.failed, len(keys.known_deviations)) == (23, 0, 2)
    assert (headers.passed, headers.failed, len(headers.known_deviations)) == (91, 0, 2)


def test_a_broken_point_that_vectors_accept_is_no_known_deviation(tmp_path: Path) -> None:
    vector = {"id": "1", "input": {"encoded_b64": "BQ=="}, "output": {"x_b64": "AA=="}}
    result = run_file(_write(tmp_path / "public_key_import.json", [vector]))
    assert (result.failed, result.known_deviations) == (1, ())
