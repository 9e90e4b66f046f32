"""Tunnels of the plane `kernel` when the kernel refuses some of what they need."""

from ipaddress import IPv6Address
from unittest.mock import MagicMock, create_autospec

import pytest

from lab.errors import PlaneError
from lab.netlink import Netlink
from lab.plane import sysctl
from lab.plane.host import ANYWHERE
from lab.plane.kernel.devices import PREFERRED_TABLE, Devices, Ends
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
        if call[0] in ("add_route", "remove_route") and call.kwargs.get("table") == PREFERRED_TABLE
    ][-1:]
    assert last is None or isinstance(last, IPv6Address)
    return last


def test_a_home_address_whose_tunnel_was_refused_is_not_preferred(netlink: MagicMock) -> None:
    devices = Devices(netlink)
    devices.lead(HOME, Ends(FIRST, AGENT), here=True, left_alone=False)
    devices.prefer(HOME)
    assert preferred(netlink) == HOME
    netlink.add_route.side_effect = PlaneError("refused")
    with pytest.raises(PlaneError, match="refused"):
        devices.lead(HOME, Ends(SECOND, AGENT), here=True, left_alone=False)
    netlink.add_route.side_effect = None
    devices.end(HOME)
    devices.prefer(HOME)
    assert preferred(netlink) is None
    assert netlink.delete_link.call_count == 2, "no device is left"


def test_another_home_address_is_preferred_then(netlink: MagicMock) -> None:
    devices = Devices(netlink)
    for home_address in (HOME, OTHER_HOME):
        devices.lead(home_address, Ends(FIRST, AGENT), here=True, left_alone=False)
    netlink.create_tunnel.assert_called_once()
    devices.prefer(HOME)
    devices.end(HOME)
    devices.prefer(OTHER_HOME)
    assert preferred(netlink) == OTHER_HOME
    netlink.delete_link.assert_not_called()


def test_a_tunnel_that_is_left_alone_is_not_preferred(netlink: MagicMock) -> None:
    devices = Devices(netlink)
    devices.lead(HOME, Ends(FIRST, AGENT), here=True, left_alone=True)
    devices.prefer(HOME)
    assert preferred(netlink) is None
    assert ANYWHERE not in [call.args[0] for call in netlink.add_route.call_args_list]


def test_a_tunnel_can_be_left_alone_later(netlink: MagicMock) -> None:
    devices = Devices(netlink)
    ends = Ends(FIRST, AGENT)
    devices.lead(HOME, ends, here=True, left_alone=False)
    devices.leave_alone(ends)
    devices.prefer(HOME)
    assert preferred(netlink) is None
    assert next(devices.judged()).destinations == ()
    assert netlink.remove_route.call_args_list[0].kwargs["origin"] == HOME
    devices.leave_alone(Ends(SECOND, AGENT))  # there is none
    devices.lead(HOME, ends, here=True, left_alone=False)
    assert next(devices.judged()).destinations == (HOME.packed,)
    devices.end(HOME)
    netlink.delete_link.assert_called_once()
