"""The `kernel` plane: tunnels by `ip6_tunnel`, direct paths by XFRM; the `user` plane has what is unusual.

It needs a kernel with IPV6_MIP6, and is the oracle of the other planes. The user plane behind it tunnels mobility
messages, which IPsec may protect, multicast, what a tunnel carries already, and all of tunnels whose payload IPsec
protects.
"""

import contextlib
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import IPv6Address

from lab.constants import ENCAPSULATION_LIMIT, MINIMUM_MTU
from lab.engine.io import (
    DisownHomeAddress,
    InstallBinding,
    InstallReverseTunnel,
    InstallRouteOptimisation,
    InstallTunnel,
    PlaneEffect,
    RemoveBinding,
    RemoveReverseTunnel,
    RemoveRouteOptimisation,
    RemoveTunnel,
)
from lab.errors import PlaneError
from lab.events import PacketDropped
from lab.netlink import ETH_P_ALL
from lab.plane.base import Watch
from lab.plane.ipsec import Ipsec
from lab.plane.kernel.devices import Devices, Ends
from lab.plane.kernel.gate import refused_by, strangers
from lab.plane.kernel.transformations import Transformations
from lab.plane.kernel.ways import Ways
from lab.plane.packet_filter import Filter
from lab.plane.tunnel_errors import tunnelled
from lab.plane.user import PACKETS_PER_WAKE, UserPlane, tell_nobody
from lab.safeguards import NOTHING, Safeguard, Without
from lab.wire.chain import AH, ESP, is_mobility_message
from lab.wire.icmpv6 import MobilePrefixSolicitation, PacketTooBig
from lab.wire.packet import (
    HEADER_OCTETS,
    DestinationOptions,
    HomeAddressOption,
    OpaquePayload,
    Packet,
    build,
)
from lab.xfrm.kernel import Listener
from lab.xfrm.objects import DESTINATION_OPTIONS, Group, Report

_ADDRESSES_GROUP = 0x100
_PACKET_OUTGOING = 4
_NO_NEXT_HEADER = 59
_HEADERS_OCTETS = 128
"""So much of a packet is looked at."""
_SOURCE, _DESTINATION = slice(8, 24), slice(24, 40)
_NO_ERROR = (ESP, AH)
"""Upper layers whose security association judges a home address (§9.3.1)."""


