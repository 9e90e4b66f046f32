"""Anonymous network namespaces: they live as long as somebody holds them, and leave nothing behind."""

import contextlib
import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from lab.emulation.leftovers import environment
from lab.errors import MissingError
from lab.netlink import Netlink

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


class Namespace:
    """A network namespace that is held by a descriptor."""

    def __init__(self) -> None:
        self.descriptor, self.netlink = _in_thread(_create)

    def run(self, function: Callable[[], T]) -> T:
        """Call a function in a thread that is inside; what it opens stays inside."""

        def inside() -> T:
            enter(self.descriptor)
            return function()

        return _in_thread(inside)

    def spawn(self, command: Sequence[str], **options: Any) -> "subprocess.Popen[bytes]":
        """Start a process inside; call this from the main thread, since the process ends with that thread."""
        inside = [
            "nsenter",
            f"--net=/proc/{os.getpid()}/fd/{self.descriptor}",
            "setpriv",
            "--pdeathsig",
            "KILL",
            *command,
        ]
        options.setdefault("env", environment())
        try:
            return subprocess.Popen(inside, stdin=subprocess.DEVNULL, start_new_session=True, **options)
        except FileNotFoundError as error:
            raise MissingError("nsenter and setpriv are missing: install the package util-linux") from error

    def close(self) -> None:
        """Let go; the kernel removes it when nobody else is inside."""
        self.netlink.close()
        if self.descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(self.descriptor)
            self.descriptor = -1


def enter(descriptor: int) -> None:
    """Take this thread into a network namespace."""
    _check(_libc.setns(descriptor, _CLONE_NEWNET), "enter a network namespace")


def _create() -> tuple[int, Netlink]:
    _check(_libc.unshare(_CLONE_NEWNET), "make a network namespace")
    descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    return descriptor, Netlink()


def _check(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise MissingError(f"{what}: {os.strerror(error)}; root (or CAP_SYS_ADMIN) is needed")


def _in_thread(function: Callable[[], T]) -> T:
    """Call in a thread of its own: it alone changes its namespace."""
    results: list[T] = []
    errors: list[BaseException] = []

    def body() -> None:
        try:
            results.append(function())
        except BaseException as error:  # raised again below
            errors.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
