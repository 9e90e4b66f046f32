"""Killed at any instant of a storm of registrations, a home agent has all that it acknowledged (RFC 6275 §15.3)."""

import os
import random
import select
import signal
import socket
import time
import traceback
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from lab.auth.secrets import Secrets
from lab.constants import RETRANS_TIMER, Status
from lab.daemon.clocks import Reading, read
from lab.daemon.dispatcher import Dispatcher
from lab.daemon.store import Store
from lab.engine.config import HomeAgentConfig
from lab.engine.home_agent import HomeAgent
from lab.engine.io import DeadlineReached, Input, Recalled, Received
from lab.plane.memory import MemoryPlane
from lab.wire.mobility import BindingAcknowledgement
from lab.wire.packet import Packet, build, parse
from tests.engine.home_agent_bench import AGENT, CARE_OF, HOME, OTHER_CARE_OF, PREFIX, update

KILLS = 200
HOMES = 12
STORM = 0.05
"""Seconds in which a kill comes, at the latest."""
UNANSWERED = 6
"""So many Binding Updates may be on their way."""
LONG = 1e6
"""Nothing is to end by itself: what is missing in the end was lost."""
WITHIN = 10.0


class Worker:
    """A home agent in a process of its own: packets come and go by a socket; all but the kernel's part is real."""

    def __init__(self, wire: socket.socket, path: Path) -> None:
        self._wire = wire
        self._skipped = 0.0
        """Seconds of Duplicate Address Detection that nobody waited for."""
        store = Store(path, self._clocks)
        config = HomeAgentConfig(
            interface="ha-eth0",
            address=AGENT,
            home_prefixes=(PREFIX,),
            max_binding_lifetime=int(LONG),
            delete_timeout=LONG,
        )
        self._agent = HomeAgent(config, Secrets(b"seed"))
        self._dispatcher = Dispatcher(
            self._agent,
            MemoryPlane(),
            self,
            journal=lambda _: None,
            clock=lambda: self._clocks().monotonic,
            arm=lambda _: None,
            store=store,
        )
        for record in store.recalled:
            self._dispatcher.feed(Recalled(record=record))

    def serve(self) -> None:
        """Answer until killed, or until nobody asks any more."""
        while octets := self._wire.recv(1 << 16):
            self._feed(Received(packet=parse(octets), interface="ha-eth1"))

    def _feed(self, happened: Input) -> None:
        self._dispatcher.feed(happened)
        if any(entry["state"] == "probing" for entry in self._agent.snapshot(0.0)):
            self._skipped += RETRANS_TIMER
            self._dispatcher.feed(DeadlineReached())

    def _clocks(self) -> Reading:
        clocks = read()
        return Reading(
            boot=clocks.boot, uptime=clocks.uptime, wall=clocks.wall, monotonic=clocks.monotonic + self._skipped
        )

    def send(self, packet: Packet, interface: str | None, neighbor: bytes | None) -> None:
        if isinstance(packet.payload, BindingAcknowledgement):
            self._wire.send(build(packet))

    def join(self, *_: object) -> None:
        """Hear everything anyway."""

    def leave(self, *_: object) -> None:
        """Hear everything anyway."""

    def join_anycast(self, *_: object) -> None:
        """Hear everything anyway."""


@dataclass
class Mobile:
    """What a mobile node sent and was told; some of what it sent was never read."""

    home: IPv6Address
    sequence: int = 0
    sent: dict[int, Received] = field(default_factory=dict)
    accepted: int = 0
    """Last sequence number that was acknowledged; 0 before the first."""

    def ask(self, chance: random.Random) -> Received:
        self.sequence += 1
        care_of = chance.choice((CARE_OF, OTHER_CARE_OF))
        ends = self.accepted and chance.random() < 0.2
        asked = update(self.sequence, home=self.home, care_of=care_of, lifetime=0 if ends else 240_000)
        self.sent[self.sequence] = asked
        return asked


