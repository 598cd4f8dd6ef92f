"""What an operator plugs in: who a custom activation is for, and what is known about a user (D1 rule
2).

Providers are asked outside transactions and row locks. An activation provider is a plug-in named in the
entry point group ``powerauth.activation_providers`` (a class without parameters, made once per process), or
the service behind the setting `custom_activation_provider_url`, which is asked by POST with JSON; there is
none by default. User claims come from a plug-in in ``powerauth.user_info_providers``, or as the setting
`user_info_provider` says.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Literal, Protocol, TypeVar, cast

import httpx2
from pydantic import Field, ValidationError

from powerauth_contracts.enums import ActivationStatus
from powerauth_contracts.wire import WireModel, checked_json, to_json
from powerauth_core.activations import repository as activations
from powerauth_core.kernel.egress import Egress
from powerauth_core.kernel.errors import CoreError
from powerauth_core.providers.ports import Ports
from powerauth_core.settings import CoreSettings
from powerauth_protocol.common.json_text import read_json
from servicekit import clock, units
from servicekit.logs import get_logger

log = get_logger(__name__)

T = TypeVar("T")

ACTIVATION_PROVIDERS = "powerauth.activation_providers"
USER_INFO_PROVIDERS = "powerauth.user_info_providers"
MAX_ANSWER_BYTES = 256 * 1024

ActivationType = Literal["CODE", "CUSTOM", "RECOVERY"]


class ProviderFailed(CoreError):
    """The provider refused, failed or did not answer in time."""

    code = "ERROR_PROVIDER"
    message = "Custom activation failed."


class Stage(StrEnum):
    """When user claims are asked for (spec/enrollment-api.md §8.1)."""

    CODE = "ACTIVATION_PROCESS_ACTIVATION_CODE"
    CUSTOM = "ACTIVATION_PROCESS_CUSTOM"
    RECOVERY = "ACTIVATION_PROCESS_RECOVERY"
    USER_INFO = "USER_INFO_ENDPOINT"


class Asked(WireModel):
    """What a device asks for; `identity_attributes` may hold credentials and must not be logged."""

    type: ActivationType
    identity_attributes: dict[str, str]
    custom_attributes: dict[str, Any]


class Plan(WireModel):
    """A provider's answer before anything is created.

    :ivar user_id: whom the activation is for; only asked of CUSTOM
    :ivar validity_ms: time until the commit; None: the core's default
    """

    user_id: str | None = None
    generate_recovery_codes: bool = True
    max_failed_attempts: int | None = Field(default=None, ge=1, le=64)
    validity_ms: int | None = Field(default=None, ge=1, le=86_400_000)


class Created(Asked):
    """What was created."""

    activation_id: str
    user_id: str
    application_id: str


class Completion(WireModel):
    """A provider's answer after the key exchange.

    :ivar commit: commit at once; followed for CUSTOM and RECOVERY, where the application allows it
    """

    custom_attributes: dict[str, Any] | None = None
    flags: list[str] = Field(default_factory=list, max_length=20)
    commit: bool = False


class Owned(WireModel):
    """An activation and whose it is."""

    activation_id: str
    user_id: str
    application_id: str


class Removal(WireModel):
    """A provider's answer before a device removes its activation."""

    revoke_recovery_codes: bool = True


class ActivationProvider(Protocol):
    """Contract of an activation provider (spec/enrollment-api.md §7.6); every exception refuses the
    activation.
    """

    async def plan(self, asked: Asked) -> Plan:
        """Decide before the activation is created."""
        ...

    async def complete(self, created: Created) -> Completion:
        """Decide after the keys were exchanged."""
        ...

    async def committed(self, created: Created) -> None:
        """Hear of the commit."""
        ...

    async def plan_removal(self, owned: Owned) -> Removal:
        """Decide before a removal that the device asks for."""
        ...

    async def removed(self, owned: Owned) -> None:
        """Hear of the removal."""
        ...


@dataclass(frozen=True, slots=True)
class ClaimsContext:
    """Whose claims are asked for, and when."""

    stage: Stage
    user_id: str
    activation_id: str
    application_id: str


