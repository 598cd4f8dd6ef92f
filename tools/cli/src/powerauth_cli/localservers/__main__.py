"""Run a command with private servers: `python -m powerauth_cli.localservers pytest …`.

The command finds them in TEST_POSTGRES_URL, TEST_RABBITMQ_URL and TEST_REDIS_URL; its exit status is
passed on.
"""

import os
import subprocess
import sys

from powerauth_cli.localservers import PostgresServer, ProgramMissing, RabbitServer, RedisServer


def main() -> int:
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
            return subprocess.run(command, env=os.environ | addresses, check=False).returncode  # noqa: S603
    except ProgramMissing as missing:
        print(missing, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
