"""The work of every reader of wire data grows with its text and no faster (D28).

Counted in steps of the interpreter inside our packages; what regular expressions do is counted in
`test_regular_expressions`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from cloud_formats import cloud_formats
from enrollment_formats import enrollment_formats
from mutations import Sample
from protocol_formats import protocol_formats
from wire_formats import WireFormat

ROOT = Path(__file__).parents[2]
PACKAGES = tuple(
    str(ROOT / folder / "src")
    for folder in ("libs/protocol", "libs/servicekit", "services/enrollment", "services/cloud-private-api")
)
FORMATS = [*protocol_formats(), *enrollment_formats(), *cloud_formats()]
PUMPS = [
    "a",
    "=",
    '"',
    'a="',
    "a=",
    "%41",
    "&",
    "a=&",
    "\\",
    "\\n",
    "${",
    "${a}",
    ":-",
    "[",
    '{"a":',
    "-",
    ".",
    "0",
    " ",
    ",",
    ";q=",
    "\n",
    "\u00e9",
]
SIZES = (300, 600, 1200)
"""Characters that are put into a sample; the limit of a header lies beyond."""
ONCE_MORE = 2.6
"""Twice the characters, at most so many times the further steps."""
SOME = 3_000


class Steps:
    """Counts what the interpreter does inside our packages, and remembers which functions it was in."""

    def __init__(self) -> None:
        self.count = 0
        self.entered: set[tuple[str, str]] = set()

    def of(self, call: Callable[[Any], Any], value: Sample, refusals: tuple[type[Exception], ...]) -> int:
        self.count = 0
        before = sys.gettrace()
        sys.settrace(self._call)
        try:
            call(value)
        except refusals:
            pass
        finally:
            sys.settrace(before)
        return self.count

    def _call(self, frame: FrameType, _event: str, _argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGES):
            return None
        self.entered.add((frame.f_code.co_filename, frame.f_code.co_name))
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._step

    def _step(self, _frame: FrameType, event: str, _argument: object) -> Any:
        self.count += event == "opcode"
        return self._step


def pumped(sample: Sample, pump: str, size: int, where: float) -> Sample:
    """The sample with that many more characters somewhere in it."""
    text = pump * (size // len(pump))
    at = round(len(sample) * where)
    if isinstance(sample, bytes):
        return sample[:at] + text.encode() + sample[at:]
    return sample[:at] + text + sample[at:]


@pytest.mark.parametrize("wire_format", FORMATS, ids=str)
def test_work_grows_with_the_text_alone(wire_format: WireFormat) -> None:
    counter = Steps()
    sample = wire_format.samples[0]
    counter.of(wire_format.read, sample, wire_format.refusals)  # what is done once, is done
    for pump, where in product(PUMPS, (0.0, 0.5, 1.0)):
        short, middle, long = (
            counter.of(wire_format.read, pumped(sample, pump, size, where), wire_format.refusals)
            for size in SIZES
        )
        assert long - middle <= ONCE_MORE * max(middle - short, 0) + SOME, (pump, where, short, middle, long)


READERS = re.compile(
    r"parse\w*|read\w*|from_json\w*|from_name|b64\w*decode|canonical\w*|substitute\w*|fill_\w+|render_\w+"
    r"|preferred_\w+|limited_\w+|typed_\w+|checked_\w+|decoded|normalise_\w+|import_\w+|format_money|check_\w+"
    r"|offline_body|texts|is_(?:hash|core_id|storable|uuid)"
)
"""What functions that read something from outside are called."""
ELSEWHERE = {
    "check_config": "values of an administrator, bounded by their model",
    "check_uris": "addresses of an administrator, bounded by their model",
    "check_key": "a name, looked up in a table",
    "from_name": "a name, looked up in a table",
    "is_uuid": "one regular expression",
    "offline_body": "joins two texts",
    "read": "`read_first_json` under the name that a request calls it by",
}
"""Such names of functions that nobody outside reaches with a text of any length, and why."""


def readers() -> Iterator[tuple[str, str]]:
    """File and name of every function that takes a text and is called like a reader."""
    for package in (PACKAGES[0], *PACKAGES[2:]):
        for path in sorted(Path(package).rglob("*.py")):
            if {"conformance", "migrations"} & set(path.parts):
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef) and READERS.fullmatch(node.name) and _takes_text(node):
                    yield str(path), node.name


def _takes_text(node: ast.FunctionDef) -> bool:
    given = [argument for argument in node.args.args if argument.arg not in ("self", "cls")]
    kinds = ast.unparse(given[0].annotation) if given and given[0].annotation else ""
    return bool({"str", "bytes", "object", "Any"} & set(re.findall(r"\w+", kinds)))


def test_no_reader_is_missing() -> None:
    counter = Steps()
    for wire_format in FORMATS:
        for sample in wire_format.samples:
            counter.of(wire_format.read, sample, wire_format.refusals)
            # What was seen before may be remembered; longer texts are not.
            counter.of(wire_format.read, pumped(sample, "1", SIZES[0], 0.5), wire_format.refusals)
    missing = {name for file, name in readers() if (file, name) not in counter.entered}
    assert missing == ELSEWHERE.keys()


def test_what_grows_faster_is_noticed() -> None:
    def slow(text: str) -> None:
        for _ in text:
            from powerauth_protocol.common.encoding import concat

            concat(*[b"" for _ in text])

    counter = Steps()
    short, middle, long = (counter.of(slow, "a" * size, ()) for size in SIZES)
    assert long - middle > ONCE_MORE * (middle - short) + SOME
