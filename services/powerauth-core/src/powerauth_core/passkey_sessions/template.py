"""The template of the operations that a sign-in approves (spec/device-trust.md §4.9)."""

from __future__ import annotations

from powerauth_core.kernel.errors import TemplateExists
from powerauth_core.passkey_sessions import rules
from powerauth_core.templates import service as templates
from powerauth_core.templates.ports import Ports

CONTENT = templates.Content(
    operation_type=rules.SIGN_IN_TEMPLATE,
    data_template=rules.SIGN_IN_DATA,
    signature_types=rules.SIGN_IN_FACTORS,
    max_failure_count=rules.SIGN_IN_FAILURES,
    expiration=int(rules.LIFE.total_seconds()),
    risk_flags=None,
    with_proximity=False,
    protection={},
    issue_tokens=False,
)


async def ensure(ports: Ports) -> None:
    """Make it where there is none yet; one that is there stays as its operator left it."""
    if await ports.template_cache.of_name(ports.database, rules.SIGN_IN_TEMPLATE) is not None:
        return
    try:
        await templates.create(ports, rules.SIGN_IN_TEMPLATE, CONTENT)
    except TemplateExists:
        return  # another process was faster
