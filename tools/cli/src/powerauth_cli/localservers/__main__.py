"""Run a command with private servers: `python -m powerauth_cli.localservers pytest …`.

The command finds them in TEST_POSTGRES_URL, TEST_RABBITMQ_URL and TEST_REDIS_URL; its exit status is
passed on. A signal to stop reaches the command too, and the servers stop with it.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from types import FrameType
from typing import NoReturn

from powerauth_cli.localservers import PostgresServer, ProgramMissing, RabbitServer, RedisServer


def run(command: list[str], environment: Mapping[str, str]) -> int:
    """Wait for the command and give its exit status; one that must stop is told to and waited for."""
    with subprocess.Popen(command, env=environment) as process:  # noqa: S603
        try:
            return process.wait()
        except SystemExit:
            process.terminate()
            raise


def stop(number: int, frame: FrameType | None) -> NoReturn:
    """Leave in an orderly way where the signal would end the process and leave its servers running."""
    sys.exit(128 + number)


def main() -> int:
    signal.signal(signal.SIGTERM, stop)
    command = sys.argv[1:]
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with PostgresServer() as postgres, RabbitServer() as rabbitmq, RedisServer() as redis:
            addresses = {
                "TEST_POSTGRES_URL": postgres.url,
                "TEST_RABBITMQ_URL": rabbitmq.url,
                "TEST_REDIS_URL": redis.url,
            }
            return run(command, os.environ | addresses)
    except ProgramMissing as missing:
        print(missing, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
