"""What a home agent does with packets for a home address, with real kernels on the way (RFC 6275 §10.4.2)."""

import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from lab.emulation.network import Network
from lab.emulation.settings import Settings
from lab.verify.frame import Frame
from lab.verify.trace import CaptureError, read
from tests.lab.networks import AGENT, HOME, Here, Neighbourhood, until

pytestmark = pytest.mark.privileged

AGED = """
table ip6 aged {
    chain arriving {
        type filter hook prerouting priority 0;
        ip6 nexthdr 41 ip6 hoplimit set 1
    }
}
"""
"""For nft: tunnel packets that have no hop left."""


@pytest.fixture(scope="module")
def here() -> Iterator[Here]:
    with Network(Neighbourhood, settings=Settings(ro=False)) as network:  # all goes by the tunnel
        network.start()
        network.wait_settled()
        yield Here(network)


def ping(here: Here, source: str = "cn", *more: str) -> str:
    """Ask for one echo of the home address."""
    return here.run(source, "ping", "-c1", "-W2", *more, str(HOME))


@pytest.mark.rfc6275("10.4.2-a", "10.3.1-g")
@pytest.mark.case("HA-168", "HA-171", "HA-172", "HA-173")
@pytest.mark.parametrize("source", ["cn", "neighbour"])
def test_an_echo_request_is_tunnelled_to_the_care_of_address_in_force(here: Here, source: str) -> None:
    for link in ("visited1", "visited2"):
        assert_tunnelled(here, source, link)


def assert_tunnelled(here: Here, source: str, link: str) -> None:
    """Have one echo request go through the tunnel to a care-of address of a link."""
    care_of, began = here.visit(link), time.time()
    assert "1 received" in ping(here, source)
    until(lambda: tunnels(here, link, began) == [(AGENT, care_of)], f"the echo request in a tunnel on {link}")


@pytest.mark.rfc6275("10.4.2-e")
@pytest.mark.case("HA-170", "HA-174")
@pytest.mark.parametrize("source", ["cn", "neighbour"])
def test_a_packet_that_expires_in_the_tunnel_is_unreachable_for_its_sender(here: Here, source: str) -> None:
    here.visit("visited1")
    here["ar1"].namespace.run(partial(nft, AGED))  # as after many hops
    try:
        said = ping(here, source)
    finally:
        here["ar1"].namespace.run(partial(nft, "delete table ip6 aged"))
    assert f"From {AGENT}" in said
    assert "Destination unreachable: Address unreachable" in said
    assert "1 received" in ping(here, source)
    assert here.counters("ha")["errors-relayed"] >= 1


def nft(script: str) -> None:
    subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True)


def tunnels(here: Here, link: str, since: float) -> list[tuple[object, object]]:
    """Give the ends of the tunnel packets for the home address that a link carried."""
    return [
        (frame.source, frame.destination)
        for frame in frames(here.network.captures[link])
        if frame.time >= since and frame.inner is not None and frame.inner.destination == HOME
    ]


def frames(capture: Path) -> list[Frame]:
    """Read a capture that still grows: its last record may be half written just now."""
    try:
        return read([capture])
    except CaptureError:
        return []
