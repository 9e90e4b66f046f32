"""Link events of a real kernel, in a namespace of the test's own."""

import socket
from collections.abc import Iterator
from functools import partial
from ipaddress import IPv6Address

import pytest

from lab.daemon.links import LinkEvents
from lab.emulation.namespace import Namespace
from lab.engine.io import LinkDown, LinkUp
from lab.errors import PlaneError
from lab.plane import sysctl
from tests.lab.networks import until

pytestmark = pytest.mark.privileged

MAC = bytes.fromhex("020000000001")
UP = LinkUp(interface="eth0", link_layer_address=MAC, link_local_address=IPv6Address("fe80::ff:fe00:1"))
DOWN = LinkDown(interface="eth0")


class Wire:
    """A pair of interfaces in a namespace, one of them watched."""

    def __init__(self) -> None:
        self.namespace = Namespace()
        # No link-local addresses, whose coming and testing would be news at any time.
        self.namespace.run(partial(sysctl.set_interface, "default", addr_gen_mode=1))
        self.netlink = self.namespace.netlink
        self.make()
        self.netlink.set_link(self.netlink.link("far").index, up=True)
        self.links = self.watch("eth0")

    def make(self) -> None:
        """Make the pair, one end of which is down."""
        self.netlink.create_veth("eth0", "far", address=MAC)

    def watch(self, *names: str) -> LinkEvents:
        return self.namespace.run(lambda: LinkEvents(self.netlink, names))

    def set(self, *, up: bool) -> None:
        self.netlink.set_link(self.netlink.link("eth0").index, up=up)

    def changes(self, *expected: LinkUp | LinkDown) -> None:
        """Wait until these changes, and no others, have been seen."""
        seen: list[LinkUp | LinkDown] = []

        def enough() -> bool:
            seen.extend(self.links.receive()[0])
            return len(seen) >= len(expected)

        until(enough, f"changes {expected}")
        assert seen == list(expected)

    def close(self) -> None:
        self.links.close()
        self.namespace.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def test_what_is_up_at_the_start_is_told_once(wire: Wire) -> None:
    assert wire.links.present() == []
    wire.set(up=True)
    wire.changes(UP)
    late = wire.watch("eth0")
    assert late.present() == [UP]
    assert late.present() == []
    late.close()


def test_carrier_comes_and_goes(wire: Wire) -> None:
    wire.set(up=True)
    wire.changes(UP)
    far = wire.netlink.link("far").index
    wire.netlink.set_link(far, up=False)
    wire.changes(DOWN)
    wire.netlink.set_link(far, up=True)
    wire.changes(UP)
    wire.set(up=False)
    wire.changes(DOWN)


def test_other_interfaces_and_other_news_are_no_changes(wire: Wire) -> None:
    wire.set(up=True)
    wire.changes(UP)
    wire.netlink.create_veth("eth1", "far1")
    wire.netlink.set_link(wire.netlink.link("eth1").index, up=True)
    index = wire.netlink.link("eth0").index
    wire.netlink.set_link(index, mtu=1400)
    wire.netlink.create_bridge("bridge")
    wire.netlink.set_link(index, master=wire.netlink.link("bridge").index)
    wire.netlink.set_link(index, master=0)
    wire.set(up=False)
    wire.changes(DOWN)


def test_another_link_layer_address_is_another_attachment(wire: Wire) -> None:
    wire.set(up=True)
    wire.changes(UP)
    other = "02:00:00:00:00:02"
    wire.namespace.spawn(["ip", "link", "set", "eth0", "address", other]).wait()
    wire.changes(
        LinkUp(
            interface="eth0",
            link_layer_address=bytes.fromhex("020000000002"),
            link_local_address=IPv6Address("fe80::ff:fe00:2"),
        )
    )


def test_an_interface_that_is_deleted_is_down_and_may_come_back(wire: Wire) -> None:
    wire.set(up=True)
    wire.changes(UP)
    wire.netlink.delete_link(wire.netlink.link("eth0").index)
    wire.changes(DOWN)
    wire.make()
    wire.netlink.set_link(wire.netlink.link("far").index, up=True)
    wire.set(up=True)
    wire.changes(UP)


def test_changes_of_addresses_are_told(wire: Wire) -> None:
    wire.set(up=True)
    wire.changes(UP)
    index = wire.netlink.link("eth0").index
    address = IPv6Address("2001:db8::1")
    wire.netlink.add_address(index, address, 64)
    until(lambda: wire.links.receive() == ([], True), "the address has come")
    assert wire.links.receive() == ([], False)
    wire.netlink.remove_address(index, address, 64)
    until(lambda: wire.links.receive() == ([], True), "the address has gone")


@pytest.mark.parametrize("up_at_last", [True, False])
def test_what_did_not_fit_is_looked_up(wire: Wire, up_at_last: bool) -> None:
    """The kernel throws the newest messages away, so what it kept says nothing of how things are now."""
    wire.set(up=not up_at_last)
    if not up_at_last:
        wire.changes(UP)
    overflow(wire)
    wire.set(up=up_at_last)
    changes, addresses_changed = wire.links.receive()
    assert changes[-1] == (UP if up_at_last else DOWN)
    assert addresses_changed
    assert wire.links.receive()[0] == []


def test_after_an_overflow_a_link_that_seems_the_same_may_be_another(wire: Wire) -> None:
    wire.set(up=True)
    wire.changes(UP)
    overflow(wire)
    wire.set(up=False)
    wire.set(up=True)
    assert wire.links.receive()[0] == [UP]


def test_an_interface_that_went_away_unseen_is_down(wire: Wire) -> None:
    wire.set(up=True)
    wire.changes(UP)
    overflow(wire)
    wire.netlink.delete_link(wire.netlink.link("eth0").index)
    assert wire.links.receive()[0] == [DOWN]


def overflow(wire: Wire) -> None:
    """Have the kernel say more than the socket takes, about an interface that nobody watches."""
    wire.links._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    index = wire.netlink.link("far").index
    for mtu in range(1300, 1400):
        wire.netlink.set_link(index, mtu=mtu)


@pytest.mark.parametrize(
    ("name", "said"), [("eth9", "find link eth9: No such device"), ("tun0", "no Ethernet address")]
)
def test_a_wrong_interface_is_an_error_at_the_start(wire: Wire, name: str, said: str) -> None:
    wire.namespace.spawn(["ip", "tuntap", "add", "tun0", "mode", "tun"]).wait()
    links = wire.watch(name)
    with pytest.raises(PlaneError, match=said):
        links.present()
    links.close()
