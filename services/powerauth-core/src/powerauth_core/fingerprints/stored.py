"""What is kept of a fingerprint (spec/device-trust.md §6.3): nothing that describes the device."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Self

from powerauth_core.fingerprints.members import MEMBERS, STABLE
from powerauth_core.fingerprints.payload import Payload, Platform
from powerauth_protocol.common.encoding import b64url_encode

_SHORTEST_PEPPER: Final = 32
_IN_CLEAR: Final = "osVersion"
_VENDOR_ID: Final = "vendorId"


class Pepper:
    """The key of the hashes (``fingerprint.pepper``). With another one no fingerprint is recognised.

    :raises ValueError: shorter than 32 bytes
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) < _SHORTEST_PEPPER:
            raise ValueError(f"a pepper has at least {_SHORTEST_PEPPER} bytes")
        self._key = key

    def hashed(self, name: str, value: Any) -> str:
        """HMAC-SHA-256, Base64URL, of a member with its name, so that equal values of two members differ."""
        return b64url_encode(hmac.digest(self._key, _canonical([name, value]), "sha256"))


@dataclass(frozen=True, slots=True)
class Sketch:
    """A fingerprint as it is stored and compared.

    :ivar components: by name of the member its hash; ``osVersion`` as it is
    :ivar flags: what the device said yes to, by names of signals
    """

    platform: Platform
    components: Mapping[str, str]
    flags: frozenset[str] = frozenset()

    @classmethod
    def of(cls, payload: Payload, pepper: Pepper) -> Self:
        """Hash what is compared."""
        components = {
            name: value if name == _IN_CLEAR else pepper.hashed(name, value)
            for name, value in payload.compared().items()
        }
        return cls(payload.platform, components, payload.flags.raised)

    @property
    def os_version(self) -> str | None:
        """The one member that has an order."""
        return self.components.get(_IN_CLEAR)

    @property
    def vendor_id(self) -> str | None:
        """The hash of the vendor's identifier, by which candidates are looked for."""
        return self.components.get(_VENDOR_ID)

    @property
    def stable_hash(self) -> str:
        """43 characters by which candidates are looked for: of the stable members' hashes."""
        stable = {name: value for name, value in self.components.items() if name in STABLE}
        return b64url_encode(hashlib.sha256(_canonical([self.platform, stable])).digest())

    def encoded(self) -> str:
        """The text of the column ``components``."""
        members = {"platform": self.platform, "flags": sorted(self.flags), **self.components}
        return _canonical(members).decode()

    @classmethod
    def decoded(cls, text: str) -> Self:
        """The reverse of `encoded`; members that are compared no more are left out."""
        members = json.loads(text)
        components = {name: value for name, value in members.items() if name in MEMBERS}
        return cls(Platform(members["platform"]), components, frozenset(members["flags"]))

    def renewed(self, newer: Sketch) -> Sketch:
        """With what a newer one shows; what it leaves out stays, so that a thin one empties nothing."""
        return replace(self, components={**self.components, **newer.components}, flags=newer.flags)


@dataclass(frozen=True, slots=True)
class Seen:
    """A fingerprint of a device or key, and when it was seen.

    :ivar first_seen: `last_seen` likewise: moments of the server's clock
    """

    sketch: Sketch
    first_seen: datetime
    last_seen: datetime
    count: int = 1

    @classmethod
    def first(cls, sketch: Sketch, now: datetime) -> Self:
        """Nothing is known of the device yet."""
        return cls(sketch, now, now)

    def again(self, newer: Sketch, now: datetime) -> Seen:
        """Recognised, with what has changed since; time does not go back."""
        return Seen(self.sketch.renewed(newer), self.first_seen, max(self.last_seen, now), self.count + 1)


def _canonical(value: Any) -> bytes:
    """JCS (RFC 8785) of texts, whole numbers, lists and objects with ASCII names."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
