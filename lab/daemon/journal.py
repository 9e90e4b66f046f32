"""The journal: every event as one JSON line, in the clock of the captures."""

import io
import logging
import os
import sys
import time
from pathlib import Path

from lab.events import Event, Record

_log = logging.getLogger(__name__)


class Journal:
    """Writes records to a file, or to standard output for "-"; a reader that went away ends nothing."""

    def __init__(self, node: str, where: str) -> None:
        self._node = node
        self._file: io.FileIO | None = _standard_output() if where == "-" else io.FileIO(Path(where), "a")

    def write(self, event: Event) -> None:
        """Write an event with the time of now, at once."""
        if self._file is None:
            return
        octets = (Record(time=time.time(), node=self._node, event=event).to_json() + "\n").encode()
        try:
            while octets:
                octets = octets[os.write(self._file.fileno(), octets) :]
        except OSError as error:
            _log.warning("the journal cannot be written any more: %s", error)
            self._file = None


def _standard_output() -> io.FileIO:
    return io.FileIO(sys.stdout.fileno(), "w", closefd=False)
