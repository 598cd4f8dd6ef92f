"""Fixtures: the service wired to a scripted core and a scripted push service, in one process."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))

from enrollment_fakes import BASE_URL, DOOR_PATHS, Clock, FakeCore, FakePush, Phone, PublicClient

from enrollment.app import create_app
from enrollment.settings import EnrollmentSettings
from servicekit.calls.client import AsgiTransport, ServiceClient
from servicekit.settings import MEBIBYTE

Connect = Callable[..., PublicClient]

UNLIMITED: dict[str, object] = {
    "limit_failures_per_address": 0,
    "limit_keystore_per_activation": 0,
    "limit_status_per_activation": 0,
}


@pytest.fixture
def core() -> Iterator[FakeCore]:
    """A fresh core; whatever a test does, only allow-listed paths of the door may be called."""
    fake = FakeCore()
    yield fake
    assert set(fake.paths) <= DOOR_PATHS


@pytest.fixture
def push() -> FakePush:
    """A fresh push service."""
    return FakePush()


@pytest.fixture
def connect(core: FakeCore, push: FakePush) -> Connect:
    """Start a service with some settings changed and return a client of it."""

    def _connect(**changed: object) -> PublicClient:
        settings = EnrollmentSettings(
            **{  # type: ignore[arg-type]
                "core_url": "http://core.test/powerauth-java-server",
                "core_client_token": "enrollment",
                "core_client_secret": "door-secret",
                "push_url": "http://push.test/powerauth-push-server",
                "push_client_token": "enrollment-push",
                "push_client_secret": "push-secret",
                "environment": "test",
                "test_endpoints": True,
                "request_log": True,
                **UNLIMITED,
                **changed,
            }
        )
        app = create_app(settings, core_transport=AsgiTransport(core), push_transport=AsgiTransport(push))
        # The metrics of this process are those of everything that its tests have started.
        transport = AsgiTransport(app, max_answer_bytes=64 * MEBIBYTE)
        return PublicClient(ServiceClient(BASE_URL, transport=transport), core)

    return _connect


@pytest.fixture
def client(connect: Connect) -> PublicClient:
    """A client of a service with test settings."""
    return connect()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of day, standing still, one second into a window of every rate limit."""
    clock = Clock()
    clock.advance(-clock() % 600 + 1)
    monkeypatch.setattr(time, "time", clock)
    return clock


@pytest.fixture
def phone(core: FakeCore) -> Phone:
    """A phone of protocol version 3.3."""
    return Phone(core)
