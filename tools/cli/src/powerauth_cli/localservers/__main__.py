"""Run a command with private servers: `python -m powerauth_cli.localservers pytest …`.

The command finds them in TEST_POSTGRES_URL, TEST_RABBITMQ_URL and TEST_REDIS_URL, with TLS in
TEST_RABBITMQ_TLS_URL and TEST_REDIS_TLS_URL; its exit status is passed on. A signal to stop reaches the
command too, and the servers stop with it.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import NoReturn

from powerauth_cli.localservers import PostgresServer, ProgramMissing, RabbitServer, RedisServer
from servicekit.authority import Authority
from servicekit.tls.contexts import TlsFiles


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


def _shown(url: str, tls: TlsFiles, *names: str) -> str:
    """The URL, with the files of authorities, certificate and key under these names."""
    files = zip(names, (tls.authorities, tls.certificate, tls.key), strict=True)
    return f"{url}?{'&'.join(f'{name}={path}' for name, path in files)}"


def main() -> int:
    signal.signal(signal.SIGTERM, stop)
    command = sys.argv[1:]
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with (
            TemporaryDirectory(prefix="powerauth-tls-") as folder,
            PostgresServer() as postgres,
            RabbitServer(tls := Authority(Path(folder)).issue("servers")) as rabbitmq,
            RedisServer(tls) as redis,
        ):
            addresses = {
                "TEST_RABBITMQ_TLS_URL": _shown(rabbitmq.tls_url, tls, "cafile", "certfile", "keyfile"),
                "TEST_REDIS_TLS_URL": _shown(
                    redis.tls_url, tls, "ssl_ca_certs", "ssl_certfile", "ssl_keyfile"
                ),
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
