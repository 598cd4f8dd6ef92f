"""What an app may know about its user: OpenID Connect claims from a file.

The file, named by ``BANK_CLAIMS_FILE``, is a JSON object: user id → claims.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from powerauth_core.providers.plug_ins import ClaimsContext, Stage


class Provider:
    """The plug-in; made once per process, without parameters."""

    def __init__(self) -> None:
        self._file = Path(os.environ["BANK_CLAIMS_FILE"])

    async def claims(self, context: ClaimsContext) -> dict[str, Any] | None:
        """Tell an app the claims of its user; during an activation only the name, so that it can greet."""
        known: dict[str, Any] = json.loads(self._file.read_text()).get(context.user_id, {})
        if context.stage is Stage.USER_INFO:
            return {"sub": context.user_id, **known}
        name = known.get("name")
        return None if name is None else {"sub": context.user_id, "name": name}
