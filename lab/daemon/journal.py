"""The journal: every event as one JSON line, in the clock of the captures."""

import logging
import sys
import time
from pathlib import Path
from typing import TextIO

from lab.events import Event, Record

_log = logging.getLogger(__name__)


class Journal:
    """Writes records to a file, or to standard output for "-"; a reader that went away ends nothing."""

    def __init__(self, node: str, where: str) -> None:
        self._node = node
        self._stream: TextIO | None = sys.stdout if where == "-" else _append(Path(where))

    def write(self, event: Event) -> None:
        """Write an event with the time of now."""
        if self._stream is None:
            return
        record = Record(time=time.time(), node=self._node, event=event)
        try:
            self._stream.write(record.to_json() + "\n")
            self._stream.flush()
        except (BrokenPipeError, OSError) as error:
            _log.warning("the journal cannot be written any more: %s", error)
            self._stream = None


def _append(path: Path) -> TextIO:
    return path.open("a", encoding="utf-8")
