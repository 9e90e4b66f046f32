"""Starting the daemons of a network as forks of one warm parent, see `fork_server_process`."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from lab.emulation.leftovers import environment
from lab.emulation.namespace import Namespace
from lab.emulation.process import PATIENCE, Process, check_alive, end
from lab.errors import ScenarioError

LONGEST_MESSAGE = 4096
STARTED_WITHIN = 20.0
"""Seconds; the first daemon waits until its parent is warm."""


@dataclass(frozen=True, slots=True)
class Order:
    """A daemon that is wanted, as it is told to the parent: in JSON, with descriptors."""

    name: str
    config: str
    namespace: int
    output: int
    log: int
    channel: int
    """Takes first the pid with a descriptor of the process, and at its end the exit status; see `Forked`."""

    def send(self, orders: socket.socket) -> None:
        """Tell it to the parent."""
        socket.send_fds(orders, [json.dumps([self.name, self.config]).encode()], self._descriptors())

    @classmethod
    def receive(cls, orders: socket.socket) -> Self | None:
        """Wait for the next one; None if there will be no more."""
        octets, descriptors, _, _ = socket.recv_fds(orders, LONGEST_MESSAGE, 4)
        return cls(*json.loads(octets), *descriptors) if octets else None

    def close(self) -> None:
        """Let all descriptors go."""
        for descriptor in self._descriptors():
            os.close(descriptor)

    def _descriptors(self) -> Sequence[int]:
        return (self.namespace, self.output, self.log, self.channel)


class Forked:
    """A daemon that the warm parent started; to be dealt with like a `subprocess.Popen`."""

    def __init__(self, pid: int, handle: int, channel: socket.socket) -> None:
        self.pid = pid
        self._handle = handle
        self._channel = channel
        self._status: int | None = None

    def poll(self) -> int | None:
        """Give the exit status, negative if a signal ended it; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and give the exit status; raises `subprocess.TimeoutExpired`."""
        if self._status is None:
            self._channel.settimeout(timeout)
            try:
                told = self._channel.recv(LONGEST_MESSAGE)
            except (BlockingIOError, TimeoutError):
                assert timeout is not None
                raise subprocess.TimeoutExpired(str(self.pid), timeout) from None
            self._status = int(told) if told else -signal.SIGKILL  # it ends with its parent
            self._channel.close()
            os.close(self._handle)
        return self._status

    def send_signal(self, number: int) -> None:
        """Send a signal, if it runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class Starter(Protocol):
    """What starts the daemons of a network."""

    def start(self, name: str, config: Path, *, namespace: Namespace, output: int, log: int) -> Process:
        """Start a daemon in a namespace, with descriptors to write to; raises `ScenarioError`."""

    def close(self) -> None:
        """Start no more; may be called twice."""


class ForkServer:
    """The parent of a network's daemons, as its network sees it: they end with it, and it ends with the network."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._orders, theirs = _channel()
        with theirs, log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lab.emulation.fork_server_process", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment(),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process of the parent."""
        return self._process.pid

    def start(self, name: str, config: Path, *, namespace: Namespace, output: int, log: int) -> Process:
        """Start a daemon in a namespace, with descriptors to write to; raises `ScenarioError`."""
        ours, theirs = _channel()
        with theirs, contextlib.suppress(BrokenPipeError):  # told below
            Order(name, str(config), namespace.descriptor, output, log, theirs.fileno()).send(self._orders)
        ours.settimeout(STARTED_WITHIN)
        try:
            told, handles, _, _ = socket.recv_fds(ours, LONGEST_MESSAGE, 1)
        except TimeoutError:
            told, handles = b"the parent of all daemons is not ready", []
        if handles:
            return Forked(int(told), handles[0], ours)
        ours.close()
        if not told:
            end([self._process])
            check_alive(self._process, "the parent of all daemons", self._log)
        raise ScenarioError(f"{name} was not started: {told.decode()}")

    def close(self) -> None:
        """Let the parent end; may be called twice."""
        self._orders.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            end([self._process], signal.SIGKILL)


def _channel() -> tuple[socket.socket, socket.socket]:
    """Make two ends; a message stays whole, and comes with the descriptors that are sent with it."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
