"""What mobile nodes that are away listen to, as their home agent learns of it (RFC 6275 §10.4.3)."""

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.constants import LAST_LISTENER_QUERY_TIME, QUERY_INTERVAL, STARTUP_QUERY_INTERVAL
from lab.engine.io import (
    Effect,
    EndForwarding,
    ForwardGroup,
    JoinGroup,
    LeaveGroup,
    Recalled,
    Received,
    Refused,
    RemoveTunnel,
    Send,
)
from lab.engine.multicast import LISTENING_TIME, MAX_GROUPS
from lab.events import GroupJoined, GroupLeft, PacketDropped
from lab.wire.addresses import is_global_group
from lab.wire.icmpv6 import EchoRequest, Icmpv6Message
from lab.wire.multicast_listener import (
    MulticastAddressRecord,
    MulticastListenerDone,
    MulticastListenerQuery,
    MulticastListenerReport,
    MulticastListenerReportV1,
    RecordType,
    groups_of,
)
from lab.wire.packet import HopByHopOptions, Packet, build, parse
from tests.engine.effects import events, names, of_kind
from tests.engine.home_agent_bench import AGENT, CARE_OF, HOME, OTHER_CARE_OF, Bench, from_home, update
from tests.engine.test_home_agent_restart import RECORD
from tests.fuzz.wire_packets import multicast_listener_messages

GROUP, OTHER_GROUP = IPv6Address("ff0e::6275"), IPv6Address("ff1e::1")
SOURCE = IPv6Address("2001:db8:5::5")
NEIGHBOUR = IPv6Address("2001:db8:1::101")
FORWARD = ForwardGroup(interface="ha-eth0", home_address=HOME, group=GROUP)
JOIN, LEAVE = JoinGroup(interface="ha-eth0", group=GROUP), LeaveGroup(interface="ha-eth0", group=GROUP)


def said(message: Icmpv6Message, care_of: IPv6Address = CARE_OF) -> Received:
    """Make what came out of the tunnel of a care-of address."""
    inner = Packet(source=IPv6Address("fe80::100"), destination=IPv6Address("ff02::16"), hop_limit=1, payload=message)
    return Received(packet=Packet(source=care_of, destination=AGENT, payload=inner), interface="mip0", tunnelled=True)


def record(
    kind: RecordType | int, *sources: IPv6Address, group: IPv6Address = GROUP, care_of: IPv6Address = CARE_OF
) -> Received:
    """Make a report of one record."""
    records = (MulticastAddressRecord(record_type=kind, group=group, sources=sources),)
    return said(MulticastListenerReport(records=records), care_of)


def queries(effects: list[Effect]) -> list[tuple[IPv6Address, MulticastListenerQuery]]:
    """Pick the queries, with the care-of addresses to which they are tunnelled."""
    found = []
    for send in of_kind(effects, Send):
        outer, inner = send.packet, send.packet.payload
        if isinstance(inner, Packet) and isinstance(inner.payload, MulticastListenerQuery):
            assert (outer.source, inner.hop_limit) == (AGENT, 1)
            assert inner.source.is_link_local
            assert [type(header) for header in inner.headers] == [HopByHopOptions]
            assert parse(build(outer)) == outer
            found.append((outer.destination, inner.payload))
    return found


@pytest.fixture
def bench() -> Bench:
    """Serve a mobile node that was asked what it listens to."""
    bench = Bench()
    bench.register()
    ((to, query),) = queries(bench.pass_time(0.0))
    assert (to, query.group) == (CARE_OF, IPv6Address("::"))
    return bench


@pytest.mark.rfc6275("10.4.3-a", "10.4.2-d")
@pytest.mark.parametrize(
    "report",
    [
        record(RecordType.CHANGE_TO_EXCLUDE_MODE),
        record(RecordType.MODE_IS_EXCLUDE, SOURCE),
        record(RecordType.MODE_IS_INCLUDE, SOURCE),
        record(RecordType.CHANGE_TO_INCLUDE_MODE, SOURCE),
        record(RecordType.ALLOW_NEW_SOURCES, SOURCE),
        said(MulticastListenerReportV1(group=GROUP)),
    ],
)
def test_what_a_mobile_node_listens_to_is_tunnelled(bench: Bench, report: Received) -> None:
    effects = bench.take(report)
    assert effects[:2] == [FORWARD, JOIN]
    assert events(effects, GroupJoined) == [GroupJoined(home_address=HOME, group=GROUP)]
    assert bench.take(report) == []


