"""A home agent's list of home agents, and what it answers about them (RFC 6275 §10.1, §10.5)."""

from ipaddress import IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.engine.config import HomeAgentConfig
from lab.engine.discovery_service import MAX_ADDRESSES
from lab.engine.home_agents_list import MAX_GLOBAL_ADDRESSES, MAX_HOME_AGENTS
from lab.engine.io import Effect, JoinAnycast, LinkUp, Received
from lab.engine.mobility_header import ERRORS_AT_ONCE
from lab.events import DiscoveryAnswered, HomeAgentListed, HomeAgentUnlisted, PacketDropped
from lab.wire.addresses import UNSPECIFIED
from lab.wire.icmpv6 import HomeAgentAddressDiscoveryReply
from lab.wire.packet import Packet, build
from tests.engine import discovery_bench as others
from tests.engine.discovery_bench import ANYCAST, address_of, global_of, with_reserved
from tests.engine.effects import events, of_kind, sent
from tests.engine.home_agent_bench import AGENT, CARE_OF, HOME, LINK_LOCAL, MAC, PREFIX, Bench, update

HOME_LINK, CORE = "ha-eth0", "ha-eth1"
TOP, OWN = 0xFFFF, 10
BOTH_LINKS = [pytest.param(CORE, CARE_OF, id="away"), pytest.param(HOME_LINK, HOME, id="at home")]


def bench(preference: int = OWN) -> Bench:
    config = HomeAgentConfig(interface=HOME_LINK, address=AGENT, home_prefixes=(PREFIX,), preference=preference)
    return Bench(config)


def hear(agent: Bench, number: int, **fields: Any) -> list[Effect]:
    """Let another home agent advertise itself on the home link."""
    return agent.take(others.advertisement(number, HOME_LINK, **fields))


def ask(agent: Bench, **fields: Any) -> list[Effect]:
    return agent.take(others.request(CARE_OF, CORE, **fields))


def reply_to(effects: list[Effect]) -> tuple[Packet, HomeAgentAddressDiscoveryReply]:
    (packet,) = sent(effects)
    assert isinstance(packet.payload, HomeAgentAddressDiscoveryReply)
    return packet, packet.payload


def listed(agent: Bench) -> tuple[IPv6Address, ...]:
    return reply_to(ask(agent))[1].addresses


# The anycast address


@pytest.mark.rfc6275("10.5-a", "8.4-a")
def test_the_anycast_address_of_each_home_prefix_is_joined_when_the_link_is_up() -> None:
    agent = Bench(linked=False)
    up = LinkUp(interface=HOME_LINK, link_layer_address=MAC, link_local_address=LINK_LOCAL)
    joins = [JoinAnycast(interface=HOME_LINK, address=ANYCAST)]
    assert of_kind(agent.take(up), JoinAnycast) == joins
    assert of_kind(agent.take(up), JoinAnycast) == joins, "a kernel forgets it when the link goes down"


@pytest.mark.rfc6275("10.5-a", "6.5-a", "8.4-a", "5.3-a")
@pytest.mark.case("HA-191", "HA-192")
@pytest.mark.parametrize(("interface", "source"), BOTH_LINKS)
def test_the_only_home_agent_names_itself(interface: str, source: IPv6Address) -> None:
    effects = bench().take(others.request(source, interface, identifier=0xBEEF))
    packet, message = reply_to(effects)
    assert (packet.source, packet.destination) == (AGENT, source)
    assert message == HomeAgentAddressDiscoveryReply(identifier=0xBEEF, addresses=(AGENT,))
    assert events(effects, DiscoveryAnswered) == [DiscoveryAnswered(to=source, home_agents=str(AGENT))]


@pytest.mark.rfc6275("6.5-a", "10.5-a")
@pytest.mark.case("HA-193", "HA-194")
@pytest.mark.parametrize(("interface", "source"), BOTH_LINKS)
def test_reserved_octets_of_a_request_mean_nothing(interface: str, source: IPv6Address) -> None:
    _, message = reply_to(bench().take(with_reserved(others.request(source, interface))))
    assert message == HomeAgentAddressDiscoveryReply(identifier=0x1234, addresses=(AGENT,))


