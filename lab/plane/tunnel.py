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
_IPV6_RECVERR = 25


class Outlets:
    """The sockets by which tunnels leave: all those that begin at one address share them, however many they are."""

    def __init__(self) -> None:
        self._outlets: dict[tuple[IPv6Address, int], Outlet] = {}
        """By address and protocol."""
        self._tunnels: Counter[IPv6Address] = Counter()
        """How many begin at each address."""

    @contextlib.contextmanager
    def opened(
        self, local: IPv6Address, remote: IPv6Address, policy: TunnelPolicy, home_agent: IPv6Address
    ) -> Iterator["Tunnel"]:
        """Open a tunnel, and close it again if the block cannot lead packets into it; raises `PlaneError`."""
        self._tunnels[local] += 1
        try:
            try:
                outlet = self._outlet(local, IPV6)
                sealed_outlet = self._outlet(local, ESP) if policy.protects_anything else outlet
                outlet.path_mtu(remote)  # is there a way?
            except OSError as error:
                raise PlaneError(f"open tunnel from {local} to {remote}: {error.strerror}") from error
            yield Tunnel(
                local=local,
                remote=remote,
                home_agent=home_agent,
                policy=policy,
                outlet=outlet,
                sealed_outlet=sealed_outlet,
            )
        except BaseException:
            self._release(local)
            raise

    def close(self, tunnel: "Tunnel") -> None:
        """Send no more through a tunnel."""
        self._release(tunnel.local)

    def _outlet(self, local: IPv6Address, protocol: int) -> "Outlet":
        if (local, protocol) not in self._outlets:
            self._outlets[local, protocol] = Outlet(local, protocol)
        return self._outlets[local, protocol]

    def _release(self, local: IPv6Address) -> None:
        self._tunnels[local] -= 1
        if not self._tunnels[local]:
            del self._tunnels[local]
            for protocol in (IPV6, ESP):
                if (outlet := self._outlets.pop((local, protocol), None)) is not None:
                    outlet.close()


class Outlet:
    """How packets of one protocol leave one address, whoever they are for; raises OSError.

    What sends is not connected: an ICMPv6 error about a packet to one remote shall not fail the next packet to another.
    For such sockets the kernel keeps no path MTU in mind that a router tells of; it does for one that wants to hear of
    errors itself, which is there for nothing else.
    """

    def __init__(self, local: IPv6Address, protocol: int) -> None:
        with contextlib.ExitStack() as failing:
            self._whole = failing.enter_context(_bound(local, protocol))
            self._pieces = failing.enter_context(_bound(local, protocol))
            self._pieces.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_WANT)
            self._asking = failing.enter_context(_bound(local, protocol))
            self._learning = failing.enter_context(_bound(local, protocol))
            self._learning.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
            self._closing = failing.pop_all()

    def send(self, octets: bytes, options: bytes, remote: IPv6Address, *, in_pieces: bool) -> None:
        """Send a packet, in fragments if it may be and is too big for its path; raises OSError."""
        ancillary = [(socket.IPPROTO_IPV6, socket.IPV6_DSTOPTS, options)] if options else []
        outlet = self._pieces if in_pieces else self._whole
        outlet.sendmsg([octets], ancillary, 0, (written(remote), 0))

    def path_mtu(self, remote: IPv6Address) -> int:
        """Ask the kernel what the path to a remote carries; raises OSError if there is none."""
        self._asking.connect((written(remote), 0))  # a socket knows the path MTU of when it was connected
        return self._asking.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU)

    def close(self) -> None:
        """Close the sockets."""
        self._closing.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnel:
    """One way out, and where packets must come from to be taken back (§5.5)."""

    local: IPv6Address
    remote: IPv6Address
    home_agent: IPv6Address
    """Whichever end that is."""
    policy: TunnelPolicy
    outlet: Outlet
    sealed_outlet: Outlet

    @property
    def leads_to_home_agent(self) -> bool:
        """Whether this node is the mobile one."""
        return self.remote == self.home_agent

    def send(self, packet: bytes, options: bytes, ipsec: Ipsec, *, in_pieces: bool) -> None:
        """Send a packet through, behind options if there are any, sealed if the policy wants it; raises OSError.

        With `in_pieces` it is the tunnel packet that is fragmented, if it is too big for its path (RFC 2473 §7.1 b).
        """
        sealed = ipsec.seal_tunnelled(self.policy, packet)
        if sealed is None:
            self.outlet.send(packet, options, self.remote, in_pieces=in_pieces)
        else:
            self.sealed_outlet.send(sealed, options, self.remote, in_pieces=in_pieces)

    def mtu(self, options: bytes, ipsec: Ipsec) -> int:
        """Give the largest packet that fits, in octets; at least what every link carries (RFC 2473 §7.1).

        Raises OSError if there is no path.
        """
        room = self.outlet.path_mtu(self.remote) - HEADER_OCTETS - 2 * len(options)  # the kernel counts options twice
        return max(ipsec.room(room, self.policy), MINIMUM_MTU)


def _bound(local: IPv6Address, protocol: int) -> socket.socket:
    """Open a socket that sends from an address, and hears nothing: others take what comes back; raises OSError."""
    made = raw_socket(protocol)
    try:
        made.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_DO)
        made.bind((written(local), 0))
        packet_filter.attach(made, packet_filter.TAKE_NOTHING)
    except OSError:
        made.close()
        raise
    return made


def written(address: IPv6Address) -> str:
    """Write an address for a socket, in a tenth of the time that `str` takes."""
    return socket.inet_ntop(socket.AF_INET6, address.packed)


def raw_socket(protocol: int) -> socket.socket:
    """Open a raw socket; raises `PlaneError`."""
    try:
        return socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
    except OSError as error:
        raise PlaneError(f"open a raw socket: {error.strerror} (root is needed)") from error
