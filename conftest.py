"""For every test: logs as a service writes them, so that a traceback never shows the values of variables."""

import pytest

from servicekit.logs import configure_logging

configure_logging("tests", "INFO", json=True)

GENERATED = "generated cases"
"""Name of the property in which a test says how many cases it made up (`record_property`)."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how many generated cases the run has tried, on all its processes."""
    reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
    total = sum(value for report in reports for name, value in report.user_properties if name == GENERATED)
    if total:
        terminalreporter.write_line(f"{GENERATED}: {total:,}")
