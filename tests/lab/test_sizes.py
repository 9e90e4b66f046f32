"""No packet of any size vanishes without a word, whatever the links on the way carry (RFC 2473 §7.1, §8)."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.constants import MINIMUM_MTU
from lab.daemon.config import PlaneName
from lab.emulation.network import Network
from lab.emulation.settings import Settings
from lab.emulation.spec import ETHERNET_MTU
from lab.emulation.topology import Topology
from lab.events import RouteOptimisationStarted
from lab.plane.user import TUNNEL_MTU
from lab.wire.chain import ADDED_OCTETS, HEADER_OCTETS
from tests.lab import sizes
from tests.lab.networks import Here, until
from tests.plane.conftest import why_not_bpf

pytestmark = pytest.mark.privileged

SMALLEST, LARGEST = 1200, 1500


class Narrow(Topology):
    """Two mobile nodes that go to links of their own, a correspondent, and a host that knows no Mobile IPv6."""

    access, middle = ETHERNET_MTU, ETHERNET_MTU
    """MTUs of the first visited link, and of the one before it."""

    def declare(self) -> None:
        """Declare links, then nodes."""
        home = self.link("home", "2001:db8:1::/64")
        visited1 = self.link("visited1", "2001:db8:a1::/64", mtu=self.access)
        visited2 = self.link("visited2", "2001:db8:a2::/64")
        cn_core = self.link("cn-core", "2001:db8:c::/64")
        core_ha = self.link("core-ha", "2001:db8:f0::/64")
        core_ar1 = self.link("core-ar1", "2001:db8:f1::/64", mtu=self.middle)
        core_ar2 = self.link("core-ar2", "2001:db8:f2::/64")
        self.router("core", on=[cn_core, core_ha, core_ar1, core_ar2])
        self.home_agent("ha", home=home, on=[core_ha])
        self.access_router("ar1", serves=visited1, on=[core_ar1])
        self.access_router("ar2", serves=visited2, on=[core_ar2])
        self.correspondent("cn", on=[cn_core])
        self.host("host", on=[cn_core])
        self.mobile_node("mn", home=home, home_agent="ha")
        self.mobile_node("mn2", home=home, home_agent="ha")


class NarrowAccess(Narrow):
    """The visited link carries 1400 octets, and its router says so."""

    access = 1400


class NarrowMiddle(Narrow):
    """So does a link behind it, of which only the routers on it know."""

    middle = 1400


class NarrowestMiddle(Narrow):
    """That link carries no more than every link must: whatever a tunnel adds is too much."""

    middle = MINIMUM_MTU


CASES = [Narrow, NarrowAccess, NarrowMiddle, NarrowestMiddle]
PLANES = [
    PlaneName.USER,
    pytest.param(PlaneName.BPF, marks=pytest.mark.skipif(why_not_bpf() is not None, reason=f"bpf: {why_not_bpf()}")),
]


@pytest.fixture(scope="module", params=PLANES)
def plane(request: pytest.FixtureRequest) -> PlaneName:
    return PlaneName(request.param)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.__name__)
def here(request: pytest.FixtureRequest, plane: PlaneName, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    """Both mobile nodes are away, and packets of cn and of each other go straight."""
    folder = tmp_path_factory.mktemp("narrow")
    with Network(request.param, settings=Settings(plane=plane), directory=folder) as network:
        network.start()
        for node in network.hosts:
            node.wait_settled()
        made = Here(network)
        for name in ("cn", "host", "mn", "mn2"):
            answering(made, name, folder)
        made.visit("visited1")
        began = made.mark()
        network.move("mn2", "visited2")  # its tunnel is the newer one: the narrow path is to be known all the same
        made.wait_registered("visited2", since=began)
        for one, other in (("cn", "mn"), ("mn2", "mn")):
            talk(made, one, other)
        yield made


def answering(here: Here, name: str, folder: Path) -> None:
    """Have a node answer datagrams."""
    output = folder / f"{name}.answers"
    with output.open("wb") as file:
        here[name].spawn([sys.executable, "-I", "-S", sizes.__file__, "answer"], stdout=file, stderr=file)
    until(lambda: b"ready" in output.read_bytes(), f"{name} answers")


def talk(here: Here, one: str, other: str) -> None:
    """Have two nodes talk until their packets go straight."""
    here.run(one, "ping", "-c1", "-W5", str(here[other].spec.address))
    mobile = [name for name in (one, other) if name.startswith("mn")]
    for name in mobile:
        peer = here[one if name == other else other].spec.address

        def straight(name: str = name, peer: object = peer) -> bool:
            records = here.network.context.collector.records()
            started = (r for r in records if r.node == name and isinstance(r.event, RouteOptimisationStarted))
            return any(r.event.peer == peer for r in started)  # type: ignore[attr-defined]

        until(straight, f"{one} and {other} talk straight")


def tried(
    here: Here, source: str, to: str, what: str, way: str, *between: int, named: bool = True
) -> dict[str, list[int]]:
    """Tell what becomes of packets of all sizes, or those between two, from one node to another."""
    ends = [str(here[source].spec.address) if named else sizes.ANY, str(here[to].spec.address)]
    program = [sys.executable, "-I", "-S", sizes.__file__]
    said = here.run(source, *program, *ends, what, way, *map(str, between or (SMALLEST, LARGEST)))
    assert said, f"{source} to {to}: the program of {what} failed"
    found: dict[str, list[int]] = json.loads(said)
    return found


def carried(here: Here, source: str, to: str) -> int:
    """Compute the largest packet that a path carries whole."""
    links = here.network.topology.link_specs
    narrowest = min(links["visited1"].mtu, links["core-ar1"].mtu)
    added = HEADER_OCTETS if "host" in (source, to) else ADDED_OCTETS if "cn" in (source, to) else 2 * ADDED_OCTETS
    return max(min(narrowest - added, TUNNEL_MTU), MINIMUM_MTU)


PATHS = [("host", "mn"), ("mn", "host"), ("cn", "mn"), ("mn", "cn"), ("mn", "mn2"), ("mn2", "mn")]
"""Through the tunnel, on the direct path, and on the one between mobile nodes, each both ways."""


@pytest.mark.rfc6275("10.4.2-c", "9.3.2-a", "11.3.1-a")
@pytest.mark.parametrize("what", ["udp", "icmpv6"])
@pytest.mark.parametrize(("source", "to"), PATHS)
def test_packets_of_every_size_arrive_or_their_sender_is_told(here: Here, source: str, to: str, what: str) -> None:
    mtu, largest_first = carried(here, source, to), range(LARGEST, SMALLEST - 1, -1)
    expected = {
        "mtu": [mtu],
        "told": [size for size in largest_first if size > mtu],
        "answered": [size for size in largest_first if size <= mtu],
    }
    assert tried(here, source, to, what, "whole") == expected
    assert tried(here, source, to, what, "pieces")["answered"] == [*largest_first]


@pytest.mark.rfc6275("10.4.2-c", "9.3.2-a", "11.3.1-a")
@pytest.mark.parametrize("what", ["udp", "icmpv6"])
@pytest.mark.parametrize(("source", "to"), PATHS)
def test_who_leaves_the_source_to_the_kernel_is_served_as_well(here: Here, source: str, to: str, what: str) -> None:
    found = tried(here, source, to, what, "pieces", LARGEST - 50, LARGEST, named=False)
    assert found["answered"] == [*range(LARGEST, LARGEST - 51, -1)]


@pytest.mark.rfc6275("10.4.2-c", "9.3.2-a", "11.3.1-a")
@pytest.mark.parametrize(("source", "to"), PATHS)
def test_packets_much_larger_than_any_link_arrive_in_pieces(here: Here, source: str, to: str) -> None:
    for what in ("udp", "icmpv6"):
        assert tried(here, source, to, what, "pieces", 4048, 4050)["answered"] == [4050, 4049, 4048]
