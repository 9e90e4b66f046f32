"""A mobile node may also be what any visitor is: a node with an address of the link (RFC 6275 §11.3.1, §11.3.4)."""

from collections.abc import Iterator

import pytest

from lab.emulation.network import Network
from lab.emulation.settings import Settings
from tests.lab.networks import Here, Neighbourhood, python_in

pytestmark = pytest.mark.privileged

GROUP = "ff15::6275"
LISTEN = f"""
import socket, struct, sys
inlet = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
inlet.bind(("::", 6275))
index = socket.if_nametoindex("{{interface}}")
inlet.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, socket.inet_pton(socket.AF_INET6, "{GROUP}")
                 + struct.pack("=I", index))
print("ready", flush=True)
inlet.settimeout(10)
print(inlet.recvfrom(64)[0].decode(), flush=True)
"""
SPEAK = f"""
import socket
outlet = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
index = socket.if_nametoindex("{{interface}}")
outlet.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
outlet.sendto(b"local news", ("{GROUP}", 6275))
"""


@pytest.fixture(scope="module")
def here() -> Iterator[Here]:
    with Network(Neighbourhood, settings=Settings(), captures=False) as network:
        network.start()
        network.wait_settled()
        found = Here(network)
        found.visit("visited1")
        yield found


def carried(here: Here) -> dict[str, int]:
    """Count the packets of the mobile node's tunnels and direct paths, without what its kernel says on the device."""
    return {name: count for name, count in here.counters("mn").items() if name != "no-tunnel"}


@pytest.mark.rfc6275("11.3.1-b")
@pytest.mark.parametrize("peer", ["cn", "stranger"])
def test_a_flow_may_use_the_care_of_address_plainly(here: Here, peer: str) -> None:
    """Neither tunnelled nor with a Home Address option, and the answer comes the same way."""
    care_of_address = here.visit("visited1")
    before = carried(here)
    answer = here.run("mn", "ping", "-c2", "-i0.2", "-W2", "-I", str(care_of_address), str(here[peer].spec.address))
    assert " 0% packet loss" in answer
    assert carried(here) == before


@pytest.mark.rfc6275("11.3.4-a")
def test_multicast_of_the_visited_link_is_received_there(here: Here) -> None:
    """With the care-of address, as any node of the link."""
    here.visit("visited1")
    listener = here["mn"].popen(["python3", "-c", LISTEN.format(interface=here["mn"].spec.plugs[0].interface)])
    assert listener.stdout.readline() == b"ready\n"
    python_in(here["stranger"], SPEAK.format(interface=here["stranger"].spec.plugs[0].interface))
    assert listener.stdout.readline() == b"local news\n"
    assert listener.wait(10) == 0
