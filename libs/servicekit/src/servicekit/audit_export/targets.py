"""Where a stream of audit records goes: a file, or a receiver of syslog over TLS (RFC 5424, RFC 5425)."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import Protocol

from servicekit.audit_export.records import AuditRecord
from servicekit.tls.contexts import FollowingContext

_FACILITY_AUDIT = 13
_SEVERITIES = {"ERROR": 3, "FATAL": 2, "WARN": 4, "WARNING": 4, "DEBUG": 7, "TRACE": 7}
_INFORMATIONAL = 6
_MODE = 0o600

Lines = Sequence[tuple[AuditRecord, bytes]]
"""Records with their JSON, ASCII and without a line's end."""


class Target(Protocol):
    """Takes lines, from a thread of its own."""

    def send(self, lines: Lines) -> None:
        """Deliver all of them; afterwards they are out of this process's hands.

        :raises OSError: some may not have arrived: send all of them again
        """
        ...


class FileTarget:
    """Appends to a file, which is opened anew for each delivery: rotated files need no signal."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, lines: Lines) -> None:
        """Append, and wait until it is stored.

        :raises OSError: it cannot be written
        """
        handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _MODE)
        with os.fdopen(handle, "rb+", buffering=0) as file:
            text = b"".join([line + b"\n" for _, line in lines])
            # A process that was killed in the middle may have left half a line.
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                text = b"\n" + text
            written = 0
            while written < len(text):
                written += file.write(text[written:])
            os.fsync(handle)


class SyslogTarget:
    """Sends to a receiver, a connection for each delivery.

    Syslog confirms nothing. But a receiver that has read the end of the TLS stream closes it on its side, so
    a delivery is done when that has come back, and otherwise made again. The end of the connection alone says
    less: anybody on the way can send it.

    :param service: name of the application in each message
    :param close_notify: whether that is waited for; otherwise the end of the connection will do
    :param seconds: how long connecting, writing and the other side's close may take, each
    """

    def __init__(
        self,
        host: str,
        port: int,
        context: FollowingContext,
        service: str,
        *,
        close_notify: bool = True,
        seconds: float = 10.0,
    ) -> None:
        self._address = (host, port)
        self._context = context
        self._service = service
        self._close_notify = close_notify
        self._seconds = seconds

    def send(self, lines: Lines) -> None:
        """Write, and wait until the receiver has read all.

        :raises OSError: it is away, is not believed, or did not read to the end
        """
        messages = b"".join([_framed(self._message(record, line)) for record, line in lines])
        with socket.create_connection(self._address, timeout=self._seconds) as plain:
            context = self._context.current()
            with context.wrap_socket(plain, server_hostname=self._address[0]) as connection:
                connection.sendall(messages)
                self._end(connection)

    def _end(self, connection: ssl.SSLSocket) -> None:
        try:
            connection.unwrap()
        except ssl.SSLEOFError:
            if self._close_notify:
                reason = "no close_notify; if the receiver never sends it: AUDIT_EXPORT_CLOSE_NOTIFY=false"
                raise ConnectionError(reason) from None

    def _message(self, record: AuditRecord, line: bytes) -> bytes:
        priority = _FACILITY_AUDIT * 8 + _SEVERITIES.get(record.level, _INFORMATIONAL)
        moment = record.moment.replace(tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        kind = "".join([letter for letter in record.kind if "!" <= letter <= "~"])[:32] or "-"
        head = f"<{priority}>1 {moment} {_HOST} {self._service} {os.getpid()} {kind} - "
        return head.encode("ascii") + line


def _framed(message: bytes) -> bytes:
    """With its length in front (RFC 5425 §4.3)."""
    return b"%d %s" % (len(message), message)


def _host() -> str:
    name = "".join([letter for letter in socket.gethostname() if "!" <= letter <= "~"])
    return name[:255] or "-"


_HOST = _host()
