"""HTTP itself, over a real connection to the process of all services: paths, methods, names (RFC 9110)."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from powerauth_cli.all_in_one import CLOUD, CORE, PUSH, AllInOne
from servicekit.edge.routing import METHODS, declared

pytestmark = pytest.mark.e2e

CHANGING = {"x-correlation-id", "date"}
TEMPLATE = {
    "operationType": "t",
    "dataTemplate": "A2",
    "signatureType": ["POSSESSION"],
    "maxFailureCount": 3,
    "expiration": 300,
}
CALLBACK = {"name": "c", "type": "OPERATION_STATUS_CHANGE", "callbackUrl": "https://bank.example/"}


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AllInOne]:
    """All services behind one port; the core's REST door is open, so that its paths show themselves."""
    open_door = {"restrict_access": False, "metrics_enabled": True}
    options = {"core": open_door, "push": open_door}
    async with AllInOne(tmp_path_factory.mktemp("paths"), port=0, settings=options) as running:
        yield running


@pytest.fixture(scope="module")
async def http(stack: AllInOne) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the one port, with the administrator's credentials."""
    base = stack.core_url.removesuffix(CORE)
    async with httpx2.AsyncClient(base_url=base, auth=stack.admin, timeout=60) as client:
        yield client


@pytest.fixture
async def anybody(http: httpx2.AsyncClient) -> AsyncIterator[httpx2.AsyncClient]:
    """One without credentials."""
    async with httpx2.AsyncClient(base_url=http.base_url, timeout=60) as client:
        yield client


def _same(get: httpx2.Response, head: httpx2.Response) -> bool:
    shown = [
        {name: value for name, value in answer.headers.items() if name not in CHANGING}
        for answer in (get, head)
    ]
    return get.status_code == head.status_code and shown[0] == shown[1] and head.content == b""


async def test_every_path_knows_its_methods(
    stack: AllInOne, http: httpx2.AsyncClient, anybody: httpx2.AsyncClient
) -> None:
    walked = 0
    for context_path, app in stack.apps.items():
        # The open door of push is for callers without credentials.
        caller = anybody if context_path == PUSH else http
        methods: dict[str, set[str]] = defaultdict(set)
        for path, method in declared(app):
            if not path.startswith("/dmz/"):  # a door of its own, walked with its own credentials
                methods[path].add(method)
        for path, own in methods.items():
            address = context_path + path.replace("{", "").replace("}", "")
            options = await caller.options(address)
            allowed = set(options.headers["allow"].split(", "))
            assert (options.status_code, options.content) == (200, b""), address
            assert own | {"OPTIONS"} <= allowed, address
            assert ("HEAD" in allowed) == ("GET" in allowed), address
            for method in METHODS - allowed:
                refused = await caller.request(method, address)
                assert (refused.status_code, set(refused.headers["allow"].split(", "))) == (405, allowed)
            assert (await caller.request("PROPFIND", address)).status_code == 501, address
            if "GET" in own and not path.endswith(("/metrics", "/prometheus")):
                assert _same(await caller.get(address), await caller.head(address)), address
            walked += 1
    assert walked > 150


@pytest.mark.usefixtures("stack")
async def test_a_path_shows_its_methods_to_those_who_may_call_it(http: httpx2.AsyncClient) -> None:
    for path in (f"{CLOUD}/v2/registrations", f"{CLOUD}/unknown", f"{CORE}/dmz/v1/keystore/create"):
        for method in ("OPTIONS", "PROPFIND"):
            assert (await http.request(method, path, auth=("nobody", "x"))).status_code == 401


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("OPTIONS *", 200),
        ("GET *", 400),
        ("PROPFIND *", 501),
        ("CONNECT bank.example:443", 501),
        ("GET http://bank.example", 404),
        ("OPTIONS http://bank.example", 200),
        (f"GET http://bank.example{CORE}/actuator/health", 200),
        ("GET /", 404),
        ("GET //", 404),
        (f"GET /{CORE}/actuator/health", 404),
        (f"GET {CORE}", 404),
        (f"GET {CORE}x/actuator/health", 404),
        (f"GET {CORE}%2Factuator/health", 404),
        (f"GET {CORE}/actuator%2Fhealth", 404),
        (f"GET {CORE}/%00", 404),
        (f"GET {CORE}/%", 400),
        (f"GET {CORE}/actuator/health?{'a' * 9_000}", 414),
        (f"GET {CORE}/../powerauth-cloud/actuator/health", 404),
    ],
)
async def test_every_form_of_a_target_has_its_answer(stack: AllInOne, request_line: str, status: int) -> None:
    port = httpx2.URL(stack.core_url).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{request_line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())


