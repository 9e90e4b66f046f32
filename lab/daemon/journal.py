"""The journal: every event as one JSON line, in the clock of the captures."""

import io
import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from lab.events import Event, Record

AT_ONCE = 256
"""So many records go out with one call."""
_log = logging.getLogger(__name__)


class Journal:
    """Writes records to a file, or to standard output for "-"; a reader that went away ends nothing.

    `later` has a function called soon: what is written until then goes out with one call. Without it each record goes
    out at once.
    """

    def __init__(self, node: str, where: str, later: Callable[[Callable[[], None]], object] | None = None) -> None:
        self._node = node
        self._file: io.FileIO | None = _standard_output() if where == "-" else io.FileIO(Path(where), "a")
        self._later = later
        self._waiting: deque[tuple[float, Event]] = deque()

    def write(self, event: Event) -> None:
        """Write an event with the time of now."""
        if self._file is None:
            return
        if self._later is not None and not self._waiting:
            self._later(self._write_some)
        self._waiting.append((time.time(), event))
        if self._later is None:
            self.flush()

    def flush(self) -> None:
        """Let all that was written go out."""
        while self._waiting:
            self._write_out()

    def _write_some(self) -> None:
        """Let some go out, and the rest soon: after a restart there is much to tell, and others wait for their turn."""
        if self._waiting:
            self._write_out()
        if self._waiting and self._later is not None:
            self._later(self._write_some)

    def _write_out(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), AT_ONCE))]
        records = (Record(time=then, node=self._node, event=event) for then, event in batch)
        octets = "".join(f"{record.to_json()}\n" for record in records).encode()
        try:
            while octets and self._file is not None:
                octets = octets[os.write(self._file.fileno(), octets) :]
        except OSError as error:
            _log.warning("the journal cannot be written any more: %s", error)
            self._file = None


def _standard_output() -> io.FileIO:
    return io.FileIO(sys.stdout.fileno(), "w", closefd=False)
