"""What is written in a request is what is stored, answered and told to callbacks (D26)."""

from __future__ import annotations

import json

import pytest
from core_test_api import Api

FREE = '{"amount":100.10,"big":12345678901234567.89,"list":[1E400,-0,7,"1.0"]}'
"""As compact JSON."""


async def send(api: Api, path: str, members: str) -> str:
    answer = await api.send(path, f'{{"requestObject":{members}}}'.encode())
    assert answer.status_code == 200, answer.text
    return str(answer.text)


@pytest.fixture
async def application(api: Api) -> str:
    await api.ok("application/create", applicationId="bank")
    return "bank"


async def test_additional_data_of_an_activation(api: Api, application: str) -> None:
    members = f'{{"userId":12345,"applicationId":"{application}","flags":[7,true],"additionalData":{FREE}}}'
    made = json.loads(await send(api, "activation/init", members))["responseObject"]
    assert made["userId"] == "12345"
    for path, asked in (
        ("activation/status", {"activationId": made["activationId"]}),
        ("activation/list", {"userId": "12345"}),
        ("activation/lookup", {"userIds": [12345]}),
    ):
        shown = await send(api, path, json.dumps(asked))
        assert f'"additionalData":{FREE}' in shown
        assert '"activationFlags":["7","true"]' in shown


async def test_additional_data_and_parameters_of_an_operation(api: Api, application: str) -> None:
    await api.ok(
        "operation/template/create",
        templateName="payment",
        operationType="payment",
        dataTemplate="A1*A${amount}",
        signatureType=["POSSESSION_KNOWLEDGE"],
        maxFailureCount="5",
        expiration="300",
    )
    members = (
        f'{{"applications":["{application}"],"templateName":"payment","proximityCheckEnabled":"false",'
        f'"parameters":{{"amount":12345678901234567.89,"vip":true}},"additionalData":{FREE}}}'
    )
    made = await send(api, "operation/create", members)
    operation = json.loads(made)["responseObject"]
    assert operation["data"] == "A1*A12345678901234567.89"
    assert operation["parameters"] == {"amount": "12345678901234567.89", "vip": "true"}
    shown = await send(api, "operation/detail", json.dumps({"operationId": operation["id"]}))
    assert FREE[1:-1] in made
    assert FREE[1:-1] in shown


async def test_values_of_a_configuration(api: Api, application: str) -> None:
    provider = (
        '{"providerId":"p","clientId":"c","clientSecret":"s","issuerUri":"https://id.example",'
        '"redirectUri":"app://x","ours":100.10}'
    )
    members = f'{{"applicationId":"{application}","key":"oauth2_providers","values":[{provider}]}}'
    assert '"ours":100.10' in await send(api, "application/config/create", members)
    named = json.dumps({"applicationId": application})
    assert '"ours":100.10' in await send(api, "application/config/detail", named)


@pytest.mark.parametrize(
    ("member", "reason"),
    [
        ('"pukCount":1.5', "requestObject.pukCount - must be an integer"),
        ('"pukCount":"1e1"', "requestObject.pukCount - must be an integer"),
        ('"pukCount":""', "requestObject.pukCount - must be an integer"),
        ('"pukCount":true', "requestObject.pukCount - must be an integer"),
        ('"userId":["u"]', "requestObject.userId - must be a string"),
        ('"userId":{}', "requestObject.userId - must be a string"),
        ('"applicationIds":"bank"', "requestObject.applicationIds - must be an array"),
    ],
)
async def test_a_refused_member_is_named(api: Api, application: str, member: str, reason: str) -> None:
    sound = {'"applicationId"': f'"{application}"', '"userId"': '"u"', '"pukCount"': "1"}
    name, _, value = member.partition(":")
    body = ",".join(f"{each}:{given}" for each, given in (sound | {name: value}).items())
    answer = await api.send("recovery/create", f'{{"requestObject":{{{body}}}}}'.encode())
    refusal = answer.json()["responseObject"]
    assert (refusal["code"], refusal["message"]) == (
        "ERROR_HTTP_REQUEST",
        f"The request cannot be read: {reason}",
    )


@pytest.mark.parametrize("many", [1_001, 100_000])
async def test_a_list_is_bounded_before_anything_is_asked(api: Api, many: int) -> None:
    _, body = await api.post("activation/lookup", userIds=["u"], applicationIds=["a"] * many)
    assert body["responseObject"]["code"] == "ERR0024"
    assert body["responseObject"]["message"] == "requestObject.applicationIds - must have at most 1000 items"
