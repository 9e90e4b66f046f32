"""A guest kernel in virtual time: the same seed gives the same octets, however busy the host is.

Its processor is infinitely fast: time passes only where all wait, and a little with each system call and each look at
the clock, so that who waits by looking comes to an end. Whatever could be otherwise in another run is fixed here: the
time, the environment, and by the seed all randomness, which the kernel draws from the words of its command line alone.
"""

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import lab
from lab.emulation.guest import TO_LOG, Job, Machine, consoles_to
from lab.emulation.times import START, VARIABLE, TimeName
from lab.errors import GuestError

PATIENCE = 4 * 3600
"""Seconds of virtual time that a command may take: one that waits for what never comes would else do so for ever."""
SILENCE = 600.0
"""Seconds of the host after which a guest is held for dead that showed nothing; it does so each virtual minute."""
_WORDS = ("time-travel=inf-cpu", f"time-travel-start={START}000000000", "fb_tunnels=none")
"""The last: devices of tunnels that nobody made are in no namespace."""
_LOOK_EVERY = 0.05


ENVIRONMENT = {
    VARIABLE: TimeName.VIRTUAL.value,
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/root",
    "TMPDIR": "/run",
    "LANG": "C.UTF-8",
    "TERM": "xterm-256color",
    "FORCE_COLOR": "1",
    "COLUMNS": "100",
    "PYTHONPATH": str(Path(lab.__file__).parents[1]),
    "PYTHONNOUSERSITE": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
"""What a command finds, whoever the user is and whatever the terminal: to write longer lines takes more memory, and to
ask the kernel for memory takes time."""


class VirtualGuest(Machine):
    """A guest in virtual time from its boot to its end. There is nothing to read for its command."""

    def __init__(self, job: Job, program: Path, *, seed: int) -> None:
        super().__init__(job)
        self._out, self._said = (_Growing(self._folder / name) for name in ("out", "said"))
        try:
            words = [*_WORDS, f"mip6lab.seed={seed}"]
            said = {"patience": str(PATIENCE)}
            self._boot(job, [*_in_order(), str(program)], *consoles_to([TO_LOG]), *words, said=said)
        except BaseException:
            self.close()
            raise

    def wait(self, show: Callable[[bytes], object]) -> int:
        """Have shown what the command writes, line by line, until it has ended; give its exit status."""
        heard = time.monotonic()
        while self._status is None:
            ended = self._process is None or self._process.poll() is not None
            said, shown = self._said.lines(), self._out.lines()  # in this order: a status is the last that is said
            for line in shown:
                show(line)
            for line in said:
                if self._status is None:  # time flies on behind it: patience may have ended meanwhile
                    self._take(line)
            if said or shown:
                heard = time.monotonic()
            elif ended:
                raise GuestError(f"the guest kernel ended before its command did{self._last_words()}")
            elif time.monotonic() > heard + SILENCE:
                raise GuestError(f"virtual time stood still for {SILENCE:g} s: something computes without end")
            else:
                time.sleep(_LOOK_EVERY)
        return self._status

    def _take(self, line: bytes) -> None:
        if line == b"late\n":
            raise GuestError(f"the command did not end within {PATIENCE} s of virtual time")
        super()._take(line)


def _in_order() -> Sequence[str]:
    """Give the words before a program that has its memory at the same addresses each time; containers may forbid it."""
    words = ("setarch", "--addr-no-randomize")
    allowed = subprocess.run([*words, "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0
    return words if allowed else ()


class _Growing:
    """A file of lines that a guest writes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def lines(self) -> list[bytes]:
        """Give the lines that are new in it and whole."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                lines = [line for line in file if line.endswith(b"\n")]
        except FileNotFoundError:
            return []
        self._offset += sum(map(len, lines))
        return lines