@pytest.mark.rfc6275("10.5-a")
@pytest.mark.parametrize(
    "happened",
    [
        pytest.param(others.request(CARE_OF, CORE, to=AGENT), id="to the unicast address"),
        pytest.param(others.request(CARE_OF, CORE, to=ANYCAST + (1 << 64)), id="of another prefix"),
        pytest.param(others.request(UNSPECIFIED, HOME_LINK), id="from nobody"),
        pytest.param(others.request(IPv6Address("ff02::1"), HOME_LINK), id="from a group"),
        pytest.param(others.request(IPv6Address("fe80::9"), HOME_LINK), id="from a link-local address"),
    ],
)
def test_what_is_no_question_for_home_agents_is_not_answered(happened: Received) -> None:
    effects = bench().take(happened)
    assert sent(effects) == []
    assert [event.reason for event in events(effects, PacketDropped)] == ["unexpected-discovery-request"]


def test_answers_are_limited() -> None:
    agent = bench()
    answered = [bool(sent(ask(agent))) for _ in range(20)]
    assert answered == [True] * int(ERRORS_AT_ONCE) + [False] * 10
    assert [event.reason for event in events(ask(agent), PacketDropped)] == ["discovery-limit"]
    agent.now += 0.1
    assert sent(ask(agent))


# Order


@pytest.mark.rfc6275("10.5-a", "10.5.1-a", "7.4-a", "10.1-a")
@pytest.mark.parametrize(
    ("preferences", "order"),
    [
        pytest.param((0,), (0, 1), marks=pytest.mark.case("HA-195")),
        pytest.param((TOP,), (1, 0), marks=pytest.mark.case("HA-196")),
        pytest.param((1, 0), (0, 1, 2), marks=pytest.mark.case("HA-197")),
        pytest.param((0, 1), (0, 2, 1), marks=pytest.mark.case("HA-198")),
        pytest.param((TOP, 0), (1, 0, 2), marks=pytest.mark.case("HA-199")),
        pytest.param((0, TOP), (2, 0, 1), marks=pytest.mark.case("HA-200")),
        pytest.param((TOP, TOP - 1), (1, 2, 0), marks=pytest.mark.case("HA-201")),
        pytest.param((TOP - 1, TOP), (2, 1, 0), marks=pytest.mark.case("HA-202")),
    ],
)
def test_the_preferred_come_first(preferences: tuple[int, ...], order: tuple[int, ...]) -> None:
    """Of those in `order` 0 is the home agent that is asked."""
    agent = bench()
    for number, preference in enumerate(preferences, start=1):
        hear(agent, number, information=(preference, 1800))
    assert listed(agent) == tuple(global_of(number) if number else AGENT for number in order)


@pytest.mark.rfc6275("7.4-a", "10.5.1-a", "10.5-a")
@pytest.mark.case("HA-203")
def test_without_an_option_the_preference_is_0() -> None:
    agent = bench(preference=1)
    (event,) = events(hear(agent, 1, information=None), HomeAgentListed)
    assert (event.router, event.preference) == (address_of(1), 0)
    assert listed(agent) == (AGENT, global_of(1))


@pytest.mark.rfc6275("10.5-a", "10.5.1-a")
@pytest.mark.case("HA-208")
def test_equal_ones_come_in_random_order() -> None:
    agent = bench()
    for number in (1, 2):
        hear(agent, number, information=(TOP, 1800))
    seen = set()
    for _ in range(20):
        agent.now += 1.0
        seen.add(listed(agent))
    first, second = global_of(1), global_of(2)
    assert seen == {(first, second, AGENT), (second, first, AGENT)}


