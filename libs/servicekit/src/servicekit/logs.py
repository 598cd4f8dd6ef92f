"""Structured logs: one JSON object a line, with the correlation id and the trace, without secrets."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, TextIO

from servicekit import tracing
from servicekit.loading import without

with without("rich"):  # which would print tracebacks in colours; ours are plain text
    import structlog

correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)
"""The id that ties the log lines and the onward calls of one request together."""

_worker: int | None = None
"""Which of a service's processes this is."""

MASK = "***"

_CREDENTIALS = {
    "password",
    "passwd",
    "passphrase",
    "secret",
    "pin",
    "puk",
    "otp",
    "code",
    "jwt",
    "token",
    "cookie",
}
_PROOFS = {"authorization", "signature", "digest", "mac", "challenge", "nonce", "credential", "credentials"}
_SENSITIVE_WORDS = _CREDENTIALS | _PROOFS | {"private", "plaintext", "decrypted"}
_HARMLESS_KEYS = frozenset(
    {"error_code", "status_code", "http_code", "exit_code", "code_path", "token_count"}
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_MAX_DEPTH = 6


@lru_cache(maxsize=4096)
def is_sensitive_key(key: str) -> bool:
    """Whether a value under this key (snake, camel or header case) must not be written."""
    if key in _HARMLESS_KEYS:
        return False
    words = [word.lower() for word in _WORDS.findall(key)]
    return not _SENSITIVE_WORDS.isdisjoint(words) or "".join(words) in _SENSITIVE_WORDS


def redact(value: Any, depth: int = 0) -> Any:
    """A copy with every value under a sensitive key masked, at any depth up to a bound."""
    if isinstance(value, Mapping):
        if depth >= _MAX_DEPTH:
            return MASK
        return {
            key: MASK if isinstance(key, str) and is_sensitive_key(key) else redact(member, depth + 1)
            for key, member in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact(member, depth + 1) for member in value] if depth < _MAX_DEPTH else MASK
    return value


def _redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if is_sensitive_key(key):
            event[key] = MASK
        elif isinstance(value, Mapping | list | tuple) and key != "exc_info":
            event[key] = redact(value)
    return event


def _add_correlation_id(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    current = correlation_id.get()
    if current is not None:
        event["correlation_id"] = current
    return event


def _add_trace(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    span = tracing.current.get()
    if span is not None:
        event["trace_id"] = span.trace_id
        event["span_id"] = span.span_id
    return event


def _add_worker(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if _worker is not None:
        event["worker"] = _worker
    return event


def name_worker(number: int) -> None:
    """Let every line of this process say which of the service's processes writes it."""
    global _worker  # noqa: PLW0603 - of the process, as its logs are
    _worker = number


def configure_logging(
    service: str, level: str = "INFO", json: bool = True, stream: TextIO | None = None
) -> None:
    """Send this process's logs (ours and the libraries') to one stream, standard output unless given.

    :param service: written into every line
    :param level: ``DEBUG``, ``INFO``, ``WARNING`` or ``ERROR``
    :param json: one JSON object a line; otherwise text for a terminal
    """
    target = stream or sys.stdout
    minimum = logging.getLevelNamesMapping()[level.upper()]

    def add_service(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("service", service)
        return event

    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        _add_correlation_id,
        _add_trace,
        add_service,
        _add_worker,
        _redact_event,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(minimum),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(minimum, logging.INFO))
    for noisy in ("uvicorn.access", "aiormq", "aio_pika", "asyncio"):
        logging.getLogger(noisy).setLevel(max(minimum, logging.WARNING))


def get_logger(name: str) -> Any:
    """A logger of fixed event texts and key-value pairs: ``log.info("published", type=…)``."""
    return structlog.get_logger(name=name)
