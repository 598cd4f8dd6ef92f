"""What is refused by Google ends a registration only if it is the token that was refused."""

from __future__ import annotations

import json
from typing import Any, cast
from uuid import uuid4

import pytest

from powerauth_push.providers.fcm import FcmClient
from powerauth_push.providers.http2.exchange import Answer, NoAnswer, Request, Unsent
from powerauth_push.providers.http2.sender import Http2Sender
from powerauth_push.providers.messages import Content, Device, Message
from powerauth_push.providers.network import Origin
from powerauth_push.providers.outcomes import Outcome, Verdict, failed
from powerauth_push.providers.tokens import AccessToken, RenewedToken

ERROR = {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": "INVALID_ARGUMENT"}
REFUSED = Answer(400, [], json.dumps({"error": {"details": [ERROR]}}).encode())
TAKEN = Answer(200, [], b'{"name":"projects/p/messages/1"}')


class Google:
    """Gives the answers that it was made with."""

    origin = Origin("localhost", 443)

    def __init__(self, *answers: Answer | NoAnswer) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    async def send(self, request: Request) -> Answer:
        self.asked.append(json.loads(request.body))
        answer = self.answers.pop(0)
        if isinstance(answer, NoAnswer):
            raise answer
        return answer


async def sent(google: Google, **extras: Any) -> Outcome:
    async def fetch() -> AccessToken:
        return AccessToken.lasting("t", 3600)

    client = FcmClient(cast(Http2Sender, google), "/", RenewedToken(fetch), data_only=False)
    return await client.send(Message(Content(title="Hello", extras=extras)), Device("T"), uuid4())


@pytest.mark.parametrize(
    ("second", "verdict"),
    [(REFUSED, Verdict.WRONG_TOKEN), (TAKEN, Verdict.FAILED), (Unsent("lost"), Verdict.FAILED)],
)
async def test_a_token_is_wrong_if_it_is_refused_without_the_message_too(
    second: Answer | NoAnswer, verdict: Verdict
) -> None:
    google = Google(REFUSED, second)
    assert (await sent(google)).verdict is verdict
    question = {"token": "T", "data": {"question": "1"}}
    assert google.asked[1] == {"validate_only": True, "message": question}


@pytest.mark.parametrize("name", ["from", "message_type", "google.x", "gcm_x"])
async def test_what_google_would_refuse_is_not_sent(name: str) -> None:
    assert await sent(Google(), **{name: 1}) == failed("extras with a reserved name")
    assert await sent(Google(), x="y" * 4096) == failed("PayloadTooLarge")
