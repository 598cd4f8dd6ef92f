"""Valid samples with things wrong in them: characters, fields, JSON values, what is inside Base64."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from broken import body_of, shared_cases

Sample = str | bytes

TOKENS = (
    *(
        '"',
        "'",
        "\\",
        "\x00",
        "\t",
        "\n",
        "\r\n",
        " ",
        "\x7f",
        "\xa0",
        "é",
        "☎",
        "\ud800",
        "\u202e",
        "\U0001f4b0",
    ),
    *("=", "==", "+", "/", "-", "_", "%", "%00", "%C5%", "%zz", "&", ",", ";", ":", "#", ".", "*", "|"),
    *("{", "}", "[", "]", "null", "true", "NaN", "1e999", "-1", "0", "9" * 25, "${a}", "\\ud800", "\\n"),
    *("PowerAuth ", "3.0", "3.3", "4.0", "HS256", "none", "possession", "A" * 300),
)
"""Put anywhere into texts; what cannot be a byte is left out of byte strings."""

VALUES: tuple[Any, ...] = (
    *(case["value"] for case in shared_cases("values")),
    *(False, 0, 2**31, 2**63, 2**70, -(2**63), 1e300, "A", "AAAA", "null", "1700000000000", {"": ""}),
)
"""Put in the place of members."""

EXTREMES = (
    *(body_of(case).decode("utf-8", "surrogateescape") for case in shared_cases("plain-body")),
    *("\ufeff{}", "1" * 10_000),
    *("A" * 65_536, "=" * 8_192, ", " * 4_000, "%" * 8_192, "\n" * 8_192, "." * 8_192, "${" * 8_192),
    *("PowerAuth " + "a=" * 4_000, "PowerAuth " + 'a="' * 2_700, "PowerAuth " + "a" * 8_000),
)
"""Tried once with everything."""

_BASE64_RUN = re.compile(r"[A-Za-z0-9+/_-]{6,}={0,2}")
_LARGEST = 20_000


def mutants(samples: Sequence[Sample], random: Random) -> Iterator[Sample]:
    """Endlessly many, the same ones for the same `random`; every sixth is a sample as it is."""
    text = [_as_text(sample) for sample in samples]
    is_bytes = isinstance(samples[0], bytes)
    while True:
        mutant = random.choice(text)
        for _ in range(random.choice((0, 1, 1, 1, 2, 4))):
            mutant = random.choice(_OPERATIONS)(mutant, text, random)[:_LARGEST]
        yield mutant.encode("latin-1", "ignore") if is_bytes else mutant


def extremes(samples: Sequence[Sample]) -> Iterator[Sample]:
    """The extreme values in the type of the samples."""
    for text in EXTREMES:
        yield text.encode("utf-8", "surrogateescape") if isinstance(samples[0], bytes) else text


def _as_text(sample: Sample) -> str:
    return sample.decode("latin-1") if isinstance(sample, bytes) else sample


def _insert(text: str, _samples: Sequence[str], random: Random) -> str:
    at = random.randint(0, len(text))
    return text[:at] + random.choice(TOKENS) + text[at:]


def _replace(text: str, _samples: Sequence[str], random: Random) -> str:
    start, end = _span(text, random)
    return text[:start] + random.choice(TOKENS) + text[end:]


def _change(text: str, _samples: Sequence[str], random: Random) -> str:
    """Another character of the same alphabet, as often as not."""
    if not text:
        return text
    at = random.randrange(len(text))
    other = random.choice(text) if random.random() < 0.5 else chr(random.randrange(256))
    return text[:at] + other + text[at + 1 :]


def _delete(text: str, _samples: Sequence[str], random: Random) -> str:
    start, end = _span(text, random)
    return text[:start] + text[end:]


def _repeat(text: str, _samples: Sequence[str], random: Random) -> str:
    start, end = _span(text, random)
    return text[:end] + text[start:end] * random.choice((1, 1, 2, 50)) + text[end:]


def _splice(text: str, samples: Sequence[str], random: Random) -> str:
    other = random.choice(samples)
    return text[: random.randint(0, len(text))] + other[random.randint(0, len(other)) :]


def _other_case(text: str, _samples: Sequence[str], random: Random) -> str:
    start, end = _span(text, random)
    return text[:start] + text[start:end].swapcase() + text[end:]


def _inside_base64(text: str, _samples: Sequence[str], random: Random) -> str:
    """A change to what a part in Base64 stands for; a JSON part is changed as JSON, half of the time."""
    runs = list(_BASE64_RUN.finditer(text))
    if not runs:
        return text
    run = random.choice(runs)
    raw = _decoded(run[0])
    if raw is None:
        return text
    if random.random() < 0.5:
        changed = _json_member(raw.decode("latin-1"), (), random).encode("utf-8", "surrogatepass")
    else:
        flipped = bytearray(_delete(raw.decode("latin-1"), (), random).encode("latin-1") or raw)
        flipped[random.randrange(len(flipped))] ^= 1 << random.randrange(8)
        changed = bytes(flipped)
    url = "." in text and "{" not in text
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    encoded = encode(changed).decode()
    return text[: run.start()] + (encoded.rstrip("=") if url else encoded) + text[run.end() :]


def _decoded(text: str) -> bytes | None:
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4)) or None
    except ValueError:
        return None


def _json_member(text: str, _samples: Sequence[str], random: Random) -> str:
    """Another value, another name, one member more or less, anywhere in a JSON text."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return text
    places = list(_containers(content))
    if not places:
        return text
    place = random.choice(places)
    names = list(place) if isinstance(place, dict) else list(range(len(place)))
    if not names:
        _add(place, "added", random)
    else:
        _alter(place, random.choice(names), random)
    return json.dumps(content, ensure_ascii=random.random() < 0.5)


def _alter(place: Any, name: Any, random: Random) -> None:
    match random.randrange(5):
        case 0:
            del place[name]
        case 1:
            _add(place, f"{name}x", random)
        case 2:
            place[name] = [place[name]] if random.random() < 0.5 else {"a": place[name]}
        case 3 if isinstance(place[name], str):
            place[name] = random.choice(_TEXT_OPERATIONS)(place[name], [place[name]], random)
        case _:
            place[name] = random.choice(VALUES)


def _add(place: Any, name: str, random: Random) -> None:
    if isinstance(place, dict):
        place[name] = random.choice(VALUES)
    else:
        place.append(random.choice(VALUES))


def _containers(content: Any) -> Iterator[Any]:
    if isinstance(content, dict | list):
        yield content
        for member in content.values() if isinstance(content, dict) else content:
            yield from _containers(member)


def _span(text: str, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(text))
    return start, min(len(text), start + random.choice((1, 1, 2, 8, 40)))


_Operation = Callable[[str, Sequence[str], Random], str]
_TEXT_OPERATIONS: tuple[_Operation, ...] = (
    *(_insert, _replace, _change, _delete, _repeat, _splice, _other_case),
)
_OPERATIONS: tuple[_Operation, ...] = (*_TEXT_OPERATIONS, *([_json_member, _inside_base64] * 3))
