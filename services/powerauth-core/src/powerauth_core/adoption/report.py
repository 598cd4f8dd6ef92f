"""What an examination of a database found."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Report:
    """Everything that was found, in one piece, so that it can be put right in one go.

    :ivar problems: what forbids the adoption
    :ivar notices: what is unusual and goes on to work, or what an operator should know
    """

    problems: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    @property
    def adoptable(self) -> bool:
        """Nothing forbids the adoption."""
        return not self.problems

    def __str__(self) -> str:
        """The report as lines of text."""
        lines = [f"problem: {problem}" for problem in self.problems]
        lines += [f"notice: {notice}" for notice in self.notices]
        lines.append(
            "The database can be adopted."
            if self.adoptable
            else f"The database cannot be adopted: {len(self.problems)} problems. Nothing was changed."
        )
        return "\n".join(lines)