@pytest.mark.rfc6275("10.4.3-a")
@pytest.mark.parametrize(
    "farewell",
    [
        record(RecordType.CHANGE_TO_INCLUDE_MODE),
        record(RecordType.MODE_IS_INCLUDE),
        said(MulticastListenerDone(group=GROUP)),
    ],
)
def test_what_it_leaves_is_left_at_once(bench: Bench, farewell: Received) -> None:
    assert bench.take(farewell) == []
    bench.take(record(RecordType.CHANGE_TO_EXCLUDE_MODE))
    effects = bench.take(farewell)
    assert effects[:2] == [EndForwarding(home_address=HOME, group=GROUP), LEAVE]
    assert events(effects, GroupLeft) == [GroupLeft(home_address=HOME, group=GROUP, reason="left")]


@pytest.mark.rfc6275("10.4.2-d")
@pytest.mark.parametrize("group", ["ff01::1", "ff02::6275", "ff02::1:ff00:100", "ff05::6275", "ff08::1", "2001:db8::1"])
def test_groups_of_less_than_global_scope_are_not_tunnelled(bench: Bench, group: str) -> None:
    assert bench.take(record(RecordType.CHANGE_TO_EXCLUDE_MODE, group=IPv6Address(group))) == []


@pytest.mark.parametrize("kind", [0, 7, 255])
def test_a_record_of_an_unknown_type_says_nothing(bench: Bench, kind: int) -> None:
    bench.take(record(RecordType.CHANGE_TO_EXCLUDE_MODE))
    assert bench.take(record(kind)) == []


@pytest.mark.rfc6275("10.4.3-a")
def test_who_blocks_sources_is_asked_whether_it_listens_to_others(bench: Bench) -> None:
    assert bench.take(record(RecordType.BLOCK_OLD_SOURCES, SOURCE)) == []
    bench.take(record(RecordType.ALLOW_NEW_SOURCES, SOURCE))
    ((to, query),) = queries(bench.take(record(RecordType.BLOCK_OLD_SOURCES, SOURCE)))
    assert (to, query.group) == (CARE_OF, GROUP)
    bench.take(record(RecordType.MODE_IS_INCLUDE, SOURCE))
    assert not of_kind(bench.pass_time(LAST_LISTENER_QUERY_TIME), EndForwarding)
    bench.take(record(RecordType.BLOCK_OLD_SOURCES, SOURCE))
    assert not of_kind(bench.pass_time(LAST_LISTENER_QUERY_TIME - 0.1), EndForwarding)
    assert len(of_kind(bench.pass_time(0.1), EndForwarding)) == 1


@pytest.mark.rfc6275("10.4.3-a")
def test_queries_go_on_and_silence_ends_a_membership() -> None:
    bench = Bench()
    bench.register(lifetime=3600)
    bench.take(record(RecordType.CHANGE_TO_EXCLUDE_MODE))
    assert len(queries(bench.pass_time(0.0))) == 1
    assert queries(bench.pass_time(STARTUP_QUERY_INTERVAL - 0.1)) == []
    assert len(queries(bench.pass_time(0.1))) == 1
    assert queries(bench.pass_time(QUERY_INTERVAL - 0.1)) == []
    assert len(queries(bench.pass_time(0.1))) == 1
    bench.take(record(RecordType.MODE_IS_EXCLUDE))  # confirmed
    assert not of_kind(bench.pass_time(LISTENING_TIME - 0.1), EndForwarding)
    effects = bench.pass_time(0.1)
    assert events(effects, GroupLeft) == [GroupLeft(home_address=HOME, group=GROUP, reason="no report")]
    assert LEAVE in effects


@pytest.mark.rfc6275("10.4.3-a")
def test_a_membership_lasts_through_a_move_after_which_it_is_asked_for_anew(bench: Bench) -> None:
    bench.take(record(RecordType.CHANGE_TO_EXCLUDE_MODE))
    moved = bench.take(update(2, care_of=OTHER_CARE_OF))
    assert not of_kind(moved, EndForwarding)
    ((to, _),) = queries(bench.pass_time(0.0))
    assert to == OTHER_CARE_OF
    assert bench.take(record(RecordType.MODE_IS_EXCLUDE, care_of=OTHER_CARE_OF)) == []
    late = bench.take(record(RecordType.CHANGE_TO_INCLUDE_MODE))  # from the tunnel that is no more
    assert events(late, PacketDropped)[0].reason == "unexpected-tunnel-packet"


