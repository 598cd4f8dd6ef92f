"""Whoever reads the code finds its law: what a source file cites has a heading in docs/."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

SECTION = re.compile(r"\b([a-z0-9-]+)\.md\s+(§[\d.]+(?:(?:,| and| to|-|/)?\s*§?[\d.]*\d)*)")
"""A specification and the sections that follow its name: `x.md §4.2, §5 and §6.1`."""
NUMBER = re.compile(r"§(\d+(?:\.\d+)*)")
DECISION = re.compile(r"(?<![\w.#/-])D([1-9]\d?)(?![\w-])")


def _sources() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).exists()]


def _headings(document: str) -> set[str]:
    """Numbers of a document's headings: `### 7.1 POST activation/init` is `7.1`."""
    text = (DOCS / "spec" / f"{document}.md").read_text()
    return set(re.findall(r"^#{1,6} (\d+(?:\.\d+)*)\b", text, re.MULTILINE))


def _decisions() -> set[str]:
    return set(re.findall(r"^## D(\d+)\. ", (DOCS / "decisions.md").read_text(), re.MULTILINE))


def _flat(path: Path) -> str:
    """The text with its line breaks and the comment signs after them folded: references may be broken."""
    return re.sub(r"\s*\n\s*(?:# )?", " ", path.read_text())


def test_every_section_that_a_source_file_names_is_a_heading_of_its_specification() -> None:
    specifications = {
        path.stem: _headings(path.stem) for path in (DOCS / "spec").glob("*.md") if path.stem != "README"
    }
    named = [
        (path.relative_to(ROOT), document, number)
        for path in _sources()
        for document, sections in SECTION.findall(_flat(path))
        if document in specifications
        for number in NUMBER.findall(sections)
    ]
    assert len(named) > 500, "the references are no longer found"
    assert [entry for entry in named if entry[2] not in specifications[entry[1]]] == []


def test_every_decision_that_a_source_file_names_stands_in_the_decisions() -> None:
    decisions = _decisions()
    named = [
        (path.relative_to(ROOT), number)
        for path in _sources()
        if path.suffix == ".py"
        for number in DECISION.findall(_flat(path))
    ]
    assert len(named) > 100, "the references are no longer found"
    assert [entry for entry in named if entry[1] not in decisions] == []
