"""Which home agent a mobile node registers with: discovery, failure, the next one (RFC 6275 §11.4.1, §11.7.3)."""

from dataclasses import dataclass
from ipaddress import IPv6Address
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lab.constants import DHAAD_RETRIES, MAX_UPDATE_RATE, Status
from lab.engine.config import DadMode, MobileNodeConfig
from lab.engine.io import (
    DadFailed,
    DadSucceeded,
    DeadlineReached,
    Effect,
    InstallReverseTunnel,
    LinkDown,
    PeerHeard,
    Received,
    Send,
    UseRouter,
)
from lab.events import (
    BindingAcknowledged,
    HomeAgentAbandoned,
    HomeAgentsDiscovered,
    HomeAgentsRequested,
    PacketDropped,
    ReturnedHome,
)
from lab.wire.addresses import is_unicast_routable
from lab.wire.icmpv6 import HomeAgentAddressDiscoveryRequest, NeighborAdvertisement, NeighborSolicitation
from lab.wire.mobility import BindingUpdate, BindingUpdateFlag, HomeTestInit
from lab.wire.packet import Packet, build
from tests.engine import discovery_bench as agents
from tests.engine.discovery_bench import ANYCAST, address_of, global_of, mac_of, with_reserved
from tests.engine.effects import events, of_kind, sent
from tests.engine.mobile_node_bench import (
    AGENT,
    HOME,
    HOME_LINK,
    INTERFACE,
    VISITED1,
    VISITED2,
    MobileBench,
    carrier,
    found,
    mobile_config,
    update_packets,
    updates,
)

FIRST, SECOND = global_of(1), global_of(2)
NO_LONGER = [128, 129, 130, 131, 132, 133]


@dataclass
class DiscoveryBench(MobileBench):
    """A mobile node whose home agents can be told."""

    def reply(self, effects: list[Effect], *addresses: IPv6Address, **fields: Any) -> list[Effect]:
        """Answer the discovery request among effects."""
        return self.take(agents.reply(requests(effects)[-1], addresses, INTERFACE, **{"source": FIRST, **fields}))

    def hear(self, number: int, **fields: Any) -> list[Effect]:
        """Hear a home agent advertise itself."""
        return self.take(agents.advertisement(number, INTERFACE, **fields))

    def answer(self, effects: list[Effect], **fields: Any) -> list[Effect]:
        """Acknowledge the last Binding Update among effects, as the home agent it went to."""
        packet, update = update_packets(effects)[-1]
        return self.acknowledge(update, source=packet.destination, **fields)

    @property
    def agent(self) -> str:
        """The home agent in use."""
        return str(self.entry["peer"])


def unconfigured(**fields: Any) -> DiscoveryBench:
    return DiscoveryBench(mobile_config(home_agent=None, **fields))


def requests(effects: list[Effect]) -> list[Packet]:
    return [packet for packet in sent(effects) if isinstance(packet.payload, HomeAgentAddressDiscoveryRequest)]


def receivers(effects: list[Effect]) -> list[IPv6Address]:
    return [packet.destination for packet, _ in update_packets(effects)]


def sent_at(bench: MobileBench, seconds: float, kind: type[Any]) -> list[float]:
    """Let time pass; give when packets of a kind were sent, from now."""
    began = bench.now
    return [
        when - began
        for when, effects in bench.timeline(seconds)
        for packet in sent(effects)
        if isinstance(packet.payload, kind)
    ]


def failed_over() -> DiscoveryBench:
    """Give a mobile node whose configured home agent died while it was registered, and that is with another."""
    bench = DiscoveryBench()
    bench.register()
    effects = bench.pass_time(48 + 7)
    bench.reply(effects, AGENT, SECOND)
    bench.answer(bench.pass_time(1.5))
    assert (bench.agent, bench.entry["state"]) == (str(SECOND), "registered")
    return bench


# Asking


