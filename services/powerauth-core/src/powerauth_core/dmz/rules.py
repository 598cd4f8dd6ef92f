"""When a key exchange at the dmz door commits the activation too (D1 rule 1)."""

from __future__ import annotations

from collections.abc import Collection

from powerauth_core.providers.plug_ins import ActivationType


def commits_at_once(
    kind: ActivationType, *, word: bool | None, configured: Collection[str] | None, recovery: bool
) -> bool:
    """Whether an activation is committed in the call that created it.

    Logins of identity providers are not asked about here: they always are.

    :param word: what the operator's provider answered, None where none is installed
    :param configured: types that the application allows it for, None if it says nothing
    :param recovery: for RECOVERY without a provider, where the application says nothing
    """
    if kind == "CODE" or (configured is not None and kind not in configured):
        return False
    if word is not None:
        return word
    return kind == "RECOVERY" and (recovery or configured is not None)
