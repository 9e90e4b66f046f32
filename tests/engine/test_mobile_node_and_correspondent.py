"""A mobile node and a correspondent node, each the whole engine, as each other's proof (RFC 6275 §5.2, §9, §11)."""

from ipaddress import IPv6Address

import pytest

from lab.auth.secrets import Secrets
from lab.engine.config import CorrespondentConfig
from lab.engine.correspondent import Correspondent
from lab.engine.io import AskUse, DeadlineReached, Effect, Input, PlaneEffect, Received, Report, Send, Used
from lab.events import BindingRefused, Event, PacketDropped, RouteOptimisationEnded
from lab.plane.memory import MemoryPlane
from lab.wire.packet import build, parse
from tests.engine.mobile_node_bench import HOME, HOME_LINK, VISITED1, VISITED2, Access, updates
from tests.engine.route_optimisation_bench import PEER, RouteBench


class Pair:
    """Two engines, without delay and loss."""

    def __init__(self, used: bool = True) -> None:
        self.mobile = RouteBench(used=used)
        self.correspondent = Correspondent(CorrespondentConfig(), Secrets(b"correspondent"))
        self.plane = MemoryPlane()
        self.used = used
        self.events: list[Event] = []

    def mobile_takes(self, effects: list[Effect]) -> None:
        """Carry out what the mobile node wants of the correspondent."""
        for effect in effects:
            if isinstance(effect, Report):
                self.events.append(effect.event)
            if isinstance(effect, Send) and effect.packet.destination == PEER:
                packet = parse(build(effect.packet))
                self.correspondent_takes(Received(packet=packet, interface="cn-eth0"))

    def correspondent_takes(self, happened: Input) -> None:
        """Hand something to the correspondent, and what it answers to the mobile node."""
        for effect in self.correspondent.handle(happened, self.mobile.now):
            match effect:
                case Send(packet=packet):
                    away = self.mobile.entry["place"] == "away"
                    tunnelled = away and packet.destination == HOME
                    received = Received(packet=parse(build(packet)), interface="mn-eth0", tunnelled=tunnelled)
                    self.mobile_takes(self.mobile.take(received))
                case AskUse(home_address=home_address):
                    self.correspondent_takes(Used(home_address=home_address, peer=None, used=self.used))
                case Report(event=event):
                    self.events.append(event)
                case effect if isinstance(effect, PlaneEffect):
                    self.plane.apply(effect)

    def go(self, access: Access) -> None:
        """Move, and register with the home agent."""
        effects = self.mobile.arrive(access)
        self.mobile_takes(effects)
        home = None if access is HOME_LINK else HOME
        home_updates = [update for update in updates(effects) if update.flags & 0x4000]
        self.mobile_takes(self.mobile.acknowledge(home_updates[-1], home=home))

    def wait(self, seconds: float) -> None:
        """Let time pass for both."""
        end = self.mobile.now + seconds
        while True:
            due = [d for d in (self.mobile.node.deadline(), self.correspondent.deadline()) if d is not None]
            if not due or min(due) > end:
                break
            self.mobile.now = max(self.mobile.now, min(due))
            self.mobile_takes(self.mobile.take(DeadlineReached()))
            self.correspondent_takes(DeadlineReached())
        self.mobile.now = end

    @property
    def bound(self) -> IPv6Address | None:
        """The care-of address that the correspondent sends to."""
        binding = self.plane.bindings.get(HOME)
        return None if binding is None else binding.care_of_address

    def agree_on(self, care_of: IPv6Address | None) -> bool:
        """Tell whether both send straight by way of an address, or neither."""
        return self.bound == self.mobile.direct == care_of


@pytest.mark.rfc6275("5.2.5-b", "5.2.6-b", "11.6.1-a", "11.7.2-a", "11.7.3-a", "15.4.6-a")
@pytest.mark.case("MN-002")
def test_the_full_trip() -> None:
    pair = Pair()
    pair.go(VISITED1)
    pair.mobile_takes(pair.mobile.hear())
    assert pair.agree_on(VISITED1.care_of())
    pair.go(VISITED2)
    assert pair.agree_on(VISITED2.care_of())
    pair.wait(1000)
    assert pair.agree_on(VISITED2.care_of())
    pair.go(HOME_LINK)
    assert pair.agree_on(None)
    assert not pair.mobile.node.snapshot(pair.mobile.now)[1:]
    pair.go(VISITED1)
    pair.mobile_takes(pair.mobile.hear())
    assert pair.agree_on(VISITED1.care_of())
    for kind in (PacketDropped, BindingRefused):
        assert not [event for event in pair.events if isinstance(event, kind)]
    ended = [event.reason for event in pair.events if isinstance(event, RouteOptimisationEnded)]
    assert ended == ["moved", "moved"]


@pytest.mark.rfc6275("11.7.2-a", "11.7.4-a")
def test_unused_bindings_end_on_both_sides() -> None:
    pair = Pair(used=False)
    pair.go(VISITED1)
    pair.mobile_takes(pair.mobile.hear())
    pair.wait(421)
    assert pair.agree_on(None)
    assert pair.mobile.state == "none"


@pytest.mark.rfc6275("11.7.3-c", "5.2.7-a")
def test_a_correspondent_that_was_started_anew() -> None:
    """Its nonces are others: the Binding Update gets status 136 or 138, and what follows works."""
    pair = Pair()
    pair.go(VISITED1)
    pair.mobile_takes(pair.mobile.hear())
    pair.correspondent = Correspondent(CorrespondentConfig(), Secrets(b"another"))
    pair.plane = MemoryPlane()
    pair.go(VISITED2)
    assert pair.agree_on(VISITED2.care_of())
    assert [event.status for event in pair.events if isinstance(event, BindingRefused)] == [136]


@pytest.mark.rfc6275("11.7.4-a")
def test_the_correspondent_asks_and_the_mobile_node_renews() -> None:
    pair = Pair()
    pair.go(VISITED1)
    pair.mobile_takes(pair.mobile.hear())
    pair.wait(330)
    entry = pair.mobile.entry_of()
    assert entry["state"] == "bound"
    assert entry["remaining"] > 390