@pytest.mark.rfc6275("11.4.1-a", "6.5-a")
@pytest.mark.case("MN-108")
def test_away_without_a_home_agent_the_home_link_is_asked_from_the_care_of_address() -> None:
    bench = unconfigured()
    effects = bench.arrive(VISITED1)
    (packet,) = requests(effects)
    assert (packet.source, packet.destination) == (VISITED1.care_of(), ANYCAST)
    assert build(packet)[46:48] == bytes(2), "reserved"
    assert not updates(effects)
    assert not of_kind(effects, InstallReverseTunnel)
    assert bench.entry["peer"] is None
    effects = bench.reply(effects, FIRST)
    assert receivers(effects) == [FIRST]
    assert [tunnel.home_agent_address for tunnel in of_kind(effects, InstallReverseTunnel)] == [FIRST]
    bench.answer(effects)
    assert bench.entry["state"] == "registered"


@pytest.mark.rfc6275("11.4.1-a", "6.5-a")
@pytest.mark.case("MN-107")
def test_at_home_without_an_advertised_home_agent_it_is_asked_after_a_while_and_anew_when_away() -> None:
    bench = unconfigured()
    assert not requests(bench.arrive(HOME_LINK))
    (packet,) = requests(bench.pass_time(1.0))
    assert (packet.source, packet.destination) == (HOME, ANYCAST)
    effects = bench.arrive(VISITED1)
    (again,) = requests(effects)
    assert again.source == VISITED1.care_of()
    assert receivers(bench.reply(effects, FIRST)) == [FIRST]


@pytest.mark.rfc6275("11.4.1-a")
@pytest.mark.case("MN-109")
def test_an_unanswered_request_is_repeated_from_3_s_doubling_at_most_dhaad_retries_times() -> None:
    bench = unconfigured()
    first = requests(bench.arrive(VISITED1))
    began, seen = bench.now, []
    for when, effects in bench.timeline(92.9):
        seen += [(when - began, packet) for packet in requests(effects)]
    assert [when for when, _ in seen] == [3.0, 9.0, 21.0, 45.0]
    assert len(seen) == DHAAD_RETRIES
    assert {packet for _, packet in seen} == set(first), "the same request each time"


@pytest.mark.rfc6275("11.4.1-a")
def test_after_all_repetitions_it_rests_longer_each_time_before_it_begins_anew() -> None:
    bench = unconfigured()
    bench.arrive(VISITED1)
    times = [0.0, *sent_at(bench, 600, HomeAgentAddressDiscoveryRequest)]
    starts = [time for before, time in pairwise(times) if time - before > 48.0]
    assert starts == [96.0, 195.0, 300.0, 417.0, 558.0]  # 93 s, and 3, 6, 12, 24, 48 more


@pytest.mark.rfc6275("11.4.1-a", "6.5-a")
@pytest.mark.case("MN-110")
def test_a_reply_on_the_home_link_counts_when_it_moves_away() -> None:
    bench = unconfigured()
    bench.arrive(HOME_LINK)
    effects = bench.reply(bench.pass_time(1.0), FIRST)
    assert events(effects, HomeAgentsDiscovered) == [HomeAgentsDiscovered(source=FIRST, home_agents=str(FIRST))]
    effects = bench.arrive(VISITED1)
    assert not requests(effects)
    assert receivers(effects) == [FIRST]


@pytest.mark.rfc6275("11.4.1-a", "6.5-a")
@pytest.mark.case("MN-111", "MN-112")
@pytest.mark.parametrize("change", [lambda received: received, with_reserved], ids=["as such", "reserved bits"])
def test_a_reply_on_a_foreign_link(change: Any) -> None:
    bench = unconfigured()
    (asked,) = requests(bench.arrive(VISITED1))
    effects = bench.take(change(agents.reply(asked, (FIRST,), INTERFACE, source=FIRST)))
    assert receivers(effects) == [FIRST]


