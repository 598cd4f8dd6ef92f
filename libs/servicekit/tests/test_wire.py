import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from servicekit.wire import (
    INT64_MAX,
    MAX_NESTING,
    CoreDateTime,
    EpochMillis,
    JsonResponse,
    ObjectRequest,
    ObjectResponse,
    StatusResponse,
    WireModel,
    to_json,
)


class Color(StrEnum):
    RED = "RED"


class Part(WireModel):
    part_name: str


class Sample(WireModel):
    activation_id: str = "a"
    count: int | None = None
    bounded: Annotated[int, Field(ge=0, le=10)] = 0
    ratio: float | None = None
    flag: bool = False
    color: Color = Color.RED
    kind: Literal["x", "y"] = "x"
    created: CoreDateTime | None = None
    expires: EpochMillis | None = None
    free: dict[str, Any] | None = None
    texts: list[str] = Field(default_factory=list)
    by_name: dict[str, str] = Field(default_factory=dict)
    parts: list[Part] = Field(default_factory=list)
    limited: Annotated[str, Field(max_length=3)] = ""


def _both_ways(document: str) -> list[Sample]:
    """Parsed by pydantic itself, and from Python objects as FastAPI does it."""
    return [Sample.model_validate_json(document), Sample.model_validate(json.loads(document))]


GOOD = {
    "activationId": "é\U0001f600",
    "count": INT64_MAX,
    "ratio": 2.5,
    "flag": True,
    "color": "RED",
    "kind": "y",
    "created": "2024-10-24T09:39:50.123+02:00",
    "expires": 1735689600123,
    "free": {"a": [1, 2.5, None, {"b": "c"}], "big": 2**70},
    "texts": ["x"],
    "byName": {"k": "v"},
    "parts": [{"partName": "p", "unknownMember": 1}],
    "unknownMember": {"ignored": True},
}


def test_good_input_is_read_alike_both_ways() -> None:
    first, second = _both_ways(json.dumps(GOOD))
    assert first == second
    assert first.created == datetime(2024, 10, 24, 7, 39, 50, 123_000)
    assert first.expires == datetime(2025, 1, 1, 0, 0, 0, 123_000)


def test_output_uses_wire_names_and_writes_nulls() -> None:
    written = json.loads(to_json(_both_ways(json.dumps(GOOD))[0]))
    assert written["created"] == "2024-10-24T07:39:50.123+00:00"
    assert written["expires"] == 1735689600123
    assert written["free"] == GOOD["free"]
    assert written["parts"] == [{"partName": "p"}]
    assert json.loads(to_json(Sample()))["created"] is None
    assert "created" not in json.loads(to_json(Sample(), exclude_none=True))


@pytest.mark.parametrize(
    "members",
    [
        {"activationId": 5},
        {"activationId": True},
        {"activationId": None},
        {"activationId": ["a"]},
        {"activationId": "a\x00b"},
        {"activationId": "\ud800"},
        {"limited": "long"},
        {"limited": "\x00"},
        {"count": "5"},
        {"count": 5.0},
        {"count": 5.5},
        {"count": True},
        {"count": INT64_MAX + 1},
        {"count": -(2**63) - 1},
        {"bounded": 11},
        {"bounded": -1},
        {"ratio": "1.5"},
        {"ratio": float("nan")},
        {"ratio": float("inf")},
        {"flag": "true"},
        {"flag": 1},
        {"color": "red"},
        {"color": 0},
        {"kind": "z"},
        {"created": "yesterday"},
        {"created": True},
        {"created": 1.5},
        {"created": 10**20},
        {"created": "0001-01-01T00:00:00+10:00"},
        {"expires": {}},
        {"free": []},
        {"free": {"a": "\x00"}},
        {"free": {"a\x00": 1}},
        {"free": {"a": [{"b": "\udfff"}]}},
        {"free": {"a": float("nan")}},
        {"texts": ["\x00"]},
        {"texts": "x"},
        {"texts": {"0": "x"}},
        {"byName": {"\x00": "v"}},
        {"byName": {"k": 1}},
        {"parts": [{"partName": "\x00"}]},
        {"parts": [{}]},
        {"parts": [None]},
    ],
    ids=repr,
)
def test_mistyped_or_unstorable_input_is_refused_both_ways(members: dict[str, Any]) -> None:
    document = json.dumps(members)
    with pytest.raises(ValidationError):
        Sample.model_validate_json(document)
    with pytest.raises(ValidationError):
        Sample.model_validate(json.loads(document))


