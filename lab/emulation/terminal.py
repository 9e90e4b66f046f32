"""A guest at the user's terminal: keys go in as they are pressed, Ctrl-C among them, and its size is told."""

import contextlib
import fcntl
import os
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from functools import partial

from lab.emulation.guest import END_OF_INPUT, Guest, Job, write


def attend(job: Job) -> int:
    """Run a command in a guest as if it ran at this terminal, and give its exit status; raises as `guest.run`.

    Where standard input is no terminal, lines of it are read as they come.
    """
    keys = sys.stdin.fileno()
    if not os.isatty(keys):
        with Guest(job) as guest:
            return guest.wait(guest.shown(), {keys: partial(_type, guest.typed)})
    ours, theirs = os.openpty()
    with contextlib.ExitStack() as held:
        held.callback(os.close, ours)
        with contextlib.ExitStack() as of_guest:
            of_guest.callback(os.close, theirs)
            held.enter_context(_same_size(ours))
            guest = held.enter_context(Guest(job, terminal=theirs))
        held.enter_context(_every_key(keys))
        return guest.wait({ours: partial(write, sys.stdout.buffer)}, {keys: partial(_type, ours)})


def _type(into: int, octets: bytes) -> None:
    os.write(into, octets or END_OF_INPUT)


@contextlib.contextmanager
def _every_key(terminal: int) -> Iterator[None]:
    """Take keys as they are pressed, none for a signal; the terminal is as it was afterwards."""
    before = termios.tcgetattr(terminal)
    tty.setraw(terminal)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _same_size(other: int) -> Iterator[None]:
    """Keep another terminal as large as the user's."""

    def adapt(*_: object) -> None:
        with contextlib.suppress(OSError):  # no terminal, no size
            fcntl.ioctl(other, termios.TIOCSWINSZ, fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, bytes(8)))

    before = signal.signal(signal.SIGWINCH, adapt)
    try:
        adapt()
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
