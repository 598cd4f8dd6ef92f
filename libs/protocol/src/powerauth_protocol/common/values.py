"""Values that a server and the generations of the protocol hand each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class StatusFacts:
    """State, counter and attempts of an activation.

    :ivar state: number of the state, 1 to 5
    :ivar counter: how many codes were accepted
    :ivar ctr_data: next expected counter data; None without
    :ivar look_ahead: counter values that the server tries
    """

    state: int
    failed_attempts: int
    max_failed_attempts: int
    counter: int
    ctr_data: bytes | None = field(repr=False)
    look_ahead: int


@dataclass(frozen=True, slots=True)
class SealedStatus:
    """A status that its device alone can read.

    :ivar nonce: of the server, exactly when the device sent a challenge
    """

    blob: bytes
    nonce: bytes | None


# A value, never changed. Not frozen: that makes it five times as dear.
@dataclass(slots=True)
class IssuedKey:
    """A new temporary key.

    :ivar jwt: the signed answer
    :ivar private: what the server stores, encrypted
    :ivar public: what it may store in the clear
    :ivar generation: `activation_version` of the generation that it was made for
    :ivar key: of that generation, as its `Envelopes.key` would read it
    """

    jwt: str
    private: bytes = field(repr=False)
    public: bytes
    generation: int
    key: Any = field(repr=False)