@pytest.mark.rfc6275("10.5-a", "10.5.1-a", "7.2-a", "10.1-a")
@pytest.mark.case("HA-209")
def test_all_global_addresses_of_a_home_agent_are_named() -> None:
    agent = bench()
    hear(agent, 1, information=(TOP, 1800), addresses=(global_of(1), global_of(2)))
    assert set(listed(agent)[:2]) == {global_of(1), global_of(2)}
    assert listed(agent)[2:] == (AGENT,)


def test_addresses_that_one_advertisement_leaves_out_are_kept_and_those_that_ended_are_not() -> None:
    agent = bench()
    hear(agent, 1, information=(TOP, 1800))
    assert len(events(hear(agent, 1, information=(TOP, 1800), addresses=(global_of(2),)), HomeAgentListed)) == 1
    assert set(listed(agent)[:2]) == {global_of(1), global_of(2)}
    hear(agent, 1, information=(TOP, 1800), valid=0)
    assert listed(agent) == (global_of(2), AGENT)


@pytest.mark.rfc6275("10.5-a", "10.5.1-a")
@pytest.mark.case("HA-214")
def test_a_reply_fits_the_minimum_mtu() -> None:
    agent = bench(preference=0)
    for number in range(1, 101):
        hear(agent, number, information=(number, 1800))
    packet, message = reply_to(ask(agent))
    assert message.addresses == tuple(global_of(number) for number in range(100, 23, -1))
    assert len(message.addresses) == MAX_ADDRESSES == 77
    assert len(build(packet)) <= 1280


# How the list is kept


@pytest.mark.rfc6275("10.5.1-a", "7.4-a", "10.5-a", "10.1-a")
@pytest.mark.case("HA-204")
def test_an_entry_lives_for_the_lifetime_of_the_option() -> None:
    agent = bench()
    hear(agent, 1, information=(TOP, 32), lifetime=1800)
    agent.pass_time(31.9)
    assert listed(agent) == (global_of(1), AGENT)
    effects = agent.pass_time(0.2)
    assert events(effects, HomeAgentUnlisted) == [HomeAgentUnlisted(router=address_of(1), reason="expired")]
    assert listed(agent) == (AGENT,)


@pytest.mark.rfc6275("10.5.1-a", "7.4-a", "10.5-a")
@pytest.mark.case("HA-205")
def test_without_an_option_the_router_lifetime_counts() -> None:
    agent = bench()
    hear(agent, 1, information=None, lifetime=32)
    agent.pass_time(31.9)
    assert listed(agent) == (AGENT, global_of(1))
    agent.pass_time(0.2)
    assert listed(agent) == (AGENT,)


@pytest.mark.rfc6275("10.5.1-a", "10.5-a")
@pytest.mark.case("HA-206")
def test_another_preference_counts_at_once() -> None:
    agent = bench()
    hear(agent, 1, information=(TOP, 1800))
    assert listed(agent) == (global_of(1), AGENT)
    hear(agent, 1, information=(0, 1800))
    assert listed(agent) == (AGENT, global_of(1))


@pytest.mark.rfc6275("10.5.1-a", "10.5-a")
@pytest.mark.case("HA-207")
def test_a_repeated_advertisement_renews_the_entry_silently() -> None:
    agent = bench()
    hear(agent, 1, information=(TOP, 32))
    agent.pass_time(20)
    assert hear(agent, 1, information=(TOP, 32)) == []
    agent.pass_time(31.9)
    assert listed(agent) == (global_of(1), AGENT)
    agent.pass_time(0.2)
    assert listed(agent) == (AGENT,)


@pytest.mark.rfc6275("10.5.1-a", "7.1-a", "7.4-a", "10.5-a")
@pytest.mark.parametrize(
    "ends",
    [
        pytest.param({"information": (TOP, 0)}, marks=pytest.mark.case("HA-210")),
        pytest.param({"information": None, "lifetime": 0}, marks=pytest.mark.case("HA-211")),
        pytest.param({"h": False}, marks=pytest.mark.case("HA-212")),
    ],
)
def test_a_home_agent_that_says_so_is_removed_at_once(ends: dict[str, Any]) -> None:
    agent = bench()
    hear(agent, 1)
    assert listed(agent) == (AGENT, global_of(1))
    effects = hear(agent, 1, **ends)
    assert events(effects, HomeAgentUnlisted) == [HomeAgentUnlisted(router=address_of(1), reason="withdrawn")]
    assert listed(agent) == (AGENT,)
    assert hear(agent, 1, **ends) == []


