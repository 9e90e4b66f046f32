"""Traffic between nodes: streams of numbered packets, TCP transfers."""

import subprocess
import sys
import time
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path

from lab.emulation import stream_process, transfer_process
from lab.emulation.node import LabNode
from lab.emulation.process import MEASURING, end, hasten, wait_until
from lab.emulation.spec import Kind
from lab.errors import ScenarioError
from lab.events import StreamEnded, StreamStarted
from lab.plane.user import DEVICE
from lab.report import streams
from lab.report.streams import Arrival
from lab.wire.addresses import is_wider_than_link

PORT = 6275
READY_WITHIN = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSummary:
    """What became of a stream."""

    sent: int
    received: int
    duplicates: int
    path: Path


class Stream:
    """UDP packets from one node to an address of another, or to a group that it joins, stamped at both ends."""

    def __init__(
        self,
        source: LabNode,
        destination: LabNode,
        *,
        every: float,
        name: str,
        size: int = 0,
        port: int = PORT,
        to: IPv6Address | None = None,
        group: IPv6Address | None = None,
    ) -> None:
        self.name, self.every = name, every
        self.summary: StreamSummary | None = None
        self._context = source.context
        self._folder = source.context.directory / "streams"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._logs = {end: source.context.run / f"{name}.{end}" for end in ("send", "receive")}
        address, script = str(group or to or destination.spec.address), stream_process.__file__
        joined: list[str] = []
        sent_on: list[str] = []
        if group is not None:
            joined = [DEVICE if _follows(destination, group) else destination.spec.plugs[0].interface]
            sent_on = [] if _follows(source, group) else [source.spec.plugs[0].interface]
        python = [sys.executable, "-I", "-S", script]
        receive = [*python, "receive", address, str(port), str(self._logs["receive"]), *joined]
        self._receiver = self._start(destination, receive, "receive")
        send = [*python, "send", address, str(port), str(every), str(size), str(self._logs["send"]), *sent_on]
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
        process = _start(node, command, f"the {which} end of stream {self.name}", self._logs[which])
        hasten(process, MEASURING)
        return process

    def _read(self, which: str) -> list[list[str]]:
        try:
            return [line.split() for line in self._logs[which].read_text(encoding="ascii").splitlines()]
        except OSError as error:
            raise ScenarioError(f"stream {self.name}: its {which} end left no log: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSummary:
    """What became of a TCP transfer."""

    octets: int
    intact: bool
    """All that was sent arrived, octet for octet."""
    seconds: float


class Transfer:
    """Octets by TCP from one node to the address of another, in one connection."""

    def __init__(self, source: LabNode, destination: LabNode, *, octets: int, rate: int) -> None:
        self._what = f"the transfer from {source.name} to {destination.name}"
        address = str(destination.spec.address)
        name = f"{source.name}-{destination.name}.tcp"
        self._logs = {end: source.context.run / f"{name}.{end}" for end in ("send", "receive")}
        script = [sys.executable, "-I", "-S", transfer_process.__file__]
        self._processes = []
        for node, which, more in ((destination, "receive", ()), (source, "send", (str(rate),))):
            log = self._logs[which]
            command = [*script, which, address, str(PORT), str(octets), str(log), *more]
            self._processes.append(_start(node, command, f"the {which} end of {self._what}", log))

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return any(process.poll() is None for process in self._processes)

    def wait(self, *, within: float) -> TransferSummary:
        """Wait for its end; raises `ScenarioError` if that does not come in so many seconds."""
        deadline = time.monotonic() + within
        for process in self._processes:
            try:
                process.wait(max(deadline - time.monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                end(self._processes)
                raise ScenarioError(f"{self._what} was not over within {within:g} s") from None
        sent, received = (self._read(self._logs[end]) for end in ("send", "receive"))
        return TransferSummary(octets=int(received[0]), intact=sent[:2] == received[:2], seconds=float(received[2]))

    def _read(self, log: Path) -> list[str]:
        try:
            return log.read_text(encoding="ascii").split()
        except OSError as error:
            output = log.with_suffix(log.suffix + ".out")
            said = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise ScenarioError(f"{self._what} broke off: {' '.join(said) or error}") from error


def _follows(node: LabNode, group: IPv6Address) -> bool:
    """Tell whether a group is a mobile node's wherever it is: joined on the tunnel device, sent to by its routes."""
    return node.spec.kind is Kind.MOBILE_NODE and is_wider_than_link(group.packed)


def _start(node: LabNode, command: list[str], what: str, log: Path) -> "subprocess.Popen[bytes]":
    """Start one end and wait until it is ready."""
    output = log.with_suffix(log.suffix + ".out")
    with output.open("wb") as file:
        process = node.spawn(command, stdout=file, stderr=file)
    wait_until(
        lambda: b"ready" in output.read_bytes(), process, what, output, within=READY_WITHIN, fault="is not ready"
    )
    return process