@pytest.mark.rfc6275("11.4.1-a")
@pytest.mark.parametrize(
    "listed",
    [
        pytest.param((FIRST, SECOND), marks=pytest.mark.case("MN-113")),
        pytest.param((SECOND, FIRST), marks=pytest.mark.case("MN-114")),
    ],
)
def test_the_first_listed_is_tried_whoever_answers(listed: tuple[IPv6Address, ...]) -> None:
    bench = unconfigured()
    assert receivers(bench.reply(bench.arrive(VISITED1), *listed, source=FIRST)) == [listed[0]]


@pytest.mark.rfc6275("11.4.1-a", "5.3-a")
@pytest.mark.parametrize(
    ("addresses", "fields"),
    [
        pytest.param((), {}, id="empty"),
        pytest.param((FIRST,), {"identifier": 0}, id="another identifier"),
        pytest.param((FIRST,), {"destination": VISITED2.care_of()}, id="to another address"),
        pytest.param((IPv6Address("fe80::1"), IPv6Address("ff02::1"), HOME), {}, id="nobody of use"),
    ],
)
def test_replies_that_name_nobody(addresses: tuple[IPv6Address, ...], fields: dict[str, Any]) -> None:
    bench = unconfigured()
    effects = bench.reply(bench.arrive(VISITED1), *addresses, **fields)
    assert [event.reason for event in events(effects, PacketDropped)] == ["unexpected-discovery-reply"]
    assert not sent(effects)
    assert requests(bench.pass_time(3.0)), "it goes on asking"


def test_a_second_reply_changes_nothing() -> None:
    bench = unconfigured()
    asked = bench.arrive(VISITED1)
    bench.reply(asked, FIRST)
    effects = bench.reply(asked, SECOND)
    assert [event.reason for event in events(effects, PacketDropped)] == ["unexpected-discovery-reply"]
    assert bench.agent == str(FIRST)


def test_the_care_of_address_is_tested_before_it_asks() -> None:
    bench = unconfigured(dad=DadMode.STANDARD)
    assert not requests(bench.arrive(VISITED1))
    effects = bench.take(DadSucceeded(address=VISITED1.care_of()))
    assert [packet.source for packet in requests(effects)] == [VISITED1.care_of()]


def test_without_a_link_nothing_is_asked() -> None:
    bench = unconfigured()
    bench.arrive(VISITED1)
    bench.take(LinkDown(interface=INTERFACE))
    assert not sent(bench.pass_time(200))
    assert requests(bench.take(carrier()) + bench.take(VISITED1.advertisement()))


def test_a_move_asks_anew_from_the_next_care_of_address() -> None:
    bench = unconfigured()
    first = requests(bench.arrive(VISITED1))
    effects = bench.arrive(VISITED2)
    (second,) = requests(effects)
    assert second.source == VISITED2.care_of()
    assert second.payload != first[0].payload
    assert receivers(bench.reply(effects, FIRST)) == [FIRST]


# Router Advertisements


@pytest.mark.rfc6275("11.4.1-a", "7.1-a", "7.4-a")
def test_home_agents_of_the_home_link_are_learned_by_its_advertisements() -> None:
    bench = unconfigured()
    bench.arrive(HOME_LINK)
    bench.hear(2)
    bench.hear(1, information=(10, 1800))
    assert not requests(bench.pass_time(10))
    assert receivers(bench.arrive(VISITED1)) == [FIRST]


def test_advertisements_spare_the_reply_that_is_awaited() -> None:
    bench = unconfigured()
    bench.arrive(HOME_LINK)
    asked = bench.pass_time(1.0)
    assert requests(asked)
    bench.hear(2)
    effects = bench.reply(asked, FIRST)
    assert [event.reason for event in events(effects, PacketDropped)] == ["unexpected-discovery-reply"]
    assert bench.agent == str(SECOND)


def test_home_agents_of_other_links_are_not_meant() -> None:
    bench = unconfigured()
    bench.arrive(VISITED1)
    bench.hear(1, addresses=(VISITED1.global_address,))
    assert bench.entry["peer"] is None


