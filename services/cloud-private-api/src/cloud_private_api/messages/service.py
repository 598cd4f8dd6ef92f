"""Use cases of messages to a user (spec/cloud-api.md §9.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloud_private_api.access.rules import Caller, given_or_all
from cloud_private_api.core_errors import Area, in_area
from cloud_private_api.errors import PushMessageRefused, PushUnreachable, RegistrationNotFound
from cloud_private_api.messages.ports import Ports
from cloud_private_api.push_client import PushRefused
from cloud_private_api.pushes.rules import key_at_push, message_to
from cloud_private_api.registrations.v2.service import status_in_scope
from powerauth_contracts.push import messages as contract
from powerauth_contracts.push.messages import Mode
from servicekit.logs import get_logger

_log = get_logger(__name__)

_SOUND = "default"


@in_area(Area.REGISTRATIONS)
async def send(
    ports: Ports,
    caller: Caller,
    *,
    user_id: str,
    registration_id: str | None,
    app_id: str | None,
    silent: bool,
    title: str | None,
    message: str | None,
    sound: str | None,
    extras: Mapping[str, Any] | None,
    key: str | None,
) -> None:
    """Have a message sent to a user's phones, or to the one of a registration.

    :param key: the caller's; what push has taken under it is not sent again
    :raises PushMessageRefused: it says nothing, or push does not take it
    :raises PushUnreachable: push does not answer
    """
    if not silent:
        _check_text("Title", title)
        _check_text("Message", message)
        sound = sound or _SOUND
    scope = given_or_all(caller, None if app_id is None else (app_id,))
    if registration_id is not None:
        scope = (await _application(ports, scope, user_id, registration_id),)
    told = message_to(
        user_id, title, message, extras, activation_id=registration_id, silent=silent, sound=sound
    )
    await _send(ports, await ports.push_applications.known(scope), told, key_at_push(caller, key))


def _check_text(name: str, text: str | None) -> None:
    if text is None or not text.strip():
        raise PushMessageRefused(f"{name} must not be blank.")


async def _application(ports: Ports, scope: Sequence[str], user_id: str, registration_id: str) -> str:
    """The application of a registration of the user.

    :raises RegistrationNotFound: unknown, or of another application or user
    """
    registration = await status_in_scope(ports.core, scope, registration_id)
    if registration.user_id != user_id or registration.application_id is None:
        raise RegistrationNotFound
    return registration.application_id


async def _send(
    ports: Ports, applications: Sequence[str], message: Mapping[str, Any], key: str | None
) -> None:
    """One message for each application. A failure is told if a repetition sends nothing twice: under a key,
    or if nothing was sent.
    """
    if not applications:
        raise PushMessageRefused("The push service knows no application of the message")
    failures: list[PushMessageRefused | PushUnreachable] = []
    for app_id in applications:
        asked = {"appId": app_id, "mode": Mode.ASYNCHRONOUS, "message": message}
        try:
            await ports.push.tell(contract.SEND, asked, key=key)
        except PushRefused as refusal:
            failures.append(PushMessageRefused(violations=refusal.violations))
        except PushUnreachable as error:
            failures.append(error)
    if failures and (key is not None or len(failures) == len(applications)):
        raise failures[0]
    if failures:
        _log.error("message not sent for some applications", failed=len(failures), of=len(applications))
