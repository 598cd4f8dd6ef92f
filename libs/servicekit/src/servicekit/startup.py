"""Whether a service may start as it is configured, and what it says when it may not (D3).

Every fault of the configuration is a `Finding`: the variable, what is wrong with it, an example. All that
are found are told at once, one line each on standard error, and the process ends with status 78, which
service managers know as "the configuration, so do not try again".

A part that finds out only while it starts (a database of the wrong schema, a key that does not fit) raises
`StartRefused` from the application's lifespan; it is told in the same way.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Generator, Iterable
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from servicekit.logs import configure_logging, get_logger
from servicekit.settings import ServiceSettings
from servicekit.start_rules import FILE_SUFFIX, Finding, Rule, StartRefused, Weight

S = TypeVar("S", bound=ServiceSettings)

_OF_THE_PLATFORM = re.compile(r"_SERVICE_|_PORT$|_PORT_|^CLOUD_(?:RUN|SDK|ML|SHELL)(?:_|$)")
"""What Kubernetes sets for a service of the name ``core`` (``CORE_SERVICE_HOST``, ``CORE_PORT_80_TCP``), and
Google's platform for everything that runs there."""

log = get_logger(__name__)


@contextmanager
def told_without_traceback() -> Generator[None]:
    """Around a command: the findings of `StartRefused` go to standard error, the process ends with 78.

    :raises SystemExit: the start was refused
    """
    try:
        yield
    except StartRefused as refused:
        sys.stderr.write(f"{refused}\n")
        raise SystemExit(os.EX_CONFIG) from None


def serving_settings(settings_class: type[S], name: str, workers: int | None = None) -> S:
    """The settings of a service that is about to serve; its logs go to standard output from now on.

    :param name: of the service, in its log lines
    :param workers: how many processes the command line wants; None: what the environment says
    :raises StartRefused: they cannot be read, or break a rule
    """
    given: dict[str, Any] = {} if workers is None else {"workers": workers}
    settings, doubts = _judged(settings_class, **given)
    configure_logging(name, settings.log_level, json=settings.log_json)
    if "environment" not in settings.model_fields_set:
        variable = variable_of(settings_class, "environment")
        doubts.append(Finding(variable, "not set: the rules of production do not hold", "production"))
    _warn(doubts)
    return settings


def command_settings(settings_class: type[S], name: str, needs: Collection[str], **given: Any) -> S:
    """The settings for a command beside the service: its logs go to standard error, the answer alone to
    standard output. Unless a level is set, only what went wrong is logged.

    :param needs: the settings that the command works with; the rules of others are not looked at
    :param given: settings that win over the environment
    :raises StartRefused: they cannot be read, or a needed one breaks a rule
    """
    settings, doubts = _judged(settings_class, needs, **given)
    level = settings.log_level if "log_level" in settings.model_fields_set else "WARNING"
    configure_logging(name, level, json=settings.log_json, stream=sys.stderr)
    _warn(doubts)
    return settings


def embedded_settings(settings_class: type[S], **given: Any) -> S:
    """The settings of a service inside a process that has set up its logs.

    :raises StartRefused: as `serving_settings`
    """
    settings, doubts = _judged(settings_class, **given)
    _warn(doubts)
    return settings


def judge_settings(settings_class: type[S], **given: Any) -> None:
    """Whether a service may start with these settings, when nothing is to be told yet of what is doubtful.

    :raises StartRefused: as `serving_settings`
    """
    _judged(settings_class, **given)


def variable_of(settings_class: type[ServiceSettings], setting: str) -> str:
    """The environment variable of a setting."""
    return f"{settings_class.model_config.get('env_prefix') or ''}{setting}".upper()


def unknown_variables(settings_class: type[ServiceSettings], environment: Iterable[str]) -> list[Finding]:
    """Variables that have the service's prefix but are none of its settings, with the nearest name.

    :param environment: the names of variables
    """
    prefix = variable_of(settings_class, "")
    if not prefix:
        return []
    known = [name.upper() for name in settings_class.model_fields]
    known += [name + FILE_SUFFIX for name in known]
    return [
        Finding(name, "is no setting" + _nearest(prefix, name.upper().removeprefix(prefix), known))
        for name in sorted(environment)
        if name.upper().startswith(prefix)
        and name.upper().removeprefix(prefix) not in known
        and not _OF_THE_PLATFORM.search(name.upper())
    ]


def _judged(
    settings_class: type[S], needs: Collection[str] | None = None, **given: Any
) -> tuple[S, list[Finding]]:
    """The settings, and what is doubtful about them.

    :param needs: the settings whose rules are looked at; None: all
    :raises StartRefused: with everything that is wrong
    """
    unknown = unknown_variables(settings_class, os.environ)
    try:
        settings = settings_class(**given)
    except ValidationError as error:
        raise StartRefused(*_faults(settings_class, error), *unknown) from None
    except StartRefused as refused:
        raise StartRefused(*refused.findings, *unknown) from None
    broken = [
        rule
        for rule in settings.all_start_rules()
        if (needs is None or rule.setting in needs) and rule.broken(settings)
    ]
    refused_by = [rule for rule in broken if _is_fatal(rule, settings)]
    if refused_by or (settings.production and unknown):
        raise StartRefused(*(_finding(settings, rule) for rule in refused_by), *unknown)
    warned_by = broken if settings.production else []
    return settings, [*(_finding(settings, rule) for rule in warned_by), *unknown]


def _faults(settings_class: type[ServiceSettings], error: ValidationError) -> list[Finding]:
    """One finding for each setting with a wrong value; the value itself stays out of it."""
    faults: dict[str, Finding] = {}
    for detail in error.errors(include_input=False, include_url=False, include_context=False):
        setting = str(detail["loc"][0]) if detail["loc"] else "*"
        meaning = detail["msg"].removeprefix("Value error, ")
        field = settings_class.model_fields.get(setting)
        faults.setdefault(setting, Finding(variable_of(settings_class, setting), meaning, _example_of(field)))
    return list(faults.values())


def _example_of(field: FieldInfo | None) -> str:
    """The first example that the setting names, or its default; nothing of a secret."""
    if field is None:
        return ""
    if field.examples:
        return str(field.examples[0])
    default = field.get_default(call_default_factory=True)
    if isinstance(default, bool):
        return str(default).lower()
    return str(default) if isinstance(default, str | int | float) else ""


def _nearest(prefix: str, name: str, known: Collection[str]) -> str:
    matches = get_close_matches(name, known, n=1)
    return f"; the nearest is {prefix}{matches[0]}" if matches else ""


def _is_fatal(rule: Rule, settings: ServiceSettings) -> bool:
    return rule.weight is Weight.ALWAYS or (settings.production and rule.weight is Weight.IN_PRODUCTION)


def _finding(settings: ServiceSettings, rule: Rule) -> Finding:
    return Finding(variable_of(type(settings), rule.setting), rule.meaning, rule.example)


def _warn(findings: Iterable[Finding]) -> None:
    for finding in findings:
        log.warning(
            "setting", variable=finding.variable, meaning=finding.meaning, example=finding.example or None
        )
