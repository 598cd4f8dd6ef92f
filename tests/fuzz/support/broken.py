"""Broken bodies and values, the same for every door and reader: those of `tests/corpus/shared`."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

SHARED = Path(__file__).parents[2] / "corpus" / "shared"


@cache
def shared_cases(name: str) -> list[dict[str, Any]]:
    """The cases of a shared set."""
    content: list[dict[str, Any]] = json.loads((SHARED / f"{name}.json").read_text(encoding="utf-8"))
    return content


def body_of(case: Mapping[str, Any]) -> bytes:
    """The bytes of a body that is written down as it is."""
    if "bodyBase64" in case:
        return b64decode(case["bodyBase64"])
    parts = case.get("bodyRepeat") or {"text": case["body"], "times": 1}
    text = parts.get("before", "") + parts["text"] * parts["times"] + parts.get("after", "")
    return bytes(text.encode("utf-8", "surrogatepass"))