class UserInfoProvider(Protocol):
    """Contract of a provider of user claims; None: nothing is told at this stage."""

    async def claims(self, context: ClaimsContext) -> dict[str, Any] | None:
        """OpenID Connect standard claims of the user."""
        ...


class HttpActivationProvider:
    """An activation provider behind HTTP: ``POST <url>/<step>``, the JSON models of this module both ways."""

    def __init__(self, ports: Ports) -> None:
        settings = ports.settings
        self._http = ports.egress.http
        self._url = settings.custom_activation_provider_url.rstrip("/")
        self._timeout = settings.custom_activation_provider_timeout_seconds
        user = settings.custom_activation_provider_username
        password = settings.custom_activation_provider_password.get_secret_value()
        self._auth = httpx2.BasicAuth(user, password) if user else httpx2.USE_CLIENT_DEFAULT

    async def plan(self, asked: Asked) -> Plan:
        """``POST <url>/plan``."""
        return Plan.model_validate_json(await self._post("plan", asked))

    async def complete(self, created: Created) -> Completion:
        """``POST <url>/complete``."""
        return Completion.model_validate_json(await self._post("complete", created))

    async def committed(self, created: Created) -> None:
        """``POST <url>/committed``."""
        await self._post("committed", created)

    async def plan_removal(self, owned: Owned) -> Removal:
        """``POST <url>/plan-removal``."""
        return Removal.model_validate_json(await self._post("plan-removal", owned))

    async def removed(self, owned: Owned) -> None:
        """``POST <url>/removed``."""
        await self._post("removed", owned)

    async def _post(self, step: str, content: WireModel) -> bytes:
        answer = await self._http.post(
            f"{self._url}/{step}",
            content=to_json(content),
            headers={"Content-Type": "application/json"},
            auth=self._auth,
            timeout=self._timeout,
        )
        if not answer.is_success or len(answer.content) > MAX_ANSWER_BYTES:
            raise ProviderFailed()
        return answer.content


def activation_provider(ports: Ports) -> ActivationProvider | None:
    """The provider of this installation, None if there is none."""
    if ports.settings.custom_activation_provider_url:
        return HttpActivationProvider(ports)
    return cast("ActivationProvider | None", installed(ACTIVATION_PROVIDERS))


async def ask(settings: CoreSettings, step: Awaitable[T], answer: type[T]) -> T:
    """Await an answer of a provider, for no longer than the configured time.

    :param answer: what the provider has to answer with
    :raises ProviderFailed: whatever went wrong; what exactly is nothing for a device
    """
    units.spent()
    try:
        async with asyncio.timeout(settings.custom_activation_provider_timeout_seconds):
            found = await step
        if not isinstance(found, answer):
            raise TypeError(f"expected {answer.__name__}")
        return found
    except ProviderFailed:
        raise
    except Exception as error:
        log.warning("activation_provider_failed", error=type(error).__name__)
        raise ProviderFailed() from None


async def notify(settings: CoreSettings, step: Awaitable[object]) -> None:
    """Tell a provider what has happened already: its failure changes nothing."""
    try:
        await ask(settings, step, object)
    except ProviderFailed:
        log.warning("activation_provider_not_notified")


async def revokes_recovery_codes(ports: Ports, activation_id: str) -> bool:
    """Whether a removal that the device asks for also revokes recovery codes; no without a provider.

    Nor for an activation that cannot sign its removal: whoever knows its id would cause a call each time.

    :raises ProviderFailed: the provider did not answer
    """
    provider = activation_provider(ports)
    if provider is None:
        return False
    async with ports.database.read() as session:
        activation = await activations.find(session, activation_id)
        if activation is None or activation.activation_status is not ActivationStatus.ACTIVE:
            return False
        application = await ports.application_cache.by_rid(session, activation.application_id)
    owned = Owned(
        activation_id=activation_id,
        user_id=activation.user_id,
        application_id="" if application is None else application.application_id,
    )
    removal = await ask(ports.settings, provider.plan_removal(owned), Removal)
    return removal.revoke_recovery_codes


