"""Words a payment in a way that templates cannot: only the end of the account number is shown."""

from __future__ import annotations

from enrollment.texts.formatters import FormattedOperation, FormData

PAYMENT = "payment"
_SHOWN = 4


def mask_account(operation: FormattedOperation, form_data: FormData) -> FormData:
    """Replace the account in the message by its last digits; operations of other types stay as they are."""
    account = operation.parameters.get("account")
    if operation.operation_type != PAYMENT or not isinstance(account, str):
        return form_data
    masked = "•" * max(0, len(account) - _SHOWN) + account[-_SHOWN:]
    return form_data | {"message": str(form_data["message"]).replace(account, masked)}
