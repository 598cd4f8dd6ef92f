"""docs/configuration.md says of every setting what the services themselves say, and of none too little."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from powerauth_cli.services import SERVICES
from powerauth_cli.settings_reference import Setting, groups_of, reference

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def _settings(service: str) -> list[Setting]:
    return [setting for group in groups_of(SERVICES[service].settings()) for setting in group.settings]


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split(".")))


def test_the_page_is_what_the_settings_classes_say() -> None:
    assert PAGE.read_text() == reference() + "\n", "powerauth settings --markdown > docs/configuration.md"


@pytest.mark.parametrize("service", SERVICES)
def test_every_setting_has_a_meaning_and_a_release(service: str) -> None:
    """A text below it in its class; `since` where it is younger than the first release."""
    settings = _settings(service)
    assert len(settings) == len(SERVICES[service].settings().model_fields)
    assert [setting.variable for setting in settings if not setting.meaning.endswith(".")] == []
    present = _numbers(version("powerauth-cli"))
    assert [setting.variable for setting in settings if _numbers(setting.since) > present] == []


def test_every_rule_of_a_start_stands_at_its_setting() -> None:
    for service, found in SERVICES.items():
        told = sum(len(setting.rules) for setting in _settings(service))
        assert told == len(found.settings().all_start_rules()) > 10
