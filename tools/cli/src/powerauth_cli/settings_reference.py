"""What the settings classes say of themselves, for the operator who looks a variable up.

A setting's meaning is the text below it in its class; unit, rules and the rest are read from what the
services work with, so that the reference cannot say anything else.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from powerauth_cli.services import SERVICES
from servicekit.settings import ServiceSettings
from servicekit.start_rules import Rule, Weight
from servicekit.startup import command_settings, variable_of

FIRST_RELEASE = "0.1.0"
HIDDEN = "***"

_UNITS = {
    "_ms": "ms",
    "_seconds": "s",
    "_timeout": "s",
    "_interval": "s",
    "_bytes": "bytes",
    "_days": "days",
    "_months": "months",
}
_NUMBERS = {int: "integer", float: "number"}
_TEXTS = {str: "text", Path: "path", bool: "`true` or `false`", SecretStr: "secret"}
_BOUNDS = (("ge", "≥ "), ("gt", "> "), ("le", "≤ "), ("lt", "< "))
_WEIGHTS = {
    Weight.ALWAYS: "refused",
    Weight.IN_PRODUCTION: "refused in production",
    Weight.NEVER: "warned of in production",
}
_IN_URL = re.compile(r"(?<=://)[^/?\s,]*@")

_HEAD = """# Settings

