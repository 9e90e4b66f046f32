"""Returning home: deregistration from the home address, and silence until it is acknowledged (RFC 6275 §11.5.5)."""

from ipaddress import IPv6Address

import pytest

from lab.constants import MAX_NEIGHBOR_ADVERTISEMENT, Status
from lab.engine.config import DadMode
from lab.engine.io import (
    AddAddress,
    DadFailed,
    DadSucceeded,
    Effect,
    ForgetRouter,
    JoinGroup,
    LeaveGroup,
    LinkDown,
    Received,
    RemoveAddress,
    RemoveReverseTunnel,
    StartDad,
    UseRouter,
)
from lab.events import CareOfAddressLost, ReturnedHome
from lab.wire.addresses import UNSPECIFIED, link_local, solicited_node
from lab.wire.icmpv6 import NeighborAdvertisement, NeighborSolicitation
from lab.wire.mobility import BindingUpdateFlag
from lab.wire.neighbor import TargetLinkLayerAddress
from lab.wire.packet import Packet
from tests.engine.effects import events, names, of_kind, sent
from tests.engine.mobile_node_bench import (
    AGENT,
    ALL_NODES,
    HOME,
    HOME_LINK,
    INTERFACE,
    MAC,
    VISITED1,
    MobileBench,
    mobile_config,
    update_packets,
    updates,
)

TARGET = TargetLinkLayerAddress(address=MAC)


def away() -> MobileBench:
    bench = MobileBench()
    bench.register(VISITED1)
    return bench


def returning() -> tuple[MobileBench, list[Effect]]:
    bench = away()
    effects = bench.arrive(HOME_LINK)
    assert bench.entry["place"] == "returning"
    return bench, effects


def advertisements(effects: list[Effect]) -> list[tuple[Packet, NeighborAdvertisement]]:
    return [(p, p.payload) for p in sent(effects) if isinstance(p.payload, NeighborAdvertisement)]


def solicitation(source: IPv6Address = HOME_LINK.address, target: IPv6Address = HOME, hop_limit: int = 255) -> Received:
    message = NeighborSolicitation(target=target)
    packet = Packet(source=source, destination=solicited_node(target), hop_limit=hop_limit, payload=message)
    return Received(packet=packet, interface=INTERFACE)


def acknowledge(bench: MobileBench, effects: list[Effect], status: int = Status.ACCEPTED) -> list[Effect]:
    return bench.acknowledge(updates(effects)[-1], home=None, status=status, lifetime=0)


@pytest.mark.rfc6275("11.5.5-a", "6.1.7-a")
@pytest.mark.case("MN-041")
def test_the_deregistration() -> None:
    bench = away()
    sequence = bench.entry["sequence"]
    ((packet, update),) = update_packets(bench.arrive(HOME_LINK))
    assert (packet.source, packet.destination, packet.home_address) == (HOME, AGENT, None)
    assert update.flags == BindingUpdateFlag.ACKNOWLEDGE | BindingUpdateFlag.HOME_REGISTRATION
    assert (update.lifetime, update.sequence, update.options) == (0, sequence + 1, ())


@pytest.mark.rfc6275("11.5.5-a")
def test_until_the_acknowledgement_only_the_home_agent_is_reached_from_the_home_address() -> None:
    _, effects = returning()
    assert [route.destination for route in of_kind(effects, UseRouter)] == [AGENT]
    for kind in (AddAddress, StartDad, RemoveReverseTunnel):
        assert not of_kind(effects, kind)


@pytest.mark.rfc6275("11.5.5-a")
@pytest.mark.case("MN-042")
def test_the_home_agent_is_answered() -> None:
    bench, effects = returning()
    assert JoinGroup(interface=INTERFACE, group=solicited_node(HOME)) in effects
    ((packet, message),) = advertisements(bench.take(solicitation()))
    assert packet.destination == HOME_LINK.address
    assert message == NeighborAdvertisement(target=HOME, solicited=True, override=True, options=(TARGET,))


@pytest.mark.rfc6275("11.5.5-a")
@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(solicitation(source=VISITED1.address), id="somebody else"),
        pytest.param(solicitation(source=UNSPECIFIED), id="a test of the address"),
        pytest.param(solicitation(hop_limit=64), id="forwarded"),
        pytest.param(solicitation(target=HOME + 1), id="another address"),
    ],
)
def test_nobody_else_is_answered(asked: Received) -> None:
    bench, _ = returning()
    assert bench.take(asked) == []


def test_at_home_and_away_the_kernel_answers_or_nobody() -> None:
    assert away().take(solicitation()) == []


@pytest.mark.rfc6275("11.5.5-a", "11.7.3-a")
@pytest.mark.case("MN-043", "MN-045")
def test_after_the_acknowledgement_the_home_address_is_announced() -> None:
    bench, effects = returning()
    effects = acknowledge(bench, effects)
    ((packet, message),) = advertisements(effects)
    assert (packet.source, packet.destination, packet.hop_limit) == (HOME, ALL_NODES, 255)
    assert message == NeighborAdvertisement(target=HOME, override=True, options=(TARGET,))
    assert events(effects, ReturnedHome)
    assert len(advertisements(bench.pass_time(30))) == MAX_NEIGHBOR_ADVERTISEMENT - 1


