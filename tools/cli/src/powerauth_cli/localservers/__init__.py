"""Private PostgreSQL and RabbitMQ servers for tests and measurements.

Each runs on a free loopback port from a temporary folder and leaves nothing behind. Programs that are
missing are installed with apt when that is possible; otherwise the error says what to install.
"""

from powerauth_cli.localservers.postgres import PostgresServer
from powerauth_cli.localservers.programs import ProgramMissing
from powerauth_cli.localservers.rabbitmq import RabbitServer

__all__ = ["PostgresServer", "ProgramMissing", "RabbitServer"]
