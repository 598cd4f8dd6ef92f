"""``operation/template/*`` and ``operation/text/*`` (spec/core-api.md §20; cloud-api §11.7; D2)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from core_test_api import Api, StartCore
from core_test_rows import found
from sqlalchemy import text

from powerauth_contracts.dmz.models import TextsRequest
from powerauth_contracts.enums import SignatureType
from powerauth_core import events
from powerauth_core.container import Core
from powerauth_core.dmz import applications
from powerauth_core.kernel.errors import TemplateExists
from powerauth_core.templates import service
from powerauth_core.templates.cache import Template
from servicekit.bus import Event

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

TEMPLATE = {
    "templateName": "payment",
    "operationType": "authorize_payment",
    "dataTemplate": "A1*A${AMOUNT}${CURRENCY}",
    "signatureType": ["POSSESSION_BIOMETRY", "POSSESSION_KNOWLEDGE"],
    "maxFailureCount": 5,
    "expiration": 300,
    "riskFlags": "X",
    "proximityCheckEnabled": True,
    "numberMatching": {"digits": 3, "choices": 3},
    "onUnexpectedOperation": "FLAG",
    "userLimits": {"pending": 3, "perMinute": None},
    "issueTokens": True,
}
TEXT = {
    "placeholder": "login",
    "language": "en",
    "title": "Log in ${WHO}",
    "message": "Confirm “login”",
    "attributes": [{"id": "a", "type": "NOTE", "text": "Note", "params": {"note": "N"}}],
    "ui": '{"flipButtons": ${FLIP}}',
    "resultTexts": {"success": "Hotovo, čau"},
}


async def test_a_template_is_made_shown_changed_and_removed(api: Api) -> None:
    created = await api.ok("operation/template/create", **TEMPLATE)
    assert created == TEMPLATE | {"id": created["id"]}
    assert list(created) == [
        *("id", "templateName", "operationType", "dataTemplate", "signatureType"),
        *("maxFailureCount", "expiration", "riskFlags", "proximityCheckEnabled", "numberMatching"),
        *("onUnexpectedOperation", "userLimits", "issueTokens"),
    ]
    assert await api.ok("operation/template/detail", id=created["id"]) == created
    changed = {
        "id": created["id"],
        "operationType": "login",
        "dataTemplate": "A2",
        "signatureType": ["POSSESSION"],
        "maxFailureCount": 1,
        "expiration": 60,
    }
    updated = await api.ok("operation/template/update", **changed, templateName="renamed")
    # Of a client that knows nothing of it: what protects from fatigue stays.
    kept = {name: TEMPLATE[name] for name in ("numberMatching", "onUnexpectedOperation", "userLimits")}
    expected = changed | kept | {"templateName": "payment", "proximityCheckEnabled": False, "riskFlags": None}
    expected["issueTokens"] = False
    assert updated == expected
    assert await api.ok("operation/template/detail", id=created["id"]) == expected
    for name in kept:
        changed[name] = expected[name] = None
        assert await api.ok("operation/template/update", **changed) == expected
    status, body = await api.post("operation/template/remove", id=created["id"])
    assert (status, body) == (200, {"status": "OK"})
    for call, request in [
        ("operation/template/detail", {"id": created["id"]}),
        ("operation/template/remove", {"id": created["id"]}),
        ("operation/template/update", changed),
    ]:
        assert await api.error(call, **request) == "ERR0033"


async def test_templates_are_listed_in_their_order_whatever_the_body(api: Api) -> None:
    names = ["b", "a", "c"]
    for name in names:
        await api.ok("operation/template/create", **(TEMPLATE | {"templateName": name}))
    for body in (b"", b"{}", b'{"requestObject":null}', b'{"requestObject":{}}'):
        listed = json.loads((await api.send("operation/template/list", body)).content)["responseObject"]
        assert sorted(template["templateName"] for template in listed) == sorted(names)
        assert [template["id"] for template in listed] == sorted(template["id"] for template in listed)


async def test_a_template_name_is_taken_once(api: Api, core: Core) -> None:
    await api.ok("operation/template/create", **TEMPLATE)
    assert await api.error("operation/template/create", **TEMPLATE) == "ERR0039"
    await api.ok("operation/template/create", **(TEMPLATE | {"templateName": "Payment"}))
    content = service.Content(
        operation_type="login",
        data_template="A2",
        signature_types=[SignatureType.POSSESSION],
        max_failure_count=1,
        expiration=60,
        risk_flags=None,
        with_proximity=False,
        issue_tokens=False,
        protection={},
    )
    made = await asyncio.gather(
        *[service.create(core, "raced", content) for _ in range(8)], return_exceptions=True
    )
    assert sum(isinstance(outcome, TemplateExists) for outcome in made) == 7


async def test_template_changes_are_audited_and_announced(api: Api, core: Core) -> None:
    await core.relay.stop()
    created = await api.ok("operation/template/create", **TEMPLATE)
    await api.ok("operation/template/update", **(TEMPLATE | {"id": created["id"]}))
    await api.ok("operation/template/remove", id=created["id"])
    statement = text("SELECT message FROM audit_log WHERE audit_type = 'template' ORDER BY timestamp_created")
    messages = await found(core, statement)
    assert messages == [f"Operation template {done}" for done in ("created", "updated", "removed")]
    announced = await found(core, text("SELECT data FROM outbox_event WHERE type = 'template.changed'"))
    assert announced == ['{"templateName":"payment"}'] * 3


async def test_what_a_process_knows_of_templates_is_as_new_as_their_last_change(
    api: Api, core: Core, start_core: StartCore
) -> None:
    """Here with the commit; elsewhere as soon as the event arrives."""

    async def known(to: Core) -> Template | None:
        return await to.template_cache.of_name(to.database, "payment")

    # Its own event, which comes later, would make it forget once more.
    await core.relay.stop()
    assert await known(core) is None
    created = await api.ok("operation/template/create", **TEMPLATE)
    first = await known(core)
    assert first is await known(core)
    for operation_type in ("second", "third"):
        await api.ok(
            "operation/template/update",
            **(TEMPLATE | {"id": created["id"], "operationType": operation_type}),
        )
        found = await known(core)
        assert found is not None
        assert found.operation_type == operation_type
    assert await core.relay.run_once() == 3
    other = await start_core()
    before = await known(other)
    assert before is await known(other)
    await other.bus.publish(Event.create(events.TEMPLATE_CHANGED, events.SOURCE, "payment", {}))
    # Everything published is heard, and it hears again.
    await other.bus.drain()
    await other.bus.start()
    assert (await known(other), await known(other) is before) == (before, False)
    await api.ok("operation/template/remove", id=created["id"])
    assert await known(core) is None


async def test_a_text_is_made_replaced_and_removed(api: Api) -> None:
    made = await api.ok("operation/text/update", **TEXT)
    assert made == {
        "placeholder": "login",
        "language": "en",
        "title": "Log in ${WHO}",
        "message": "Confirm “login”",
        "attributes": '[{"id":"a","type":"NOTE","text":"Note","params":{"note":"N"}}]',
        "ui": '{"flipButtons": ${FLIP}}',
        "resultTexts": '{"success":"Hotovo, čau"}',
    }
    assert await api.ok("operation/text/list") == {"texts": [made]}
    bare = {"placeholder": "login", "language": "en", "title": "T", "message": "M"}
    replaced = await api.ok("operation/text/update", **bare)
    assert replaced == bare | {"attributes": None, "ui": None, "resultTexts": None}
    assert await api.ok("operation/text/list") == {"texts": [replaced]}
    key = {"placeholder": "login", "language": "en"}
    assert await api.ok("operation/text/remove", **key) == {"removed": True}
    assert await api.ok("operation/text/remove", **key) == {"removed": False}
    assert await api.ok("operation/text/list") == {"texts": []}


REDIRECT = {"type": "MERCHANT_REDIRECT", "payload": {"countdown": "5"}}
WRONG_SHAPES: list[tuple[str, Any, str]] = [
    ("attributes", ["foo"], ".0"),
    ("attributes", [{"id": "a"}], ".0.type"),
    ("attributes", [{"type": "BOX"}], ".0.type"),
    ("attributes", [{"type": "HEADING"}, {"type": "NOTE", "params": {"note": 1}}], ".1.params.note"),
    ("attributes", [{"type": "HEADING", "text": 1}], ".0.text"),
    ("attributes", [{"type": "HEADING", "params": []}], ".0.params"),
    ("attributes", [{"type": "AMOUNT", "params": {"amount": "a"}}], ".0"),
    ("attributes", {"type": "NOTE", "params": {"note": "n"}}, ""),
    ("ui", {"flipButtons": "yes"}, ".flipButtons"),
    ("ui", {"preApprovalScreen": {"heading": "h"}}, ".preApprovalScreen.type"),
    ("ui", {"preApprovalScreen": {"type": "BIG"}}, ".preApprovalScreen.type"),
    ("ui", {"preApprovalScreen": {"type": "INFO", "items": [1]}}, ".preApprovalScreen.items.0"),
    ("ui", {"postApprovalScreen": REDIRECT}, ".postApprovalScreen.payload.countdown"),
    ("ui", ["x"], ""),
    ("resultTexts", {"success": 1}, ".success"),
    ("resultTexts", "text", ""),
]


async def test_wrong_shape_is_refused_by_its_path(api: Api) -> None:
    for part, value, member in WRONG_SHAPES:
        for given in (value, value if isinstance(value, str) else json.dumps(value)):
            status, body = await api.post("operation/text/update", **(TEXT | {part: given}))
            assert (status, body["responseObject"]["code"]) == (400, "ERR0024"), (part, given)
            assert body["responseObject"]["message"].startswith(f"requestObject.{part}{member} - must ")
    assert await api.ok("operation/text/list") == {"texts": []}


async def test_right_shape_is_kept_to_the_letter(api: Api) -> None:
    for part, value in (
        ("ui", '{"postApprovalScreen":{"type":"MERCHANT_REDIRECT","payload":{"countdown":${seconds}}}}'),
        ("ui", '{"preApprovalScreen":{"type":"${screen}","more":1},"templates":{}}'),
        ("attributes", '[{"type":"ALERT","id":null,"text":"Beware","own":{}}]'),
        ("attributes", "[]"),
        ("resultTexts", '{"success":"Paid ${amount}","other":1}'),
    ):
        assert (await api.ok("operation/text/update", **(TEXT | {part: value})))[part] == value


async def test_texts_are_listed_by_placeholder_and_language(api: Api) -> None:
    for placeholder, language in [("pay", "en"), ("login", "en"), ("login", "cs"), ("pay", "de")]:
        await api.ok("operation/text/update", **(TEXT | {"placeholder": placeholder, "language": language}))

    async def listed(**wanted: str) -> list[tuple[str, str]]:
        found = (await api.ok("operation/text/list", **wanted))["texts"]
        return [(row["placeholder"], row["language"]) for row in found]

    assert await listed() == [("login", "cs"), ("login", "en"), ("pay", "de"), ("pay", "en")]
    assert await listed(placeholder="login") == [("login", "cs"), ("login", "en")]
    assert await listed(language="en") == [("login", "en"), ("pay", "en")]
    assert await listed(placeholder="pay", language="de") == [("pay", "de")]
    assert await listed(placeholder="none") == []


async def test_every_change_of_a_text_is_announced(api: Api, core: Core) -> None:
    await core.relay.stop()
    await api.ok("operation/text/update", **TEXT)
    await api.ok("operation/text/update", **(TEXT | {"title": "New"}))
    await api.ok("operation/text/remove", placeholder="login", language="en")
    await api.ok("operation/text/remove", placeholder="login", language="en")
    statement = text("SELECT type, data FROM outbox_event WHERE type LIKE 'operation%' ORDER BY seq")
    async with core.database.read() as session:
        told = [(kind, json.loads(data)) for kind, data in await session.execute(statement)]
    assert told == [("operation_template.changed", {"placeholder": "login", "language": "en"})] * 3


async def test_parallel_updates_of_a_text_leave_one_row(api: Api) -> None:
    titles = [f"T{number}" for number in range(8)]
    await asyncio.gather(*[api.ok("operation/text/update", **(TEXT | {"title": title})) for title in titles])
    (row,) = (await api.ok("operation/text/list"))["texts"]
    assert row["title"] in titles


async def test_the_door_revalidates_by_etag(api: Api, core: Core) -> None:
    async def read(etag: str | None = None, operation_type: str = "login") -> Any:
        return await applications.texts(core, TextsRequest(operation_type=operation_type, etag=etag))

    empty = await read()
    assert (empty.rows, empty.not_modified) == ([], False)
    assert (await read(empty.etag)).not_modified
    await api.ok("operation/text/update", **(TEXT | {"language": "en"}))
    await api.ok("operation/text/update", **(TEXT | {"language": "cs"}))
    full = await read(empty.etag)
    assert [row.language for row in full.rows] == ["cs", "en"]
    assert (await read(full.etag)).model_dump() == {"etag": full.etag, "notModified": True, "rows": []}
    await api.ok("operation/text/update", **(TEXT | {"placeholder": "other"}))
    assert (await read(full.etag)).not_modified
    await api.ok("operation/text/update", **(TEXT | {"ui": None}))
    changed = await read(full.etag)
    assert not changed.not_modified
    assert changed.etag not in (full.etag, empty.etag)
