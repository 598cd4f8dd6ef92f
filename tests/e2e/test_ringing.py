"""What a bank does rings on its customer's phone and on no other, in both deployments."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

import httpx2
import pytest
from e2e_customer import PARAMETERS, PIN, Customer

from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk import Inbox, Message, register_for_push

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


async def test_the_inbox_is_as_the_tests_of_the_mobile_token_sdks_want_it(customer: Customer) -> None:
    """What those of wultra/mtoken-sdk-ios, -android and -js do and compare (spec/enrollment-api.md §14)."""
    registration = await customer.register(flags=[])
    await customer.phone.activate_with_code(registration["activationQrCodeData"], PIN)
    path = f"/v2/registrations/{registration['registrationId']}"
    assert await customer.bank.call("POST", f"{path}/commit", {"externalUserId": "test"}) == {"status": "OK"}
    inbox = Inbox(customer.phone)
    assert await inbox.count_unread() == 0
    made = [await _put_as_the_sdks(customer, number) for number in range(11)]
    assert await inbox.count_unread() == 11
    pages = [await inbox.messages(page=page, size=5) for page in range(3)]
    assert [len(page) for page in pages] == [5, 5, 1], "a page that is not full is the last"
    received = {message.id: message for page in pages for message in page}
    for wanted in made:
        detail = await inbox.message(wanted["id"])
        assert (
            _compared(received[wanted["id"]])
            == _compared(detail)
            == (
                *(wanted[name] for name in ("id", "type", "subject", "summary", "read")),
                wanted["timestamp"] // 1000,
            )
        )
        assert detail.body == wanted["body"]
    read = pages[0][0].id
    await inbox.mark_read(read)
    assert (await inbox.message(read)).read
    assert {one.id for one in await inbox.messages(only_unread=True)} == set(received) - {read}
    assert {one.id for one in await inbox.messages() if one.read} == {read}
    await inbox.mark_all_read()
    assert await inbox.messages(size=100, only_unread=True) == []
    assert len(await inbox.messages(size=100)) == 11
    assert await customer.bank.call("DELETE", path) == {"status": "OK"}


def _compared(message: Message) -> tuple[object, ...]:
    created = datetime.strptime(message.created, "%Y-%m-%dT%H:%M:%S%z")
    return message.id, message.kind, message.subject, message.summary, message.read, int(created.timestamp())


async def _put_as_the_sdks(customer: Customer, number: int) -> dict[str, Any]:
    text = f"This is body for message {number}"
    texts = {"subject": f"Message #{number}", "summary": text, "body": text}
    message = {"userId": customer.user_id, **texts, "type": ("text", "html")[number % 2], "silent": True}
    made: dict[str, Any] = await customer.bank.call("POST", "/v2/inbox/messages", message)
    return made
