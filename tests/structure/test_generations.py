"""A protocol version is looked at in `powerauth_protocol.generation` and nowhere else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from powerauth_protocol.generation import GENERATIONS

ROOT = Path(__file__).parents[2]
PROTOCOL = ROOT / "libs/protocol/src/powerauth_protocol"
OF_VERSIONS = (PROTOCOL / "v3", PROTOCOL / "v4", PROTOCOL / "conformance", PROTOCOL / "generation.py")
TEXTS = {*GENERATIONS, "4.0"}
STORED: set[object] = {3, 4}
"""What activations store as their version."""
MEMBER = re.compile(r"V\d_\d")
OF_ONE_GENERATION = re.compile("ecies|ellipticcurve", re.IGNORECASE)
OF_OTHERS = ("callbacks/certificates.py", "passkeys/keys.py")
"""Keys of TLS and of passkeys, which are no keys of the protocol."""


def product() -> Iterator[Path]:
    """Every module that may not look at a version."""
    for package in sorted(ROOT.glob("*/*/src")):
        for path in sorted(package.rglob("*.py")):
            if not any(path.is_relative_to(spared) for spared in OF_VERSIONS):
                yield path


def looks(tree: ast.AST) -> Iterator[int]:
    """Lines that name a version, state its text, or compare a version with a number."""
    nodes = list(ast.walk(tree))
    other = {id(value) for node in nodes if isinstance(node, ast.Dict) for value in _of_asgi(node)}
    for node in nodes:
        if isinstance(node, ast.Attribute):
            found = MEMBER.fullmatch(node.attr) is not None
        elif isinstance(node, ast.Constant):
            found = isinstance(node.value, str) and node.value in TEXTS and id(node) not in other
        else:
            found = isinstance(node, ast.Compare | ast.Match) and _is_of_a_version(node)
        if found and isinstance(node, ast.expr | ast.stmt):
            yield node.lineno


def _of_asgi(node: ast.Dict) -> list[ast.expr]:
    names = [key.value for key in node.keys if isinstance(key, ast.Constant)]
    return node.values if "spec_version" in names else []


def _is_of_a_version(node: ast.AST) -> bool:
    numbers = {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)} & STORED
    return bool(numbers) and "version" in ast.unparse(node).lower()


def test_no_module_looks_at_a_protocol_version() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in product()
        for line in looks(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "ProtocolVersion.V3_3",
        'version == "3.1"',
        'Literal["3.0", "3.1"]',
        "activation.version != 3",
        "row.version in (3, 4)",
        "3 < int(header.version)",
    ],
)
def test_what_counts_as_a_look(source: str) -> None:
    assert list(looks(ast.parse(source)))


@pytest.mark.parametrize("service", ["powerauth-core", "enrollment"])
def test_no_service_names_the_cryptography_of_one_generation(service: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / "services" / service / "src").rglob("*.py"))
        if not path.as_posix().endswith(OF_OTHERS)
        for name in names(ast.parse(path.read_text(encoding="utf-8")))
        if OF_ONE_GENERATION.search(name)
    ]
    assert found == []


def names(tree: ast.AST) -> Iterator[str]:
    """What a module imports, uses and reads."""
    for node in ast.walk(tree):
        if isinstance(node, ast.alias):
            yield node.name
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


def test_other_numbers_do_not() -> None:
    assert not list(looks(ast.parse("attempts > 3 or version is None or len(parts) != 4")))
