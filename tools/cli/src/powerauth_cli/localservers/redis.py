"""A private Redis server."""

from powerauth_cli.localservers.programs import find_or_install, free_port, private_folder
from powerauth_cli.localservers.server import LocalServer

_FOLDERS = ("/usr/bin", "/opt/homebrew/opt/redis/bin", "/usr/local/opt/redis/bin")


class RedisServer(LocalServer):
    """A Redis server on a free loopback port that keeps nothing on disk."""

    title = "Redis"

    @property
    def url(self) -> str:
        """URL of its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _launch(self) -> None:
        program = find_or_install("redis-server", _FOLDERS, apt_package="redis-server", brew_package="redis")
        self._folder = private_folder("powerauth-redis-", None)
        self.port = free_port()
        options = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        self._run(self._folder, [program, *options, "--dir", self._folder])
