import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.callers import basic_header, parse_basic, parse_bearer


def _encoded(text: bytes) -> str:
    return base64.b64encode(text).decode()


@pytest.mark.parametrize(
    ("header", "credentials"),
    [
        (f"Basic {_encoded(b'user:secret')}", ("user", "secret")),
        (f"basic {_encoded(b'user:secret')}", ("user", "secret")),
        (f"BASIC  {_encoded(b'user:secret')} ", ("user", "secret")),
        (f"Basic {_encoded(b'user:se:cret')}", ("user", "se:cret")),
        (f"Basic {_encoded(b':')}", ("", "")),
        (f"Basic {_encoded('jméno:heslo€'.encode())}", ("jméno", "heslo€")),
    ],
)
def test_basic_credentials_are_utf8_split_at_the_first_colon(
    header: str, credentials: tuple[str, str]
) -> None:
    assert parse_basic(header) == credentials


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic dXNlcjpzZWNyZXQ",
        f"Basic {_encoded(b'no colon')}",
        f"Basic {_encoded(bytes([0xFF, 0x3A, 0xFF]))}",
        f"Basic {_encoded(b'nul:' + bytes(1))}",
        f"Bearer {_encoded(b'user:secret')}",
        "Basic dXNlcjpzZWNyZXQ=\udcff",
        "Basic ěšč",
    ],
)
def test_anything_else_is_no_credentials(header: str | None) -> None:
    assert parse_basic(header) is None


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bEARER  abc ", "abc"),
        ("Bearer ", ""),
        ("Bearer", None),
        ("Bearerabc", None),
        ("Basic abc", None),
        ("", None),
        (None, None),
    ],
)
def test_a_bearer_token_stands_behind_its_scheme(header: str | None, token: str | None) -> None:
    assert parse_bearer(header) == token


@given(st.text())
def test_no_header_text_raises(header: str) -> None:
    parse_basic(header)
    parse_basic(f"Basic {header}")


_text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))


@given(_text.filter(lambda user: ":" not in user), _text)
def test_what_we_send_is_what_we_read(user: str, password: str) -> None:
    assert parse_basic(basic_header(user, password)) == (user, password)