Every setting of every service, as the environment variable that sets it. `powerauth settings --markdown`
writes this page from the settings classes. How values are given, and what belongs together, is in
[operations.md](operations.md#settings).

With the variables of a service set, `powerauth settings core` prints what it would work with, secrets hidden;
`--diff` only what is not as it would be by itself; `--check` says what a start would say, with the same exit
status.

The variable with `_FILE` behind its name leads to a file that holds the value, as secrets should be given.
The rules are those of the start ([What production refuses](operations.md#what-production-refuses)): where
one is broken, the service refuses to start, always or in production, or warns. Since: the release that knew
the setting first.
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a service.

    :ivar kind: what its text may be
    :ivar unit: of a number; empty: it is a count, or no number
    :ivar since: the release that knew it first
    :ivar rules: what a start asks of it
    """

    variable: str
    kind: str
    unit: str
    default: str
    meaning: str
    since: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The settings that one class brings.

    :ivar title: its name in words; ``its own`` for those that no other service has
    :ivar meaning: what it says of itself
    """

    title: str
    meaning: str
    settings: tuple[Setting, ...]


def reference(service: str | None = None) -> str:
    """The reference of one service, or the whole page, as Markdown."""
    sections = "\n".join(_section(name) for name, _ in _chosen(service)).rstrip("\n")
    return sections if service else f"{_HEAD}\n{sections}"


def told(service: str | None, *, changed: bool) -> str:
    """Lines ``VARIABLE=value`` of what one service, or each, works with; secrets hidden.

    :param changed: only what differs from the default
    :raises StartRefused: a value cannot be read
    """
    read = [command_settings(found.settings(), name, needs=()) for name, found in _chosen(service)]
    return "\n".join(line for settings in read for line in effective(settings, changed=changed))


def judged(service: str | None) -> str:
    """That one service, or each, may start as it is configured; what is doubtful is in the log.

    :raises StartRefused: one may not
    """
    for name, found in _chosen(service):
        settings_class = found.settings()
        command_settings(settings_class, name, needs=settings_class.model_fields)
    return "\n".join(f"{name}: may start" for name, _ in _chosen(service))


def _chosen(service: str | None) -> list[tuple[str, Any]]:
    return [(name, found) for name, found in SERVICES.items() if service in (None, name)]


def groups_of(settings_class: type[ServiceSettings]) -> tuple[Group, ...]:
    """All settings of a service, by the class that brings them; its own first."""
    parts = [
        part for part in settings_class.__mro__ if issubclass(part, BaseSettings) and part is not BaseSettings
    ]
    meanings = {part: _meanings(part) for part in parts}
    rules = settings_class.all_start_rules()
    groups = []
    for part in parts:
        brought = [name for name in settings_class.model_fields if _bringer(name, parts) is part]
        settings = tuple(_setting(settings_class, name, meanings, rules) for name in brought)
        if settings:
            title = "its own" if part is settings_class else _title(part)
            groups.append(Group(title, _flat(part.__doc__ or ""), settings))
    return tuple(groups)


def shown(value: Any) -> str:
    """A value as its variable would hold it, a secret hidden."""
    if isinstance(value, SecretStr):
        return HIDDEN if value.get_secret_value() else ""
    return _IN_URL.sub(f"{HIDDEN}@", _text(value))


def effective(settings: ServiceSettings, *, changed: bool = False) -> Iterator[str]:
    """Lines ``VARIABLE=value`` of what a service works with, secrets hidden.

    :param changed: only what differs from the default
    """
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if not changed or value != field.get_default(call_default_factory=True):
            yield f"{variable_of(type(settings), name)}={shown(value)}"


def _section(service: str) -> str:
    settings_class = SERVICES[service].settings()
    lines = [f"## {service.capitalize()}", ""]
    for group in groups_of(settings_class):
        lines += [f"### {service.capitalize()}: {group.title}", "", group.meaning, ""]
        lines += ["| variable | value | default | meaning | rules | since |", "|---|---|---|---|---|---|"]
        lines += [_row(setting) for setting in group.settings] + [""]
    return "\n".join(lines)


def _row(setting: Setting) -> str:
    kind = f"{setting.kind}, {setting.unit}" if setting.unit else setting.kind
    cells = (
        f"`{setting.variable}`",
        kind,
        setting.default,
        setting.meaning,
        "; ".join(setting.rules),
        setting.since,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _setting(
    settings_class: type[ServiceSettings],
    name: str,
    meanings: dict[type[BaseSettings], dict[str, str]],
    rules: tuple[Rule, ...],
) -> Setting:
    field = settings_class.model_fields[name]
    return Setting(
        variable_of(settings_class, name),
        _kind(field),
        next((unit for ending, unit in _UNITS.items() if name.endswith(ending) and _is_number(field)), ""),
        _default(field),
        next((own[name] for own in meanings.values() if name in own), ""),
        _since(field),
        tuple(f"{_WEIGHTS[rule.weight]}: {rule.meaning}" for rule in rules if rule.setting == name),
    )


def _meanings(part: type[BaseSettings]) -> dict[str, str]:
    """The texts below the members of one class."""
    [written] = ast.parse(inspect.getsource(part)).body
    body = getattr(written, "body", [])
    found = {}
    for member, after in pairwise(body):
        text = getattr(getattr(after, "value", None), "value", None)
        if isinstance(member, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(text, str):
            found[ast.unparse(member.target)] = _flat(text)
    return found


def _bringer(name: str, parts: list[type[BaseSettings]]) -> type[BaseSettings]:
    """The class that a setting comes from: another default in a later one makes it no other setting."""
    return [part for part in parts if name in part.__annotations__][-1]


def _since(field: FieldInfo) -> str:
    extra = field.json_schema_extra
    return str(extra.get("since", FIRST_RELEASE)) if isinstance(extra, dict) else FIRST_RELEASE


def _types(annotation: Any) -> Iterator[Any]:
    """The alternatives of an annotation, without None."""
    origin = get_origin(annotation)
    if origin is tuple or origin is Literal or isinstance(annotation, type):
        if annotation is not NoneType:
            yield annotation
        return
    for each in get_args(annotation)[:1] if hasattr(annotation, "__metadata__") else get_args(annotation):
        yield from _types(each)


def _is_number(field: FieldInfo) -> bool:
    return any(kind in _NUMBERS for kind in _types(field.annotation))


def _kind(field: FieldInfo) -> str:
    kinds = " or ".join(_named(kind) for kind in _types(field.annotation))
    pairs = ((sign, getattr(each, name, None)) for each in field.metadata for name, sign in _BOUNDS)
    bounds = [f"{sign}{bound}" for sign, bound in pairs if bound is not None]
    return " ".join([kinds, *bounds])


def _named(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    if get_origin(kind) is tuple:
        return "list"
    if issubclass(kind, Enum):
        return ", ".join(f"`{member.value}`" for member in kind)
    return str((_NUMBERS | _TEXTS).get(kind, kind.__name__))


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return "unset" if value is None else f"`{_text(value)}`" if _text(value) else "empty"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.12g}"
    if isinstance(value, tuple):
        return ",".join(map(_text, value))
    return str(value.value if isinstance(value, Enum) else value)


def _title(part: type[BaseSettings]) -> str:
    words = re.findall(r"[A-Z][a-z]*", part.__name__.removesuffix("Settings"))
    return " ".join(words).capitalize()


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text.strip()).replace("``", "`")
