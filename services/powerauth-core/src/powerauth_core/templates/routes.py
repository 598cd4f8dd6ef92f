"""HTTP of the operation template and text calls (spec/core-api.md §20; cloud-api §11.7)."""

from powerauth_contracts.rest import templates as contract
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.templates import service, texts
from powerauth_core.templates.models import OperationText
from powerauth_core.templates.ports import Ports
from powerauth_core.templates.rules import NumberMatching, UserLimits
from powerauth_core.templates.schemas import OperationTextUpdateRequest
from powerauth_core.templates.views import template_view, text_row

router = CallRouter("Operation templates")


@router.answers(contract.TEMPLATE_CREATE)
async def create(
    ports: Ports, asked: contract.OperationTemplateCreateRequest
) -> contract.OperationTemplateDetailResponse:
    return template_view(await service.create(ports, asked.template_name, _content(asked)))


@router.answers(contract.TEMPLATE_UPDATE)
async def update(
    ports: Ports, asked: contract.OperationTemplateUpdateRequest
) -> contract.OperationTemplateDetailResponse:
    return template_view(await service.update(ports, asked.id, _content(asked)))


@router.answers(contract.TEMPLATE_DETAIL)
async def detail(
    ports: Ports, request: contract.OperationTemplateDetailRequest
) -> contract.OperationTemplateDetailResponse:
    return template_view(await service.detail(ports.database, request.id))


@router.answers(contract.TEMPLATE_LIST)
async def list_all(ports: Ports, _: None) -> list[contract.OperationTemplateDetailResponse]:
    return [template_view(found) for found in await service.list_all(ports.database)]


@router.answers(contract.TEMPLATE_REMOVE)
async def remove(ports: Ports, request: contract.OperationTemplateRemoveRequest) -> None:
    await service.remove(ports, request.id)


@router.answers(contract.TEXT_LIST)
async def list_texts(
    ports: Ports, asked: contract.OperationTextListRequest
) -> contract.OperationTextListResponse:
    found = await texts.list_texts(ports.database, asked.placeholder, asked.language)
    return contract.OperationTextListResponse(texts=[text_row(text) for text in found])


@router.answers(contract.TEXT_UPDATE.read_as(OperationTextUpdateRequest))
async def update_text(ports: Ports, asked: OperationTextUpdateRequest) -> contract.OperationTextRow:
    text = OperationText(
        placeholder=asked.placeholder,
        language=asked.language,
        title=asked.title,
        message=asked.message,
        attributes=asked.attributes,
        ui=asked.ui,
        result_texts=asked.result_texts,
    )
    return text_row(await texts.update(ports.database, text))


@router.answers(contract.TEXT_REMOVE)
async def remove_text(
    ports: Ports, asked: contract.OperationTextRemoveRequest
) -> contract.OperationTextRemoveResponse:
    removed = await texts.remove(ports.database, asked.placeholder, asked.language)
    return contract.OperationTextRemoveResponse(removed=removed)


def _content(asked: contract.OperationTemplateSettings) -> service.Content:
    return service.Content(
        operation_type=asked.operation_type,
        data_template=asked.data_template,
        signature_types=asked.signature_type,
        max_failure_count=asked.max_failure_count,
        expiration=asked.expiration,
        risk_flags=asked.risk_flags,
        with_proximity=asked.proximity_check_enabled,
        issue_tokens=asked.issue_tokens,
        protection=_protection(asked),
    )


def _protection(asked: contract.OperationTemplateSettings) -> service.Protection:
    protection: service.Protection = {}
    given, number, limits = asked.model_fields_set, asked.number_matching, asked.user_limits
    if "number_matching" in given:
        protection["number_matching"] = (
            None if number is None else NumberMatching(number.digits, number.choices)
        )
    if "on_unexpected_operation" in given:
        protection["unexpected_action"] = asked.on_unexpected_operation
    if "user_limits" in given:
        protection["user_limits"] = None if limits is None else UserLimits(limits.pending, limits.per_minute)
    return protection
