"""What a device keeps between two calls (spec/protocol-v3.md §2)."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from powerauth_sdk.errors import WrongDeviceState


@dataclass(slots=True)
class TokenRecord:
    """A MAC token: its id, secret (Base64, 16 bytes) and the factors it was created with."""

    token_id: str
    token_secret: str = field(repr=False)
    signature_type: str


@dataclass(slots=True)
class ActivationState:
    """One activation, every binary value as Base64 text.

    The knowledge key is encrypted under the PIN and the biometry key under `biometry_store_key`, which
    stands for a phone's biometric store. A real phone also wraps the possession and the transport key
    with a key of its hardware; this one relies on the permissions of its file.

    :ivar ctr_byte: low byte of the numeric counter; None until the server told it
    """

    activation_id: str
    ctr_data: str = field(repr=False)
    ctr_byte: int | None
    possession_key: str = field(repr=False)
    transport_key: str = field(repr=False)
    encrypted_knowledge_key: str = field(repr=False)
    pin_salt: str = field(repr=False)
    pin_iterations: int
    encrypted_device_private_key: str = field(repr=False)
    server_public_key: str
    device_public_key: str
    encrypted_biometry_key: str | None = field(default=None, repr=False)
    biometry_store_key: str | None = field(default=None, repr=False)
    encrypted_recovery: str | None = field(default=None, repr=False)
    tokens: dict[str, TokenRecord] = field(default_factory=dict, repr=False)

    def to_json(self) -> dict[str, Any]:
        """The state as a JSON object; it holds secrets."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> ActivationState:
        """Read back what `to_json` wrote.

        :raises WrongDeviceState: not such an object
        """
        known = {item.name for item in fields(cls)}
        try:
            tokens = {name: TokenRecord(**record) for name, record in content.get("tokens", {}).items()}
            return cls(**{**{name: content[name] for name in known & content.keys()}, "tokens": tokens})
        except (TypeError, AttributeError):
            raise WrongDeviceState("the stored state is not that of an activation") from None


class StateStore:
    """Keeps a state in memory only."""

    def __init__(self) -> None:
        self._state: ActivationState | None = None

    def load(self) -> ActivationState | None:
        """The stored state, or None before activation and after removal."""
        return self._state

    def save(self, state: ActivationState | None) -> None:
        """Store a state; None forgets it."""
        self._state = state


class FileStore(StateStore):
    """Keeps a state in a JSON file that only its owner can read, replaced in one step.

    :raises WrongDeviceState: the file is there but does not hold a state
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._settings: dict[str, Any] = {}
        if not path.exists():
            return
        try:
            content = json.loads(path.read_text())
        except ValueError:
            raise WrongDeviceState(f"{path} is not JSON") from None
        if not isinstance(content, dict):
            raise WrongDeviceState(f"{path} does not hold a device")
        self._settings = content.get("settings", {})
        if content.get("activation"):
            self._state = ActivationState.from_json(content["activation"])

    @property
    def settings(self) -> dict[str, Any]:
        """The application's settings stored beside the activation."""
        return self._settings

    def save_settings(self, settings: dict[str, Any]) -> None:
        """Replace the stored settings."""
        self._settings = settings
        self.save(self._state)

    def save(self, state: ActivationState | None) -> None:
        super().save(state)
        content = {"settings": self._settings, "activation": state.to_json() if state else None}
        temporary = self._path.with_name(self._path.name + ".new")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