def test_a_configured_home_agent_is_kept_whatever_is_advertised() -> None:
    bench = DiscoveryBench()
    bench.arrive(HOME_LINK)
    bench.hear(1, information=(10, 1800))
    assert receivers(bench.arrive(VISITED1)) == [AGENT]


def test_a_router_that_is_no_default_router_is_none_to_move_to() -> None:
    bench = DiscoveryBench()
    bench.take(carrier())
    bench.hear(1, lifetime=0)
    assert bench.entry["place"] == "unattached"


# Failure


@pytest.mark.rfc6275("11.4.1-a", "11.7.3-d")
def test_a_registered_node_whose_refresh_stays_unanswered_asks_and_goes_on_with_another() -> None:
    bench = DiscoveryBench()
    bench.register()
    effects = bench.pass_time(48 + 7)
    assert receivers(effects) == [AGENT] * 4
    assert len(requests(effects)) == 1
    effects = bench.reply(effects, AGENT, SECOND)
    assert not updates(effects), "§11.4.1: not so soon after a Binding Update"
    effects = bench.pass_time(1.5)
    assert receivers(effects) == [SECOND]
    assert [tunnel.home_agent_address for tunnel in of_kind(effects, InstallReverseTunnel)] == [SECOND]
    abandoned = HomeAgentAbandoned(home_agent=AGENT, reason="no acknowledgement", successor=SECOND)
    assert events(effects, HomeAgentAbandoned) == [abandoned]
    assert [event.peer for event in events(bench.answer(effects), BindingAcknowledged)] == [SECOND]
    assert not receivers(bench.pass_time(40))


@pytest.mark.rfc6275("11.4.1-a", "11.8-a")
def test_another_home_agent_is_given_the_time_of_a_first_registration() -> None:
    bench = DiscoveryBench()
    bench.register()
    bench.reply(bench.pass_time(55), SECOND)
    times = sent_at(bench, 10, BindingUpdate)
    assert [round(after - before, 6) for before, after in pairwise(times)] == [1.5, 3.0]


@pytest.mark.rfc6275("11.8-a", "11.4.1-a")
def test_as_long_as_no_other_is_known_it_goes_on_under_its_back_off() -> None:
    bench = DiscoveryBench()
    bench.arrive(VISITED1)
    assert sent_at(bench, 120, BindingUpdate) == [1.5, 4.5, 10.5, 22.5, 46.5, 78.5, 110.5]
    assert bench.agent == str(AGENT)


@pytest.mark.rfc6275("11.4.1-a")
def test_a_home_agent_that_answers_after_all_ends_the_search() -> None:
    bench = DiscoveryBench()
    bench.register()
    effects = bench.pass_time(55)
    assert requests(effects)
    bench.answer(effects)
    assert not requests(bench.pass_time(40))
    effects = bench.reply(effects, SECOND)
    assert [event.reason for event in events(effects, PacketDropped)] == ["unexpected-discovery-reply"]


@pytest.mark.rfc6275("11.4.1-a")
@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_so_many_time_outs_are_waited_for(attempts: int) -> None:
    bench = DiscoveryBench(mobile_config(home_agent_attempts=attempts))
    bench.arrive(VISITED1)
    asked = sent_at(bench, 1.5 * (2**attempts - 1), HomeAgentAddressDiscoveryRequest)
    assert asked == [1.5 * (2**attempts - 1)]


@pytest.mark.rfc6275("11.4.1-a")
def test_moves_do_not_hide_that_a_home_agent_is_dead() -> None:
    bench = DiscoveryBench()
    bench.register()
    effects = bench.arrive(VISITED2) + bench.pass_time(3.5)
    assert not requests(effects)
    effects = bench.arrive(VISITED1) + bench.pass_time(1.0)
    assert requests(effects)


