"""Private PostgreSQL, PgBouncer, RabbitMQ and Redis servers for tests and measurements.

Each runs on a free loopback port from a temporary folder and leaves nothing behind. Programs that are
missing are installed with apt when that is possible; otherwise the error says what to install.
"""

from powerauth_cli.localservers.pgbouncer import PgBouncerServer
from powerauth_cli.localservers.postgres import PostgresServer, StandbyServer
from powerauth_cli.localservers.programs import ProgramMissing
from powerauth_cli.localservers.rabbitmq import RabbitServer
from powerauth_cli.localservers.redis import RedisServer

__all__ = [
    "PgBouncerServer",
    "PostgresServer",
    "ProgramMissing",
    "RabbitServer",
    "RedisServer",
    "StandbyServer",
]
