"""Checkpoints: the heads of the chains, signed and kept outside the database (docs/audit.md).

A database that is set back to an earlier state as a whole looks right by itself; it does not beside a
checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from powerauth_contracts import moments
from powerauth_core.audit.chain.keys import ChainKey, ChainKeys, Sealed
from powerauth_core.audit.chain.models import AuditChain

_FORMAT = 1


class CheckpointUnusable(Exception):
    """The file is no checkpoint, was changed, or was sealed with a key that is not known."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was true at a moment.

    :ivar chains: position and MAC of the last row by chain
    """

    moment: str
    chains: dict[str, tuple[int, bytes]]


def dump(key: ChainKey, heads: Sequence[AuditChain], moment: datetime) -> str:
    """The text of a checkpoint: one JSON object."""
    facts = [
        _FORMAT,
        key.key_id,
        moments.isoformat_core(moment),
        [[head.chain_id, head.position, head.mac.hex()] for head in heads],
    ]
    names = ("format", "keyId", "timestamp", "chains")
    seal = key.seal(Sealed.CHECKPOINT, *facts).hex()
    return json.dumps(dict(zip(names, facts, strict=True)) | {"seal": seal}, indent=1) + "\n"


def load(keys: ChainKeys, text: str) -> Checkpoint:
    """Read a checkpoint.

    :raises CheckpointUnusable: it cannot be believed
    """
    try:
        members: dict[str, Any] = json.loads(text)
        facts = [members["format"], members["keyId"], members["timestamp"], members["chains"]]
        key = keys.by_id(members["keyId"])
        if key is None:
            raise CheckpointUnusable("the checkpoint was sealed with another key")
        if members["format"] != _FORMAT or not key.sealed(
            bytes.fromhex(members["seal"]), Sealed.CHECKPOINT, *facts
        ):
            raise CheckpointUnusable("the checkpoint was changed")
        chains = {chain: (position, bytes.fromhex(mac)) for chain, position, mac in members["chains"]}
        return Checkpoint(members["timestamp"], chains)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointUnusable("the file is no checkpoint") from error
