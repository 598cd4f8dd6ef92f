"""No text makes a regular expression of ours take more than steps in proportion to its length (D28)."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from re import _parser as parser

import pytest
from regex_steps import characters_of, literals_of, steps

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in (
        "libs/protocol",
        "libs/servicekit",
        "services/enrollment",
        "services/powerauth-core",
        "services/cloud-private-api",
        "services/push",
    )
    for path in (ROOT / folder / "src").rglob("*.py")
    if "conformance" not in path.parts
)
WITHOUT_A_NAME = {
    "servicekit.documentation": "reads our own page, once",
    "servicekit.edge.middleware": "the operator's pattern, from the settings",
    "servicekit.settings": "the operator's pattern, whether it is one",
    "servicekit.start_rules": "the operator's settings, at the start",
}
"""Modules that compile a pattern elsewhere than at their top, and why it need not be looked at."""

SHORT, LONG = 80, 160
ONCE_MORE = 2.7
"""Twice the text, at most so many times the steps."""
SOME = 400


def module_of(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[parts.index("src") + 1 :]).removesuffix(".__init__")


def named_patterns() -> Iterator[tuple[str, str]]:
    """Module and name of every pattern that is compiled at the top of a module."""
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        tops = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
        named = [node for node in tops if node.value is not None and _compiles(node.value)]
        for node in named:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            assert isinstance(target, ast.Name)
            yield module_of(path), target.id
        used = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_re(node)]
        assert len(used) == len(named) or module_of(path) in WITHOUT_A_NAME, path


def _is_re(node: ast.Call) -> bool:
    called = node.func
    return (
        isinstance(called, ast.Attribute)
        and isinstance(called.value, ast.Name)
        and called.value.id == "re"
        and called.attr != "escape"
    )


def _compiles(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and _is_re(node)


PATTERNS = sorted(set(named_patterns()))


def searched(module: str, name: str) -> bool:
    """Whether a pattern looks for matches inside a text, and not only at the whole of it."""
    uses = {
        use
        for path in SOURCES
        for use in re.findall(rf"\b{re.escape(name)}\.(\w+)", path.read_text())
        if module_of(path) == module or f"import {name}" in path.read_text()
    }
    return not uses or not uses <= {"fullmatch", "match"}


@pytest.mark.parametrize(("module", "name"), PATTERNS, ids=lambda part: part)
def test_steps_grow_with_the_text_alone(module: str, name: str) -> None:
    pattern = getattr(importlib.import_module(module), name)
    if isinstance(pattern.pattern, bytes):
        pattern = re.compile(pattern.pattern.decode(), pattern.flags | re.ASCII)
    letters = [*characters_of(parser.parse(pattern.pattern, pattern.flags))[:7], "\x7f"]
    runs = literals_of(pattern)
    pumps = ["".join(each) for size in (1, 2) for each in product(letters, repeat=size)] + runs
    anywhere = searched(module, name)
    for opening, pump in product(["", *runs[:3], "".join(runs)], pumps):
        short, long = (
            steps(pattern, opening + pump * (length // len(pump)) + "\x7f", anywhere=anywhere)
            for length in (SHORT, LONG)
        )
        assert long <= ONCE_MORE * short + SOME, (opening, pump, short, long)


def test_what_grows_faster_is_noticed() -> None:
    for source, text in ((r"(\w+)=", "a"), (r"\$\{[^}]*\}", "${"), (r"\$\{[^{}]*?(?::-[^}]*)?\}", ":-")):
        pattern = re.compile(source)
        opening = "${" if text == ":-" else ""
        short, long = (steps(pattern, opening + text * size, anywhere=True) for size in (SHORT, LONG))
        assert long > ONCE_MORE * short + SOME, source
    pattern = re.compile(r"(?:a|aa)+")
    assert steps(pattern, "a" * 24 + "!", anywhere=False) > 100_000


@pytest.mark.parametrize("text", ["PowerAuth a=1", "${a:-b}", "12345678-12345678", "aaaa", "", 'x="y" z'])
def test_counting_finds_what_the_engine_finds(text: str) -> None:
    from regex_steps import Counter

    for module, name in PATTERNS:
        pattern = getattr(importlib.import_module(module), name)
        if isinstance(pattern.pattern, str):
            found = pattern.match(text)
            assert Counter(pattern, text).at(0) == (None if found is None else found.end()), (module, name)
