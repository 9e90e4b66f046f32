"""What a node sends by: a member of more groups than one socket has room for, with routes and without."""

import socket
from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest

from lab.daemon.sockets import MEMBERSHIPS, Sender
from lab.netlink import ETH_P_IPV6
from lab.wire.addresses import solicited_node
from lab.wire.packet import OpaquePayload, Packet, build, parse
from tests.lab.networks import WITHIN, run_in
from tests.plane.machine import FAR_MAC, LINK, Machine

pytestmark = pytest.mark.privileged

MANY = 3 * MEMBERSHIPS
FIRST = IPv6Address("2001:db8:1::1:0")
CARE_OF, AGENT = IPv6Address("2001:db8:2::100"), IPv6Address("2001:db8:1::1")


@pytest.fixture
def machine() -> Iterator[Machine]:
    made = Machine()
    yield made
    made.close()


def joined(machine: Machine) -> int:
    """Count the groups of the addresses that are tested."""
    return run_in(machine.namespace, "ip", "-6", "maddress", "show", "dev", LINK).stdout.count("ff02::1:ff01:")


def test_thousands_of_groups_are_joined_and_left(machine: Machine) -> None:
    groups = [solicited_node(FIRST + number) for number in range(MANY)]

    def join_and_leave() -> list[int]:
        sender, found = Sender(), []
        try:
            for group in groups:
                sender.join(LINK, group)
            found.append(joined(machine))
            for group in groups[:MEMBERSHIPS]:
                sender.leave(LINK, group)
            found.append(joined(machine))
            for group in groups[:MEMBERSHIPS]:  # room that was given back is used again
                sender.join(LINK, group)
            found.append(joined(machine))
        finally:
            sender.close()
        return [*found, joined(machine)]

    assert machine.run(join_and_leave) == [MANY, MANY - MEMBERSHIPS, MANY, 0]


def test_a_packet_is_handed_to_a_neighbour_without_a_route(machine: Machine) -> None:
    packet = Packet(source=CARE_OF, destination=AGENT, payload=OpaquePayload(next_header=59, data=b""))
    heard = machine.far.run(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IPV6)))

    def hand() -> None:
        sender = Sender()
        try:
            with pytest.raises(OSError, match="unreachable"):
                sender.send(packet, None)
            sender.send(packet, LINK, FAR_MAC)
            with pytest.raises(OSError, match="No such device"):
                sender.send(packet, "nowhere", FAR_MAC)
        finally:
            sender.close()

    with heard:
        heard.settimeout(WITHIN)
        machine.run(hand)
        while (octets := heard.recv(1 << 16)) != build(packet):
            assert parse(octets).source != CARE_OF
