"""Between the JSON of browsers, where binary members are Base64 of the URL alphabet, and the core's, where
they are Base64; no I/O (spec/device-trust.md §4.9).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from enrollment.errors import InvalidRequest
from enrollment.wire import JsonObject
from powerauth_contracts.dmz.passkeys import CreationOptions, RequestOptions
from powerauth_contracts.wire import WireModel
from powerauth_protocol.common.encoding import b64decode, b64encode, b64url_decode, b64url_encode
from powerauth_protocol.common.errors import EncodingError

REGISTRATION = ("clientDataJSON", "attestationObject")
ASSERTION = ("clientDataJSON", "authenticatorData", "signature")
_MAX_BINARY = 65_536


def credential(given: object, binary: Iterable[str]) -> JsonObject:
    """What a browser answered, for the core.

    :param given: RegistrationResponseJSON or AuthenticationResponseJSON
    :param binary: members of its response that it must have; a user handle may stand beside them
    :raises InvalidRequest: it is none
    """
    members = _object(given)
    response = _object(members.get("response"))
    if members.get("rawId", members.get("id")) != members.get("id"):
        raise InvalidRequest
    answered: JsonObject = {name: _recoded(response.get(name)) for name in binary}
    handle = response.get("userHandle")
    if handle is not None:
        answered["userHandle"] = _recoded(handle)
    if "transports" in response:
        answered["transports"] = response["transports"]
    return {
        "credentialId": _recoded(members.get("id")),
        "type": members.get("type"),
        "authenticatorAttachment": members.get("authenticatorAttachment"),
        "response": answered,
    }


def creation_options(options: CreationOptions) -> JsonObject:
    """PublicKeyCredentialCreationOptionsJSON."""
    found = _written(options)
    found["user"]["id"] = _for_browser(found["user"]["id"])
    return _with_ids(found, "excludeCredentials")


def request_options(options: RequestOptions) -> JsonObject:
    """PublicKeyCredentialRequestOptionsJSON."""
    return _with_ids(_written(options), "allowCredentials")


def credential_id(stored: str) -> str:
    """A credential's id as browsers write it."""
    return _for_browser(stored)


def _with_ids(options: dict[str, Any], credentials: str) -> JsonObject:
    options["challenge"] = _for_browser(options["challenge"])
    options[credentials] = [{**each, "id": _for_browser(each["id"])} for each in options[credentials]]
    return options


def _written(model: WireModel) -> dict[str, Any]:
    return model.model_dump(by_alias=True, exclude_none=True)


def _object(value: object) -> JsonObject:
    if not isinstance(value, dict):
        raise InvalidRequest
    return value


def _recoded(value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_BINARY:
        raise InvalidRequest
    return _translated(value, b64url_decode, b64encode)


def _for_browser(value: str) -> str:
    return _translated(value, b64decode, b64url_encode)


def _translated(text: str, decode: Callable[[str], bytes], encode: Callable[[bytes], str]) -> str:
    try:
        return encode(decode(text))
    except EncodingError:
        raise InvalidRequest from None
