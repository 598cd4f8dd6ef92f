"""How many steps a backtracking matcher takes for a pattern: the same tree as the engine, walked and counted.

The engine cannot be asked. This walks what its own parser makes of a pattern, in its order, and counts every
look at a character and every way tried, so that growth is seen without a clock.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from re import _constants as op
from re import _parser as parser
from typing import Any

Node = tuple[Any, Any]
Rest = Callable[[int], int | None]
"""What comes after: the end of the whole match from here, None without one."""

_CATEGORIES: dict[Any, Callable[[str], bool]] = {
    op.CATEGORY_DIGIT: str.isdigit,
    op.CATEGORY_NOT_DIGIT: lambda text: not text.isdigit(),
    op.CATEGORY_SPACE: str.isspace,
    op.CATEGORY_NOT_SPACE: lambda text: not text.isspace(),
    op.CATEGORY_WORD: lambda text: text.isalnum() or text == "_",
    op.CATEGORY_NOT_WORD: lambda text: not (text.isalnum() or text == "_"),
}
_SINGLE = frozenset({op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN})


class Counter:
    """A pattern over one text."""

    def __init__(self, pattern: re.Pattern[str], text: str) -> None:
        self._nodes: Sequence[Node] = list(parser.parse(pattern.pattern, pattern.flags))
        self._fold = bool(pattern.flags & re.IGNORECASE)
        self._text = text.lower() if self._fold else text
        self.steps = 0

    def at(self, position: int) -> int | None:
        """The end of a match that begins here."""
        return self._walk(self._nodes, 0, position, lambda end: end)

    def all_matches(self) -> int:
        """Steps of finding every match, as ``findall`` and ``sub`` do."""
        position = 0
        while position <= len(self._text):
            end = self.at(position)
            position = position + 1 if end is None or end == position else end
        return self.steps

    def whole(self) -> int:
        """Steps of ``fullmatch``."""
        self._walk(self._nodes, 0, 0, lambda end: end if end == len(self._text) else None)
        return self.steps

    def _walk(self, nodes: Sequence[Node], index: int, position: int, rest: Rest) -> int | None:
        self.steps += 1
        if index == len(nodes):
            return rest(position)
        kind, value = nodes[index]
        if kind in _SINGLE:
            fits = position < len(self._text) and self._fits(kind, value, self._text[position])
            return self._walk(nodes, index + 1, position + 1, rest) if fits else None

        def onwards(end: int) -> int | None:
            return self._walk(nodes, index + 1, end, rest)

        return self._composite(kind, value, position, onwards)

    def _composite(self, kind: Any, value: Any, position: int, onwards: Rest) -> int | None:
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            return self._repeat(kind, value, position, onwards)
        if kind is op.SUBPATTERN:
            return self._walk(value[3], 0, position, onwards)
        if kind is op.BRANCH:
            ends = (self._walk(branch, 0, position, onwards) for branch in value[1])
            return next((end for end in ends if end is not None), None)
        if kind is op.AT:
            return onwards(position) if self._stands(value, position) else None
        if kind in (op.ASSERT, op.ASSERT_NOT):
            assert value[0] == 1, "looking behind is not counted"
            found = self._walk(value[1], 0, position, lambda end: end) is not None
            return onwards(position) if found is (kind is op.ASSERT) else None
        raise NotImplementedError(kind)

    def _repeat(self, kind: Any, value: Any, position: int, onwards: Rest) -> int | None:
        low, high, inner = value
        if len(inner) == 1 and inner[0][0] in _SINGLE:
            return self._repeat_one(kind, low, high, inner[0], position, onwards)

        def again(count: int, start: int) -> int | None:
            self.steps += 1

            def more() -> int | None:
                if count == high:
                    return None
                return self._walk(inner, 0, start, lambda end: again(count + 1, end) if end > start else None)

            def done() -> int | None:
                return onwards(start) if count >= low else None

            first, second = (more, done) if kind is op.MAX_REPEAT else (done, more)
            end = first()
            return second() if end is None else end

        return again(0, position)

    def _repeat_one(
        self, kind: Any, low: int, high: int, inner: Node, position: int, onwards: Rest
    ) -> int | None:
        most = 0
        while most < high and position + most < len(self._text):
            if not self._fits(*inner, self._text[position + most]):
                break
            most += 1
        self.steps += most
        counts = range(most, low - 1, -1) if kind is op.MAX_REPEAT else range(low, most + 1)
        for count in counts:
            self.steps += 1
            end = onwards(position + count)
            if end is not None:
                return end
        return None

    def _stands(self, where: Any, position: int) -> bool:
        if where in (op.AT_BEGINNING, op.AT_BEGINNING_STRING):
            return position == 0
        assert where in (op.AT_END, op.AT_END_STRING), where
        return position == len(self._text)

    def _fits(self, kind: Any, value: Any, character: str) -> bool:
        if kind is op.LITERAL:
            return character == self._char(value)
        if kind is op.NOT_LITERAL:
            return character != self._char(value)
        return kind is op.ANY or self._in(value, character)

    def _in(self, members: Sequence[Node], character: str) -> bool:
        negated = members[0][0] is op.NEGATE
        found = any(self._member(kind, value, character) for kind, value in members if kind is not op.NEGATE)
        return found is not negated

    def _member(self, kind: Any, value: Any, character: str) -> bool:
        if kind is op.RANGE:
            given = {character, character.upper()} if self._fold else {character}
            return any(value[0] <= ord(each) <= value[1] for each in given if len(each) == 1)
        return _CATEGORIES[value](character) if kind is op.CATEGORY else character == self._char(value)

    def _char(self, code: int) -> str:
        return chr(code).lower() if self._fold else chr(code)


def steps(pattern: re.Pattern[str], text: str, *, anywhere: bool) -> int:
    """Steps over one text.

    :param anywhere: every match is looked for, not only one of the whole text
    """
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    try:
        counter = Counter(pattern, text)
        return counter.all_matches() if anywhere else counter.whole()
    finally:
        sys.setrecursionlimit(before)


def characters_of(nodes: Any) -> list[str]:
    """A character for every literal, class and range of a pattern, in the order of the pattern."""
    found: list[str] = []
    for kind, value in nodes:
        if kind in (op.LITERAL, op.NOT_LITERAL):
            found.append(chr(value))
        elif kind is op.RANGE:
            found.append(chr(value[0]))
        elif kind is op.CATEGORY:
            found.append("a" if "WORD" in str(value) else "1")
        elif kind is op.IN:
            found += characters_of(value)
        elif kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            found += characters_of(value[2])
        elif kind is op.SUBPATTERN:
            found += characters_of(value[3])
        elif kind is op.BRANCH:
            found += [character for branch in value[1] for character in characters_of(branch)]
        elif kind in (op.ASSERT, op.ASSERT_NOT):
            found += characters_of(value[1])
    return list(dict.fromkeys(found))


def literals_of(pattern: re.Pattern[str]) -> list[str]:
    """Runs of literal characters, ``${`` for instance."""
    runs, run = [], ""
    for kind, value in _flat(parser.parse(pattern.pattern, pattern.flags)):
        if kind is op.LITERAL:
            run += chr(value)
        elif run:
            runs.append(run)
            run = ""
    return [text for text in dict.fromkeys([*runs, run]) if text]


def _flat(nodes: Any) -> list[Node]:
    flat: list[Node] = []
    for kind, value in nodes:
        if kind is op.SUBPATTERN:
            flat += [*_flat(value[3]), (op.AT, None)]
        elif kind in (op.MAX_REPEAT, op.MIN_REPEAT):
            flat += [(op.AT, None), *_flat(value[2]), (op.AT, None)]
        elif kind is op.BRANCH:
            flat += [node for branch in value[1] for node in [(op.AT, None), *_flat(branch)]]
        else:
            flat.append((kind, value))
    return flat