def _encoded(name: str) -> str:
    return "".join(f"%{byte:02X}" for byte in name.encode())


class Caller:
    """The administrator at the cloud API."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def call(self, method: str, path: str, content: object = None, *, status: int = 200) -> Any:
        answer = await self._http.request(method, CLOUD + path, json=content)
        assert answer.status_code == status, (method, path, answer.text)
        return answer.json()


@pytest.fixture(scope="module")
def cloud(http: httpx2.AsyncClient) -> Caller:
    return Caller(http)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=40).filter(
    lambda name: not name.isspace()
)


def named(test: Any) -> Any:
    """Names that a path could take for something else, and any others."""
    for name in (".", "..", "/", "a/b", "//", "%2F", "a%2Fb", ";x=y", "?a=b#c", "a+b", "\\", "ž\U0001f511"):
        test = example(name=name)(test)
    return settings(
        max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )(given(name=NAMES)(test))


@named
async def test_every_template_and_text_can_be_reached(cloud: Caller, name: str) -> None:
    path = f"/admin/operations/templates/{_encoded(name)}"
    await cloud.call("POST", "/admin/operations/templates", {"templateName": name, **TEMPLATE})
    assert (await cloud.call("GET", path))["templateName"] == name
    changed = await cloud.call("PUT", path, {**TEMPLATE, "expiration": 7})
    assert (changed["templateName"], changed["expiration"]) == (name, 7)
    await cloud.call("DELETE", path)
    await cloud.call("GET", path, status=404)
    for path, text, key in (
        (f"/admin/operations/texts/{_encoded(name)}/en", {"title": "t", "message": "m"}, "operationType"),
        (f"/admin/localizations/{_encoded(name)}/en", {"title": "t", "summary": "s"}, "placeholder"),
    ):
        assert (await cloud.call("PUT", path, text))[key] == name
        assert (await cloud.call("GET", path))[key] == name
        await cloud.call("DELETE", path)
        await cloud.call("GET", path, status=404)


@pytest.mark.parametrize("name", [".", "..", "a.b@c", "-"])
async def test_every_user_and_property_can_be_reached(cloud: Caller, name: str) -> None:
    path = f"/admin/users/{_encoded(name)}"
    await cloud.call("POST", "/admin/users", {"username": name})
    assert (await cloud.call("GET", path))["username"] == name
    assert (await cloud.call("PUT", path, {"enabled": False}))["enabled"] is False
    assert (await cloud.call("POST", f"{path}/password"))["username"] == name
    await cloud.call("DELETE", path)
    await cloud.call("GET", path, status=404)
    if "@" not in name:
        changed = await cloud.call("PUT", f"/admin/properties/{_encoded(name)}", {"value": "v"})
        assert changed["name"] == name


@named
async def test_every_application_of_an_adopted_database_can_be_reached(
    cloud: Caller, http: httpx2.AsyncClient, name: str
) -> None:
    made = await http.post(
        f"{CORE}/rest/v3/application/create", json={"requestObject": {"applicationId": name}}
    )
    if made.json()["responseObject"].get("code") == "ERR0039":  # made for an earlier, equal example
        return
    assert made.status_code == 200, made.text
    path = f"/admin/applications/{_encoded(name)}"
    assert (await cloud.call("GET", path))["id"] == name
    assert (await cloud.call("PUT", f"{path}/roles", {"roles": ["R"]}))["roles"] == ["R"]
    await cloud.call("POST", f"{path}/versions", {"name": name})
    unsupported = await cloud.call("PUT", f"{path}/versions/{_encoded(name)}", {"supported": False})
    assert (unsupported["name"], unsupported["supported"]) == (name, False)
    assignment = f"/admin/users/admin{path.removeprefix('/admin')}"
    await cloud.call("POST", assignment)
    assert (await cloud.call("GET", "/admin/users/admin"))["applications"] == [name]
    await cloud.call("DELETE", assignment)
    callbacks = f"/v2{path}/callbacks"
    callback = await cloud.call("POST", callbacks, CALLBACK)
    await cloud.call("GET", f"{callbacks}/{callback['id']}")
    await cloud.call("DELETE", f"{callbacks}/{callback['id']}")


async def test_what_is_no_name_is_nothing(cloud: Caller) -> None:
    for path in ("/admin/operations/templates", "/admin/users", "/admin/applications"):
        await cloud.call("GET", f"{path}/%00", status=404)
        await cloud.call("GET", f"{path}/%FF", status=400)
        await cloud.call("GET", f"{path}/", status=404)
