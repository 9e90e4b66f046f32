"""Streams of numbered packets between nodes."""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lab.emulation import stream_process
from lab.emulation.node import LabNode
from lab.emulation.process import check_alive, end
from lab.errors import ScenarioError
from lab.events import StreamEnded, StreamStarted
from lab.report import streams
from lab.report.streams import Arrival

PORT = 6275
READY_WITHIN = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSummary:
    """What became of a stream."""

    sent: int
    received: int
    duplicates: int
    path: Path


class Stream:
    """UDP packets from one node to the address of another, stamped at both ends."""

    def __init__(self, source: LabNode, destination: LabNode, *, every: float, name: str) -> None:
        self.name, self.every = name, every
        self.summary: StreamSummary | None = None
        self._context = source.context
        self._folder = source.context.directory / "streams"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._logs = {end: source.context.run / f"{name}.{end}" for end in ("send", "receive")}
        address, script = str(destination.spec.address), stream_process.__file__
        python = [sys.executable, "-I", "-S", script]
        receive = [*python, "receive", address, str(PORT), str(self._logs["receive"])]
        self._receiver = self._start(destination, receive, "receive")
        send = [*python, "send", address, str(PORT), str(every), str(self._logs["send"])]
        self._sender = self._start(source, send, "send")
        started = StreamStarted(stream=name, source=source.name, destination=destination.name, every=every)
        self._context.collector.report(started)

    def stop(self) -> StreamSummary:
        """End the stream, wait for what is under way, and write its log; once is enough."""
        if self.summary is not None:
            return self.summary
        end([self._sender])
        end([self._receiver])
        sent = {int(line[0]): float(line[1]) for line in self._read("send")}
        received: dict[int, float] = {}
        duplicates = 0
        for sequence, _, at in self._read("receive"):
            if int(sequence) in received:
                duplicates += 1
            received.setdefault(int(sequence), float(at))
        path = self._folder / f"{self.name}.csv"
        arrivals = [Arrival(sequence=n, sent=at, received=received.get(n)) for n, at in sorted(sent.items())]
        streams.write(path, arrivals)
        self._context.collector.report(StreamEnded(stream=self.name, sent=len(sent), received=len(received)))
        self.summary = StreamSummary(sent=len(sent), received=len(received), duplicates=duplicates, path=path)
        return self.summary

    def _start(self, node: LabNode, command: list[str], which: str) -> "subprocess.Popen[bytes]":
        output = self._logs[which].with_suffix(f".{which}.out")
        with output.open("wb") as file:
            process = node.spawn(command, stdout=file, stderr=file)
        deadline = time.monotonic() + READY_WITHIN
        while b"ready" not in output.read_bytes():
            check_alive(process, f"the {which} end of stream {self.name}", output)
            if time.monotonic() > deadline:
                raise ScenarioError(f"stream {self.name}: its {which} end is not ready after {READY_WITHIN} s")
            time.sleep(0.005)
        return process

    def _read(self, which: str) -> list[list[str]]:
        try:
            return [line.split() for line in self._logs[which].read_text(encoding="ascii").splitlines()]
        except OSError as error:
            raise ScenarioError(f"stream {self.name}: its {which} end left no log: {error}") from error
