"""What a mobile node makes of its home agent's answers, octet by octet (RFC 6275 §6.1.1, §11.3.5, §11.7.3)."""

from dataclasses import dataclass

import pytest

from lab.engine.correspondent_registration import REST
from lab.engine.io import Effect, Received
from lab.events import BindingAcknowledged, HomeAgentAbandoned, HomeAgentUnable
from lab.wire.packet import Packet, build, parse
from tests.conformance.octets import BINDING_ACKNOWLEDGEMENT, ICMPV6, MOBILITY_HEADER, mobility, upper
from tests.engine import discovery_bench as agents
from tests.engine.effects import events, sent
from tests.engine.mobile_node_bench import (
    AGENT,
    HOME,
    HOME_LINK,
    INTERFACE,
    VISITED1,
    VISITED2,
    MobileBench,
    mobile_config,
    update_packets,
    updates,
)

UNRECOGNIZED_NEXT_HEADER = 1


def arriving(octets: bytes) -> Received:
    return Received(packet=parse(octets), interface=INTERFACE)


@pytest.mark.rfc6275("6.1.1-b", "11.7.3-a")
@pytest.mark.case("MN-019")
def test_reserved_bits_of_an_acknowledgement_are_ignored() -> None:
    bench = MobileBench()
    (update,) = updates(bench.arrive(VISITED1))
    data = bytes((0, 0x7F)) + update.sequence.to_bytes(2, "big") + (update.lifetime // 4).to_bytes(2, "big")
    header = mobility(BINDING_ACKNOWLEDGEMENT, data, reserved=0xFF)
    effects = bench.take(
        arriving(upper(MOBILITY_HEADER, header, source=AGENT, destination=VISITED1.care_of(), routed=HOME))
    )
    (accepted,) = events(effects, BindingAcknowledged)
    assert (accepted.status, accepted.lifetime) == (0, update.lifetime)
    assert bench.entry["state"] == "registered"


# A home agent without Mobile IPv6


@dataclass
class Unable(MobileBench):
    """A mobile node whose home agent answers with a Parameter Problem."""

    def refuse(self, about: Packet, code: int = UNRECOGNIZED_NEXT_HEADER, cut: int = 1232) -> list[Effect]:
        """Have the home agent report a packet."""
        problem = bytes((4, code, 0, 0)) + (6).to_bytes(4, "big") + build(about)[:cut]
        return self.take(arriving(upper(ICMPV6, problem, source=AGENT, destination=about.source)))

    def leave(self) -> Packet:
        """Come to a foreign link; give the Binding Update."""
        ((packet, _),) = update_packets(self.arrive(VISITED1))
        return packet


@pytest.mark.rfc6275("11.3.5-a")
@pytest.mark.case("MN-145")
@pytest.mark.parametrize("cut", [1232, 72])
def test_a_home_agent_that_does_not_know_binding_updates_gets_no_more_of_them(cut: int) -> None:
    bench = Unable()
    effects = bench.refuse(bench.leave(), cut=cut)
    assert events(effects, HomeAgentUnable) == [HomeAgentUnable(home_agent=AGENT)]
    assert not updates(bench.pass_time(REST / 2))
    assert not updates(bench.arrive(VISITED2))
    assert not updates(bench.pass_time(REST / 2 - 1))
    assert bench.entry["state"] == "pending"
    (update,) = updates(bench.pass_time(1))  # it may have learned by then
    bench.acknowledge(update)
    assert bench.entry["state"] == "registered"


@pytest.mark.rfc6275("11.3.5-a", "11.5.5-a")
def test_nothing_is_deregistered_from_it() -> None:
    bench = Unable()
    bench.refuse(bench.leave())
    assert not updates(bench.arrive(HOME_LINK))
    assert bench.entry["place"] == "athome"


@pytest.mark.rfc6275("11.3.5-a", "11.4.1-a")
def test_another_home_agent_is_tried_at_once() -> None:
    bench = Unable(mobile_config(first_bindack_timeout=0.5))
    effects = bench.refuse(bench.leave())
    (asked,) = [packet for packet in sent(effects) if packet.destination == agents.ANYCAST]
    bench.now += 0.5  # §11.4.1: not sooner after the last Binding Update
    other = agents.global_of(1)
    effects = bench.take(agents.reply(asked, (AGENT, other), INTERFACE, source=other))
    assert [(event.reason, event.successor) for event in events(effects, HomeAgentAbandoned)] == [("unable", other)]
    assert [packet.destination for packet, _ in update_packets(effects)] == [other]


@pytest.mark.rfc6275("11.3.5-a", "11.8-a")
def test_whoever_has_answered_before_knows_them() -> None:
    """Nobody can keep a mobile node from refreshing its binding by a forged error."""
    bench = Unable()
    bench.register(VISITED1)
    ((packet, _),) = update_packets(bench.arrive(VISITED2))
    assert bench.refuse(packet) == []
    assert len(updates(bench.pass_time(1))) == 1


@pytest.mark.rfc6275("11.3.5-a", "11.8-a")
@pytest.mark.parametrize("how", ["another code", "not about it", "too short", "no update is pending"])
def test_other_errors_mean_nothing(how: str) -> None:
    bench = Unable()
    update = bench.leave()
    match how:
        case "another code":
            assert bench.refuse(update, code=2) == []
        case "not about it":
            assert bench.refuse(Packet(source=update.source, destination=AGENT + 1, payload=update.payload)) == []
        case "too short":
            assert bench.refuse(update, cut=39) == []
        case _:
            bench.acknowledge(updates(bench.pass_time(1.5))[-1])
            assert bench.refuse(update) == []
            assert bench.entry["state"] == "registered"
            return
    assert len(updates(bench.pass_time(1.5))) == 1
