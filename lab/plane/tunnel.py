"""A tunnel (RFC 2473) by raw sockets: the kernel writes the outer header, and IPsec what is between."""

import contextlib
import socket
from collections import Counter
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


class Outlets:
    """The sockets by which tunnels leave: all those that begin at one address share them, however many they are."""

    def __init__(self) -> None:
        self._sockets: dict[tuple[IPv6Address, int], socket.socket] = {}
        self._tunnels: Counter[IPv6Address] = Counter()
        """How many begin at each address."""

    @contextlib.contextmanager
    def opened(self, local: IPv6Address, remote: IPv6Address, policy: TunnelPolicy) -> Iterator["Tunnel"]:
        """Open a tunnel, and close it again if the block cannot lead packets into it; raises `PlaneError`."""
        self._tunnels[local] += 1
        try:
            try:
                outlet = self._socket(local, IPV6)
                sealed_outlet = self._socket(local, ESP) if policy.protects_anything else outlet
                outlet.connect((written(remote), 0))  # is there a way?
            except OSError as error:
                raise PlaneError(f"open tunnel from {local} to {remote}: {error.strerror}") from error
            yield Tunnel(local=local, remote=remote, policy=policy, outlet=outlet, sealed_outlet=sealed_outlet)
        except BaseException:
            self._release(local)
            raise

    def exchange(self, tunnels: dict[bytes, "Tunnel"], home_address: bytes, tunnel: "Tunnel") -> None:
        """Use a tunnel from now on, in place of an earlier one."""
        earlier = tunnels.get(home_address)
        tunnels[home_address] = tunnel
        if earlier is not None:
            self.close(earlier)

    def close(self, tunnel: "Tunnel") -> None:
        """Send no more through a tunnel."""
        self._release(tunnel.local)

    def _socket(self, local: IPv6Address, protocol: int) -> socket.socket:
        if (local, protocol) not in self._sockets:
            self._sockets[local, protocol] = _outlet(local, protocol)
        return self._sockets[local, protocol]

    def _release(self, local: IPv6Address) -> None:
        self._tunnels[local] -= 1
        if not self._tunnels[local]:
            del self._tunnels[local]
            for protocol in (IPV6, ESP):
                if (outlet := self._sockets.pop((local, protocol), None)) is not None:
                    outlet.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """One way out, and where packets must come from to be taken back (§5.5)."""

    local: IPv6Address
    remote: IPv6Address
    policy: TunnelPolicy
    outlet: socket.socket
    sealed_outlet: socket.socket

    def send(self, packet: bytes, options: bytes, ipsec: Ipsec, *, in_pieces: bool) -> None:
        """Send a packet through, behind options if there are any, sealed if the policy wants it; raises OSError.

        With `in_pieces` it is the tunnel packet that is fragmented, if it is too big for its path (RFC 2473 §7.1 b).
        """
        sealed = ipsec.seal_tunnelled(self.policy, packet)
        outlet, octets = (self.outlet, packet) if sealed is None else (self.sealed_outlet, sealed)
        ancillary = [(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, options)] if options else []
        to = (written(self.remote), 0)
        try:
            outlet.sendmsg([octets], ancillary, 0, to)
        except OSError:  # perhaps an ICMP error about an earlier packet, which is told once
            with _fragmenting(outlet) if in_pieces else contextlib.nullcontext():
                outlet.sendmsg([octets], ancillary, 0, to)

    def mtu(self, options: bytes, ipsec: Ipsec) -> int:
        """Give the largest packet that fits, in octets; at least what every link carries (RFC 2473 §7.1)."""
        self.outlet.connect((written(self.remote), 0))  # a socket knows the path MTU of when it was connected
        path_mtu = self.outlet.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU)
        room = path_mtu - HEADER_OCTETS - 2 * len(options)  # the kernel counts options twice
        return max(ipsec.room(room, self.policy), MINIMUM_MTU)


def _outlet(local: IPv6Address, protocol: int) -> socket.socket:
    outlet = raw_socket(protocol)
    try:
        outlet.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_DO)
        outlet.bind((written(local), 0))
        packet_filter.attach(outlet, packet_filter.TAKE_NOTHING)  # others take what comes back
    except OSError:
        outlet.close()
        raise
    return outlet


@contextlib.contextmanager
def _fragmenting(outlet: socket.socket) -> Iterator[None]:
    """Have a socket fragment what is too big, for the block."""
    outlet.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_WANT)
    try:
        yield
    finally:
        outlet.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_DO)


def written(address: IPv6Address) -> str:
    """Write an address for a socket, in a tenth of the time that `str` takes."""
    return socket.inet_ntop(socket.AF_INET6, address.packed)


def raw_socket(protocol: int) -> socket.socket:
    """Open a raw socket; raises `PlaneError`."""
    try:
        return socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
    except OSError as error:
        raise PlaneError(f"open a raw socket: {error.strerror} (root is needed)") from error