async def announce_removal(ports: Ports, activation_id: str, user_id: str, application_id: str) -> None:
    """Tell the provider of a removal."""
    provider = activation_provider(ports)
    if provider is not None:
        owned = Owned(activation_id=activation_id, user_id=user_id, application_id=application_id)
        await notify(ports.settings, provider.removed(owned))


async def user_claims(
    settings: CoreSettings, egress: Egress, context: ClaimsContext
) -> dict[str, Any] | None:
    """Claims of a user; None if there is nothing to tell at this stage. Failures only leave them out."""
    provider = cast("UserInfoProvider | None", installed(USER_INFO_PROVIDERS))
    kind = settings.user_info_provider
    if provider is None and kind == "MINIMAL":
        return {"sub": context.user_id, "jti": str(uuid.uuid4()), "iat": clock.now_ms() // 1000}
    if provider is None and kind == "NONE":
        return None
    try:
        async with asyncio.timeout(settings.user_info_timeout_seconds):
            found = await (
                _rest_claims(settings, egress, context) if provider is None else provider.claims(context)
            )
        return _storable(found)
    except Exception as error:
        log.warning("user_info_failed", stage=context.stage.value, error=type(error).__name__)
        return {}


async def custom_object(
    settings: CoreSettings, egress: Egress, context: dict[str, Any]
) -> dict[str, Any] | None:
    """What the operator adds to the public status of a device, which anybody may read; None if it fails."""
    url = settings.status_custom_object_url
    try:
        answer = await egress.http.post(url, json=context, timeout=settings.user_info_timeout_seconds)
        usable = answer.is_success and len(answer.content) <= MAX_ANSWER_BYTES
        found = _storable(read_json(answer.content)) if usable else None
    except (httpx2.HTTPError, ValueError) as error:
        log.warning("status_custom_object_failed", error=type(error).__name__)
        return None
    return found


def _storable(answer: object) -> dict[str, Any] | None:
    """The object that a server of the operator's gave, if an answer of ours can hold it.

    :raises ValueError: it cannot
    """
    return cast("dict[str, Any]", checked_json(answer)) if isinstance(answer, dict) else None


@cache
def installed(group: str) -> object | None:
    """The one plug-in of an entry point group, made at its first use.

    :raises RuntimeError: several are installed, and nothing says which one is meant
    """
    found = list(entry_points(group=group))
    if len(found) > 1:
        raise RuntimeError(f"several plug-ins in {group}: {', '.join(sorted(point.name for point in found))}")
    return found[0].load()() if found else None


def load_plug_ins() -> None:
    """Make the installed plug-ins now.

    :raises RuntimeError: several of one group are installed
    :raises Exception: whatever a plug-in raises that cannot be made
    """
    for group in (ACTIVATION_PROVIDERS, USER_INFO_PROVIDERS):
        if installed(group) is not None:
            log.info("plug_in_loaded", group=group)


class _ClaimsAnswer(WireModel):
    status: str
    response_object: dict[str, Any] | None = None


async def _rest_claims(
    settings: CoreSettings, egress: Egress, context: ClaimsContext
) -> dict[str, Any] | None:
    if context.stage.value not in settings.user_info_rest_allowed_stages:
        return None
    user = settings.user_info_rest_username
    answer = await egress.http.get(
        f"{settings.user_info_rest_url.rstrip('/')}/private/user-claims",
        params={"userId": context.user_id},
        auth=(user, settings.user_info_rest_password.get_secret_value()) if user else None,
        timeout=settings.user_info_timeout_seconds,
    )
    if not answer.is_success or len(answer.content) > MAX_ANSWER_BYTES:
        log.warning("user_info_refused", http_status=answer.status_code)
        return {}
    try:
        parsed = _ClaimsAnswer.model_validate_json(answer.content)
    except ValidationError:
        log.warning("user_info_unreadable")
        return {}
    return parsed.response_object or {} if parsed.status == "OK" else {}
