"""The supervisor: accepts connections, and keeps the workers that serve them going.

It runs no event loop and no thread and opens nothing but its sockets, so it may fork at any time.
"""

from __future__ import annotations

import multiprocessing
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from multiprocessing.process import BaseProcess
from typing import Any

from fastapi import FastAPI

from servicekit import loading
from servicekit.doors import Door, doors_of, management_of
from servicekit.logs import get_logger
from servicekit.prefork.board import Board, Place
from servicekit.prefork.worker import READY, Doors, Post, hand_over, work
from servicekit.serving import OpenDoor, bound_socket, failed_start_told
from servicekit.settings import ServiceSettings

BACKLOG = 2048
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_ACCEPTED_AT_ONCE = 64
_STEADY_SECONDS = 30.0
"""A worker that served so long did not die of its start."""
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_LONGEST_WAIT_SECONDS = 3600.0
_NO_RESOURCES_SECONDS = 0.1
_KILLED = 128
"""Added to the number of the signal that ended a worker, as shells do."""
_SERVICE, _MANAGEMENT = 0, 1
"""The channels of a worker: connections of callers, and of operators."""

log = get_logger(__name__)


def supervise(app: FastAPI, settings: ServiceSettings) -> None:
    """Serve in as many workers as the settings want, until told to stop.

    :raises SystemExit: the address is taken, or no worker starts, with the status of one of them
    """
    with failed_start_told(lambda: False):
        supervisor = Supervisor(app, settings)
        with loading.loading():
            for name in settings.all_imported_at_start():
                import_module(name)
    status = supervisor.run()
    if status:
        raise SystemExit(status)


class _Listener:
    """A port.

    :ivar channel: that its connections take to a worker
    :ivar number: of its door on that channel
    :ivar is_open: whether connections are accepted now
    """

    def __init__(self, door: Door, channel: int, number: int) -> None:
        self.channel = channel
        self.number = number
        self.listener = bound_socket(door.host, door.port)
        self.listener.setblocking(False)
        # Connections inherit it.
        self.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.is_open = False


