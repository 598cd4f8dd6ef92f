"""Counts lines of product and of tests, without blanks, comments and docstrings."""

from __future__ import annotations

import ast
import io
import subprocess
import tokenize
from collections import Counter

LAYOUT = (
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
)
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def lines_of(source: str) -> int:
    """How many lines hold code."""
    code: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in LAYOUT:
            code.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        for statement in node.body if isinstance(node, DOCUMENTED) else ():
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                code.difference_update(range(statement.lineno, (statement.end_lineno or 0) + 1))
    return len(code)


def kind_of(path: str) -> str:
    """What a file belongs to."""
    if path.endswith("conftest.py") or "tests" in path.split("/"):
        return "tests"
    return "product" if "/src/" in path else "scripts"


listed = subprocess.run(["git", "ls-files", "*.py"], capture_output=True, text=True, check=True)
totals: Counter[str] = Counter()
for path in listed.stdout.splitlines():
    with open(path, encoding="utf-8") as file:
        totals[kind_of(path)] += lines_of(file.read())
for kind, total in totals.most_common():
    print(f"{kind:10}{total:8,}")
