"""A tunnel to a care-of address or a home agent (RFC 2473): a raw socket whose outer header the kernel writes."""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address

from lab.errors import PlaneError
from lab.plane import packet_filter
from lab.wire.packet import HEADER_OCTETS, IPV6

MINIMUM_MTU = 1280
_IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_DO, IPV6_MTU = 23, 2, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """One way out, and where packets must come from to be taken back (§5.5)."""

    local: IPv6Address
    remote: IPv6Address
    outlet: socket.socket

    def send(self, packet: bytes) -> None:
        """Send a packet through; raises OSError."""
        try:
            self.outlet.send(packet)
        except OSError:  # perhaps an ICMP error about an earlier packet, which is told once
            self.outlet.send(packet)

    def mtu(self) -> int:
        """Give the largest packet that fits, in octets; at least what every link carries (RFC 2473 §7.1)."""
        self.outlet.connect((str(self.remote), 0))  # a socket knows the path MTU of when it was connected
        path_mtu = self.outlet.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU)
        return max(path_mtu - HEADER_OCTETS, MINIMUM_MTU)


@contextlib.contextmanager
def opened(local: IPv6Address, remote: IPv6Address) -> Iterator[Tunnel]:
    """Open a tunnel, and close it again if the block cannot lead packets into it."""
    tunnel = _open(local, remote)
    try:
        yield tunnel
    except PlaneError:
        tunnel.outlet.close()
        raise


def exchange(tunnels: dict[bytes, Tunnel], home_address: IPv6Address, tunnel: Tunnel) -> None:
    """Use a tunnel from now on, in place of an earlier one."""
    earlier = tunnels.get(home_address.packed)
    tunnels[home_address.packed] = tunnel
    if earlier is not None:
        earlier.outlet.close()


def _open(local: IPv6Address, remote: IPv6Address) -> Tunnel:
    outlet = raw_socket(IPV6)
    try:
        outlet.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_DO)
        outlet.bind((str(local), 0))
        outlet.connect((str(remote), 0))
        packet_filter.attach(outlet, packet_filter.TAKE_NOTHING)  # the one inlet takes what comes back
    except OSError as error:
        outlet.close()
        raise PlaneError(f"open tunnel from {local} to {remote}: {error.strerror}") from error
    return Tunnel(local=local, remote=remote, outlet=outlet)


def raw_socket(protocol: int) -> socket.socket:
    """Open a socket for whole payloads of a protocol; raises `PlaneError`."""
    try:
        return socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
    except OSError as error:
        raise PlaneError(f"open a raw socket: {error.strerror} (root is needed)") from error