class _Worker:
    """A place, and the process that has it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.process: BaseProcess | None = None
        self.channels: list[socket.socket] = []
        self.handed = [0, 0]
        self.ready = False
        self.served = False
        self.started = 0.0
        self.pause = 0.0
        self.due: float | None = None

    def load(self, channel: int) -> tuple[int, int]:
        """The smaller, the sooner it gets the next connection."""
        closed = self.place.closed if channel == _SERVICE else 0
        return self.handed[channel] - closed, self.handed[channel]

    def take(self, door: _Listener, connection: socket.socket) -> bool:
        """Hand it a connection; False: it takes none now."""
        try:
            hand_over(self.channels[door.channel], door.number, connection)
        except OSError:
            return False
        self.handed[door.channel] += 1
        return True


class Supervisor:
    """Starts, watches and stops the workers of a service.

    :raises AddressTaken: nothing can be served at one of its addresses
    """

    def __init__(self, app: FastAPI, settings: ServiceSettings) -> None:
        self._app = app
        doors, management = doors_of(app, settings), management_of(app)
        self._served = Doors(
            [OpenDoor.in_process(door) for door in doors],
            None if management is None else OpenDoor.in_process(management),
        )
        self._listeners = [_Listener(door, _SERVICE, number) for number, door in enumerate(doors)]
        if management is not None:
            self._listeners.append(_Listener(management, _MANAGEMENT, 0))
        self._workers = [_Worker(place) for place in Board(settings.workers).places]
        self._selector = selectors.DefaultSelector()
        self._stopping = False
        self._status = 0

    def run(self) -> int:
        """Serve; the exit status."""
        loading.settle()
        with self._hearing_signals():
            # Alone at first: it brings the schema up to date, and shows whether a start succeeds at all.
            self._start(self._workers[0])
            while any(worker.process or worker.due for worker in self._workers):
                for key, _ in self._selector.select(self._patience()):
                    key.data()
                self._start_what_is_due()
        for door in self._listeners:
            door.listener.close()
        return self._status

    @contextmanager
    def _hearing_signals(self) -> Iterator[None]:
        heard, told = socket.socketpair()
        for end in (heard, told):
            end.setblocking(False)
        before = {number: signal.signal(number, _do_nothing) for number in _STOP_SIGNALS}
        signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        self._selector.register(heard, selectors.EVENT_READ, lambda: self._told(heard.recv(1)[0]))
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._selector.close()
            heard.close()
            told.close()

    def _told(self, number: int) -> None:
        """A terminal's signal goes to the workers too, and a second interrupt means "at once"."""
        self._stop(number if self._stopping else signal.SIGTERM)

    def _stop(self, number: int = signal.SIGTERM) -> None:
        self._stopping = True
        self._set_open(_SERVICE, wanted=False)
        for door in self._of(_SERVICE):
            door.listener.close()
        for worker in self._workers:
            worker.due = None
            if worker.process is not None and worker.process.pid is not None:
                os.kill(worker.process.pid, number)

    def _patience(self) -> float:
        due = [worker.due for worker in self._workers if worker.due is not None]
        return max(0.0, min(due) - time.monotonic()) if due else _LONGEST_WAIT_SECONDS

    def _start_what_is_due(self) -> None:
        for worker in self._workers:
            if worker.due is not None and worker.due <= time.monotonic():
                self._start(worker)

    def _start(self, worker: _Worker) -> None:
        worker.due, worker.served, worker.handed, worker.started = None, False, [0, 0], time.monotonic()
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(2)]
        worker.channels = [ours for ours, _ in pairs]
        theirs = [end for _, end in pairs]
        # What is sent to it before it listens waits, instead of being heard by this process's handlers.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
        worker.process = multiprocessing.get_context("fork").Process(
            target=self._work,
            args=(Post(worker.place, *theirs),),
            name=f"worker {worker.place.number}",
            # Told to stop if this process ends by an error.
            daemon=True,
        )
        worker.process.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
        for channel in theirs:
            channel.close()
        for channel in worker.channels:
            channel.setblocking(False)
        self._watch(worker.channels[0], partial(self._heard, worker))
        self._watch(worker.process.sentinel, partial(self._ended, worker))
        self._set_open(_MANAGEMENT, wanted=True)

    def _work(self, post: Post) -> None:
        """In the new process: leave alone what belongs to the supervisor, and serve."""
        signal.set_wakeup_fd(-1)
        for number in _STOP_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        self._selector.close()
        for door in self._listeners:
            door.listener.close()
        for worker in self._workers:
            for channel in worker.channels:
                channel.close()
        work(self._app, self._served, post)

    def _heard(self, worker: _Worker) -> None:
        if not worker.channels:
            # Its end was seen first.
            return
        try:
            word = worker.channels[0].recv(len(READY))
        except OSError:
            word = b""
        if word != READY:
            self._selector.unregister(worker.channels[0])
            self._set_ready(worker, ready=False)
            return
        worker.served = True
        self._set_ready(worker, ready=True)
        log.info("worker ready", number=worker.place.number, pid=_pid(worker))
        if not self._stopping:
            self._start_missing()

    def _set_ready(self, worker: _Worker, *, ready: bool) -> None:
        worker.ready = ready
        if not self._stopping:
            self._set_open(_SERVICE, wanted=any(each.ready for each in self._workers))

    def _start_missing(self) -> None:
        for worker in self._workers:
            if worker.process is None and worker.due is None:
                self._start(worker)

    def _ended(self, worker: _Worker) -> None:
        process = worker.process
        assert process is not None
        process.join()
        status = process.exitcode or 0
        self._forget(worker, process)
        if self._stopping:
            self._status = self._status or _exit_status(status)
        elif worker.served or any(other.ready for other in self._workers):
            self._start_again(worker, status)
        else:
            log.error("given up: no worker starts", number=worker.place.number, status=status)
            self._status = _exit_status(status) or 1
            self._stop()

    def _start_again(self, worker: _Worker, status: int) -> None:
        steady = time.monotonic() - worker.started > _STEADY_SECONDS
        worker.pause = (
            0.0 if steady else min(worker.pause * 2 or _FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        )
        worker.due = time.monotonic() + worker.pause
        log.error("worker ended", number=worker.place.number, status=status, restart_seconds=worker.pause)

    def _forget(self, worker: _Worker, process: BaseProcess) -> None:
        self._selector.unregister(process.sentinel)
        process.close()
        if worker.channels[0] in self._watched():
            self._selector.unregister(worker.channels[0])
        for channel in worker.channels:
            channel.close()
        worker.place.tell(ready=False, closed=0)
        worker.process, worker.channels = None, []
        self._set_ready(worker, ready=False)

    def _watch(self, source: Any, callback: Callable[[], None]) -> None:
        self._selector.register(source, selectors.EVENT_READ, callback)

    def _watched(self) -> set[Any]:
        return {key.fileobj for key in self._selector.get_map().values()}

    def _of(self, channel: int) -> list[_Listener]:
        return [door for door in self._listeners if door.channel == channel]

    def _set_open(self, channel: int, *, wanted: bool) -> None:
        """Whether connections are accepted; until they are again, they wait in the queues of their doors."""
        for door in self._of(channel):
            if door.is_open == wanted:
                continue
            door.is_open = wanted
            if wanted:
                door.listener.listen(BACKLOG)
                self._watch(door.listener, partial(self._accept, door))
            else:
                self._selector.unregister(door.listener)

    def _accept(self, door: _Listener) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                connection, _ = door.listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                log.error("no connection can be accepted", reason=str(error))
                time.sleep(_NO_RESOURCES_SECONDS)
                return
            with connection:
                self._hand_over(door, connection)

    def _hand_over(self, door: _Listener, connection: socket.socket) -> None:
        """Give it to the worker with the fewest; one that nobody takes is closed."""
        managing = door.channel == _MANAGEMENT
        able = [worker for worker in self._workers if worker.ready or (managing and worker.process)]
        for worker in sorted(able, key=lambda each: each.load(door.channel)):
            if worker.take(door, connection):
                return
        log.warning("connection closed: no worker takes it")


def _do_nothing(_number: int, _frame: object) -> None:
    """The number arrives at the wake-up socket."""


def _pid(worker: _Worker) -> int | None:
    return worker.process.pid if worker.process else None


def _exit_status(status: int) -> int:
    return status if status >= 0 else _KILLED - status
