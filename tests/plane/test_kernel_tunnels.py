"""Tunnels of the plane `kernel` when the kernel refuses some of what they need."""

from ipaddress import IPv6Address
from unittest.mock import MagicMock, create_autospec

import pytest

from lab.errors import PlaneError
from lab.netlink import Netlink
from lab.plane import sysctl
from lab.plane.host import ANYWHERE
from lab.plane.kernel.tunnels import PREFERRED_METRIC, Ends, Tunnels
from tests.plane.machine import FAR, FAR_TOO, HOME, OTHER_HOME, OWN

AGENT, FIRST, SECOND = FAR, OWN, FAR_TOO


@pytest.fixture
def netlink(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """Give a kernel that does what it is told."""
    monkeypatch.setattr(sysctl, "set_interface", lambda *_, **__: {})
    kernel: MagicMock = create_autospec(Netlink, instance=True)
    kernel.link.side_effect = lambda name: MagicMock(index=int(name.rpartition("-")[2]) + 1)
    kernel.carried.return_value = (0, 0)
    kernel.refused_at_gate.return_value = 0
    return kernel


def preferred(netlink: MagicMock) -> IPv6Address | None:
    """Give the source that was last lent to packets that have none."""
    (last,) = [
        call.kwargs.get("source")
        for call in netlink.method_calls
        if call[0] in ("add_route", "remove_route") and call.kwargs.get("metric") == PREFERRED_METRIC
    ][-1:]
    assert last is None or isinstance(last, IPv6Address)
    return last


def test_a_home_address_whose_tunnel_was_refused_is_not_preferred(netlink: MagicMock) -> None:
    tunnels = Tunnels(netlink)
    tunnels.lead(HOME, Ends(FIRST, AGENT), here=True, sealed=False)
    tunnels.prefer(HOME)
    assert preferred(netlink) == HOME
    netlink.add_route.side_effect = PlaneError("refused")
    with pytest.raises(PlaneError, match="refused"):
        tunnels.lead(HOME, Ends(SECOND, AGENT), here=True, sealed=False)
    netlink.add_route.side_effect = None
    tunnels.end(HOME)
    tunnels.prefer(HOME)
    assert preferred(netlink) is None
    assert netlink.delete_link.call_count == 2, "no device is left"


def test_another_home_address_is_preferred_then(netlink: MagicMock) -> None:
    tunnels = Tunnels(netlink)
    for home_address in (HOME, OTHER_HOME):
        tunnels.lead(home_address, Ends(FIRST, AGENT), here=True, sealed=False)
    netlink.create_tunnel.assert_called_once()
    tunnels.prefer(HOME)
    tunnels.end(HOME)
    tunnels.prefer(OTHER_HOME)
    assert preferred(netlink) == OTHER_HOME
    netlink.delete_link.assert_not_called()


def test_a_sealed_tunnel_is_not_preferred(netlink: MagicMock) -> None:
    tunnels = Tunnels(netlink)
    tunnels.lead(HOME, Ends(FIRST, AGENT), here=True, sealed=True)
    tunnels.prefer(HOME)
    assert preferred(netlink) is None
    assert ANYWHERE not in [call.args[0] for call in netlink.add_route.call_args_list]
