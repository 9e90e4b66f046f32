"""From which address a mobile node answers, at home and away, and how (RFC 6275 §11.3.1, §11.3.3, §11.5.5)."""

from collections.abc import Iterator

import pytest

from lab.emulation.network import Network
from lab.emulation.settings import Settings
from lab.wire.addresses import link_local
from tests.lab.networks import HOME, Here, Neighbourhood, python_in, until

pytestmark = pytest.mark.privileged

PROBE = """
import socket, struct
from ipaddress import IPv6Address
target = IPv6Address("{target}")
probe = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
only_advertisements = bytearray(b"\\xff" * 32)
only_advertisements[136 >> 5 << 2 : (136 >> 5 << 2) + 4] = struct.pack("=I", ~(1 << (136 & 31)) & 0xFFFFFFFF)
probe.setsockopt(socket.IPPROTO_ICMPV6, 1, bytes(only_advertisements))
probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVDSTOPTS, 1)
probe.bind(("{source}", 0))
probe.settimeout(10)
own = bytes((1, 1)) + bytes.fromhex("{mac}")
probe.sendto(bytes((135, 0, 0, 0)) + bytes(4) + target.packed + own, (str(target), 0))
message, options, _, sender = probe.recvmsg(256, 256)
assert (sender[0], message[8:24]) == (str(target), target.packed), (sender, message)
assert options == [], options
"""
"""A Neighbor Solicitation to one node, whose answer has to come from the address that is asked for, without options."""


class RouterThatCorresponds(Neighbourhood):
    """With a third visited link: its access router is the home agent of others, and so a correspondent as well."""

    def declare(self) -> None:
        """Declare the others, then that link."""
        super().declare()
        visited3 = self.link("visited3", "2001:db8:a3::/64")
        self.home_agent("ar3", home=visited3, on=[self.link_specs["backbone"]])


@pytest.fixture(scope="module")
def here() -> Iterator[Here]:
    with Network(RouterThatCorresponds, settings=Settings(), captures=False) as network:
        network.start()
        network.wait_settled()
        yield Here(network)


def is_bound(here: Here, name: str) -> bool:
    """Tell whether a correspondent has a binding for where the mobile node is."""
    care_of = here["mn"].control("bindings")[0]["care_of_address"]
    return care_of in [entry.get("care_of_address") for entry in here[name].control("bindings")]


@pytest.mark.rfc6275("11.3.3-a", "11.5.5-a")
@pytest.mark.case("MN-158")
def test_at_home_the_home_address_answers_plainly_before_a_trip_and_after_it(here: Here) -> None:
    """A neighbour and a correspondent see it as any node: neither in a tunnel nor with headers of Mobile IPv6."""
    here.return_home()
    answers_plainly(here)
    here.visit("visited1")
    assert "1 received" in here.run("cn", "ping", "-c1", "-W5", str(HOME))
    until(lambda: is_bound(here, "cn"), "the correspondent has a binding")
    here.return_home()
    until(lambda: not [e for e in here["cn"].control("bindings") if e["state"] == "bound"], "the binding is deleted")
    answers_plainly(here)


def answers_plainly(here: Here) -> None:
    before = carried(here)
    for name in ("neighbour", "core", "cn"):
        assert "2 received" in here.run(name, "ping", "-c2", "-i0.1", "-W5", str(HOME))
    assert carried(here) == before


def carried(here: Here) -> list[int]:
    """Count what went through tunnels, or with headers of Mobile IPv6, at both ends."""
    kinds = ("tunnelled", "detunnelled", "direct-in", "direct-out")
    return [here.counters(name).get(kind, 0) for name in ("mn", "cn") for kind in kinds]


@pytest.mark.rfc6275("11.3.1-b")
@pytest.mark.case("MN-156")
def test_a_bound_router_that_probes_the_care_of_address_is_answered_from_it(here: Here) -> None:
    care_of, router = here.visit("visited3"), here["ar3"]
    assert "1 received" in here.run("mn", "ping", "-c1", "-W5", "-I", str(HOME), str(router.spec.address))
    until(lambda: is_bound(here, "ar3"), "the router is a correspondent")
    mac = router.spec.plugs[0].link_layer_address.hex()
    python_in(router, PROBE.format(target=care_of, source=router.spec.address, mac=mac))


@pytest.mark.rfc6275("11.3.1-b")
@pytest.mark.case("MN-159")
@pytest.mark.parametrize(("link", "router"), [("visited1", "ar1"), ("visited3", "ar3")])
def test_the_link_local_address_answers_for_itself(here: Here, link: str, router: str) -> None:
    here.visit(link)
    own = link_local(here["mn"].spec.plugs[0].link_layer_address)
    destination = f"{own}%{here[router].spec.plugs[0].interface}"
    answer = here.run(router, "ping", "-c1", "-W5", destination)
    assert f"from {destination}" in answer
    assert "1 received" in answer
