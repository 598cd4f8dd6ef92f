"""One call of the core for each request of a browser: what it says is converted, and nothing is added but the
connection (D1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from enrollment import errors
from enrollment.core_client import CoreDoor, told
from enrollment.errors import (
    AccessTokenInvalid,
    InvalidRequest,
    PasskeyDenied,
    PasskeyFailed,
    SignatureInvalid,
)
from enrollment.passkeys import rules
from enrollment.pipeline import calls
from enrollment.pipeline.incoming import Incoming, signature_header
from enrollment.wire import JsonObject, request_object
from powerauth_contracts.calls import Call
from powerauth_contracts.dmz.headers import members_of
from powerauth_contracts.dmz.table import (
    PASSKEY_ASSERTION,
    PASSKEY_ASSERTION_OPTIONS,
    PASSKEY_LIST,
    PASSKEY_REGISTRATION,
    PASSKEY_REGISTRATION_OPTIONS,
    PASSKEY_REMOVE,
    PASSKEY_RENAME,
)
from powerauth_contracts.texts import CoreRefused
from powerauth_contracts.wire import WireModel
from powerauth_protocol.common.encoding import b64encode
from servicekit.errors import ServiceError

Answer = TypeVar("Answer", bound=WireModel)

_SIGN_IN_OPTIONS = (
    *("applicationId", "userId", "operationId", "clientId", "nonce", "scope", "resource"),
    *("clientParameters", "timeout"),
)
_UNSUPPORTED = frozenset({"approvalData", "deviceKeyId", "deviceSignature", "fingerprint"})
"""Members of the specification that nothing stands behind here: refused, so that nobody relies on them."""


@dataclass(frozen=True, slots=True)
class Browser:
    """What came, and from where.

    :ivar access_token: of the header ``Authorization: Bearer``
    """

    incoming: Incoming
    access_token: str | None
    address: str | None
    user_agent: str | None

    @property
    def connection(self) -> JsonObject:
        """What the core is told of it."""
        return {"client_address": self.address, "user_agent": self.user_agent}

    @property
    def proven_by(self) -> str:
        """The access token.

        :raises AccessTokenInvalid: there is none
        """
        if self.access_token is None:
            raise AccessTokenInvalid
        return self.access_token

    def members(self) -> JsonObject:
        """The request object.

        :raises InvalidRequest: there is none, or it asks for what is not built
        """
        found = request_object(self.incoming.body)
        if found is None or any(found.get(name) is not None for name in _UNSUPPORTED):
            raise InvalidRequest
        return found


async def registration_options(door: CoreDoor, browser: Browser) -> JsonObject:
    """What the browser is given to make a passkey; the body passes as it came, since a signature covers it.

    :raises SignatureInvalid: signed, and not authenticated, or no proof at all
    :raises AccessTokenInvalid: the bearer token is not accepted
    :raises TicketNotFound: the ticket is not
    """
    browser.members()
    members: JsonObject = {"body": b64encode(browser.incoming.body), "access_token": browser.access_token}
    if browser.incoming.authorization is not None:
        types = PASSKEY_REGISTRATION_OPTIONS.purpose.types
        members["authorization"] = members_of(signature_header(browser.incoming, types))
    answer = await _ask(door, PASSKEY_REGISTRATION_OPTIONS, browser, members)
    if not answer.authenticated:
        raise SignatureInvalid
    options = rules.creation_options(told(answer.public_key))
    return {"registrationId": told(answer.registration_id), "publicKey": options}


async def register(door: CoreDoor, browser: Browser) -> JsonObject:
    """The registered passkey.

    :raises PasskeySessionInvalid: not begun, over, or answered before
    :raises PasskeyFailed: the ceremony did not hold
    :raises PasskeyDenied: the policy refuses it
    """
    given = browser.members()
    members = {
        "registration_id": given.get("registrationId"),
        "name": given.get("name"),
        "credential": rules.credential(given.get("credential"), rules.REGISTRATION),
    }
    answer = await _ask(door, PASSKEY_REGISTRATION, browser, members)
    found = answer.model_dump(by_alias=True, exclude_none=True)
    return found | {"credentialId": rules.credential_id(answer.credential_id)}


async def assertion_options(door: CoreDoor, browser: Browser) -> JsonObject:
    """What the browser is given to sign with a passkey; it says nothing of whether the user exists.

    :raises AccessTokenInvalid: the bearer token is not accepted, or an operation is named without one
    :raises FeatureDisabled: the application has no passkeys
    """
    given = browser.members()
    members: JsonObject = {name: given.get(name) for name in _SIGN_IN_OPTIONS}
    members["access_token"] = browser.access_token
    if given.get("operationId") is not None:
        members["access_token"] = browser.proven_by
    answer = await _ask(door, PASSKEY_ASSERTION_OPTIONS, browser, members)
    return {"sessionId": answer.session_id, "publicKey": rules.request_options(answer.public_key)}


async def assert_passkey(door: CoreDoor, browser: Browser) -> JsonObject:
    """The tokens of a sign-in, or what became of the operation; both where it has both.

    :raises PasskeySessionInvalid: not begun, over, or answered before
    :raises PasskeyFailed: nothing is proved, whatever the reason
    :raises PasskeyLocked: too many failures
    :raises PasskeyDenied: the policy refuses it
    """
    given = browser.members()
    members = {
        "session_id": given.get("sessionId"),
        "credential": rules.credential(given.get("credential"), rules.ASSERTION),
    }
    answer = await _ask(door, PASSKEY_ASSERTION, browser, members)
    tokens = answer.tokens.model_dump(by_alias=True, exclude_none=True) if answer.tokens is not None else {}
    if answer.is_sign_in and tokens:
        return tokens
    return {"operationId": answer.operation_id, "operationStatus": answer.operation_status, **tokens}


async def list_passkeys(door: CoreDoor, browser: Browser) -> JsonObject:
    """The passkeys of the token's user.

    :raises AccessTokenInvalid: missing, or not accepted
    """
    answer = await _ask(door, PASSKEY_LIST, browser, {"access_token": browser.proven_by})
    return answer.model_dump(by_alias=True)


async def rename(door: CoreDoor, browser: Browser, activation_id: str) -> None:
    """Give one of them another name.

    :raises AccessTokenInvalid: missing, or not accepted
    :raises PasskeyNotFound: none of the user's
    """
    members = {"activation_id": activation_id, "name": browser.members().get("name")}
    await _ask(door, PASSKEY_RENAME, browser, {"access_token": browser.proven_by, **members})


async def remove(door: CoreDoor, browser: Browser, activation_id: str) -> None:
    """Take one of them away.

    :raises AccessTokenInvalid: missing, or not accepted
    :raises PasskeyNotFound: none of the user's
    """
    members = {"access_token": browser.proven_by, "activation_id": activation_id}
    await _ask(door, PASSKEY_REMOVE, browser, members)


async def _ask(
    door: CoreDoor, target: Call[WireModel, Answer], browser: Browser, members: Mapping[str, object]
) -> Answer:
    return await calls.called(door, target, _refused, **browser.connection, **members)


_WORDED: Mapping[str, Callable[[CoreRefused], ServiceError]] = {
    "ERR0015": lambda _: InvalidRequest(),
    "ERR0024": lambda _: InvalidRequest(),
    "ERR0034": lambda _: errors.InvalidOperation(),
    "ERROR_FIDO2_REQUEST": lambda _: InvalidRequest(),
    "ERR_JWT_GRANT": lambda _: InvalidRequest(),
    "ERR_ACCESS_TOKEN": lambda refused: AccessTokenInvalid(_number(refused, "maxAge")),
    "ERR_TICKET_INVALID": lambda _: errors.TicketNotFound(),
    "ERR_FEATURE_DISABLED": lambda _: errors.FeatureDisabled(),
    "ERR_PASSKEY_SESSION": lambda _: errors.PasskeySessionInvalid(),
    "ERR_PASSKEY_NOT_FOUND": lambda _: errors.PasskeyNotFound(),
    "ERR_PASSKEY_LOCKED": lambda refused: errors.PasskeyLocked(
        extra={"lockedUntil": _number(refused, "lockedUntil")}
    ),
}


def _refused(refused: CoreRefused) -> ServiceError:
    worded = _WORDED.get(refused.code)
    if worded is not None:
        return worded(refused)
    reason = refused.details.get("reason")
    if isinstance(reason, str) and reason.startswith("PASSKEY_"):
        return PasskeyDenied(reason)
    return PasskeyFailed()


def _number(refused: CoreRefused, name: str) -> int | None:
    found = refused.details.get(name)
    return found if isinstance(found, int) else None
