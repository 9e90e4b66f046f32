"""What the nodes of one network share: settings, folders, the records of all journals, the namespace of the links."""

import contextlib
import os
import selectors
import threading
import time
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from pathlib import Path

from lab.daemon.planes import Choice, choose
from lab.emulation.fork_server import ForkServer, Starter
from lab.emulation.leftovers import make_folder, remove_folder
from lab.emulation.namespace import Namespace
from lab.emulation.settings import Settings
from lab.events import Event, Record
from lab.plane import sysctl
from lab.safeguards import NOTHING, Without

LAB = "lab"
"""The node name of records that the lab itself makes."""


class Collector:
    """Gathers records as they come; whoever waits for one is told at once."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._changed = threading.Condition()
        self._listeners: list[Callable[[Record], None]] = []

    def listen(self, listener: Callable[[Record], None]) -> None:
        """Call for every record from now on, in the thread that brings it."""
        self._listeners.append(listener)

    def add(self, record: Record) -> None:
        """Take a record."""
        with self._changed:
            self._records.append(record)
            self._changed.notify_all()
        for listener in self._listeners:
            listener(record)

    def report(self, event: Event) -> None:
        """Take an event of the lab itself, which happens now."""
        self.add(Record(time=round(time.time(), 6), node=LAB, event=event))  # as exact as what is written

    def records(self) -> list[Record]:
        """Give all records so far in the order of their times."""
        with self._changed:
            return sorted(self._records, key=lambda record: record.time)

    def since(self, number: int) -> list[Record]:
        """Give the records from a number on, counted from 0 in the order in which they came."""
        with self._changed:
            return self._records[number:]

    def wait(self, matches: Callable[[Record], bool], *, since: float, within: float) -> Record | None:
        """Wait for a record from `since` on that matches; None if `within` seconds pass without one."""
        deadline = time.monotonic() + within
        seen = 0
        with self._changed:
            while True:
                for record in self._records[seen:]:
                    if record.time >= since and matches(record):
                        return record
                seen = len(self._records)
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(left)


class JournalReader:
    """One thread that reads the journals of all daemons from their pipes."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._rest: dict[int, bytes] = {}
        self._ended = False
        self._thread = threading.Thread(target=self._read, name="journals", daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def pipe(self) -> Iterator[int]:
        """Give what a daemon that is started in the block has to write to, and read that until it ends."""
        reading, writing = os.pipe()
        self._rest[reading] = b""
        self._selector.register(reading, selectors.EVENT_READ)
        os.write(self._wake_write, b"+")
        try:
            yield writing
        finally:
            os.close(writing)

    def close(self) -> None:
        """Read what is left, then end."""
        if self._ended:
            return
        self._ended = True
        os.write(self._wake_write, b".")
        self._thread.join(timeout=5)
        self._selector.close()
        for descriptor in (self._wake_read, self._wake_write, *self._rest):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _read(self) -> None:
        while True:
            ready = [key.fd for key, _ in self._selector.select(0.1 if self._ended else None)]
            for descriptor in ready:
                octets = os.read(descriptor, 1 << 16)
                if descriptor == self._wake_read:
                    continue
                if not octets:
                    self._selector.unregister(descriptor)
                    os.close(descriptor)
                    del self._rest[descriptor]
                    continue
                *lines, self._rest[descriptor] = (self._rest[descriptor] + octets).split(b"\n")
                for line in lines:
                    self._take(line)
            if self._ended and not (ready and self._rest):  # all have ended, or who has not is silent
                return

    def _take(self, line: bytes) -> None:
        with contextlib.suppress(ValueError):  # what a daemon prints beside its journal is in its log
            self._collector.add(Record.from_json(line.decode(errors="replace")))


class Context:
    """Made once for a network; closes everything that it holds."""

    def __init__(
        self,
        settings: Settings,
        directory: Path | None = None,
        *,
        seed: int = 1,
        daemons: bool = True,
        without: Without = NOTHING,
    ) -> None:
        self.settings = settings
        self.without = without
        """Protections that are switched off in all of the network."""
        self.seed = seed
        self.run = make_folder()
        self.directory = self.run if directory is None else directory
        self.collector = Collector()
        self.journals = JournalReader(self.collector)
        self.starter: Starter | None = ForkServer(self.run / "fork-server.log") if daemons else None
        """Starts daemons, if there are to be any; it imports what they need while everything else is brought up."""
        self.links = Namespace()
        for scope in ("all", "default"):  # the links only carry; they say nothing themselves
            self.links.run(partial(sysctl.set_interface, scope, disable_ipv6=1))
        self.logs = self.directory / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)

    @cached_property  # trying what the kernel allows takes longer than making some nodes
    def plane(self) -> Choice:
        """The data plane of all daemons."""
        return self.links.run(partial(choose, self.settings.plane, self.without))

    def close(self) -> None:
        """Let everything go, and remove the folder of sockets and configurations."""
        if self.starter is not None:
            self.starter.close()
        self.journals.close()
        self.links.close()
        remove_folder(self.run)
