"""A private Redis server."""

from powerauth_cli.localservers.programs import find_or_install, free_port, private_folder
from powerauth_cli.localservers.server import LocalServer
from servicekit.tls.contexts import TlsFiles

_FOLDERS = ("/usr/bin", "/opt/homebrew/opt/redis/bin", "/usr/local/opt/redis/bin")


class RedisServer(LocalServer):
    """A Redis server on a free loopback port that keeps nothing on disk."""

    title = "Redis"

    def __init__(self, tls: TlsFiles | None = None) -> None:
        """:param tls: of a second port, where clients have to show a certificate"""
        super().__init__()
        self._tls = tls
        self._tls_port = 0

    @property
    def tls_url(self) -> str:
        """URL of its first database by TLS; a client's files are added to it."""
        return f"rediss://127.0.0.1:{self._tls_port}/0"

    @property
    def url(self) -> str:
        """URL of its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _launch(self) -> None:
        program = find_or_install("redis-server", _FOLDERS, apt_package="redis-server", brew_package="redis")
        self._folder = private_folder("powerauth-redis-", None)
        self.port = free_port()
        options: tuple[str, ...] = (
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        )
        if self._tls is not None:
            self._tls_port = free_port()
            options += ("--tls-port", str(self._tls_port), *_encrypted(self._tls))
        self._run(self._folder, [program, *options, "--dir", self._folder])


def _encrypted(tls: TlsFiles) -> tuple[str, ...]:
    return (
        *("--tls-cert-file", str(tls.certificate), "--tls-key-file", str(tls.key)),
        *("--tls-ca-cert-file", str(tls.authorities)),
    )
