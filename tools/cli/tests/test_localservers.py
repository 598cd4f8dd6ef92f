"""A command that runs with private servers."""

from __future__ import annotations

import signal
import subprocess
import sys

COMMAND = "import time; print('at work', flush=True); time.sleep(60)"
PROGRAM = f"""
import atexit, os, signal, sys
from powerauth_cli.localservers.__main__ import run, stop
signal.signal(signal.SIGTERM, stop)
atexit.register(print, "the servers are stopped")
sys.exit(run([sys.executable, "-c", {COMMAND!r}], os.environ))
"""


def test_told_to_stop_it_stops_its_command_first_and_its_servers_then() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        process.send_signal(signal.SIGTERM)
        # The pipe ends when the command, which holds it too, is gone.
        assert process.stdout.read() == "the servers are stopped\n"
        assert process.wait() == 128 + signal.SIGTERM


def test_the_exit_status_of_the_command_is_passed_on() -> None:
    program = PROGRAM.replace(repr(COMMAND), repr("raise SystemExit(7)"))
    assert subprocess.run([sys.executable, "-c", program], check=False, capture_output=True).returncode == 7
