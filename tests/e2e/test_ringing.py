"""What a bank does rings on its customer's phone and on no other, in both deployments."""

from __future__ import annotations

import secrets
from typing import Any

import httpx2
import pytest
from e2e_customer import PARAMETERS, Customer

from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk import Inbox, register_for_push

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.parametrize("version", [ProtocolVersion.V3_3], indirect=True),
]

TEXT = {"title": "Platba ${amount}", "summary": "Schvalte platbu na účet ${account}"}
INBOX = {"subject": "New terms", "summary": "Please read them", "body": "<p>From Monday on.</p>"}


class Ringing:
    """A phone that is registered for push."""

    def __init__(self, customer: Customer) -> None:
        self._customer = customer
        self._token = secrets.token_hex(32)
        self._heard = 0

    async def register(self) -> None:
        """Activate the phone and register it."""
        await self._customer.activate()
        await register_for_push(self._customer.phone, "apns", self._token, "production")

    async def next(self) -> dict[str, Any]:
        """The one message that it gets next."""
        async with httpx2.AsyncClient(timeout=60) as http:
            url = f"{self._customer.deployment.phones}/{self._token}?after={self._heard}"
            answer = (await http.get(url)).json()
        self._heard = answer["next"]
        (shown,) = answer["messages"]
        found: dict[str, Any] = shown
        return found


async def test_a_new_operation_rings_with_its_localised_text(customer: Customer) -> None:
    await customer.admin.call("PUT", "/admin/localizations/e2e-payment/cs", TEXT)
    ringing = Ringing(customer)
    await ringing.register()
    quiet = await customer.operation(silent=True)
    assert quiet["pushSent"] is False
    made = await customer.operation(silent=False, language="cs")
    assert made["pushSent"] is True
    shown = await ringing.next()
    account = PARAMETERS["account"]
    assert (shown["title"], shown["body"]) == ("Platba 10.5", f"Schvalte platbu na účet {account}")
    assert (shown["silent"], shown["sound"]) == (False, "default")
    assert shown["extras"] == {
        "messageType": "mtoken.operationInit",
        "operationId": made["operationId"],
        "operationName": "e2e_payment",
    }


async def test_messages_of_the_bank_ring_and_those_of_the_inbox_can_be_read(customer: Customer) -> None:
    ringing = Ringing(customer)
    await ringing.register()
    told = {"userId": customer.user_id, "appId": customer.application_id}
    message = {**told, "title": "Hello", "message": "1000 EUR came in", "extras": {"a": "b"}}
    await customer.bank.call("POST", "/v2/messages/send", message)
    shown = await ringing.next()
    assert (shown["title"], shown["body"], shown["extras"]) == ("Hello", "1000 EUR came in", {"a": "b"})
    made = await customer.bank.call(
        "POST", "/v2/inbox/messages", {"userId": customer.user_id, "type": "html", **INBOX}
    )
    shown = await ringing.next()
    assert (shown["title"], shown["body"]) == (INBOX["subject"], INBOX["summary"])
    assert shown["extras"] == {"messageType": "mtoken.inboxMessage.new", "inboxId": made["id"]}
    inbox = Inbox(customer.phone)
    assert await inbox.count_unread() == 1
    assert (await inbox.message(made["id"])).body == INBOX["body"]
    await inbox.mark_read(made["id"])
    seen = await customer.bank.call("GET", f"/v2/inbox/messages/{made['id']}")
    assert (seen["read"], seen["userId"]) == (True, customer.user_id)
