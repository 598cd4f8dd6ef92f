"""What our services read from each other (spec/call-bundles.md)."""

from __future__ import annotations

from wire_formats import WireFormat

from servicekit.bundles import (
    AnswerReader,
    BundledCall,
    MalformedBundle,
    read_calls,
    refuse,
    write_answer,
    write_calls,
)

BODY = b'{"requestObject":{"operationId":"a b"}}'


def service_formats() -> list[WireFormat]:
    """All of them."""
    calls = [
        BundledCall(0, "/rest/v3/operation/detail", None, BODY),
        BundledCall(1, "/dmz/v1/signed/verify", "a-correlation-id", b"{}"),
    ]
    answers = [write_answer(0, 200, None, BODY), write_answer(1, 503, "7", b"{}"), refuse(2)]
    return [
        WireFormat("bundle of calls", [write_calls(calls)], read_calls, (MalformedBundle,)),
        WireFormat(
            "bundle of answers",
            [b"".join(answers), *answers],
            lambda data: AnswerReader().feed(data),
            (MalformedBundle,),
        ),
    ]
