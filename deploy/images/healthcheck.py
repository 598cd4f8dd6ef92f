"""Whether the service in this container is ready, as its management port tells.

    python healthcheck.py PREFIX

Container engines ask so; orchestrators ask the port themselves. The exit status is 0 when it is.
"""

from __future__ import annotations

import os
import ssl
import sys
from urllib.error import URLError
from urllib.request import urlopen

_YES = frozenset({"1", "on", "t", "true", "y", "yes"})
_EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - nothing listens here


def is_ready(prefix: str) -> bool:
    """Ask readiness on the management port, on this machine."""
    host = os.environ.get(f"{prefix}_MANAGEMENT_HOST") or os.environ.get(f"{prefix}_HOST", "")
    if host in _EVERYWHERE:
        host = "127.0.0.1"
    address = f"[{host}]" if ":" in host else host
    port = os.environ.get(f"{prefix}_MANAGEMENT_PORT", "9090")
    sealed = os.environ.get(f"{prefix}_MANAGEMENT_TLS", "").lower() in _YES
    # The certificate is for the name by which others know this machine.
    context = ssl._create_unverified_context() if sealed else None  # noqa: S323 - an address of this machine
    url = f"http{'s' if sealed else ''}://{address}:{port}/actuator/health/readiness"
    try:
        with urlopen(url, timeout=5, context=context) as answer:  # noqa: S310 - http or https
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


if __name__ == "__main__":
    sys.exit(0 if is_ready(sys.argv[1]) else 1)