def test_subclasses_and_generic_envelopes_are_as_strict() -> None:
    class Wider(Sample):
        more: str

    with pytest.raises(ValidationError):
        ObjectRequest[Wider].model_validate({"requestObject": {"more": "\x00"}})
    with pytest.raises(ValidationError):
        ObjectRequest[Wider].model_validate({"requestObject": {"more": "", "activationId": "\x00"}})


@pytest.mark.parametrize("document", ["{}", '{"requestObject":null}', "[]", "null", '"x"'])
def test_an_envelope_without_object_is_refused(document: str) -> None:
    with pytest.raises(ValidationError):
        ObjectRequest[Sample].model_validate_json(document)


def test_an_envelope_may_allow_null() -> None:
    assert ObjectRequest[Sample | None].model_validate_json('{"requestObject":null}').request_object is None


def test_response_envelopes() -> None:
    assert to_json(StatusResponse()) == b'{"status":"OK"}'
    assert to_json(ObjectResponse(response_object=Part(part_name="p"))) == (
        b'{"status":"OK","responseObject":{"partName":"p"}}'
    )
    assert to_json(ObjectResponse[list[Part]](response_object=[])) == b'{"status":"OK","responseObject":[]}'


def test_json_response_carries_the_model_or_the_bytes_as_they_are() -> None:
    response = JsonResponse(Part(part_name="é"), 201, {"X-More": "1"})
    assert response.body == '{"partName":"é"}'.encode()
    assert (response.status_code, response.headers["content-type"]) == (201, "application/json")
    assert response.headers["x-more"] == "1"
    assert JsonResponse(b"[1]").body == b"[1]"


@pytest.mark.parametrize(
    "text",
    [
        "2024-10-24T07:39:50.123Z",
        "2024-10-24T07:39:50.123+00:00",
        "2024-10-24T07:39:50.123+0000",
        "2024-10-24T07:39:50.123",
        "2024-10-24T09:39:50.123+02:00",
    ],
)
def test_timestamps_are_read_in_all_iso_forms(text: str) -> None:
    assert Sample(created=text).created == datetime(2024, 10, 24, 7, 39, 50, 123_000)


def test_error_texts_do_not_repeat_the_input() -> None:
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate({"count": "secret-value"})
    assert "secret-value" not in str(caught.value)


_json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec=None)), inner),
    max_leaves=8,
)


@given(_json_values)
def test_whatever_a_free_form_member_accepts_can_be_written_and_stored(value: Any) -> None:
    try:
        accepted = Sample.model_validate({"free": {"member": value}})
    except ValidationError:
        return
    written = to_json(accepted).decode()
    assert "\\u0000" not in written
    assert json.loads(written)["free"] == {"member": value}


@given(st.text(st.characters(codec=None)))
def test_text_passes_exactly_if_it_is_unicode_without_nul(value: str) -> None:
    storable = "\x00" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    try:
        Sample(activation_id=value)
    except ValidationError:
        assert not storable
    else:
        assert storable


@pytest.mark.parametrize("opening", ['{"x":', "["])
def test_free_form_members_are_bounded_in_depth(opening: str) -> None:
    class FreeForm(WireModel):
        member: Any

    closing = {"[": "]"}.get(opening, "}")

    def nested(levels: int) -> str:
        return '{"member":' + opening * levels + "1" + closing * levels + "}"

    assert FreeForm.model_validate_json(nested(MAX_NESTING)).model_dump_json() == nested(MAX_NESTING)
    with pytest.raises(ValidationError):
        FreeForm.model_validate_json(nested(MAX_NESTING + 1))


def test_using_a_model_again_adds_no_checks_to_it() -> None:
    class Inner(WireModel):
        text: str
        anything: Any

    before = str(Inner.__pydantic_core_schema__).count("function-after")
    for _ in range(3):
        ObjectRequest[Inner].model_rebuild(force=True)
        Inner.model_rebuild(force=True)
    assert str(Inner.__pydantic_core_schema__).count("function-after") == before
