"""What a home agent tells by MLD of the groups in which its mobile nodes are asked for (RFC 4861 §7.2.8)."""

from ipaddress import IPv6Address

import pytest

from lab.constants import UNSOLICITED_REPORT_INTERVAL
from lab.engine.io import Effect, LinkUp, Received, Send
from lab.engine.solicited_node_groups import RECORDS, SolicitedNodeGroups
from lab.wire.addresses import ALL_NODES, solicited_node
from lab.wire.multicast_listener import MulticastListenerQuery, MulticastListenerReport, RecordType
from lab.wire.packet import HopByHopOptions, Packet, build, parse
from tests.engine.effects import of_kind
from tests.engine.home_agent_bench import HOME, LINK_LOCAL, MAC, A, Bench, H, L, from_home

LINK = "ha-eth0"
OWN, ROUTER = IPv6Address("fe80::1"), IPv6Address("fe80::2")
EVERY = IPv6Address("::")
Told = list[tuple[RecordType, IPv6Address]]


def told(effects: list[Effect]) -> Told:
    """Give the records of all reports."""
    found: Told = []
    for send in of_kind(effects, Send):
        packet = send.packet
        if isinstance(packet.payload, MulticastListenerReport):
            assert (packet.destination, packet.hop_limit) == (IPv6Address("ff02::16"), 1)
            assert [type(header) for header in packet.headers] == [HopByHopOptions]
            assert send.interface == LINK
            assert len(build(packet)) <= 1280
            assert parse(build(packet)) == packet
            found += [(RecordType(record.record_type), record.group) for record in packet.payload.records]
    return found


def query(group: IPv6Address = EVERY, source: IPv6Address = ROUTER, hop_limit: int = 1, link: str = LINK) -> Received:
    message = MulticastListenerQuery(max_response_code=1000, group=group, robustness=2, interval_code=125)
    to = ALL_NODES if group == EVERY else group
    packet = Packet(source=source, destination=to, hop_limit=hop_limit, payload=message)
    return Received(packet=packet, interface=link)


@pytest.fixture
def groups() -> SolicitedNodeGroups:
    groups = SolicitedNodeGroups(LINK)
    groups.link_up(LinkUp(interface=LINK, link_layer_address=MAC, link_local_address=OWN))
    return groups


def ask(groups: SolicitedNodeGroups, received: Received, now: float) -> Told:
    message = received.packet.payload
    assert isinstance(message, MulticastListenerQuery)
    groups.queried(received, message, now)
    return told(groups.advance(now))


def test_joining_is_told_twice_and_leaving_too(groups: SolicitedNodeGroups) -> None:
    group = solicited_node(HOME)
    groups.begin(HOME, 5.0)
    assert groups.deadline() == 5.0
    assert told(groups.advance(5.0)) == [(RecordType.CHANGE_TO_EXCLUDE_MODE, group)]
    assert groups.deadline() == 5.0 + UNSOLICITED_REPORT_INTERVAL
    assert groups.advance(5.5) == []
    assert told(groups.advance(6.0)) == [(RecordType.CHANGE_TO_EXCLUDE_MODE, group)]
    assert groups.deadline() is None
    groups.end(HOME, 7.0)
    assert told(groups.advance(7.0) + groups.advance(8.0)) == [(RecordType.CHANGE_TO_INCLUDE_MODE, group)] * 2
    assert groups.deadline() is None


def test_what_is_left_before_it_was_told_again_is_told_as_left(groups: SolicitedNodeGroups) -> None:
    groups.begin(HOME, 0.0)
    groups.advance(0.0)
    groups.end(HOME, 0.5)
    kinds = [kind for now in (0.5, 1.0, 1.5) for kind, _ in told(groups.advance(now))]
    assert kinds == [RecordType.CHANGE_TO_INCLUDE_MODE] * 3


def test_addresses_that_end_alike_share_a_group(groups: SolicitedNodeGroups) -> None:
    groups.begin(HOME, 0.0)
    groups.begin(LINK_LOCAL, 0.0)
    assert len(told(groups.advance(0.0))) == 1
    groups.end(HOME, 0.1)
    assert told(groups.advance(0.1)) == []
    groups.end(LINK_LOCAL, 0.2)
    assert told(groups.advance(0.2)) == [(RecordType.CHANGE_TO_INCLUDE_MODE, solicited_node(HOME))]


def test_very_many_fit_few_reports(groups: SolicitedNodeGroups) -> None:
    homes = [HOME + number for number in range(10 * RECORDS)]
    for home in homes:
        groups.begin(home, 0.0)
    reports = [groups.advance(0.0) for _ in range(10)]
    assert [len(told(report)) for report in reports] == [RECORDS] * 10
    assert {group for report in reports for _, group in told(report)} == {solicited_node(home) for home in homes}
    assert groups.deadline() == UNSOLICITED_REPORT_INTERVAL


def test_a_query_of_all_groups_is_answered_with_all(groups: SolicitedNodeGroups) -> None:
    for number in range(2 * RECORDS):
        groups.begin(HOME + number, 0.0)
    settle(groups)
    first = ask(groups, query(), 10.0)
    assert groups.deadline() == 10.0
    assert [kind for kind, _ in first + told(groups.advance(10.0))] == [RecordType.MODE_IS_EXCLUDE] * 2 * RECORDS
    assert groups.deadline() is None


def test_a_query_of_one_group_is_answered_if_it_is_ours(groups: SolicitedNodeGroups) -> None:
    groups.begin(HOME, 0.0)
    settle(groups)
    assert ask(groups, query(solicited_node(HOME)), 10.0) == [(RecordType.MODE_IS_EXCLUDE, solicited_node(HOME))]
    assert ask(groups, query(solicited_node(HOME + 1)), 10.0) == []
    assert ask(groups, query(IPv6Address("ff02::fb")), 10.0) == []
    assert groups.deadline() is None


@pytest.mark.parametrize(
    "received",
    [query(source=HOME), query(hop_limit=64), query(link="ha-eth1")],
    ids=["no neighbour", "forwarded", "another link"],
)
def test_a_query_that_is_not_one_of_the_home_link_is_passed_over(
    groups: SolicitedNodeGroups, received: Received
) -> None:
    groups.begin(HOME, 0.0)
    settle(groups)
    assert ask(groups, received, 10.0) == []


@pytest.mark.rfc6275("10.4.1-a")
def test_a_home_agent_listens_for_whoever_is_away() -> None:
    bench = Bench()
    bench.register(flags=A | H | L)
    joined = told(bench.pass_time(2.0))
    assert joined == [(RecordType.CHANGE_TO_EXCLUDE_MODE, solicited_node(HOME))] * 2
    bench.take(query())
    assert told(bench.pass_time(0.0)) == [(RecordType.MODE_IS_EXCLUDE, solicited_node(HOME))]
    bench.take(from_home(2))
    assert told(bench.pass_time(2.0)) == [(RecordType.CHANGE_TO_INCLUDE_MODE, solicited_node(HOME))] * 2


def settle(groups: SolicitedNodeGroups) -> None:
    """Let all that is new be told."""
    while (due := groups.deadline()) is not None:
        groups.advance(due)
