"""What is remembered of the core, and how events drop it (spec/cloud-api.md §13.4, D20)."""

from __future__ import annotations

import pytest
from cloud_bus import DirectBus
from cloud_client import Client, Service, Start, with_push
from cloud_fake_core import GOOD_CODE, FakeCore
from cloud_fake_push import FakePush

from cloud_private_api.errors import PushUnreachable
from servicekit.bus import Event

NONCE = "AAECAwQFBgcICQoLDA0ODw=="


def _event(kind: str, **data: str) -> Event:
    return Event.create(kind, "/powerauth-core", "subject", data)


async def _verify(bank: Client, activation_id: str) -> None:
    header = (
        f'PowerAuth pa_activation_id="{activation_id}", pa_application_key="{bank.core.key_of("app-a")}", '
        f'pa_nonce="{NONCE}", pa_signature_type="possession", pa_signature="{GOOD_CODE}", pa_version="3.3"'
    )
    await bank.ok("POST", "/v2/signature/verify", {"method": "POST", "uriId": "/x", "authHeader": header})


async def test_changed_application_is_asked_for_again(start: Start, core: FakeCore) -> None:
    bus = DirectBus()
    service = await start(bus=bus)
    bank = await service.user("bank", ["app-a", "app-b"])
    activation_id = core.activation("app-a")

    def asked() -> int:
        return core.paths().count("application/detail/version")

    for _ in range(2):
        await _verify(bank, activation_id)
    assert asked() == 1
    await bus.deliver(_event("application.changed", applicationId="app-b", part="config"))
    await _verify(bank, activation_id)
    assert asked() == 1
    await bus.deliver(_event("application.changed", applicationId="app-a", part="version"))
    await _verify(bank, activation_id)
    assert asked() == 2


async def test_changed_texts_are_asked_for_again(start: Start, core: FakeCore) -> None:
    bus = DirectBus()
    service = await start(bus=bus)
    bank = await service.user("bank", ["app-a"])
    activation_id = core.activation("app-a")
    path = f"/v2/operations/{core.operation('app-a')}/offline/qr"

    async def title() -> str:
        await bank.ok("GET", path, registrationId=activation_id)
        data: str = core.last("signature/offline/personalized/create")["data"]
        return data.split("\n")[1]

    text = {"placeholder": "login", "language": "en", "title": "Old", "message": "m"}
    core.texts["login", "en"] = text
    assert await title() == "Old"
    text["title"] = "New"
    assert await title() == "Old"
    await bus.deliver(_event("operation_template.changed", placeholder="login", language="en"))
    assert await title() == "New"


async def test_unknown_key_is_not_remembered(service: Service) -> None:
    assert await service.cloud.applications.of_key("new-key") is None
    service.core.application("app-a")["versions"][0]["applicationKey"] = "new-key"
    assert await service.cloud.applications.of_key("new-key") == "app-a"


async def test_changed_texts_count_at_once_where_they_are_changed(service: Service, admin: Client) -> None:
    assert await service.cloud.texts.of_type("login") == []
    await admin.ok("PUT", "/admin/operations/texts/login/en", {"title": "t", "message": "m"})
    assert len(await service.cloud.texts.of_type("login")) == 1


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("status", [401, 403])
async def test_a_push_service_that_refuses_our_credentials_reaches_nobody(
    start: Start, push: FakePush, status: int, *, known: bool
) -> None:
    push.application("app-a")
    applications = (await start(**with_push(), push_cache_seconds=0)).cloud.push_applications
    if known:
        assert await applications.reachable(["app-a"]) == ["app-a"]
    push.raw = (status, b"{}")
    with pytest.raises(PushUnreachable):
        await applications.known(["app-a"])
    assert await applications.reachable(["app-a"]) == []
    push.raw = None
    assert await applications.reachable(["app-a"]) == ["app-a"]
