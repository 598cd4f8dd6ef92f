"""The attributes of an operation's form, from template and parameters (spec/enrollment-api.md §11.4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from enrollment.money import format_money
from enrollment.texts.placeholders import Parameters, parameter_text
from enrollment.texts.rows import TextsBroken
from powerauth_protocol.common.json_text import JsonError, read_json
from servicekit.logs import get_logger

_log = get_logger(__name__)

Attribute = dict[str, object]
_INTEGER = re.compile(r"[+-]?[0-9]{1,9}")
ALERT_TYPES = frozenset({"SUCCESS", "INFO", "WARNING", "ERROR"})


@dataclass(frozen=True, slots=True)
class AttributeTemplate:
    """One element of the `attributes` array of a text row; `slots` maps a slot to a parameter's name."""

    type: str | None
    id: str | None
    text: str | None
    slots: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Values:
    """The slot values of one element for one operation."""

    slots: Mapping[str, str]
    parameters: Parameters
    language: str

    def get(self, slot: str) -> str | None:
        return parameter_text(self.parameters, self.slots.get(slot))

    def present(self, *slots: str) -> dict[str, object]:
        """The named slots that have a value, under their own names."""
        return {slot: value for slot in slots if (value := self.get(slot)) is not None}


def render_attributes(source: str | None, parameters: Parameters, language: str) -> list[Attribute]:
    """Return the output attributes in template order; elements whose values are missing leave no gap.

    :param source: the JSON array as stored, or None.
    :raises TextsBroken: when the array or one of its elements is not as §11.4 says.
    """
    if source is None or not source.strip():
        return []
    rendered = (_render(element, parameters, language) for element in _templates(source))
    return [attribute for attribute in rendered if attribute is not None]


def _render(element: AttributeTemplate, parameters: Parameters, language: str) -> Attribute | None:
    renderer = _RENDERERS.get(element.type or "")
    output_type = element.type
    if renderer is None:
        _log.error("attribute type unknown, shown as KEY_VALUE", attribute_type=element.type)
        renderer, output_type = _key_value, "KEY_VALUE"
    fields = renderer(_Values(element.slots, parameters, language))
    if fields is None:
        return None
    head: Attribute = {"type": output_type, "id": element.id, "label": element.text}
    return {name: value for name, value in (head | fields).items() if value is not None}


@lru_cache(maxsize=1024)
def _templates(source: str) -> tuple[AttributeTemplate, ...]:
    try:
        elements = read_json(source)
    except JsonError:
        raise TextsBroken("attributes") from None
    if not isinstance(elements, list):
        raise TextsBroken("attributes")
    return tuple(_template(element) for element in elements)


def _template(element: object) -> AttributeTemplate:
    if not isinstance(element, dict):
        raise TextsBroken("attributes")
    slots = element.get("params")
    if slots is None:
        slots = {}
    if not isinstance(slots, dict):
        raise TextsBroken("attributes")
    return AttributeTemplate(
        type=_text(element, "type"),
        id=_text(element, "id"),
        text=_text(element, "text"),
        slots={slot: name for slot in slots if (name := _text(slots, slot)) is not None},
    )


def _text(members: Mapping[str, object], name: str) -> str | None:
    value = members.get(name)
    if value is not None and not isinstance(value, str):
        raise TextsBroken("attributes")
    return value


def _money_fields(amount: str, currency: str, language: str, prefix: str) -> dict[str, object]:
    """The five fields of one amount; `prefix` is empty, `source` or `target`."""
    money = format_money(amount, currency, language)
    fields: dict[str, object] = {
        "amount": money.amount,
        "currency": currency,
        "amountFormatted": money.amount_formatted,
        "currencyFormatted": money.currency_formatted,
        "valueFormatted": money.value_formatted,
    }
    if not prefix:
        return fields
    return {prefix + name[0].upper() + name[1:]: value for name, value in fields.items()}


def _amount(values: _Values) -> dict[str, object] | None:
    amount, currency = values.get("amount"), values.get("currency")
    if amount is None or currency is None:
        return None
    return _money_fields(amount, currency, values.language, "")


def _amount_conversion(values: _Values) -> dict[str, object] | None:
    source, source_currency = values.get("sourceAmount"), values.get("sourceCurrency")
    target, target_currency = values.get("targetAmount"), values.get("targetCurrency")
    if source is None or source_currency is None or target is None or target_currency is None:
        return None
    return {
        "dynamic": (values.get("dynamic") or "").lower() == "true",
        **_money_fields(source, source_currency, values.language, "source"),
        **_money_fields(target, target_currency, values.language, "target"),
    }


def _heading(values: _Values) -> dict[str, object]:
    level = values.get("level") or ""
    return {"level": int(level) if _INTEGER.fullmatch(level) else 0}


def _single(slot: str) -> Callable[[_Values], dict[str, object] | None]:
    def render(values: _Values) -> dict[str, object] | None:
        value = values.get(slot)
        return None if value is None else {slot: value}

    return render


def _alert(values: _Values) -> dict[str, object]:
    alert_type = (values.get("type") or "").upper()
    return {
        "alertType": alert_type if alert_type in ALERT_TYPES else "INFO",
        **values.present("title", "message"),
    }


def _image(values: _Values) -> dict[str, object] | None:
    if values.get("thumbnailUrl") is None:
        return None
    return values.present("thumbnailUrl", "originalUrl")


def _party_info(values: _Values) -> dict[str, object]:
    return {"partyInfo": values.present("logoUrl", "name", "description", "websiteUrl")}


_key_value = _single("value")
_RENDERERS: dict[str, Callable[[_Values], dict[str, object] | None]] = {
    "AMOUNT": _amount,
    "AMOUNT_CONVERSION": _amount_conversion,
    "HEADING": _heading,
    "KEY_VALUE": _key_value,
    "NOTE": _single("note"),
    "ALERT": _alert,
    "IMAGE": _image,
    "PARTY_INFO": _party_info,
}