@pytest.mark.rfc6275("11.7.3-d", "11.4.1-a")
@pytest.mark.case("MN-028", "MN-029")
@pytest.mark.parametrize("status", NO_LONGER)
def test_a_refusal_asks_for_others_at_once(status: int) -> None:
    bench = DiscoveryBench()
    effects = bench.register(status=status, lifetime=0)
    assert len(requests(effects)) == 1


@pytest.mark.rfc6275("11.7.3-d")
@pytest.mark.parametrize("status", [134, 139, 174, 255])
def test_other_refusals_are_tried_again_where_they_came_from(status: int) -> None:
    bench = DiscoveryBench()
    effects = bench.register(status=status, lifetime=0)
    assert not requests(effects)


@pytest.mark.rfc6275("11.7.3-b")
def test_a_sequence_number_out_of_window_is_no_failure() -> None:
    bench = DiscoveryBench()
    effects = bench.register(status=Status.SEQUENCE_NUMBER_OUT_OF_WINDOW, sequence=7)
    assert receivers(effects) == [AGENT, AGENT]
    assert not requests(effects)


@pytest.mark.rfc6275("11.7.3-d", "11.4.1-a")
@pytest.mark.case("MN-115")
def test_a_configured_home_agent_that_refuses_is_left_for_one_that_is_offered() -> None:
    bench = DiscoveryBench()
    effects = bench.register(status=130, lifetime=0)
    effects = bench.reply(effects, AGENT, SECOND) + bench.pass_time(1.5)
    assert receivers(effects) == [SECOND]
    assert [event.reason for event in events(effects, HomeAgentAbandoned)] == ["status 130"]


@pytest.mark.rfc6275("11.7.3-d", "11.4.1-a", "11.8-a")
@pytest.mark.case("MN-116")
def test_the_second_listed_is_tried_after_the_time_out_of_a_first_registration() -> None:
    bench = unconfigured()
    effects = bench.reply(bench.arrive(VISITED1), FIRST, SECOND)
    bench.now += 0.1
    assert not sent(bench.answer(effects, status=130, lifetime=0))
    began = bench.now
    ((when, to),) = [(when, receivers(later)) for when, later in bench.timeline(1.45) if receivers(later)]
    assert when - began == pytest.approx(1.4)
    assert to == [SECOND]


@pytest.mark.rfc6275("11.4.1-a")
def test_after_the_last_one_the_home_link_is_asked_anew_with_longer_rests() -> None:
    bench = unconfigured()
    effects = bench.reply(bench.arrive(VISITED1), FIRST, SECOND)
    asked = []
    for _ in range(60):
        if receivers(effects):
            effects = bench.answer(effects, status=129, lifetime=0)
        else:
            effects = []
        for _, later in bench.timeline(0.5):
            effects += later
        if requests(effects):
            asked.append(bench.now)
            effects += bench.reply(effects, FIRST, SECOND)
    gaps = [after - before for before, after in pairwise(asked)]
    assert len(asked) >= 2
    assert gaps == sorted(gaps)


@pytest.mark.rfc6275("11.4.1-a")
def test_the_list_is_kept_for_when_the_home_agent_fails() -> None:
    bench = unconfigured()
    effects = bench.reply(bench.arrive(VISITED1), FIRST, SECOND)
    bench.answer(effects)
    effects = bench.pass_time(48 + 7)
    assert not requests(effects)
    assert receivers(effects) == [FIRST, FIRST, FIRST, SECOND]


@pytest.mark.rfc6275("11.4.1-a")
def test_a_reply_that_offers_nobody_else_leaves_everything_as_it_is() -> None:
    bench = DiscoveryBench()
    effects = bench.register(status=130, lifetime=0)
    assert not updates(bench.reply(effects, AGENT))
    assert receivers(bench.pass_time(1.5)) == [AGENT]


# What follows the home agent


