"""What a phone asks for is one trace, over every hop, at a collector that takes OTLP."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import httpx2
import pytest
from e2e_collector import Collector, Seen
from e2e_stacks import NO_LIMITS, REACHES_THIS_MACHINE, postgres_url

from powerauth_cli.bench.operations import TEMPLATE, ensure_template
from powerauth_cli.bench.provision import Application, CoreApi, create_application
from powerauth_cli.demo.bank import Bank
from powerauth_cli.fakes.equipment import Equipment
from powerauth_cli.fakes.stack import fake_providers
from powerauth_cli.push_api import PushApi
from powerauth_cli.separate import SeparateProcesses
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk import AppConfig, Device, MobileToken, register_for_push
from servicekit.serving import BackgroundServer
from servicekit.testing import PATIENCE_SECONDS

pytestmark = pytest.mark.e2e

SERVICES = ("core", "push", "enrollment", "cloud")
PIN = "1234"
OURS = "4bf92f3577b34da6a3ce929d0e0e4736"
BANK = f"00-{OURS}-00f067aa0ba902b7-01"
AT_THE_CLOUD = "0af7651916cd43dd8448eb211c80319c"
CORE, PUSH, ENROLLMENT, CLOUD = "powerauth-core", "powerauth-push", "enrollment", "powerauth-cloud"


@dataclass
class World:
    """Processes that send their traces, and a customer with a phone."""

    collector: Collector
    stack: SeparateProcesses
    core: CoreApi
    application: Application
    user_id: str
    phone: Device

    async def created(self) -> str:
        """An operation that the bank makes in a trace of its own; its id."""
        asked = {
            "userId": self.user_id,
            "templateName": TEMPLATE["templateName"],
            "applications": [self.application.app.application_id],
            "parameters": {"amount": "10", "currency": "EUR"},
        }
        async with httpx2.AsyncClient(auth=self.core.auth) as http:
            answer = await http.post(
                f"{self.core.base_url}/rest/v3/operation/create",
                json={"requestObject": asked},
                headers={"traceparent": BANK},
            )
        return str(answer.json()["responseObject"]["id"])


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[World]:
    collector = Collector()
    async with BackgroundServer(collector) as listening, fake_providers() as fakes:
        settings = {
            **NO_LIMITS,
            **REACHES_THIS_MACHINE,
            **fakes.environment(fakes.authority.ca_file),
            **{f"{name.upper()}_TRACING_ENDPOINT": listening.url for name in SERVICES},
            **{f"{name.upper()}_TRACING_SAMPLE_RATIO": "1" for name in SERVICES},
            "CORE_WORKERS": "2",
        }
        bus_url = os.environ["TEST_RABBITMQ_URL"]
        async with SeparateProcesses(
            postgres_url(), bus_url=bus_url, services=SERVICES, settings=settings
        ) as stack:
            core = CoreApi(stack.core_url, stack.rest_credentials)
            application = await create_application(core, f"traced-{uuid4().hex[:8]}")
            await ensure_template(core)
            push = PushApi(stack.push_url, await stack.push_credentials("tests"))
            await Equipment(push, fakes).equip(application.app.application_id)
            await push.close()
            await core.call(
                "application/callback/create",
                applicationId=application.app.application_id,
                name="bank",
                type="OPERATION_STATUS_CHANGE",
                callbackUrl=f"{listening.url}/changed",
                attributes=["status"],
            )
            phone = await _phone(stack, core, application, "alice")
            yield World(collector, stack, core, application, "alice", phone)
            await core.close()


async def _phone(stack: SeparateProcesses, core: CoreApi, application: Application, user_id: str) -> Device:
    made = await core.call("activation/init", userId=user_id, applicationId=application.app.application_id)
    config = AppConfig.from_sdk_config(stack.enrollment_url, application.sdk_config, ProtocolVersion.V3_3)
    phone = Device(config)
    await phone.activate_with_code(f"{made['activationCode']}#{made['activationSignature']}", PIN)
    await core.call("activation/commit", activationId=made["activationId"])
    await register_for_push(phone, "fcm", "ring", "production")
    return phone


async def test_an_approval_is_one_trace_from_the_phone_to_the_bank_and_to_the_phone(world: World) -> None:
    operation = await MobileToken(world.phone).detail(await world.created())
    await MobileToken(world.phone).approve(operation, PIN)
    approval = "POST /api/auth/token/app/operation/authorize"
    wanted = {
        (ENROLLMENT, approval),
        (ENROLLMENT, "POST"),
        (CORE, "POST /dmz/v1/signed/operation/approve"),
        (CORE, "publish operation.status_changed"),
        (CORE, "callback"),
        (PUSH, "process operation.status_changed"),
        (PUSH, "send fcm"),
    }
    root = await _seen(world, ENROLLMENT, approval)
    await _until(lambda: world.collector.of(root.trace) >= wanted, lambda: world.collector.of(root.trace))
    assert root.above == ""
    spans = {(span.service, span.name): span for span in world.collector.spans if span.trace == root.trace}
    way = ["publish operation.status_changed", "process operation.status_changed", "send fcm"]
    assert spans[PUSH, way[1]].above == spans[CORE, way[0]].id
    assert spans[PUSH, way[2]].above == spans[PUSH, way[1]].id
    assert spans[CORE, "POST /dmz/v1/signed/operation/approve"].above == spans[ENROLLMENT, "POST"].id
    assert root.trace in {header.split("-")[1] for header in world.collector.called_back}
    # What goes together is a trace of its own, which links to those it is done for.
    checked = await _seen(
        world, CORE, "VerificationJob", linked_to=spans[CORE, "POST /dmz/v1/signed/operation/approve"]
    )
    assert checked.above == ""


async def test_a_banks_trace_goes_on_and_tells_nothing_of_whom_it_is_about(world: World) -> None:
    operation_id = await world.created()
    made = await _seen(world, CORE, "POST /rest/v3/operation/create")
    assert (made.trace, made.above) == (OURS, BANK.split("-")[2])
    assert made.facts["http.response.status_code"] == 200
    await _until(lambda: (CORE, "publish operation.created") in world.collector.of(OURS), lambda: "publish")
    told = repr(world.collector.spans)
    assert world.user_id not in told
    assert operation_id not in told


async def test_what_a_bank_asks_for_is_one_trace_to_the_ringing_phone(world: World) -> None:
    asked = {
        "userId": world.user_id,
        "template": TEMPLATE["templateName"],
        "applications": [world.application.app.application_id],
        "parameters": {"amount": "10", "currency": "EUR"},
    }
    bank = f"00-{AT_THE_CLOUD}-00f067aa0ba902b7-01"
    caller = await _bank(world)
    async with httpx2.AsyncClient(auth=caller) as http:
        answer = await http.post(
            f"{world.stack.cloud_url}/v2/operations", json=asked, headers={"traceparent": bank}
        )
    assert answer.status_code == 200, answer.text
    assert answer.json()["pushSent"]
    way = [
        (CLOUD, "POST /v2/operations"),
        (CLOUD, "announce"),
        (CLOUD, "POST"),
        (PUSH, "POST /push/message/send"),
        (PUSH, "send fcm"),
    ]
    wanted = {*way, (CORE, "POST /rest/v3/operation/create")}
    await _until(lambda: world.collector.of(AT_THE_CLOUD) >= wanted, lambda: world.collector.of(AT_THE_CLOUD))
    spans = {span.id: span for span in world.collector.spans if span.trace == AT_THE_CLOUD}
    (sent,) = [span for span in spans.values() if (span.service, span.name) == way[-1]]
    above = [sent]
    while above[-1].above in spans:
        above.append(spans[above[-1].above])
    assert [(span.service, span.name) for span in reversed(above)] == way
    assert above[-1].above == bank.split("-")[2]


async def _bank(world: World) -> tuple[str, str]:
    """Credentials at the private API of somebody with the application."""
    application_id = world.application.app.application_id
    admin = Bank(world.stack.cloud_url, *world.stack.admin)
    try:
        user = await admin.call("POST", "/admin/users", {"username": application_id})
        await admin.call("POST", f"/admin/users/{application_id}/applications/{application_id}")
    finally:
        await admin.close()
    return application_id, user["password"]


async def test_whoever_comes_from_the_internet_begins_a_trace(world: World) -> None:
    stranger = "00-" + "ab" * 16 + "-00f067aa0ba902b7-01"
    async with httpx2.AsyncClient() as http:
        await http.get(f"{world.stack.enrollment_url}/no/such/page", headers={"traceparent": stranger})
    unmatched = await _seen(world, ENROLLMENT, "GET")
    assert unmatched.trace != "ab" * 16
    assert unmatched.above == ""


async def _seen(world: World, service: str, name: str, linked_to: Seen | None = None) -> Seen:
    def found() -> list[Seen]:
        return [
            span
            for span in world.collector.spans
            if (span.service, span.name) == (service, name)
            and (linked_to is None or linked_to.id in span.links)
        ]

    await _until(found, lambda: {(span.service, span.name) for span in world.collector.spans})
    return found()[-1]


async def _until(condition: object, missing: object) -> None:
    assert callable(condition)
    assert callable(missing)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"there is only {missing()}") from None
