"""Parts of a running core that a use case takes."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.audit.chain.keys import ChainKeys
from powerauth_core.container import Core


def parts_of(core: Core, use_case: Callable[..., Any], session: AsyncSession) -> list[Any]:
    """``await use_case(*parts_of(core, use_case, session), name=…)``, whichever parts it takes."""
    own = {"ports": core, "session": session}
    taken = [
        each.name for each in signature(use_case).parameters.values() if each.kind is not each.KEYWORD_ONLY
    ]
    return [own[name] if name in own else getattr(core, name) for name in taken]


def chain_keys_of(core: Core) -> ChainKeys:
    """The keys that a core chains its audit rows with."""
    assert core.chain_keys is not None
    return core.chain_keys
