"""What a mobile node listens to at its home address follows it (RFC 6275 §11.3.4)."""

from ipaddress import IPv6Address

import pytest

from lab.engine.io import Effect, JoinGroup, LeaveGroup, Received
from lab.wire.icmpv6 import Icmpv6Message
from lab.wire.multicast_listener import (
    MulticastAddressRecord,
    MulticastListenerDone,
    MulticastListenerReport,
    MulticastListenerReportV1,
    RecordType,
)
from lab.wire.packet import Packet
from tests.engine.effects import of_kind
from tests.engine.mobile_node_bench import HOME_LINK, VISITED1, MobileBench, updates

GROUP, OTHER_GROUP = IPv6Address("ff0e::6275"), IPv6Address("ff05::1")
JOIN, LEAVE = JoinGroup(interface="mn-eth0", group=GROUP), LeaveGroup(interface="mn-eth0", group=GROUP)
EXCLUDE, INCLUDE = RecordType.CHANGE_TO_EXCLUDE_MODE, RecordType.CHANGE_TO_INCLUDE_MODE


def reported(message: Icmpv6Message, interface: str = "mip0") -> Received:
    """Make what the node's own kernel says on the tunnel device."""
    packet = Packet(source=IPv6Address("fe80::100"), destination=IPv6Address("ff02::16"), hop_limit=1, payload=message)
    return Received(packet=packet, interface=interface)


def record(kind: RecordType, *sources: IPv6Address, group: IPv6Address = GROUP) -> MulticastListenerReport:
    return MulticastListenerReport(records=(MulticastAddressRecord(record_type=kind, group=group, sources=sources),))


def memberships(effects: list[Effect]) -> list[Effect]:
    return [effect for effect in effects if isinstance(effect, JoinGroup | LeaveGroup) and effect.group == GROUP]


@pytest.fixture
def bench() -> MobileBench:
    bench = MobileBench()
    bench.arrive(HOME_LINK)
    bench.pass_time(2.0)
    return bench


@pytest.mark.rfc6275("11.3.4-a")
@pytest.mark.parametrize(
    ("joins", "leaves"),
    [
        (record(EXCLUDE), record(INCLUDE)),
        (record(RecordType.ALLOW_NEW_SOURCES, GROUP), record(RecordType.MODE_IS_INCLUDE)),
        (record(INCLUDE, GROUP), record(INCLUDE)),
        (MulticastListenerReportV1(group=GROUP), MulticastListenerDone(group=GROUP)),
    ],
)
def test_at_home_it_is_joined_on_the_home_link(bench: MobileBench, joins: Icmpv6Message, leaves: Icmpv6Message) -> None:
    assert memberships(bench.take(reported(joins))) == [JOIN]
    assert memberships(bench.take(reported(joins))) == []
    assert memberships(bench.take(reported(leaves))) == [LEAVE]


@pytest.mark.rfc6275("11.3.4-a")
def test_away_it_is_not_joined_on_the_link_but_at_home_again_it_is(bench: MobileBench) -> None:
    bench.take(reported(record(EXCLUDE)))
    assert memberships(bench.register(VISITED1)) == [LEAVE]
    bench.take(reported(record(EXCLUDE, group=OTHER_GROUP)))
    arrived = bench.arrive(HOME_LINK)
    assert memberships(arrived) == []
    returned = bench.acknowledge(updates(arrived)[-1], home=None)
    assert {GROUP, OTHER_GROUP} == {effect.group for effect in of_kind(returned, JoinGroup)}


def test_groups_of_link_scope_and_what_others_say_are_of_no_interest(bench: MobileBench) -> None:
    of_the_link = IPv6Address("ff02::6275")
    assert bench.take(reported(record(EXCLUDE, group=of_the_link))) == []
    assert bench.take(reported(record(EXCLUDE), interface="mn-eth0")) == []
    assert bench.take(reported(record(RecordType.BLOCK_OLD_SOURCES, GROUP))) == []
