"""A number is what its sender wrote, at every door and on every hop (D26)."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest
from e2e_customer import Customer

from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk import MobileToken

pytestmark = pytest.mark.e2e
PIN = "1234"
AMOUNTS = ["100.10", "100.00", "12345678901234567.89", "1E400", "-0", "7", "0.1e-3"]
FREE = '{"deep":[100.10,1E400,{"x":12345678901234567.89}],"whole":7,"text":"1.0"}'
"""As compact JSON."""


@pytest.fixture(scope="module")
def version() -> ProtocolVersion:
    """Numbers do not depend on it."""
    return ProtocolVersion.V3_3


def raw(customer: Customer) -> httpx2.AsyncClient:
    """The bank's client, for bodies that no JSON writer makes."""
    client: httpx2.AsyncClient = customer.bank._http
    return client


async def created(customer: Customer, amount: str, path: str = "/v2/operations") -> Any:
    user = f'"userId":"{customer.user_id}"'
    parameters = f'"parameters":{{"amount":{amount},"currency":"EUR","account":true}}'
    more = f',"silent":"true","additionalData":{FREE}' if path.startswith("/v2") else ""
    body = f'{{{user},"template":"e2e-payment",{parameters}{more}}}'
    answer = await raw(customer).post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("amount", AMOUNTS)
async def test_an_amount_is_shown_and_signed_with_its_own_characters(customer: Customer, amount: str) -> None:
    await customer.activate()
    operation = await created(customer, amount)
    assert operation["parameters"] == {"amount": amount, "currency": "EUR", "account": "true"}
    assert operation["data"] == f"A1*A{amount}EUR*Qtrue"
    phone = MobileToken(customer.phone)
    (pending,) = await phone.pending()
    assert (pending.data, pending.message) == (operation["data"], f"Pay {amount} EUR")
    await phone.approve(pending, PIN)
    assert await customer.status_of(pending.id) == "APPROVED"


async def test_the_first_version_of_the_api_reads_the_same(customer: Customer) -> None:
    operation = await created(customer, "12345678901234567.89", "/operations")
    assert operation["parameters"]["amount"] == "12345678901234567.89"


async def test_free_data_passes_all_hops_unchanged(customer: Customer) -> None:
    await customer.activate()
    operation = await created(customer, "1")
    path = f"/v2/operations/{operation['operationId']}"
    seen = (await raw(customer).get(path)).text
    assert FREE[1:-1] in seen
    body = (
        f'{{"requestObject":{{"id":"{operation["operationId"]}","data":{json.dumps(operation["data"])},'
        f'"mobileTokenData":{FREE}}}}}'
    )
    answer = await customer.phone.signed_call(
        "/api/auth/token/app/operation/authorize",
        uri_id="/operation/authorize",
        body=body.encode(),
        signature_type=SignatureType.POSSESSION_KNOWLEDGE,
        pin=PIN,
    )
    assert answer.status == 200, answer.body
    seen = (await raw(customer).get(path)).text
    assert f'"mobileTokenData":{FREE}' in seen


@pytest.mark.parametrize(
    "spoiled", ['{"id":"%s","id":"%s","data":%s}', '{"id":7,"data":%s,"was":["%s","%s"]}']
)
async def test_a_signed_body_that_reads_in_two_ways_approves_nothing(
    customer: Customer, spoiled: str
) -> None:
    await customer.activate()
    operation = await created(customer, "1")
    values = (operation["operationId"], operation["operationId"], json.dumps(operation["data"]))
    members = spoiled % (values if spoiled.startswith('{"id":"') else (values[2], *values[:2]))
    answer = await customer.phone.signed_call(
        "/api/auth/token/app/operation/authorize",
        uri_id="/operation/authorize",
        body=f'{{"requestObject":{members}}}'.encode(),
        signature_type=SignatureType.POSSESSION_KNOWLEDGE,
        pin=PIN,
    )
    assert answer.status == 401
    assert await customer.status_of(operation["operationId"]) == "PENDING"


async def test_an_id_may_be_a_number_inside_the_network(customer: Customer) -> None:
    number = "12345" + customer.user_id.encode().hex()[:20].translate(str.maketrans("abcdef", "123456"))
    answer = await raw(customer).post(
        "/v2/registrations",
        content=f'{{"userId":{number},"appId":"{customer.application_id}"}}',
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 200, answer.text
    (found,) = (await customer.bank.call("GET", "/v2/registrations", userId=number))["registrations"]
    assert found["registrationId"] == answer.json()["registrationId"]
