import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from powerauth_contracts.declared import DeclaredReader, made
from powerauth_contracts.wire import (
    INT64_MAX,
    MAX_ITEMS,
    MAX_NESTING,
    MAX_TEXT,
    CoreDateTime,
    EpochMillis,
    ExactText,
    JsonReader,
    LongText,
    ObjectRequest,
    ObjectResponse,
    PlainModel,
    RequestModel,
    StatusResponse,
    WireModel,
    json_bytes,
    response_reader,
    to_json,
)
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.json_text import Number, read_json, write_json
from servicekit.answers import JsonResponse


class Color(StrEnum):
    RED = "RED"


class Part(WireModel):
    part_name: str


class Sample(WireModel):
    activation_id: str = "a"
    count: int | None = None
    bounded: Annotated[int, Field(ge=0, le=10)] = 0
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
    exact: ExactText = ""


def _both_ways(document: str) -> list[Sample]:
    """From the text, and from what a route has read already."""
    return [Sample.model_validate_json(document), Sample.model_validate(read_json(document))]


GOOD = {
    "activationId": "é\U0001f600",
    "count": INT64_MAX,
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
        {"activationId": {"a": 1}},
        {"exact": 5},
        {"exact": True},
        {"activationId": None},
        {"activationId": ["a"]},
        {"activationId": "a\x00b"},
        {"activationId": "\ud800"},
        {"limited": "long"},
        {"limited": "\x00"},
        {"count": ""},
        {"count": " 5"},
        {"count": "+5"},
        {"count": "5.0"},
        {"count": "1_0"},
        {"count": "\N{ARABIC-INDIC DIGIT FIVE}"},
        {"count": "9" * 101},
        {"count": 5.0},
        {"count": 5.5},
        {"count": True},
        {"count": INT64_MAX + 1},
        {"count": -(2**63) - 1},
        {"bounded": 11},
        {"bounded": -1},
        {"flag": "True"},
        {"flag": ""},
        {"count": [5]},
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
        {"byName": {"k": [1]}},
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
        Sample.model_validate(members)


SCALARS = [
    ("activationId", "12345", "12345"),
    ("activationId", "100.10", "100.10"),
    ("activationId", "1E400", "1E400"),
    ("activationId", "-0", "-0"),
    ("activationId", "12345678901234567.89", "12345678901234567.89"),
    ("activationId", "9" * 100, "9" * 100),
    ("activationId", "true", "true"),
    ("activationId", "false", "false"),
    ("count", '"5"', 5),
    ("count", '"-5"', -5),
    ("count", "-0", 0),
    ("flag", '"true"', True),
    ("flag", '"false"', False),
    ("created", '"1735689600123"', datetime(2025, 1, 1, 0, 0, 0, 123_000)),
    ("texts", "[1.50, true]", ["1.50", "true"]),
    ("byName", '{"amount": 100.00}', {"amount": "100.00"}),
]


@pytest.mark.parametrize(("member", "written", "read"), SCALARS)
def test_scalars_are_read_by_their_characters(member: str, written: str, read: object) -> None:
    document = f'{{"{member}": {written}}}'
    assert Sample.model_validate_json(document).model_dump(by_alias=True)[member] == read


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ('{"count": 1, "count": 2}', 'member "count" stands twice'),
        ('{"free": {"a": {"b": 1, "b": 1}}}', 'member "b" stands twice'),
        ('{"unknown": {"b": 1, "b": 1}}', 'member "b" stands twice'),
        ('{"free": {"a": 1' + "0" * 100 + "}}", 'member "a": a number has more than 100 characters'),
        (' {"free": {"a": [0.' + "1" * 100 + "]}}", 'member "a": a number has more than 100 characters'),
        ("[1" + "0" * 100, "a number has more than 100 characters"),
        ('{"free": NaN}', "NaN is no number"),
        ("{", "not JSON"),
    ],
)
def test_unreadable_json_says_why(document: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Sample.model_validate_json(document)


FREE = '{"amount":100.10,"big":12345678901234567.89,"e":[1E400,-0,1e-7,"1.0"],"n":null}'


def test_numbers_of_free_form_members_keep_their_characters() -> None:
    sample = Sample.model_validate_json(f'{{"free":{FREE}}}')
    assert f'"free":{FREE},'.encode() in to_json(sample)
    assert json_bytes({"free": sample.free}) == f'{{"free":{FREE}}}'.encode()
    assert write_json(sample.free) == FREE.encode()
    assert read_json(write_json(sample.free)) == sample.free


def test_no_text_passes_as_a_number() -> None:
    assert write_json([Number("1.0"), "\x001.0"]) == b'[1.0,"\\u00001.0"]'


@pytest.mark.parametrize("text", ["1e401", "1E-401", "1e99999999999999999999", "1.0e+0401"])
def test_an_exponent_is_judged_before_a_number_is_made(text: str) -> None:
    with pytest.raises(EncodingError):
        Number(text).decimal()
    assert Number("12.50e-400").decimal() == Decimal("12.50e-400")


def test_a_binary_float_cannot_be_declared() -> None:
    class Money(WireModel):
        amount: float

    with pytest.raises(TypeError):
        Money.model_rebuild()


def test_every_member_of_a_request_is_bounded() -> None:
    class Request(RequestModel):
        text: str = ""
        items: list[str] = Field(default_factory=list)
        short: Annotated[list[str], Field(max_length=1)] = Field(default_factory=list)
        by_name: dict[str, Any] = Field(default_factory=dict)
        body: LongText = ""

    Request(text="x" * MAX_TEXT, items=["x"] * MAX_ITEMS, body="x" * (MAX_TEXT + 1))
    for members in (
        {"text": "x" * (MAX_TEXT + 1)},
        {"items": ["x"] * (MAX_ITEMS + 1)},
        {"items": ["x" * (MAX_TEXT + 1)]},
        {"short": ["x", "x"]},
        {"byName": {str(number): 1 for number in range(MAX_ITEMS + 1)}},
        {"byName": {"x" * (MAX_TEXT + 1): 1}},
    ):
        with pytest.raises(ValidationError):
            Request.model_validate(members)


def test_null_for_a_member_of_a_request_that_has_a_default_is_the_default() -> None:
    class Inner(RequestModel):
        silent: bool = False
        size: int = Field(default=100, ge=1)

    class Request(RequestModel):
        language: Annotated[str, Field(pattern="^[a-z]{2}$")] = "en"
        kind: Literal["A", "B"] = "B"
        items: list[str] = Field(default_factory=list)
        inner: Inner
        nothing: str | None = "unless it says so"
        needed: int

    document = '{"language":null,"kind":null,"items":null,"nothing":null,"needed":%s,"inner":%s}'
    inner = '{"silent":null,"size":null}'
    read = Request.model_validate_json(document % ("7", inner))
    assert (read.language, read.kind, read.items, read.nothing) == ("en", "B", [], None)
    assert read.inner == Inner()
    for refused in (document % ("null", inner), document % ("7", '{"size":0}'), document % ("7", "null")):
        with pytest.raises(ValidationError):
            Request.model_validate_json(refused)


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

    Inner.model_rebuild()
    before = str(Inner.__pydantic_core_schema__).count("function-before")
    for _ in range(3):
        ObjectRequest[Inner].model_rebuild(force=True)
        Inner.model_rebuild(force=True)
    assert before == 2
    assert str(Inner.__pydantic_core_schema__).count("function-before") == before


class PlainItem(PlainModel):
    name: str
    count: int = 0
    sure: bool = False


def test_plain_answers_are_read_as_they_stand() -> None:
    read = response_reader(PlainItem)
    assert read(b'{"status":"OK","responseObject":{"name":"a","new":1.5}}') == PlainItem(name="a")
    for wrong in (
        '{"name":1}',
        '{"name":"a","count":"1"}',
        '{"name":"a","sure":1}',
        '{"name":"\\ud800"}',
        "{}",
    ):
        with pytest.raises(ValidationError):
            read(f'{{"status":"OK","responseObject":{wrong}}}'.encode())


def test_a_plain_answer_has_no_room_for_a_fraction() -> None:
    class Free(PlainModel):
        member: list[Any]

    with pytest.raises(TypeError, match="Free"):
        Free.model_rebuild()


class FreeForm(WireModel):
    extra: Any


DECLARED = b"""{"status":"OK","responseObject":{"activationId":"\\u017e","count":7,"flag":true,"color":"RED",
"created":"2024-10-24T07:39:50.123+00:00","expires":1729755590123,"extra":[12.50,{"a":1e3}]}}"""


@pytest.mark.parametrize("reader", [JsonReader, DeclaredReader])
def test_what_our_services_write_is_read_alike_as_declared(reader: type[JsonReader[Any]]) -> None:
    read = reader(ObjectResponse[Sample])
    sample = read(DECLARED).response_object
    assert (sample.activation_id, sample.count, sample.flag, sample.color) == ("ž", 7, True, Color.RED)
    assert (sample.created, sample.expires) == (datetime(2024, 10, 24, 7, 39, 50, 123000),) * 2
    again = made(Sample, **{name: getattr(sample, name) for name in Sample.model_fields})
    assert (again, to_json(again)) == (sample, to_json(sample))


@pytest.mark.parametrize(
    "written",
    ['{"extra":[-0,7]}', '{"extra":{"a":[1.50]}}', '{"extra":"1.5"}', '{"extra":-0}', '{"extra":[0,false]}'],
)
def test_as_declared_numbers_keep_their_characters(written: str) -> None:
    read = DeclaredReader(FreeForm)
    assert to_json(read(written.encode())) == written.encode()


@pytest.mark.parametrize(
    "written", [b'\xef\xbb\xbf{"extra":1}', b'{"extra":' + b"[" * 240 + b"]" * 240 + b"}"]
)
def test_as_declared_no_less_is_read_than_at_every_door(written: bytes) -> None:
    assert DeclaredReader(FreeForm)(written).extra == read_json(written)["extra"]


def test_values_that_are_there_are_made_into_a_model_whatever_numbers_they_hold() -> None:
    assert made(FreeForm, extra={"score": 0.5}).extra == {"score": 0.5}


@pytest.mark.parametrize(
    ("read", "body"),
    [
        (JsonReader(Sample), '{"count":"s3cret"}'),
        (JsonReader(list[Sample]), '[{"count":"s3cret"}]'),
        (DeclaredReader(Sample), '{"count":"s3cret"}'),
        (DeclaredReader(ObjectResponse[Sample]), '{"status":"OK","responseObject":{"count":"s3cret"}}'),
        (response_reader(PlainItem), '{"status":"OK","responseObject":{"name":"a","count":"s3cret"}}'),
        (lambda body: made(Sample, **json.loads(body)), '{"count":"s3cret"}'),
    ],
)
def test_no_error_repeats_a_value(read: Callable[[bytes], Any], body: str) -> None:
    with pytest.raises(ValidationError) as raised:
        read(body.encode())
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("members", [{"activationId": 7}, {"count": "7"}, {"flag": "true"}, {"bounded": 11}])
def test_as_declared_no_other_form_is_taken(members: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DeclaredReader(Sample)(json.dumps(members).encode())
    with pytest.raises(ValidationError):
        made(Sample, **members)
