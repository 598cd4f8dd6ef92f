"""Every reference vector, one test each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from powerauth_protocol.conformance import TOPICS, load_vectors
from powerauth_protocol.conformance.runner import judge

VECTORS = Path(__file__).resolve().parents[3] / "tests" / "vectors"
FILES = sorted(VECTORS.glob("*.json"))
KNOWN_DEVIATIONS = {
    ("http_header_parse", "041-nonce-without-padding"),
    ("http_header_parse", "042-nonce-without-padding"),
    ("public_key_import", "009-hybrid"),
    ("public_key_import", "010-hybrid"),
}
CASES = [
    pytest.param(path.stem, vector, id=f"{path.stem}-{vector['id']}")
    for path in FILES
    for vector in load_vectors(path)
]


@pytest.mark.parametrize(("topic", "vector"), CASES)
def test_vector_is_reproduced(topic: str, vector: dict[str, Any]) -> None:
    difference, deviation = judge(topic, TOPICS[topic], vector["input"], vector["output"])
    if (topic, vector["id"]) in KNOWN_DEVIATIONS:
        assert deviation is not None
    else:
        assert difference is None, difference


def test_every_topic_has_a_vector_file() -> None:
    assert {path.stem for path in FILES} == set(TOPICS)
