"""A private home address that nobody on the way sees, since all of the tunnel is in ESP (RFC 6275 §5.5, §15.7)."""

from ipaddress import IPv6Address
from pathlib import Path

import pytest

from lab.emulation.network import Network
from lab.emulation.settings import Settings
from lab.emulation.topology import Topology
from lab.events import BindingAcknowledged
from lab.verify.trace import read
from tests.lab.networks import Here

pytestmark = pytest.mark.privileged

HOME, CN = IPv6Address("fd6d:6970:1::100"), IPv6Address("fd6d:6970:c::2")


class Intranet(Topology):
    """A home network of unique local addresses (RFC 4193), and one visited link in the Internet."""

    def declare(self) -> None:
        """Declare links, then nodes."""
        home = self.link("home", "fd6d:6970:1::/64")
        office = self.link("office", "fd6d:6970:c::/64")
        internet = self.link("internet", "2001:db8:f::/64")
        visited = self.link("visited1", "2001:db8:a1::/64")
        self.home_agent("ha", home=home, on=[office, internet])
        self.correspondent("cn", on=[office])
        self.access_router("ar1", serves=visited, on=[internet])
        self.mobile_node("mn", home=home, home_agent="ha")


@pytest.mark.rfc6275("15.7-b", "5.5-d")
def test_what_is_said_from_a_private_home_address_stays_private(tmp_path: Path) -> None:
    settings = Settings(ro=False, ipsec_payload=True)
    with Network(Intranet, settings=settings, directory=tmp_path) as network:
        network.start()
        network.wait_settled()
        here = Here(network)
        began = here.mark()
        network.move("mn", "visited1")
        here.wait(BindingAcknowledged, node="mn", since=began)
        assert "3 received" in here.run("mn", "ping", "-c3", "-i0.2", "-W5", "-I", str(HOME), str(CN))
        link = network.captures["visited1"]
    frames = read([link])
    assert len([frame for frame in frames if frame.closed_spi is not None]) >= 2 * 3
    said = [frame.octets for frame in frames if CN.packed in frame.octets]
    assert said == []
    # The one that names itself is the mobile node to its home agent: where it is, not with whom it talks (§15.7).
    naming = {frame.home_address or frame.routed_home_address for frame in frames if HOME.packed in frame.octets}
    assert naming == {HOME}