class Home:
    """Mobile nodes, and a home agent that is killed again and again."""

    def __init__(self, path: Path, chance: random.Random) -> None:
        self._path, self._chance = path, chance
        self.mobiles = {HOME + number: Mobile(home=HOME + number) for number in range(HOMES)}
        self.acknowledged = 0
        self._pid = 0

    def start(self) -> None:
        """Start the home agent; a fork spares the imports."""
        self._wire, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._wire.settimeout(WITHIN)
        self._pid = os.fork()
        if self._pid:
            theirs.close()
            return
        try:
            self._wire.close()
            Worker(theirs, self._path).serve()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)

    def storm(self) -> None:
        """Register at random until the kill, which comes at a random instant; then read what was still told."""
        end = time.monotonic() + self._chance.uniform(0.0, STORM)
        self._wire.setblocking(False)
        waiting = 0
        while (left := end - time.monotonic()) > 0:
            if waiting < UNANSWERED:
                mobile = self._chance.choice([*self.mobiles.values()])
                self._wire.send(build(mobile.ask(self._chance).packet))
                waiting += 1
            elif select.select([self._wire], [], [], left)[0]:
                waiting -= self._hear()
        os.kill(self._pid, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1]) == -signal.SIGKILL
        self._hear()
        self._wire.close()

    def _hear(self) -> int:
        """Read all acknowledgements that are there; give how many."""
        heard = 0
        while octets := self._octets():
            packet = parse(octets)
            assert isinstance(packet.payload, BindingAcknowledgement)
            assert packet.payload.status == Status.ACCEPTED, packet
            self.mobiles[packet.routed_home_address or packet.destination].accepted = packet.payload.sequence
            self.acknowledged += 1
            heard += 1
        return heard

    def _octets(self) -> bytes:
        try:
            return self._wire.recv(1 << 16)
        except (BlockingIOError, ConnectionError):
            return b""

    def check_records(self) -> None:
        """Compare what was acknowledged with what is on the disk."""
        store = Store(self._path)
        records = {record.home_address: record for record in store.recalled}
        store.close()
        for mobile in self.mobiles.values():
            if not mobile.accepted:
                continue
            record = records[mobile.home]
            assert record.sequence >= mobile.accepted, f"{mobile.home}: acknowledged, and lost"
            asked = mobile.sent[record.sequence].packet  # perhaps a later one, whose acknowledgement was cut off
            ends = getattr(asked.payload, "lifetime", None) == 0
            assert record.care_of_address == (None if ends else asked.source)
            mobile.accepted = record.sequence

    def play_back(self, which: int | None = None) -> int:
        """Play old Binding Updates back, all or the last so many of each; give how many there were."""
        played = 0
        self._wire.setblocking(True)
        self._wire.settimeout(WITHIN)
        for mobile in self.mobiles.values():
            old = [asked for number, asked in sorted(mobile.sent.items()) if number <= mobile.accepted]
            for asked in old if which is None else old[-which:]:
                self._wire.send(build(asked.packet))
                answer = parse(self._wire.recv(1 << 16)).payload
                assert isinstance(answer, BindingAcknowledgement)
                expected = (Status.SEQUENCE_NUMBER_OUT_OF_WINDOW, mobile.accepted)
                assert (answer.status, answer.sequence) == expected, f"{mobile.home}: a replay was accepted"
                played += 1
        return played

    def end(self) -> None:
        """End the home agent in order."""
        self._wire.close()
        assert os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1]) == 0


@pytest.mark.rfc6275("15.3-a", "9.5.1-b")
def test_kills_at_any_instant_lose_nothing_and_open_no_replay(tmp_path: Path) -> None:
    seed = int(os.environ.get("MIP6LAB_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"MIP6LAB_SEED={seed} chooses the same registrations and instants")
    home = Home(tmp_path / "ha.sqlite", random.Random(seed))
    replayed = 0
    for _ in range(KILLS):
        home.start()
        replayed += home.play_back(which=1)
        home.storm()
        home.check_records()
    home.start()
    replayed += home.play_back()
    home.end()
    print(f"{home.acknowledged} registrations acknowledged, {replayed} played back and refused")
    assert home.acknowledged > 2 * KILLS
    assert replayed > KILLS