class KernelPlane(UserPlane):
    """Tunnels and direct paths by the kernel; see `UserPlane` for all else."""

    name = "kernel"
    knows_mobility = True
    INSISTS_ON: Without = frozenset({Safeguard.HOME_ADDRESS_CHECK, Safeguard.ROUTING_HEADER_CHECK})
    """Protections that Linux has, whoever wants to do without."""

    def __init__(
        self,
        watch: Watch,
        deliver: Callable[[bytes, bool], None],
        heard: Callable[[IPv6Address, IPv6Address], None],
        ipsec: Ipsec,
        encapsulation_limit: int = ENCAPSULATION_LIMIT,
        *,
        dhcpv6: bool = False,
        dropped: Callable[[PacketDropped], None] = tell_nobody,
        without: Without = NOTHING,
    ) -> None:
        super().__init__(
            watch, deliver, heard, ipsec, encapsulation_limit, dhcpv6=dhcpv6, dropped=dropped, without=without
        )
        with contextlib.ExitStack() as failing:
            failing.callback(super().close)
            self._devices = Devices(self._netlink)
            failing.callback(self._devices.close)
            self._direct = Transformations()
            failing.callback(self._direct.close)
            self._ways = Ways()
            failing.callback(self._ways.close)
            self._reports = Listener(Group.REPORT)
            failing.callback(self._reports.close)
            self._addresses = _told_of_addresses()
            failing.callback(self._addresses.close)
            self._looking = _packet_socket()
            self._looked_at, self._refused = Filter(self._looking), Filter(self._inlet)
            self._listen()
            self._take_refused()
            failing.pop_all()
        watch(self._reports.fileno(), self._on_reports)
        watch(self._addresses.fileno(), self._on_addresses)
        watch(self._looking.fileno(), self._look)

    def apply(self, effect: PlaneEffect) -> None:
        """Carry out one effect; raises `PlaneError`."""
        table = self._direct.table
        match effect:
            case InstallTunnel(home_address=home_address, home_agent_address=local, care_of_address=remote):
                with self._led(home_address, Ends(local, remote), here=False):
                    super().apply(effect)
                table.served[home_address] = remote
            case RemoveTunnel(home_address=home_address):
                self._end(home_address)
                table.served.pop(home_address, None)
                super().apply(effect)
            case InstallReverseTunnel(home_address=home_address, home_agent_address=remote, care_of_address=local):
                with self._led(home_address, Ends(local, remote), here=True):
                    super().apply(effect)
                self._devices.prefer(self._preferred())
            case RemoveReverseTunnel(home_address=home_address):
                super().apply(effect)
                self._devices.prefer(self._preferred())
                self._end(home_address)
            case InstallBinding(home_address=home_address, care_of_address=care_of_address):
                self._paths.bind(home_address, care_of_address)
                table.bindings[home_address] = care_of_address
            case RemoveBinding(home_address=home_address):
                self._paths.unbind(home_address)
                table.bindings.pop(home_address, None)
            case InstallRouteOptimisation(home_address=home_address, peer=peer, care_of_address=care_of_address):
                super().apply(effect)
                table.routes[home_address, peer] = care_of_address
            case RemoveRouteOptimisation(home_address=home_address, peer=peer):
                super().apply(effect)
                table.routes.pop((home_address, peer), None)
            case DisownHomeAddress(home_address=home_address):
                super().apply(effect)
                table.homes.discard(home_address)
            case _:
                super().apply(effect)
        self._follow()
        self._listen()

    def own_home_address(self, home_address: IPv6Address) -> None:
        """Keep a home address for good; for it the kernel takes type 2 routing headers (§6.4)."""
        super().own_home_address(home_address)
        if home_address not in self._direct.table.homes:
            self._netlink.add_address(self._index, home_address, home_address.max_prefixlen, home=True)
            self._direct.table.homes.add(home_address)
            self._follow()

    def used(self, home_address: IPv6Address, peer: IPv6Address | None) -> bool:
        """Tell whether a direct path carried packets since this was last asked."""
        if peer is None:
            return self._direct.used(None, home_address)
        return self._direct.used(home_address, peer)

    def take(self, packet: bytes, *, tunnelled: bool = False) -> bool:
        """Leave messages to the engine; the rest of what arrives with headers of RFC 6275 the kernel has taken."""
        if tunnelled or is_mobility_message(packet):
            return super().take(packet, tunnelled=tunnelled)
        return True

    def explain(self, error: Packet) -> None:
        """Pass an ICMPv6 error about a packet on a direct path on to who sent it; of tunnels the kernel does so.

        It cuts nothing for a tunnel, and would lose what every link carries; the user plane does (RFC 2473 §7.1).
        """
        found, told = tunnelled(error), error.payload
        if found is not None:
            if isinstance(told, PacketTooBig) and told.mtu < MINIMUM_MTU + HEADER_OCTETS:
                self._leave_alone(Ends(IPv6Address(found.local), IPv6Address(found.remote)))
            return
        if isinstance(told, PacketTooBig) and self._paths.error(error) is not None:
            self._tun.write(build(self._ways.in_own_words(error, told)))
        super().explain(error)

    def counters(self) -> dict[str, int]:
        """Packets by what became of them, whoever carried them."""
        return dict(Counter(super().counters()) + self._devices.counters() + self._direct.counters())

    def close(self) -> None:
        """Take back every tunnel, policy, state, route, address and device."""
        self._devices.close()
        self._direct.close()
        self._ways.close()
        self._reports.close()
        self._addresses.close()
        self._looking.close()
        super().close()

    # What the kernel does

    @contextlib.contextmanager
    def _led(self, home_address: IPv6Address, ends: Ends, *, here: bool) -> Iterator[None]:
        """Lead a home address into a tunnel of the kernel, but not if the block, or that itself, fails."""
        home_agent = ends.remote if here else ends.local
        sealed = self._ipsec.tunnel(home_address, home_agent).payload is not None
        left_alone = sealed or Safeguard.OUTER_SOURCE_CHECK in self._without  # the kernel looks at it in any case
        try:
            self._devices.lead(home_address, ends, here=here, left_alone=left_alone)
            self._take_refused()
            yield
        except PlaneError:
            self._end(home_address)
            raise

    def _end(self, home_address: IPv6Address) -> None:
        self._devices.end(home_address)
        self._take_refused()

    def _leave_alone(self, ends: Ends) -> None:
        """Have the user plane do all for a tunnel, until that is installed anew."""
        with contextlib.suppress(PlaneError):  # it may be gone by now
            self._devices.leave_alone(ends)
            self._devices.prefer(self._preferred())
        self._take_refused()

    def _take_refused(self) -> None:
        """Take out of tunnels what the kernel does not."""
        self._refused.set(refused_by(self._devices.judged()))

    def _preferred(self) -> IPv6Address | None:
        """Give the home address by whose tunnel goes what chooses no source itself."""
        return next(map(IPv6Address, self._tunnels.backwards), None)

    def _follow(self) -> None:
        """Have the kernel do for direct paths what is in force now."""
        self._direct.table.own = frozenset(
            entry.ip for entry in self._netlink.addresses() if not (entry.ip.is_link_local or entry.ip.is_loopback)
        )
        self._direct.follow()

    def _on_addresses(self) -> None:
        """Take notice of addresses that came and went, whoever made them."""
        with contextlib.suppress(BlockingIOError):
            while self._addresses.recv(1 << 16):
                pass
        self._follow()

    # What the kernel tells

    def _on_reports(self) -> None:
        """Let the engine answer for Home Address options that nothing stands for (§9.3.1)."""
        for told in self._reports.receive():
            if isinstance(told, Report) and told.protocol == DESTINATION_OPTIONS and told.care_of_address is not None:
                self._report_unbound(told, told.care_of_address)

    def _report_unbound(self, report: Report, care_of_address: IPv6Address) -> None:
        selector = report.selector
        if selector.protocol in _NO_ERROR or _is_prefix_discovery(report):
            return
        option = HomeAddressOption(home_address=selector.source.network_address)
        packet = Packet(
            source=care_of_address,
            destination=selector.destination.network_address,
            headers=(DestinationOptions(options=(option,)),),
            payload=OpaquePayload(next_header=_NO_NEXT_HEADER, data=b""),  # more of it is not told
        )
        self._deliver(build(packet), False)

    # Who talks through the tunnel

    def _look(self) -> None:
        """Hear of peers whose packets go through a tunnel."""
        for _ in range(PACKETS_PER_WAKE):
            try:
                packet, address = self._looking.recvfrom(_HEADERS_OCTETS)
            except OSError:  # there is no more, or the device has gone
                break
            ends = packet[_SOURCE], packet[_DESTINATION]
            self._hear(packet, *(ends if address[2] == _PACKET_OUTGOING else ends[::-1]))
        self._listen()

    def _listen(self) -> None:
        """Look at packets of those alone who were not heard yet."""
        self._looked_at.set(strangers(self._devices.of_here(), self._paths.known()))


def _told_of_addresses() -> socket.socket:
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    told = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
    told.bind((0, _ADDRESSES_GROUP))
    return told


def _packet_socket() -> socket.socket:
    """Open what sees packets of all devices, both ways; raises `PlaneError`."""
    kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    try:
        made = socket.socket(socket.AF_PACKET, kind, socket.htons(ETH_P_ALL))
    except OSError as error:
        raise PlaneError(f"look at tunnels: {error.strerror}") from error
    return made


def _is_prefix_discovery(report: Report) -> bool:
    """Tell whether a packet is a Mobile Prefix Solicitation, which comes before there is a binding (§6.7)."""
    selector = report.selector
    return selector.protocol == socket.IPPROTO_ICMPV6 and selector.source_port == MobilePrefixSolicitation.ICMPV6_TYPE