@pytest.mark.rfc6275("7.4-a")
def test_a_home_agent_need_not_be_a_default_router() -> None:
    agent = bench()
    hear(agent, 1, lifetime=0, information=(TOP, 32))
    assert listed(agent) == (global_of(1), AGENT)


@pytest.mark.rfc6275("10.5.1-a", "7.2-a", "10.5-a")
@pytest.mark.case("HA-213")
def test_a_home_agent_without_a_global_address_is_not_named() -> None:
    agent = bench()
    hear(agent, 1, information=(TOP, 1800))
    hear(agent, 2, information=(TOP, 1800), r=False)
    assert listed(agent) == (global_of(1), AGENT)


@pytest.mark.rfc6275("10.5.1-a")
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"hop_limit": 254}, id="forwarded"),
        pytest.param({"source": global_of(1)}, id="from a global address"),
        pytest.param({"h": False}, id="a router that is none"),
        pytest.param({"addresses": (IPv6Address("fe80::7"), IPv6Address("ff0e::7"))}, id="no address that is global"),
        pytest.param({"source": IPv6Address("fe80::1")}, id="our own"),
    ],
)
def test_advertisements_that_name_nobody(fields: dict[str, Any]) -> None:
    agent = bench()
    hear(agent, 1, **fields)
    assert listed(agent) == (AGENT,)


@pytest.mark.rfc6275("10.1-a")
def test_the_list_is_that_of_the_home_link() -> None:
    agent = bench()
    assert agent.take(others.advertisement(1, CORE)) == []
    assert listed(agent) == (AGENT,)


def test_many_names_do_not_take_all_memory() -> None:
    agent = bench()
    for number in range(MAX_HOME_AGENTS + 10):
        hear(agent, number)
    hear(agent, 0, addresses=tuple(global_of(5000 + n) for n in range(40)))
    found = agent.agent._discovery._list
    assert len([*found.entries(agent.now)]) == MAX_HOME_AGENTS
    assert max(len(entry.global_addresses) for entry in found.entries(agent.now)) == MAX_GLOBAL_ADDRESSES


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.none() | st.tuples(st.integers(0, 3), st.integers(0, 40)), st.integers(0, 40))
    ),
    st.lists(st.floats(0, 20), min_size=1),
)
def test_whatever_is_heard_replies_are_in_order_and_of_the_living(
    heard: list[tuple[int, tuple[int, int] | None, int]], pauses: list[float]
) -> None:
    agent = bench(preference=2)
    living: dict[int, tuple[int, float]] = {}
    for step, (number, information, lifetime) in enumerate(heard):
        agent.pass_time(pauses[step % len(pauses)])
        hear(agent, number, information=information, lifetime=lifetime)
        preference, holds = information or (0, lifetime)
        living[number] = preference, agent.now + holds
    agent.pass_time(2.0)
    answer = listed(agent)
    expected = {global_of(n): preference for n, (preference, until) in living.items() if agent.now < until}
    assert set(answer) == {AGENT, *expected}
    ranks = [expected.get(address, 2) for address in answer]
    assert ranks == sorted(ranks, reverse=True)
    assert len(answer) == len(set(answer))


def test_discovery_and_bindings_do_not_disturb_each_other() -> None:
    agent = bench()
    agent.register()
    hear(agent, 1, information=(TOP, 10))
    agent.pass_time(30)
    agent.take(update(2))
    assert agent.states() == {str(HOME): "registered"}
    assert listed(agent) == (AGENT,)
