"""The fingerprint that a device sends (spec/device-trust.md §6.2): bounded, typed, nothing personal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from powerauth_core.fingerprints.members import MEMBERS, WEB
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.json_text import Number, write_json

MOST_BYTES: Final = 16_384

_SHORT, _TEXT, _LONG = 64, 128, 512
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_HASH = r"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$"
_MAC_ADDRESS = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}")
_PHONE_NUMBER = re.compile(r"\+[0-9][0-9 ]{6,18}")
_IMEI = re.compile(r"[0-9]{15}")
_PERSONAL_NAMES = """
adid advertisingid advertisingidentifier androidid bluetoothaddress bssid email emailaddress gaid iccid idfa
idfv imei imeisv imsi linenumber mac macaddress meid msisdn phone phonenumber serial serialnumber ssid wifimac
wifimacaddress
"""
PERSONAL: Final = frozenset(_PERSONAL_NAMES.split())
"""Names of members that hold personal values, without case and separators."""


class FingerprintInvalid(ValueError):
    """The payload is refused: ``INVALID_REQUEST``.

    :ivar member: which part it was; never what it contained
    """

    def __init__(self, member: str) -> None:
        super().__init__(f"fingerprint: {member}")
        self.member = member


class Platform(StrEnum):
    """What runs the application."""

    IOS = "ios"
    ANDROID = "android"
    WEB = "web"


def _no_control(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("control characters")
    return text


def _decimal(value: object) -> object:
    """A number as the wire's JSON gives it."""
    if isinstance(value, Number):
        try:
            return value.decimal()
        except EncodingError:
            raise ValueError("out of range") from None
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


Short = Annotated[str, Field(min_length=1, max_length=_SHORT), AfterValidator(_no_control)]
Text = Annotated[str, Field(min_length=1, max_length=_TEXT), AfterValidator(_no_control)]
Long = Annotated[str, Field(min_length=1, max_length=_LONG), AfterValidator(_no_control)]
Hash = Annotated[str, Field(pattern=_HASH)]
"""SHA-256 in Base64URL."""


class _Part(BaseModel):
    """Members in camel case; unknown ones are not looked at, null is as good as absent."""

    model_config = ConfigDict(
        strict=True, frozen=True, alias_generator=to_camel, extra="ignore", defer_build=True
    )


class Screen(_Part):
    """Size in pixels, and their density."""

    w: int = Field(ge=1, le=100_000)
    h: int = Field(ge=1, le=100_000)
    density: Annotated[Decimal, BeforeValidator(_decimal), Field(gt=0, le=100, max_digits=8)]


class Browser(_Part):
    """What a browser shows of itself."""

    user_agent: Long | None = None
    languages: Annotated[list[Short], Field(min_length=1, max_length=20)] | None = None
    canvas: Hash | None = None
    webgl: Hash | None = None
    audio: Hash | None = None
    fonts: Hash | None = None
    color_depth: int | None = Field(default=None, ge=1, le=256)
    hardware_concurrency: int | None = Field(default=None, ge=1, le=4096)
    platform: Text | None = None


class Flags(_Part):
    """What the SDK has noticed. A device that lies says no to each."""

    emulator: StrictBool | None = None
    rooted: StrictBool | None = None
    tampered: StrictBool | None = None
    hooked: StrictBool | None = None
    debugger: StrictBool | None = None
    dangerous_apps: StrictBool | None = None
    screen_shared: StrictBool | None = None

    @property
    def raised(self) -> frozenset[str]:
        """Those that say yes, by the names of signals (spec/device-trust.md §3.8)."""
        return frozenset(name for name in type(self).model_fields if getattr(self, name))


class Payload(_Part):
    """A fingerprint as it came.

    :ivar collected_at: ms since 1970 by the device's clock, which nothing relies on
    """

    v: int = Field(ge=1, le=1)
    platform: Annotated[Platform, Field(strict=False)]
    sdk_version: Short | None = None
    collected_at: int | None = Field(default=None, ge=0, lt=1 << 53)
    model: Text | None = None
    manufacturer: Text | None = None
    hardware: Text | None = None
    cpu_abi: Text | None = None
    total_memory_mb: int | None = Field(default=None, ge=1, le=1 << 24)
    total_storage_gb: int | None = Field(default=None, ge=1, le=1 << 20)
    screen: Screen | None = None
    vendor_id: Hash | None = None
    media_drm_id: Hash | None = None
    os_name: Text | None = None
    os_version: Short | None = None
    security_patch: Short | None = None
    build_fingerprint: Long | None = None
    carrier: Text | None = None
    sim_country: Short | None = None
    network_type: Short | None = None
    locale: Short | None = None
    timezone: Short | None = None
    fonts: Hash | None = None
    keyboards: Hash | None = None
    accessibility: Hash | None = None
    app_version: Short | None = None
    install_id: Short | None = None
    install_source: Text | None = None
    web: Browser | None = None
    flags: Flags = Flags()

    @model_validator(mode="before")
    @classmethod
    def _flags_may_be_null(cls, members: Any) -> Any:
        if isinstance(members, dict) and members.get("flags", ...) is None:
            return {name: value for name, value in members.items() if name != "flags"}
        return members

    def compared(self) -> dict[str, Any]:
        """The members that matching looks at, by their names in `MEMBERS`, as JSON values."""
        members = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        if self.screen is not None:
            members["screen"]["density"] = f"{self.screen.density.normalize():f}"
        members |= {f"{WEB}.{name}": value for name, value in members.pop(WEB, {}).items()}
        return {name: value for name, value in members.items() if name in MEMBERS}


def read(members: object) -> Payload:
    """Take the object that came.

    :param members: as the doors' reader of JSON gives it
    :raises FingerprintInvalid: no object, over 16 KiB, a member out of type or bounds, a personal value
    """
    if not isinstance(members, dict):
        raise FingerprintInvalid("object")
    _check_size(members)
    for name, value in _leaves(members):
        if name in PERSONAL or (isinstance(value, str) and _is_personal(value)):
            raise FingerprintInvalid("personal value")
    try:
        return Payload.model_validate(members)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise FingerprintInvalid(".".join(map(str, first["loc"]))) from None


def _check_size(members: dict[str, Any]) -> None:
    try:
        size = len(write_json(members))
    except EncodingError:
        raise FingerprintInvalid("object") from None
    if size > MOST_BYTES:
        raise FingerprintInvalid("size")


def _leaves(members: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """Names without case and separators, and values, of all levels."""
    waiting: list[tuple[str, object]] = [("", members)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [
                (str(each).lower().replace("_", "").replace("-", ""), held) for each, held in value.items()
            ]
        elif isinstance(value, list | tuple):
            waiting += [(name, held) for held in value]
        yield name, value


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _is_personal(text: str) -> bool:
    """A MAC address, a telephone number, an IMEI."""
    if _IMEI.fullmatch(text):
        return _luhn(text)
    return bool(_MAC_ADDRESS.fullmatch(text) or _PHONE_NUMBER.fullmatch(text))


def _luhn(digits: str) -> bool:
    doubled = (int(each) * (1 + at % 2) for at, each in enumerate(reversed(digits)))
    return sum(number // 10 + number % 10 for number in doubled) % 10 == 0
