"""A tunnel (RFC 2473) by raw sockets: the kernel writes the outer header, and IPsec what is between."""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address

from lab.auth.ipsec_policy import TunnelPolicy
from lab.constants import MINIMUM_MTU
from lab.errors import PlaneError
from lab.plane import packet_filter
from lab.plane.ipsec import Ipsec
from lab.wire.chain import ESP
from lab.wire.packet import HEADER_OCTETS, IPV6

IPV6_MTU = 24
_IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_WANT, _IPV6_PMTUDISC_DO = 23, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """One way out, and where packets must come from to be taken back (§5.5)."""

    local: IPv6Address
    remote: IPv6Address
    policy: TunnelPolicy
    ipsec: Ipsec
    outlet: socket.socket
    sealed_outlet: socket.socket

    def send(self, packet: bytes, options: bytes = b"", *, in_pieces: bool = False) -> None:
        """Send a packet through, behind options if there are any, sealed if the policy wants it; raises OSError.

        With `in_pieces` it is the tunnel packet that is fragmented, if it is too big for its path (RFC 2473 §7.1 b).
        """
        sealed = self.ipsec.seal_tunnelled(self.policy, packet)
        outlet, octets = (self.outlet, packet) if sealed is None else (self.sealed_outlet, sealed)
        ancillary = [(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, options)] if options else []
        try:
            outlet.sendmsg([octets], ancillary)
        except OSError:  # perhaps an ICMP error about an earlier packet, which is told once
            with _fragmenting(outlet) if in_pieces else contextlib.nullcontext():
                outlet.sendmsg([octets], ancillary)

    def mtu(self, options: bytes = b"") -> int:
        """Give the largest packet that fits, in octets; at least what every link carries (RFC 2473 §7.1)."""
        self.outlet.connect((str(self.remote), 0))  # a socket knows the path MTU of when it was connected
        path_mtu = self.outlet.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU)
        room = path_mtu - HEADER_OCTETS - 2 * len(options)  # the kernel counts options twice
        return max(self.ipsec.room(room, self.policy), MINIMUM_MTU)

    def close(self) -> None:
        """Send no more."""
        self.outlet.close()
        self.sealed_outlet.close()


@contextlib.contextmanager
def opened(local: IPv6Address, remote: IPv6Address, ipsec: Ipsec, policy: TunnelPolicy) -> Iterator[Tunnel]:
    """Open a tunnel, and close it again if the block cannot lead packets into it; raises `PlaneError`."""
    with contextlib.ExitStack() as opening:
        outlet = opening.enter_context(_outlet(local, remote, IPV6))
        sealed_outlet = opening.enter_context(_outlet(local, remote, ESP)) if policy.protects_anything else outlet
        yield Tunnel(local=local, remote=remote, policy=policy, ipsec=ipsec, outlet=outlet, sealed_outlet=sealed_outlet)
        opening.pop_all()


def exchange(tunnels: dict[bytes, Tunnel], home_address: IPv6Address, tunnel: Tunnel) -> None:
    """Use a tunnel from now on, in place of an earlier one."""
    earlier = tunnels.get(home_address.packed)
    tunnels[home_address.packed] = tunnel
    if earlier is not None:
        earlier.close()


def _outlet(local: IPv6Address, remote: IPv6Address, protocol: int) -> socket.socket:
    outlet = raw_socket(protocol)
    try:
        outlet.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_DO)
        outlet.bind((str(local), 0))
        outlet.connect((str(remote), 0))
        packet_filter.attach(outlet, packet_filter.TAKE_NOTHING)  # others take what comes back
    except OSError as error:
        outlet.close()
        raise PlaneError(f"open tunnel from {local} to {remote}: {error.strerror}") from error
    return outlet


@contextlib.contextmanager
def _fragmenting(outlet: socket.socket) -> Iterator[None]:
    """Have a socket fragment what is too big, for the block."""
    outlet.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_WANT)
    try:
        yield
    finally:
        outlet.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_DO)


def raw_socket(protocol: int) -> socket.socket:
    """Open a raw socket; raises `PlaneError`."""
    try:
        return socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
    except OSError as error:
        raise PlaneError(f"open a raw socket: {error.strerror} (root is needed)") from error
