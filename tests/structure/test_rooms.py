"""What a file may know, by what it is (CONTRIBUTING.md). Which room may know which, `lint-imports` checks."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cache, reduce
from importlib import import_module
from inspect import getsource

import grimp
import pytest

from powerauth_contracts.wire import RequestModel

SERVICES = ("powerauth_core", "cloud_private_api", "enrollment", "powerauth_push")
ROLES = {
    "routes": "routes",
    "views": "views",
    "schemas": "schemas",
    "rules": "rules",
    "steps": "rules",
    "reads": "repository",
    "repository": "repository",
    "models": "models",
    "ports": "ports",
}
RUNTIME = ("app", "routing", "runtime", "jobs", "commands", "reencryption", "container", "__main__", "schema")
FACTS = {
    "powerauth_core.activations.columns",
    "powerauth_core.activations.stored",
    "powerauth_core.adoption.report",
    "powerauth_core.adoption.shapes",
    "powerauth_core.applications.config_keys",
    "powerauth_core.audit.chain.keys",
    "powerauth_core.audit.chain.streams",
    "powerauth_core.audit.signatures",
    "powerauth_core.operations.stored",
    "powerauth_core.passkey_records.extras",
    "powerauth_core.passkey_records.stored",
    "powerauth_core.providers.plug_ins",
    "powerauth_core.templates.shapes",
    "powerauth_core.verification.audit",
    "powerauth_core.verification.jobs",
    "powerauth_push.providers.credentials",
    "powerauth_push.providers.messages",
    "powerauth_push.providers.network",
    "powerauth_push.providers.outcomes",
}
"""Values, columns and formats that rules, tables and queries share: no use cases."""

CONTRACTS = "powerauth_contracts"
WIRE_VALUES = {
    f"{CONTRACTS}.{module}"
    for module in ("callback_authentication", "calls", "durations", "enums", "fields", "moments", "wire")
}
"""What of the contracts is no model: values, bounds, what a call is, and how JSON is read and written."""
DOORS = ("dmz", "edge")
"""Rooms whose handlers map the wire to the domain, as `routes` and `views` do elsewhere."""
Import = tuple[str, str]


@cache
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*SERVICES, CONTRACTS, include_external_packages=False, cache_dir=None)


def role(module: str) -> str:
    """What a module of a room is; whatever is none of the named things holds use cases."""
    package, room, *rest = module.split(".")
    if package == CONTRACTS:
        return "contract"
    if room in RUNTIME and not rest:
        return "runtime"
    if room in ("kernel", "passkeys", "fingerprints") or not rest or module in FACTS:
        return "ground"
    return ROLES.get(rest[-1], "use case")


def imports(of: str, chosen: Callable[[str], bool]) -> Iterator[Import]:
    for module in graph().modules:
        if module.count(".") and role(module) == of:
            for known in graph().find_modules_directly_imported_by(module):
                if known.count(".") > 1 and chosen(known):
                    yield module, known


@pytest.mark.parametrize("knowing", ["rules", "repository", "models", "schemas"])
def test_only_routes_and_use_cases_know_use_cases(knowing: str) -> None:
    assert list(imports(knowing, lambda known: role(known) in ("use case", "routes"))) == []


@pytest.mark.parametrize("knowing", ["routes", "rules", "schemas"])
def test_the_database_is_reached_through_use_cases(knowing: str) -> None:
    assert list(imports(knowing, lambda known: role(known) == "repository")) == []


@pytest.mark.parametrize("knowing", ["use case", "rules", "repository", "models", "schemas", "ports"])
def test_nothing_but_the_application_knows_routes(knowing: str) -> None:
    assert list(imports(knowing, lambda known: role(known) == "routes")) == []


@pytest.mark.parametrize("knowing", ["use case", "rules", "repository", "models", "schemas", "ports"])
def test_answers_are_shaped_by_routes_and_doors(knowing: str) -> None:
    known = imports(knowing, lambda known: role(known) == "views")
    assert [pair for pair in known if pair[0].split(".")[1] not in DOORS] == []


def test_use_cases_of_the_core_speak_the_domain() -> None:
    assert [module for module in graph().modules if passes_wire_models_on(module)] == []


def passes_wire_models_on(module: str) -> bool:
    """Whether a room knows models of calls; a door may know those of its own table."""
    if not module.startswith("powerauth_core.") or role(module) in ("routes", "schemas", "views", "runtime"):
        return False
    known = graph().find_modules_directly_imported_by(module)
    room = module.split(".")[1]
    if room in DOORS:
        return room == "dmz" and any(name.startswith(f"{CONTRACTS}.rest.") for name in known)
    return any(name.startswith(f"{CONTRACTS}.") and name not in WIRE_VALUES for name in known)


def test_use_cases_of_the_cloud_take_no_requests() -> None:
    rooms = (module for module in graph().modules if module.startswith("cloud_private_api."))
    inside = sorted(module for module in rooms if role(module) not in ("routes", "views"))
    assert [(module, name) for module in inside for name in requests_named_in(module)] == []


def requests_named_in(module: str) -> Iterator[str]:
    """Models of requests that a module names, imported or as a member of what it imports."""
    source = import_module(module)
    known: object = source
    for node in ast.walk(ast.parse(getsource(source))):
        if isinstance(node, ast.Name | ast.Attribute):
            name = ast.unparse(node)
            found = reduce(lambda owner, part: getattr(owner, part, None), name.split("."), known)
            if isinstance(found, type) and issubclass(found, RequestModel):
                yield name


@pytest.mark.parametrize("service", ["powerauth_core", "cloud_private_api", "powerauth_push"])
def test_no_room_knows_the_container(service: str) -> None:
    knowing = graph().find_modules_that_directly_import(f"{service}.container")
    assert {module.split(".")[1] for module in knowing} <= set(RUNTIME)
