"""For every test: logs as a service writes them, so that a traceback never shows the values of variables."""

from servicekit.logs import configure_logging

configure_logging("tests", "INFO", json=True)
