"""Every call below ``/rest/v3`` as docs/spec/core-calls.md writes it, messages of docs/spec/core-api.md."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

SPECIFICATION = Path(__file__).parents[5] / "docs/spec"
_CALLS = (SPECIFICATION / "core-calls.md").read_text(encoding="utf-8")
TEXT = (SPECIFICATION / "core-api.md").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Call:
    """One call.

    :ivar errors: codes that its section lists, without ``ERR``
    :ivar ours: an addition that is not in the catalogue of core-api.md §3
    """

    path: str
    section: str
    request: str
    response: str
    errors: str

    @property
    def ours(self) -> bool:
        return self.section.endswith(" ours")


def _table(heading: str) -> list[list[str]]:
    """The rows of the table below a heading."""
    section = _CALLS.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [
        [cell.strip(" `") for cell in line.split("|")[1:-1]]
        for line in section.splitlines()
        if line[:1] == "|"
    ]
    return rows[2:]


_SHORT = dict(_table("1. Notation"))


def _whole(members: str) -> str:
    return " ".join(_SHORT.get(member, member) for member in members.split())


ENDPOINTS = [Call(*row[:2], *map(_whole, row[2:])) for row in _table("2. Calls")]
SHAPES = dict(_table("3. Shapes"))
NOT_PRODUCED = dict(_table("4. Codes that no call answers with"))
MESSAGES = dict(re.findall(r"^\| (ERR\d{4}) \| (.+?) \|", TEXT, re.MULTILINE)) | {
    "ERR_RECOVERY": "Invalid recovery code.",
    "ERR_JWT_KEY_INVALID": "Signing key cannot be used.",
    "ERR_JWT_KEY_NOT_FOUND": "Signing key was not found.",
    "ERR_JWT_KEY_STATE": "Signing key state is invalid for the requested change.",
    "ERR_OIDC_CLIENT_EXISTS": "Client already exists.",
    "ERR_OIDC_CLIENT_NOT_FOUND": "Client was not found.",
}
