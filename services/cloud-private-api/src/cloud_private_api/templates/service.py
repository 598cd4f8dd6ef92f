"""Use cases of operation templates and texts for the app (spec/cloud-api.md §11.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from cloud_private_api.access.rules import Caller
from cloud_private_api.audit_log.service import record_change
from cloud_private_api.core_client import NULL, CoreClient
from cloud_private_api.core_errors import Area, in_area
from cloud_private_api.errors import NotFound
from cloud_private_api.parameters import is_storable
from cloud_private_api.templates import rules
from cloud_private_api.templates.ports import Ports
from cloud_private_api.templates.rules import TemplateContent
from powerauth_contracts.cloud.templates import ShownTemplate, Templates, Text, Texts
from powerauth_contracts.rest import templates as contract
from servicekit.database import Database


@in_area(Area.ADMIN)
async def list_all(ports: Ports) -> Templates:
    """All templates by name."""
    found = sorted(await ports.core.ask(contract.TEMPLATE_LIST), key=lambda item: item.template_name)
    return Templates(templates=[rules.shown_template(item) for item in found])


@in_area(Area.ADMIN)
async def detail(ports: Ports, name: str) -> ShownTemplate:
    """One template."""
    return rules.shown_template(await _find(ports, name))


@in_area(Area.ADMIN)
async def create(ports: Ports, caller: Caller, name: str, content: TemplateContent) -> ShownTemplate:
    """Make a template."""
    made = rules.shown_template(
        await ports.core.ask(contract.TEMPLATE_CREATE, **_members(content), template_name=name)
    )
    await _audit(ports.database, caller, "Operation template created", new=made)
    return made


@in_area(Area.ADMIN)
async def update(ports: Ports, caller: Caller, name: str, content: TemplateContent) -> ShownTemplate:
    """Replace a template's content; operations made from it keep theirs."""
    old = await _find(ports, name)
    after = rules.shown_template(
        await ports.core.ask(contract.TEMPLATE_UPDATE, id=old.id, **_members(content))
    )
    await _audit(
        ports.database, caller, "Operation template changed", old=rules.shown_template(old), new=after
    )
    return after


@in_area(Area.ADMIN)
async def remove(ports: Ports, caller: Caller, name: str) -> None:
    """Remove a template; operations made from it stay."""
    old = await _find(ports, name)
    await ports.core.tell(contract.TEMPLATE_REMOVE, id=old.id)
    await _audit(ports.database, caller, "Operation template removed", old=rules.shown_template(old))


def _members(content: TemplateContent) -> dict[str, object]:
    members = asdict(content)
    protection = members.pop("protection")
    return members | {name: NULL if value is None else value for name, value in protection.items()}


async def _find(ports: Ports, name: str) -> contract.OperationTemplateDetailResponse:
    for item in await ports.core.ask(contract.TEMPLATE_LIST):
        if item.template_name == name:
            return item
    raise NotFound


async def _audit(database: Database, caller: Caller, message: str, **templates: ShownTemplate) -> None:
    shown = {
        name: template.model_dump(mode="json", exclude_none=True) for name, template in templates.items()
    }
    await record_change(database, caller.username, message, shown)


@in_area(Area.ADMIN)
async def list_texts(ports: Ports) -> Texts:
    """All texts, by operation type and language."""
    return Texts(texts=[rules.shown_text(text) for text in await _texts(ports.core)])


@in_area(Area.ADMIN)
async def text(ports: Ports, operation_type: str, language: str) -> Text:
    """The text of one operation type in one language."""
    wanted = rules.checked_language(language)
    if is_storable(operation_type):
        for found in await _texts(ports.core, operation_type):
            if found.placeholder == operation_type and found.language == wanted:
                return rules.shown_text(found)
    raise NotFound


async def _texts(core: CoreClient, operation_type: str | None = None) -> list[contract.OperationTextRow]:
    return (await core.ask(contract.TEXT_LIST, placeholder=operation_type)).texts


@in_area(Area.ADMIN)
async def put_text(
    ports: Ports,
    caller: Caller,
    operation_type: str,
    language: str,
    *,
    title: str,
    message: str,
    attributes: Sequence[Any] | None,
    ui: Mapping[str, Any] | None,
    result_texts: Mapping[str, Any] | None,
) -> Text:
    """Insert or replace a text.

    :param attributes: JSON for the app, kept as it is, like ``ui`` and ``result_texts``
    """
    wanted = rules.checked_language(language)
    if not is_storable(operation_type):
        raise NotFound
    saved = await ports.core.ask(
        contract.TEXT_UPDATE,
        placeholder=operation_type,
        language=wanted,
        title=title,
        message=message,
        attributes=attributes,
        ui=ui,
        result_texts=result_texts,
    )
    ports.texts.forget(operation_type)
    await record_change(
        ports.database,
        caller.username,
        "Operation text changed",
        {"operationType": operation_type, "language": wanted},
    )
    return rules.shown_text(saved)


@in_area(Area.ADMIN)
async def remove_text(ports: Ports, caller: Caller, operation_type: str, language: str) -> None:
    """Remove a text.

    :raises NotFound: there is none
    """
    wanted = rules.checked_language(language)
    if not is_storable(operation_type):
        raise NotFound
    answer = await ports.core.ask(contract.TEXT_REMOVE, placeholder=operation_type, language=wanted)
    if not answer.removed:
        raise NotFound
    ports.texts.forget(operation_type)
    await record_change(
        ports.database,
        caller.username,
        "Operation text removed",
        {"operationType": operation_type, "language": wanted},
    )