@pytest.mark.rfc6275("11.4.1-a", "11.5.5-a")
@pytest.mark.parametrize("advertised", [True, False])
def test_home_again_it_deregisters_with_the_home_agent_in_use(advertised: bool) -> None:
    bench = failed_over()
    bench.take(LinkDown(interface=INTERFACE))
    effects = bench.take(carrier())
    if advertised:
        effects += bench.hear(2, lifetime=0)
    effects += bench.take(HOME_LINK.advertisement())
    if not advertised:
        assert not updates(effects)
        effects = bench.take(found(SECOND, mac_of(2)))
    ((packet, update),) = update_packets(effects)
    assert (packet.source, packet.destination, update.lifetime) == (HOME, SECOND, 0)
    (way,) = [route for route in of_kind(effects, UseRouter) if route.destination == SECOND]
    told = (address_of(2) if advertised else None, mac_of(2))
    assert (way.router, way.link_layer_address) == told, "straight, not by the router of the link"
    answers = bench.take(_solicitation(SECOND))
    assert [type(p.payload) for p in sent(answers)] == [NeighborAdvertisement]
    assert not bench.take(_solicitation(HOME_LINK.address))
    assert bool(sent(bench.take(_solicitation(address_of(2))))) is advertised
    effects = bench.acknowledge(update, source=SECOND, home=None, lifetime=0)
    assert events(effects, ReturnedHome)


def _solicitation(source: IPv6Address) -> Received:
    packet = Packet(source=source, destination=HOME, hop_limit=255, payload=NeighborSolicitation(target=HOME))
    return Received(packet=packet, interface=INTERFACE)


@pytest.mark.rfc6275("11.7.3-d")
def test_133_at_home_is_no_failure() -> None:
    bench = failed_over()
    bench.arrive(HOME_LINK)
    (update,) = updates(bench.take(found(SECOND, mac_of(2))))
    effects = bench.acknowledge(update, source=SECOND, home=None, lifetime=0, status=133)
    assert bench.entry["place"] == "athome"
    assert not requests(effects + bench.pass_time(20))


def test_at_home_a_home_agent_that_never_answers_is_waited_for_as_long_as_it_may_hold_the_binding() -> None:
    bench = DiscoveryBench()
    bench.register()
    bench.arrive(HOME_LINK)
    bench.pass_time(59)
    assert bench.entry["place"] == "returning"
    effects = bench.pass_time(1.1)
    assert not requests(effects)
    assert bench.entry["place"] == "athome"
    assert receivers(bench.arrive(VISITED1)) == [AGENT]


@pytest.mark.rfc6275("11.4.1-a")
def test_a_move_home_between_two_home_agents_ends_with_the_one_that_was_asked() -> None:
    bench = DiscoveryBench()
    bench.register()
    bench.reply(bench.pass_time(55), SECOND)
    assert receivers(bench.arrive(HOME_LINK)) == [AGENT]
    assert set(receivers(bench.pass_time(4))) == {AGENT}


def test_direct_paths_are_not_tried_with_the_home_agent_in_use() -> None:
    bench = failed_over()

    def tried(peer: IPv6Address) -> bool:
        effects = bench.take(PeerHeard(home_address=HOME, peer=peer))
        return any(isinstance(packet.payload, HomeTestInit) for packet in sent(effects))

    assert not tried(SECOND)
    assert tried(AGENT)


def test_answers_of_the_home_agent_that_was_given_up_mean_nothing() -> None:
    bench = failed_over()
    update = BindingUpdate(sequence=bench.entry["sequence"], flags=BindingUpdateFlag.ACKNOWLEDGE, lifetime=60)
    effects = bench.acknowledge(update, source=AGENT)
    assert [event.reason for event in events(effects, PacketDropped)] == ["unexpected-acknowledgement"]


# Whatever happens


