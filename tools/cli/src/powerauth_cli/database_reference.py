"""The tables of the services' databases, from the classes and tables that they work with: docs/tables.md.

A column's meaning is what its class says of it (the text below it, or ``:ivar``), what its `Column` says, or,
for names that mean the same everywhere, what stands here.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql

PACKAGES = {"core": "powerauth_core", "cloud": "cloud_private_api", "push": "powerauth_push"}
_BASES = {"core": "kernel.base", "cloud": "base", "push": "base"}
_WITH_TABLES = re.compile(r"\.(models|schema|signatures)$")

EVERYWHERE = {
    "id": "Key of the row.",
    "activation_id": "The activation.",
    "application_id": "The application, `pa_application.id`.",
    "app_id": "The application.",
    "attempts": "Attempts so far.",
    "encryption_mode": "`NO_ENCRYPTION`, or `AES_HMAC`: with a master key.",
    "failed_attempts": "Failed attempts in a row.",
    "max_failed_attempts": "How many of them block.",
    "key_id": "Public name of the key, that of a seal or of the row itself.",
    "row_mac": "MAC over the columns that are bound (D32); empty while there is no master key.",
    "seal": "MAC over the row, with a key that its database has not in clear.",
    "signature_type": "Factors that have to sign, lower case, comma-separated.",
    "timestamp_created": "When the row was made.",
    "timestamp_expires": "When it is over.",
    "timestamp_last_change": "When its state was last changed.",
    "timestamp_last_updated": "When it was last changed.",
    "timestamp_last_used": "When it was last used.",
    "user_id": "The bank's id of the user.",
}
"""Meanings of columns whose names mean the same in every table."""
_ENCRYPTION = "_encryption"
_ENCRYPTED = "Of the secret beside it: 0 in clear, 1 encrypted with a master key (D5)."

_HEAD = """# Tables

Tables and columns of the databases, on PostgreSQL. `powerauth db structure` writes this page from the classes
that the services work with. How a schema changes is in [migrations.md](migrations.md), what to know of
running it in [database.md](database.md). Times are UTC. What is **secret** is encrypted, or a hash.
"""


@dataclass(frozen=True, slots=True)
class Described:
    """A column.

    :ivar kind: its type on PostgreSQL, with ``null`` where it may be
    :ivar meaning: empty: nobody has said
    """

    table: str
    name: str
    kind: str
    meaning: str


def reference() -> str:
    """The page, as Markdown."""
    return "\n".join([_HEAD, *(line for service in PACKAGES for line in _section(service))]).rstrip("\n")


def columns_of(service: str) -> Iterator[Described]:
    """All columns of a service's database."""
    for table, described in _tables(service):
        own = _meanings(described)
        for column in table.columns:
            yield Described(table.name, column.name, _kind(column), _meaning(column, own))


def _section(service: str) -> Iterator[str]:
    yield from (f"## {service.capitalize()}", "")
    columns = list(columns_of(service))
    for table, described in _tables(service):
        yield from (f"### {service.capitalize()}: {table.name}", "")
        text = _flat((described.__doc__ or "").partition(":ivar")[0]) if described else table.comment
        yield from ([text, ""] if text else [])
        yield from ("| column | type | meaning |", "|---|---|---|")
        for column in columns:
            if column.table == table.name:
                yield f"| `{column.name}` | {column.kind} | {column.meaning} |"
        yield ""


def _tables(service: str) -> list[tuple[Table, type | None]]:
    """Tables by name, each with its class if it has one."""
    package = import_module(PACKAGES[service])
    for module in walk_packages(package.__path__, f"{package.__name__}."):
        if _WITH_TABLES.search(module.name):
            import_module(module.name)
    base: Any = import_module(f"{package.__name__}.{_BASES[service]}").Base
    classes = {mapper.local_table.name: mapper.class_ for mapper in base.registry.mappers}
    return [(table, classes.get(name)) for name, table in sorted(base.metadata.tables.items())]


def _kind(column: Column[Any]) -> str:
    """Its type, and what the numbers of an enumeration stand for."""
    kind = column.type.compile(postgresql.dialect()).lower()  # type: ignore[no-untyped-call]
    codes = [f"{member.code} {member.value}" for member in getattr(column.type, "enum", ())]
    return f"{kind}{' null' if column.nullable else ''}{': ' if codes else ''}{', '.join(codes)}"


def _meaning(column: Column[Any], own: dict[str, str]) -> str:
    shared = EVERYWHERE.get(column.name, _ENCRYPTED if column.name.endswith(_ENCRYPTION) else "")
    return (own.get(column.name) or column.doc or shared).replace("|", "\\|")


def _meanings(described: type | None) -> dict[str, str]:
    """What a class and those that it is made of say of their members."""
    found: dict[str, str] = {}
    for part in reversed(described.__mro__ if described else ()):
        if part.__module__.partition(".")[0] in (*PACKAGES.values(), "servicekit"):
            found |= _below(part) | _in_words(part.__doc__ or "")
    return found


def _below(part: type) -> dict[str, str]:
    [written] = ast.parse(inspect.getsource(part)).body
    found: dict[str, str] = {}
    previous: ast.stmt | None = None
    for member in getattr(written, "body", []):
        text = getattr(getattr(member, "value", None), "value", None)
        if isinstance(previous, ast.AnnAssign) and isinstance(member, ast.Expr) and isinstance(text, str):
            found[ast.unparse(previous.target)] = _flat(text)
        previous = member
    return found


def _in_words(text: str) -> dict[str, str]:
    fields = re.findall(r":ivar (\w+): (.*?)(?=\n\s*:ivar|\Z)", text, re.DOTALL)
    return {name: f"{meaning[0].upper()}{meaning[1:]}." for name, said in fields if (meaning := _flat(said))}


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text.strip()).replace("``", "`")
