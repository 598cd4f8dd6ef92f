"""The operation object that a device shows (spec/enrollment-api.md §10.1)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from enrollment.mobile_token.rules import allowed_signature_type
from enrollment.texts.form_data import render_form_data
from enrollment.texts.formatters import FormattedOperation, OperationTextFormatter, apply_formatters
from enrollment.texts.rows import TextRow
from enrollment.texts.screens import render_ui
from enrollment.wire import JsonObject, wire_date
from powerauth_contracts.dmz.models import DoorOperation
from powerauth_protocol.common.json_text import Number


def render_operation(
    operation: DoorOperation, row: TextRow, language: str, formatters: Sequence[OperationTextFormatter]
) -> JsonObject:
    """Return the members of an operation, with texts of `row` and money formatted for `language`.

    :raises TextsBroken: when the row's JSON is broken.
    """
    parameters = operation.parameters
    form_data = render_form_data(row, parameters, language)
    if formatters:
        facts = FormattedOperation(
            operation.id, operation.operation_type, operation.data, parameters, language
        )
        form_data = apply_formatters(formatters, facts, form_data)
    if formatters or row.attributes:  # nobody else words amounts
        form_data = {name: _writable(member) for name, member in form_data.items()}
    members: JsonObject = {
        "id": operation.id,
        "name": operation.operation_type,
        "data": operation.data,
        "status": operation.status,
    }
    if operation.status_reason is not None:
        members["statusReason"] = operation.status_reason
    members["operationCreated"] = wire_date(operation.timestamp_created)
    members["operationExpires"] = wire_date(operation.timestamp_expires)
    ui = _ui(operation, row)
    if ui is not None:
        members["ui"] = ui
    members["allowedSignatureType"] = allowed_signature_type(operation.signature_type)
    members["formData"] = form_data
    return members


def _ui(operation: DoorOperation, row: TextRow) -> JsonObject | None:
    """How it is shown, and the number that the app asks for (spec/enrollment-api.md §11.5, §10.12)."""
    ui = None
    if row.ui is not None or operation.risk_flags is not None:
        ui = render_ui(
            row.ui, operation.parameters, operation.risk_flags, proximity_check=operation.proximity_check
        )
    number = operation.number_matching
    if number is None:
        return ui
    choices = {} if number.choices is None else {"choices": number.choices}
    return (ui or {}) | {"numberMatching": {"digits": number.digits, **choices}}


def _writable(value: object) -> object:
    """The same with amounts as numbers, which the fast writer of JSON takes for texts otherwise."""
    if isinstance(value, dict):
        return {name: _writable(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_writable(item) for item in value]
    if isinstance(value, Decimal) and value.is_finite():
        return Number(str(value))
    return value
