"""For every test: logs as a service writes them, so that a traceback never shows the values of variables."""

import pytest
from hypothesis import HealthCheck, settings

from servicekit.logs import configure_logging

configure_logging("tests", "INFO", json=True)

# No test may depend on how fast the machine is.
settings.register_profile("powerauth", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("powerauth")

COUNTED = ("generated cases", "corpus cases")
"""Names of the properties in which tests say how many cases they tried (`record_property`)."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how many cases the run has tried, on all its processes."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    properties = [entry for report in reports for entry in report.user_properties]
    for counted in COUNTED:
        total = sum(value for name, value in properties if name == counted)
        if total:
            terminalreporter.write_line(f"{counted}: {total:,}")
