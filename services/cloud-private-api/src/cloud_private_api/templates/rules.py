"""Shapes of templates and texts, without I/O (spec/cloud-api.md §11.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloud_private_api.errors import InvalidRequest, Violation
from powerauth_contracts.cloud.templates import ShownTemplate, Text
from powerauth_contracts.rest.templates import OperationTemplateDetailResponse, OperationTextRow
from powerauth_protocol.common.json_text import read_json

_LANGUAGE = re.compile(r"[a-z]{2,8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateContent:
    """Everything of a template but its name, in the core's words; ``expiration`` in seconds.

    :ivar protection: those given of ``number_matching``, ``on_unexpected_operation``, ``user_limits``; None
        removes one, and what is not given stays as it is
    """

    operation_type: str
    data_template: str
    signature_type: Sequence[str]
    max_failure_count: int
    expiration: int
    risk_flags: str | None
    proximity_check_enabled: bool
    issue_tokens: bool
    protection: Mapping[str, Any]


def checked_language(language: str) -> str:
    """The language in lower case.

    :raises InvalidRequest: not 2 to 8 letters
    """
    lowered = language.lower()
    if not _LANGUAGE.fullmatch(lowered):
        raise InvalidRequest(Violation("language", "must be 2 to 8 letters", language, parameter=True))
    return lowered


def shown_template(template: OperationTemplateDetailResponse) -> ShownTemplate:
    """A template without the core's number."""
    return ShownTemplate(
        template_name=template.template_name,
        operation_type=template.operation_type,
        data_template=template.data_template,
        signature_type=[*template.signature_type],
        max_failure_count=template.max_failure_count,
        expiration=template.expiration,
        risk_flags=template.risk_flags,
        proximity_check_enabled=template.proximity_check_enabled,
        number_matching=template.number_matching,
        on_unexpected_operation=template.on_unexpected_operation,
        user_limits=template.user_limits,
        issue_tokens=template.issue_tokens,
    )


def shown_text(text: OperationTextRow) -> Text:
    """A text with its JSON parts as JSON."""
    return Text(
        operation_type=text.placeholder,
        language=text.language,
        title=text.title,
        message=text.message,
        attributes=_json(text.attributes),
        ui=_json(text.ui),
        result_texts=_json(text.result_texts),
    )


def _json(part: Any) -> Any:
    """A JSON part that is kept as text; one whose placeholders stand outside of strings stays text."""
    if not isinstance(part, str):
        return part
    try:
        return read_json(part)
    except ValueError:
        return part