@pytest.mark.rfc6275("10.4.3-a", "10.3.2-b")
def test_memberships_end_with_the_binding(bench: Bench) -> None:
    bench.take(record(RecordType.CHANGE_TO_EXCLUDE_MODE))
    effects = bench.take(from_home(2))
    assert names(effects)[:3] == ["EndForwarding", "LeaveGroup", "RemoveTunnel"]
    assert events(effects, GroupLeft)[0].reason == "binding ended"
    assert queries(bench.pass_time(QUERY_INTERVAL * 2)) == []


def test_a_refresh_asks_for_nothing(bench: Bench) -> None:
    bench.take(update(2))
    assert queries(bench.pass_time(0.0)) == []


@pytest.mark.rfc6275("10.4.3-a", "15.3-a")
def test_after_a_restart_it_is_asked_for_at_once() -> None:
    bench = Bench()
    bench.take(Recalled(record=RECORD))
    assert [to for to, _ in queries(bench.pass_time(0.0))] == [RECORD.care_of_address]


@pytest.mark.rfc6275("10.4.3-a")
def test_a_group_of_two_mobile_nodes_is_left_after_the_last(bench: Bench) -> None:
    bench.register(home=NEIGHBOUR, care_of=OTHER_CARE_OF)
    assert JOIN in bench.take(record(RecordType.CHANGE_TO_EXCLUDE_MODE))
    second = bench.take(record(RecordType.CHANGE_TO_EXCLUDE_MODE, care_of=OTHER_CARE_OF))
    assert of_kind(second, ForwardGroup) == [ForwardGroup(interface="ha-eth0", home_address=NEIGHBOUR, group=GROUP)]
    assert not of_kind(second, JoinGroup)
    assert not of_kind(bench.take(record(RecordType.CHANGE_TO_INCLUDE_MODE)), LeaveGroup)
    assert LEAVE in bench.take(record(RecordType.CHANGE_TO_INCLUDE_MODE, care_of=OTHER_CARE_OF))


def test_what_the_plane_refuses_is_given_up_and_may_be_tried_again(bench: Bench) -> None:
    bench.take(record(RecordType.CHANGE_TO_EXCLUDE_MODE))
    effects = bench.take(Refused(effect=FORWARD, reason="no memory"))
    assert events(effects, GroupLeft)[0].reason == "refused"
    assert not of_kind(effects, RemoveTunnel)
    assert FORWARD in bench.take(record(RecordType.MODE_IS_EXCLUDE))


def test_no_mobile_node_listens_to_more_than_fits(bench: Bench) -> None:
    groups = [IPv6Address(int(GROUP) + number) for number in range(MAX_GROUPS + 1)]
    taken = [of_kind(bench.take(record(RecordType.MODE_IS_EXCLUDE, group=group)), ForwardGroup) for group in groups]
    assert [len(forwarded) for forwarded in taken] == [1] * MAX_GROUPS + [0]


@pytest.mark.rfc6275("10.4.5-a", "10.4.3-a")
@pytest.mark.parametrize(
    "stranger",
    [
        record(RecordType.CHANGE_TO_EXCLUDE_MODE, care_of=OTHER_CARE_OF),
        said(EchoRequest(identifier=1, sequence=1)),
        said(MulticastListenerQuery(max_response_code=1, group=GROUP, robustness=2, interval_code=1)),
    ],
)
def test_what_is_no_report_of_a_bound_mobile_node_is_dropped(bench: Bench, stranger: Received) -> None:
    effects = bench.take(stranger)
    assert [event.reason for event in events(effects, PacketDropped)] == ["unexpected-tunnel-packet"]
    assert len(effects) == 1


@given(st.lists(multicast_listener_messages))
def test_forwarded_is_what_was_joined_and_not_left(messages: list[Icmpv6Message]) -> None:
    """Whatever is said, forwarding begins and ends in turns, for global groups that were named, and ends with all."""
    bench = Bench()
    bench.register()
    forwarded: set[IPv6Address] = set()
    on_home_link: set[IPv6Address] = set()

    def follow(effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case ForwardGroup(group=group):
                    assert group not in forwarded
                    forwarded.add(group)
                case EndForwarding(group=group):
                    forwarded.remove(group)
                case JoinGroup(group=group):
                    on_home_link.add(group)
                case LeaveGroup(group=group):
                    on_home_link.remove(group)
                case _:
                    pass
        assert forwarded == on_home_link

    named: set[IPv6Address] = set()
    for message in messages:
        follow(bench.take(said(message)))
        named.update(groups_of(message))
        assert forwarded <= {group for group in named if is_global_group(group)}
    follow(bench.take(from_home(2)))
    assert forwarded == set()
