"""What a node sends by: a member of more groups than one socket has room for."""

from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest

from lab.daemon.sockets import MEMBERSHIPS, Sender
from lab.wire.addresses import solicited_node
from tests.lab.networks import run_in
from tests.plane.machine import LINK, Machine

pytestmark = pytest.mark.privileged

MANY = 3 * MEMBERSHIPS
FIRST = IPv6Address("2001:db8:1::1:0")


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
