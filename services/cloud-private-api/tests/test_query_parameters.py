"""Every query parameter of every endpoint: one value, or a list that is meant as one (spec §1.2)."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio
from cloud_client import Client, Service, settings_of

from cloud_private_api.app import create_app

DOCUMENT = create_app(settings_of("sqlite://")).openapi()
PARAMETERS = [
    (method.upper(), path, operation["operationId"], parameter)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
    for parameter in operation.get("parameters", [])
    if parameter["in"] == "query"
]
LISTS = {"removeRegistrationFlags.flags", "getAuditLogV2.type"}
GOOD = {"userId": "u", "language": "en", "registrationId": "r", "operationId": "o", "flags": "f"}
"""A value of every parameter that some endpoint requires."""


@pytest_asyncio.fixture
async def bank(service: Service) -> Client:
    """A caller who may call everything."""
    return await service.user("bank", ["app-a", "appId"], ["ROLE_USER", "ROLE_ADMIN"])


def _types(parameter: dict[str, Any]) -> set[str]:
    schema = parameter["schema"]
    return {part.get("type", "") for part in schema.get("anyOf", [schema])} - {"null"}


async def _refused(bank: Client, case: tuple[str, str, str, dict[str, Any]], query: str) -> bool:
    """Whether a query is refused, for this parameter and no other."""
    method, path, operation, parameter = case
    required = [
        f"{known['name']}={GOOD[known['name']]}"
        for _, _, name, known in PARAMETERS
        if name == operation and known["required"] and known["name"] != parameter["name"]
    ]
    target = f"{path.replace('{', '').replace('}', '')}?{'&'.join([*required, query])}"
    response = await bank.send(method, target, {} if method in ("POST", "PUT") else None)
    content = response.json().get("responseObject", {})
    named = {violation["fieldName"] for violation in content.get("violations", ())}
    return response.status_code == 400 and named == {f"{operation}.{parameter['name']}"}


async def test_a_parameter_stands_once_unless_it_is_a_list(service: Service, bank: Client) -> None:
    for case in PARAMETERS:
        _, _, operation, parameter = case
        name = parameter["name"]
        assert ("array" in _types(parameter)) == (f"{operation}.{name}" in LISTS), case
        if f"{operation}.{name}" not in LISTS:
            assert await _refused(bank, case, f"{name}=a&{name}=b"), case
    assert service.core.paths() == []


@pytest.mark.parametrize("value", ["%FF", "%", "%zz", "a%ED%A0%80"])
async def test_a_parameter_is_percent_encoded_text(bank: Client, value: str) -> None:
    for case in PARAMETERS:
        assert await _refused(bank, case, f"{case[3]['name']}={value}"), case


@pytest.mark.parametrize("value", ["1_0", "+5", "%2B1", "5.0", "1e3", "0x10", "٣", "", "-", "--1", "1 "])
async def test_a_number_is_digits(bank: Client, value: str) -> None:
    numbers = [case for case in PARAMETERS if "integer" in _types(case[3])]
    assert len(numbers) > 8
    for case in numbers:
        name = case[3]["name"]
        assert await _refused(bank, case, f"{name}={value}"), case


@pytest.mark.parametrize("size", ["7", "07"])
async def test_digits_are_a_number(bank: Client, size: str) -> None:
    await bank.ok("GET", f"/v2/registrations?userId=u&size={size}")


async def test_what_no_endpoint_knows_may_stand_twice(bank: Client) -> None:
    await bank.ok("GET", "/v2/registrations?x=1&userId=u&x=2&%FF=1&")
