"""Processes of a network: started in a namespace, watched, ended in order."""

import contextlib
import ctypes
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab.errors import ScenarioError

PATIENCE = 5.0
"""Seconds that a process has to end before it is killed."""

SERVING, MEASURING = 10, 20
"""Real-time priorities: a stream that waits behind a daemon would tell of the processor instead of the network."""
POLL_INTERVAL = 0.005

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15
_libc = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a process has used."""

    cpu: float
    """Seconds of a processor."""
    memory: int
    """Octets that are resident now."""


def used_by(pid: int) -> Used:
    """Ask the kernel what a process has used so far."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    memory = next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS:"))
    return Used(cpu=time.clock_gettime((~pid << 3) | 2), memory=memory)  # clock_getcpuclockid(3)


class Process(Protocol):
    """What can be done with a process, as with a `subprocess.Popen`."""

    pid: int

    def poll(self) -> int | None:
        """Give the exit status, negative if a signal ended it; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and give the exit status; raises `subprocess.TimeoutExpired`."""

    def send_signal(self, sig: int) -> None:
        """Send a signal, if it runs."""

    def kill(self) -> None:
        """End it at once."""


def allow_descriptors() -> None:
    """Let this process open as many files as it may: a network of hundreds of nodes has some for each."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def end_with_parent(parent: int) -> None:
    """Have the kernel kill this process as soon as its parent, which has this pid, ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before
        os.kill(os.getpid(), signal.SIGKILL)


def rename(name: str) -> None:
    """Give this process the name that ps shows, of which the kernel takes 15 octets."""
    _libc.prctl(_PR_SET_NAME, name.encode())


def hasten(process: Process, priority: int = SERVING) -> None:
    """Let a process run as soon as it has something to do, whatever else the machine is busy with.

    What is measured is then the protocol and not the wait for a processor. A machine that forbids it (a container,
    say) gives the process its turn like everybody's.
    """
    with contextlib.suppress(OSError):
        os.sched_setscheduler(process.pid, os.SCHED_RR, os.sched_param(priority))


@contextlib.contextmanager
def hastened() -> Iterator[None]:
    """Let the calling thread run for the block as what measures does, where the machine allows it."""
    before, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(MEASURING))
    try:
        yield
    finally:
        os.sched_setscheduler(0, before, parameters)


def end(processes: Iterable[Process | None], how: signal.Signals = signal.SIGTERM) -> None:
    """End processes in parallel; whichever does not end in time is killed."""
    running = [process for process in processes if process is not None and process.poll() is None]
    for process in running:
        process.send_signal(how)
    deadline = time.monotonic() + PATIENCE
    for process in running:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(holds: Callable[[], bool], process: Process, name: str, log: Path, *, within: float, fault: str) -> None:
    """Wait until a process is as wanted; raises `ScenarioError` if it ends before that, or has a fault for too long."""
    deadline = time.monotonic() + within
    while not holds():
        check_alive(process, name, log)
        if time.monotonic() > deadline:
            raise ScenarioError(f"{name} {fault} after {within:g} s; see {log}")
        time.sleep(POLL_INTERVAL)


def check_alive(process: Process, name: str, log: Path) -> None:
    """Raise `ScenarioError` with the end of its log if a process has ended."""
    status = process.poll()
    if status is not None:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-8:] if log.exists() else []
        tail = "\n    ".join(lines)
        raise ScenarioError(f"{name} ended with status {status}; the end of {log}:\n    {tail}")
