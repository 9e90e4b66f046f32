"""Duplicate Address Detection for addresses that the kernel does not test for us (RFC 4862 §5.4).

A home agent tests a home address that is not its own (RFC 6275 §10.3.1), a mobile node its care-of address
beside using it (RFC 4429).
"""

from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from typing import TypeAlias

from lab.constants import DUP_ADDR_DETECT_TRANSMITS, RETRANS_TIMER
from lab.engine.io import (
    DadFailed,
    DadSucceeded,
    DeadlineReached,
    Effect,
    Instant,
    JoinGroup,
    LeaveGroup,
    Received,
    Report,
    Send,
    StartDad,
    StopDad,
)
from lab.engine.neighbor_discovery import HOP_LIMIT, anonymous_solicitation
from lab.engine.timetable import Timetable
from lab.events import DadFinished, DadStarted
from lab.wire.addresses import UNSPECIFIED, solicited_node
from lab.wire.icmpv6 import NeighborAdvertisement, NeighborSolicitation
from lab.wire.neighbor import TargetLinkLayerAddress

Answer: TypeAlias = Effect | DadSucceeded | DadFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Test:
    """One address under test; `left` solicitations are still to be sent."""

    interface: str
    left: int
    deadline: Instant


class DuplicateAddressDetection:
    """Tests any number of addresses at once."""

    def __init__(self, *, transmits: int = DUP_ADDR_DETECT_TRANSMITS, retrans_timer: float = RETRANS_TIMER) -> None:
        self._transmits = transmits
        self._retrans_timer = retrans_timer
        self._tests: Timetable[_Test] = Timetable()

    def handle(self, happened: StartDad | StopDad | Received | DeadlineReached, now: Instant) -> list[Answer]:
        """Take one input; the results of tests are among what comes out."""
        match happened:
            case StartDad(interface=interface, address=address):
                return self._start(interface, address, now)
            case StopDad(address=address):
                return self._stop(address)
            case Received():
                return self._received(happened)
            case DeadlineReached():
                return self._advance(now)

    def deadline(self) -> Instant | None:
        """When the next solicitation or verdict is due."""
        return self._tests.deadline()

    def _start(self, interface: str, address: IPv6Address, now: Instant) -> list[Answer]:
        if self._tests.get(address) is not None:
            return []
        deadline = now + self._retrans_timer
        self._tests.put(address, _Test(interface=interface, left=self._transmits - 1, deadline=deadline))
        return [
            JoinGroup(interface=interface, group=solicited_node(address)),
            Report(event=DadStarted(address=address)),
            Send(packet=anonymous_solicitation(address), interface=interface),
        ]

    def _received(self, received: Received) -> list[Answer]:
        packet = received.packet
        if packet.hop_limit != HOP_LIMIT:
            return []
        match packet.payload:
            case NeighborAdvertisement(target=target, options=options):
                told = next((o.address for o in options if isinstance(o, TargetLinkLayerAddress)), None)
            case NeighborSolicitation(target=target) if packet.source == UNSPECIFIED:
                told = None  # RFC 4862 §5.4.3: somebody else tests the same address
            case _:
                return []
        test = self._tests.get(target)
        if test is None or test.interface != received.interface:
            return []
        return self._finish(target, DadFailed(address=target, link_layer_address=told))

    def _advance(self, now: Instant) -> list[Answer]:
        answers: list[Answer] = []
        for address, test in self._tests.due(now):
            if test.left:
                self._tests.put(address, replace(test, left=test.left - 1, deadline=now + self._retrans_timer))
                answers.append(Send(packet=anonymous_solicitation(address), interface=test.interface))
            else:
                answers += self._finish(address, DadSucceeded(address=address))
        return answers

    def _finish(self, address: IPv6Address, verdict: DadSucceeded | DadFailed) -> list[Answer]:
        return [
            *self._stop(address),
            Report(event=DadFinished(address=address, unique=isinstance(verdict, DadSucceeded))),
            verdict,
        ]

    def _stop(self, address: IPv6Address) -> list[Answer]:
        test = self._tests.get(address)
        self._tests.remove(address)
        return [] if test is None else [LeaveGroup(interface=test.interface, group=solicited_node(address))]
