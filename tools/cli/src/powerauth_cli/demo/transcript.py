"""How the demo tells what happens."""

from __future__ import annotations

import io
from collections.abc import Mapping

import segno
from rich.console import Console
from rich.panel import Panel
from rich.text import Text


class Unexpected(RuntimeError):
    """A step did not end as it must; the demo stops and the command fails."""


class Transcript:
    """Prints numbered steps: what happened, which service answered, and the facts that show it."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._steps = 0

    @property
    def steps(self) -> int:
        """Number of steps told so far."""
        return self._steps

    def title(self, text: str, facts: Mapping[str, object]) -> None:
        """The heading, with what is started where."""
        lines = Text("\n").join([_fact(name, value) for name, value in facts.items()])
        self._console.print(Panel(lines, title=text, expand=False))

    def step(self, service: str, what: str, **facts: object) -> None:
        """One step that ended as it should."""
        self._steps += 1
        line = Text.assemble((f"{self._steps:3d} ", "dim"), (f"{service:<11}", "cyan"), (what, "bold"))
        self._console.print(line)
        for name, value in facts.items():
            if value is not None:
                self._console.print(Text("                ").append_text(_fact(name, value)), soft_wrap=True)

    def qr_code(self, content: str) -> None:
        """Draw a QR code in the terminal."""
        drawing = io.StringIO()
        segno.make(content, error="l").terminal(out=drawing, compact=True)
        self._console.print(Text(drawing.getvalue().rstrip("\n")), soft_wrap=True)

    def chapter(self, text: str) -> None:
        """A heading between steps."""
        self._console.print()
        self._console.rule(text, align="left", style="dim")


def expect(condition: bool, what: str) -> None:
    """Stop the demo if something that must hold does not.

    :raises Unexpected: naming it
    """
    if not condition:
        raise Unexpected(what)


def _fact(name: str, value: object) -> Text:
    return Text.assemble((f"{name.replace('_', ' ')}: ", "dim"), str(value))
