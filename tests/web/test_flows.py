"""Streams as captures see them now: every packet is counted once, arrives once, or is lost."""

import struct
from ipaddress import IPv6Address

import pytest

from lab.report.address_book import AddressBook
from lab.report.routes import Way
from lab.verify.frame import Frame
from lab.web.flows import BIN, BINS, LOST_AFTER, Flow, Flows

CN, MN = IPv6Address("2001:db8:c::2"), IPv6Address("2001:db8:1::100")
STATIONS = {name: bytes(5) + bytes([number]) for number, name in enumerate(("cn", "core", "mn"), start=1)}
LINKS = {"cn-core": ("cn", "core"), "home": ("core", "mn")}
BEGAN = 1000.0


@pytest.fixture
def book() -> AddressBook:
    return AddressBook(
        owners={CN: "cn", MN: "mn"},
        stations={address: name for name, address in STATIONS.items()},
        places={"mn": [(0.0, "home")]},
    )


def sighting(sequence: int, link: str, *, sent: float | None = None, delay: float = 0.001, port: int = 6275) -> Frame:
    sent = BEGAN + sequence * 0.1 if sent is None else sent
    payload = struct.pack("!HHHHQd", 4000, port, 24, 0, sequence, sent)
    source, destination = LINKS[link]
    return Frame(
        link=link,
        number=1,
        time=sent + delay,
        source_mac=STATIONS[source],
        destination_mac=STATIONS[destination],
        octets=struct.pack("!IHBB", 6 << 28, len(payload), 17, 64) + CN.packed + MN.packed + payload,
    )


def whole(flow: Flow) -> tuple[int, int, int]:
    """Give how many packets were sent, arrived and were lost."""
    return (
        sum(each.sent for each in flow.bins),
        sum(len(each.delays) for each in flow.bins),
        sum(each.lost for each in flow.bins),
    )


def test_what_arrives_has_a_way_and_a_delay(book: AddressBook) -> None:
    flows = Flows(book)
    for sequence in range(5):
        flows.take([sighting(sequence, "cn-core"), sighting(sequence, "home", delay=0.02)])
    (flow,) = flows.look(BEGAN + 0.5)
    assert flow.name == "cn → mn, port 6275"
    assert whole(flow) == (5, 5, 0)
    assert [each.delay for each in flow.bins] == [pytest.approx(0.02)] * 2
    share = flow.share(BEGAN + 0.5)
    assert share is not None
    assert share.packets == 5
    assert share.route.arrived
    assert [(hop.sender, hop.link, hop.receiver, hop.way) for hop in share.route.hops] == [
        ("cn", "cn-core", "core", Way.PLAIN),
        ("core", "home", "mn", Way.PLAIN),
    ]


def test_what_does_not_arrive_is_lost_after_a_while(book: AddressBook) -> None:
    flows = Flows(book)
    flows.take([sighting(0, "cn-core"), sighting(0, "home", delay=0.02), sighting(1, "cn-core")])
    (flow,) = flows.look(BEGAN + 0.1 + LOST_AFTER - 0.01)
    assert whole(flow) == (2, 1, 0)
    (flow,) = flows.look(BEGAN + 0.1 + LOST_AFTER + 0.01)
    assert whole(flow) == (2, 1, 1)
    flows.take([sighting(1, "home", delay=LOST_AFTER + 0.02)])
    assert whole(flow) == (2, 1, 1)  # it is counted once


def test_what_is_seen_nowhere_is_lost_too(book: AddressBook) -> None:
    """As of a sender without carrier: later numbers tell of it."""
    flows = Flows(book)
    flows.take([sighting(sequence, link) for sequence in (0, 4) for link in LINKS])
    (flow,) = flows.look(BEGAN + 10)
    assert whole(flow) == (5, 2, 3)
    assert [each.begin for each in flow.bins] == [BEGAN, BEGAN + BIN]


def test_a_packet_for_a_node_that_left_does_not_arrive(book: AddressBook) -> None:
    flows = Flows(book)
    book.places["mn"].append((BEGAN + 0.05, "visited"))
    flows.take([sighting(sequence, link) for sequence in (0, 1) for link in LINKS])
    (flow,) = flows.look(BEGAN + 10)
    assert whole(flow) == (2, 1, 1)


def test_streams_are_told_apart_and_forgotten(book: AddressBook) -> None:
    flows = Flows(book)
    flows.take([sighting(0, "home"), sighting(0, "home", port=6276)])
    assert [flow.port for flow in flows.look(BEGAN)] == [6275, 6276]
    assert flows.look(BEGAN + BIN * BINS + 1) == []


def test_other_packets_are_none(book: AddressBook) -> None:
    flows = Flows(book)
    flows.take([sighting(0, "home", delay=3600.0), sighting(0, "home", delay=-3600.0)])
    assert flows.look(BEGAN) == []