@pytest.mark.rfc6275("11.5.5-a", "11.3.1-a")
def test_the_home_address_is_used_before_it_is_announced_and_without_a_test() -> None:
    bench, effects = returning()
    assert names(acknowledge(bench, effects)) == [
        "AddAddress",
        "UseRouter",
        "RemoveReverseTunnel",
        "LeaveGroup",
        "NeighborAdvertisement",
        "ForgetRouter",
        "RemoveAddress",
    ]
    assert bench.entry["place"] == "athome"


@pytest.mark.rfc6275("11.5.5-a", "11.7.3-d")
@pytest.mark.case("MN-044")
def test_a_home_agent_that_knows_of_nothing_makes_it_an_ordinary_start() -> None:
    bench, effects = returning()
    effects = acknowledge(bench, effects, Status.NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE)
    assert [test.address for test in of_kind(effects, StartDad)] == [HOME]
    assert of_kind(effects, RemoveReverseTunnel)
    assert bench.entry["place"] == "athome"


@pytest.mark.rfc6275("11.5.5-a", "11.8-a")
def test_an_unanswered_deregistration_is_retried() -> None:
    bench, effects = returning()
    again = updates(bench.pass_time(8))
    assert [update.sequence for update in again] == [updates(effects)[0].sequence + n for n in (1, 2, 3)]
    assert {update.lifetime for update in again} == {0}
    assert bench.entry["place"] == "returning"


@pytest.mark.rfc6275("11.5.5-a", "11.7.3-d")
def test_a_refused_deregistration_is_retried() -> None:
    bench, effects = returning()
    acknowledge(bench, effects, Status.REASON_UNSPECIFIED)
    assert bench.entry["place"] == "returning"
    assert updates(bench.pass_time(1))


@pytest.mark.rfc6275("11.5.5-a", "11.5.2-a")
@pytest.mark.case("MN-046")
def test_after_the_binding_ran_out_coming_home_is_an_ordinary_start() -> None:
    bench = away()
    bench.take(LinkDown(interface=INTERFACE))
    bench.pass_time(61)
    effects = bench.arrive(HOME_LINK)
    assert not updates(effects)
    assert of_kind(effects, StartDad)
    assert bench.entry["place"] == "athome"


@pytest.mark.rfc6275("11.5.2-a", "11.5.3-a")
@pytest.mark.case("MN-003", "MN-004")
@pytest.mark.parametrize("dad", list(DadMode))
def test_starting_at_home(dad: DadMode) -> None:
    bench = MobileBench(mobile_config(dad=dad))
    effects = bench.arrive(HOME_LINK)
    used_at_once = dad is DadMode.OPTIMISTIC
    assert bool(of_kind(effects, AddAddress)) is used_at_once
    assert [test.address for test in of_kind(effects, StartDad)] == [HOME]
    after = bench.take(DadSucceeded(address=HOME))
    assert bool(of_kind(after, AddAddress)) is not used_at_once
    assert bench.entry["place"] == "athome"


@pytest.mark.rfc6275("11.5.3-a")
@pytest.mark.parametrize("dad", list(DadMode))
def test_a_home_address_of_somebody_else_is_not_used(dad: DadMode) -> None:
    bench = MobileBench(mobile_config(dad=dad))
    bench.arrive(HOME_LINK)
    effects = bench.take(DadFailed(address=HOME))
    assert [event.reason for event in events(effects, CareOfAddressLost)] == ["duplicate"]
    assert [e.address for e in of_kind(effects, RemoveAddress)] == [HOME]


def test_leaving_again_before_the_acknowledgement() -> None:
    bench, _ = returning()
    effects = bench.arrive(VISITED1)
    assert LeaveGroup(interface=INTERFACE, group=solicited_node(HOME)) in effects
    assert ForgetRouter(interface=INTERFACE, source=HOME) in effects
    (update,) = updates(effects)
    assert update.lifetime == 60
    bench.acknowledge(update)
    assert bench.entry["state"] == "registered"


def test_leaving_home_takes_the_home_address_off_the_interface() -> None:
    bench = MobileBench()
    bench.arrive(HOME_LINK)
    effects = bench.arrive(VISITED1)
    assert RemoveAddress(interface=INTERFACE, address=HOME, prefix_length=64) in effects
    assert names(effects)[1:].index("RemoveAddress") < names(effects)[1:].index("AddAddress")


def test_a_link_that_fails_while_home_is_announced_says_no_more() -> None:
    bench, effects = returning()
    bench.take(LinkDown(interface=INTERFACE))
    effects = acknowledge(bench, effects)  # it was under way
    assert not advertisements(effects)
    assert bench.entry["place"] == "athome"
    assert link_local(MAC) not in [p.source for p in sent(effects)]
