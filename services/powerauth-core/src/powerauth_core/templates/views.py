"""How templates and texts look to callers (spec/core-api.md §20; cloud-api §11.7)."""

from __future__ import annotations

from dataclasses import asdict

from powerauth_contracts.rest.templates import (
    NumberMatching,
    OperationTemplateDetailResponse,
    OperationTextRow,
    UserLimits,
)
from powerauth_core.templates.models import OperationTemplate, OperationText
from powerauth_core.templates.rules import signature_types


def template_view(template: OperationTemplate) -> OperationTemplateDetailResponse:
    """A template."""
    number, limits = template.number_matching, template.user_limits
    return OperationTemplateDetailResponse(
        id=template.id,
        template_name=template.template_name,
        operation_type=template.operation_type,
        data_template=template.data_template,
        signature_type=list(signature_types(template.signature_type)),
        max_failure_count=template.max_failure_count,
        expiration=template.expiration,
        risk_flags=template.risk_flags,
        proximity_check_enabled=template.proximity_check_enabled,
        number_matching=None if number is None else NumberMatching.model_validate(asdict(number)),
        on_unexpected_operation=template.unexpected_action,
        user_limits=None
        if limits is None
        else UserLimits(pending=limits.pending, per_minute=limits.per_minute),
        issue_tokens=template.issue_tokens,
    )


def text_row(text: OperationText) -> OperationTextRow:
    """The texts of an operation type in one language."""
    return OperationTextRow(
        placeholder=text.placeholder,
        language=text.language,
        title=text.title,
        message=text.message,
        attributes=text.attributes,
        ui=text.ui,
        result_texts=text.result_texts,
    )
