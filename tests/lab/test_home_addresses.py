"""Home addresses on a real network: two of one mobile node, and one that a crash left with the home agent."""

from collections.abc import Iterator
from ipaddress import IPv6Address

import pytest

from lab.emulation.network import Network
from lab.emulation.settings import Settings
from lab.emulation.topology import Topology
from lab.events import ReturnedHome, RouteOptimisationStarted
from tests.lab.networks import HOME, Here, Neighbourhood, until

pytestmark = pytest.mark.privileged

SECOND = HOME + 1
CN = IPv6Address("2001:db8:c::2")


class WithTwo(Neighbourhood):
    """The neighbourhood, its mobile node with two home addresses."""

    def declare(self) -> None:
        """Declare the same, and one more home address."""
        super().declare()
        self.node_specs["mn"].further_home_addresses.append(SECOND)


def bring_up(topology: type[Topology]) -> Iterator[Here]:
    with Network(topology, settings=Settings(), captures=False) as network:
        network.start()
        network.wait_settled()
        yield Here(network)


@pytest.fixture
def here() -> Iterator[Here]:
    yield from bring_up(Neighbourhood)


@pytest.fixture
def with_two() -> Iterator[Here]:
    yield from bring_up(WithTwo)


def are_reached(here: Here) -> None:
    for address in (HOME, SECOND):
        assert "1 received" in here.run("core", "ping", "-c1", "-W5", str(address))


def talk(here: Here) -> None:
    """Check that the correspondent answers what comes from each home address."""
    for address in (HOME, SECOND):
        assert "1 received" in here.run("mn", "ping", "-c1", "-W5", "-I", str(address), str(CN))


@pytest.mark.rfc6275("8.5-a", "11.7.1-a", "11.5.5-a", "10.4.2-a", "11.6.1-a")
def test_two_home_addresses_on_the_way_and_at_home(with_two: Here) -> None:
    are_reached(with_two)
    with_two.visit("visited1")
    until(lambda: [e["state"] for e in homes(with_two)] == ["registered"] * 2, "both are registered")
    are_reached(with_two)
    talk(with_two)  # through the tunnels, and so direct paths are looked for
    until(lambda: direct(with_two, "visited1") == {HOME, SECOND}, "both have a direct path")
    talk(with_two)
    with_two.visit("visited2")
    until(lambda: direct(with_two, "visited2") == {HOME, SECOND}, "both have it from the next link too")
    talk(with_two)
    are_reached(with_two)
    with_two.return_home()
    until(lambda: [e["place"] for e in homes(with_two)] == ["athome"] * 2, "both are at home")
    are_reached(with_two)
    assert "default" not in with_two.run("mn", "ip", "-6", "route", "show", "dev", "mip0", "table", "all")


@pytest.mark.rfc6275("11.5.5-a", "11.7.3-b", "9.5.1-b")
def test_a_mobile_node_that_was_killed_abroad_starts_again_at_home(here: Here) -> None:
    """Its home agent defends the home address, for a binding that the node knows nothing of."""
    here.visit("visited1")
    here["mn"].kill()
    here.network.move("mn", "home")
    began = here.mark()
    here["mn"].restart()
    here.wait(ReturnedHome, node="mn", since=began)
    assert [entry["state"] for entry in here["ha"].control("bindings")] == ["deregistered"]
    assert "1 received" in here.run("neighbour", "ping", "-c1", "-W5", str(HOME))
    assert "1 received" in here.run("core", "ping", "-c1", "-W5", str(HOME))


def homes(here: Here) -> list[dict[str, str]]:
    """Give what the mobile node says of each home address."""
    return [entry for entry in here["mn"].control("bindings") if "place" in entry]


def direct(here: Here, link: str) -> set[IPv6Address]:
    """Give the home addresses from which packets went straight from a link."""
    prefix = here.network.topology.link_specs[link].prefix
    events = [record.event for record in here.network.context.collector.records()]
    started = [event for event in events if isinstance(event, RouteOptimisationStarted)]
    return {event.home_address for event in started if event.care_of_address in prefix}
