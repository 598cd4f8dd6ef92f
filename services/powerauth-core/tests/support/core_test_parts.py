"""Parts of a running core that a use case takes before its session."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from powerauth_core.audit.chain.keys import ChainKeys
from powerauth_core.container import Core


def parts_of(core: Core, use_case: Callable[..., Any]) -> list[Any]:
    """``await use_case(*parts_of(core, use_case), session, …)``, whichever parts it takes."""
    names = list(signature(use_case).parameters)
    return [core if name == "ports" else getattr(core, name) for name in names[: names.index("session")]]


def chain_keys_of(core: Core) -> ChainKeys:
    """The keys that a core chains its audit rows with."""
    keys = ChainKeys.of(core.settings.chain_secrets)
    assert keys is not None
    return keys