class AnyOrder(RuleBasedStateMachine):
    """A mobile node, home agents that answer, refuse and are silent, and links."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = unconfigured()
        self.effects: list[Effect] = []
        self.sent: list[tuple[float, IPv6Address]] = []
        self.asked: list[float] = []

    def note(self, effects: list[Effect]) -> None:
        self.effects = effects or self.effects
        self.sent += [(self.bench.now, destination) for destination in receivers(effects)]
        self.asked += [self.bench.now for _ in requests(effects)]
        for effect in of_kind(effects, Send):
            build(effect.packet)

    @rule(access=st.sampled_from([VISITED1, VISITED2, HOME_LINK]))
    def move(self, access: Any) -> None:
        self.note(self.bench.arrive(access))

    @rule(seconds=st.sampled_from([0.1, 1.0, 1.5, 3.0, 10.0, 100.0]))
    def wait(self, seconds: float) -> None:
        end = self.bench.now + seconds
        while (due := self.bench.node.deadline()) is not None and due <= end:
            self.bench.now = max(due, self.bench.now)
            self.note(self.bench.take(DeadlineReached()))
        self.bench.now = end

    @precondition(lambda self: bool(requests(self.effects)))
    @rule(addresses=st.permutations([FIRST, SECOND, AGENT]), count=st.integers(0, 3))
    def reply(self, addresses: list[IPv6Address], count: int) -> None:
        self.note(self.bench.reply(self.effects, *addresses[:count]))

    @precondition(lambda self: bool(update_packets(self.effects)))
    @rule(status=st.sampled_from([0, 0, 128, 130, 133, 134, 135]))
    def answer(self, status: int) -> None:
        packet, update = update_packets(self.effects)[-1]
        home = None if packet.source == HOME else HOME
        lifetime = 0 if status else update.lifetime
        self.note(
            self.bench.acknowledge(update, source=packet.destination, status=status, lifetime=lifetime, home=home)
        )

    @rule(number=st.sampled_from([1, 2]), h=st.booleans(), lifetime=st.sampled_from([0, 4, 1800]))
    def advertise(self, number: int, h: bool, lifetime: int) -> None:
        if self.bench.node._movement.link is not None and self.bench.entry["place"] in ("athome", "returning"):
            self.note(self.bench.hear(number, h=h, lifetime=0, information=(number, lifetime)))

    @rule(address=st.sampled_from([VISITED1.care_of(), VISITED2.care_of()]), ok=st.booleans())
    def test_ends(self, address: IPv6Address, ok: bool) -> None:
        self.note(self.bench.take(DadSucceeded(address=address) if ok else DadFailed(address=address)))

    @rule()
    def lose_the_link(self) -> None:
        self.note(self.bench.take(LinkDown(interface=INTERFACE)))

    @invariant()
    def nobody_is_flooded(self) -> None:
        for agent in {agent for _, agent in self.sent}:
            times = [when for when, receiver in self.sent if receiver == agent]
            for position, when in enumerate(times):
                recent = [earlier for earlier in times[: position + 1] if when < earlier + 1.0]
                assert len(recent) <= MAX_UPDATE_RATE

    @invariant()
    def only_home_agents_are_registered_with(self) -> None:
        assert all(is_unicast_routable(agent) and agent != HOME for _, agent in self.sent)

    @invariant()
    def time_goes_on(self) -> None:
        due = self.bench.node.deadline()
        assert due is None or due >= self.bench.now - 1000.0
        if due is not None and due <= self.bench.now:
            self.note(self.bench.take(DeadlineReached()))
            after = self.bench.node.deadline()
            assert after is None or after > due or after > self.bench.now


TestAnyOrder = AnyOrder.TestCase


def test_requests_are_reported() -> None:
    bench = unconfigured()
    effects = bench.arrive(VISITED1) + bench.pass_time(3.0)
    assert [event.attempt for event in events(effects, HomeAgentsRequested)] == [1, 2]


def test_the_configuration_may_leave_the_home_agent_out() -> None:
    config = MobileNodeConfig(interface=INTERFACE, home_address=HOME, home_prefix=HOME_LINK.prefix)
    assert config.home_agent is None
