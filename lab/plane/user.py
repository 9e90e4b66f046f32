"""The `user` plane: tunnels (RFC 2473) and direct paths (RFC 6275) in Python, by a TUN device and raw sockets.

It needs no more of the kernel than TUN, and is the readable reference for the other planes. Packets are looked at
by fixed offsets alone: they are the payload of others.
"""

import contextlib
import errno
import socket
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network

from lab.constants import ENCAPSULATION_LIMIT, MINIMUM_MTU
from lab.engine.io import (
    AddAddress,
    DefendAddress,
    DisownHomeAddress,
    EndForwarding,
    ForgetRouter,
    ForwardGroup,
    InstallBinding,
    InstallReverseTunnel,
    InstallRouteOptimisation,
    InstallTunnel,
    ListenFor,
    OwnHomeAddress,
    PlaneEffect,
    Refused,
    RemoveAddress,
    RemoveBinding,
    RemoveReverseTunnel,
    RemoveRouteOptimisation,
    RemoveTunnel,
    SendIntoTunnel,
    SetLinkMtu,
    StopDefending,
    UseRouter,
)
from lab.engine.mobility_header import ERRONEOUS_HEADER_FIELD
from lab.errors import PlaneError, PlaneReason
from lab.events import PacketDropped
from lab.netlink import LOCAL_TABLE, RTPROT_KERNEL, Netlink
from lab.plane import defence, sessions, sysctl
from lab.plane.base import Watch
from lab.plane.groups import MULTICAST, Groups, concerns_more_than_link, is_listener_discovery, is_multicast, onward
from lab.plane.host import MARK, PROTOCOL, SO_MARK, TUNNEL_METRIC, Host
from lab.plane.ipsec import Ipsec
from lab.plane.paths import Dropped, Paths, Restored, Unclaimed
from lab.plane.tun import Tun
from lab.plane.tunnel import IPV6_MTU, Tunnel, raw_socket
from lab.plane.tunnel_errors import relayed, tunnelled
from lab.plane.tunnels import Tunnels
from lab.safeguards import NOTHING, Safeguard, Without
from lab.wire.addresses import LINK_LOCAL_PREFIX, address_like, is_wider_than_link
from lab.wire.chain import ADDED_OCTETS, PERHAPS_NESTED, encapsulation_limit, nesting
from lab.wire.dhcpv6 import is_dhcpv6_of_link
from lab.wire.icmpv6 import ICMPV6, PacketTooBig, ParameterProblem
from lab.wire.mobility import MOBILITY_HEADER
from lab.wire.packet import (
    DESTINATION_OPTIONS,
    HEADER_OCTETS,
    HOP_BY_HOP,
    IPV6,
    ROUTING,
    OpaquePayload,
    Packet,
    build,
)

DEVICE = "mip0"
TUNNEL_MTU = 1460
"""An Ethernet's 1500 octets less the outer header."""
TWO_HEADERS_MTU = TUNNEL_MTU + HEADER_OCTETS - 2 * ADDED_OCTETS
"""The same less a Home Address option and a type 2 routing header: between mobile nodes."""
EVERY_GROUP, KERNEL_METRIC = IPv6Network("ff00::/8"), 256
"""Where the kernel routes multicast on each device by itself."""
PACKETS_PER_WAKE = 64
"""So many packets are carried before other work has its turn."""
LED_AT_ONCE = 1024
"""So many home addresses are led into their tunnels with few requests."""
INVOKING_OCTETS = MINIMUM_MTU - HEADER_OCTETS - 8
_NEXT_HEADER, _SOURCE, _DESTINATION = 6, slice(8, 24), slice(24, 40)
_WITH_MOBILITY = frozenset({ROUTING, DESTINATION_OPTIONS, MOBILITY_HEADER})
"""First headers of what is no conversation: mobility messages, and packets between mobile nodes."""
_BEFORE_MOBILITY = _WITH_MOBILITY | {HOP_BY_HOP}
"""First headers behind which something of RFC 6275 may be."""
_INFORMATION = bytes((128,))
"""ICMPv6 types from here on are no errors."""


_address = lru_cache(maxsize=1024)(IPv6Address)
"""Read an address; those of tunnels come with every packet."""


def tell_nobody(_: PacketDropped) -> None:
    """Leave drops to the counters."""


class UserPlane:
    """Tunnels of a home agent (by home address of the destination) and of a mobile node (of the source); direct paths.

    `deliver` takes what is for the engine, and whether it came out of a tunnel; else it is what the node's own kernel
    says on the tunnel device. `heard` takes a home address and a peer that use the tunnel, `dropped` what goes no
    further.
    Packets that a tunnel carries already may go through `encapsulation_limit` more (RFC 2473 §4.1.1); all others say
    nothing of a limit, so that they lose no room to it. `dhcpv6`: tunnels carry DHCPv6 too, between clients on a mobile
    node and the engine of its home agent (§10.4.4). `without`: see `lab.safeguards`.
    """

    name = "user"
    knows_mobility = False
    """Whether the kernel itself deals with headers of RFC 6275."""

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
        self._without = without
        self._dropped = dropped
        self._ipsec = ipsec
        self._mtu = ipsec.room(TUNNEL_MTU)
        self._encapsulation_limit = encapsulation_limit
        self._carries_dhcpv6 = dhcpv6
        self._deliver = deliver
        self._heard = heard
        self._tun = Tun(DEVICE)
        self._netlink = Netlink(PROTOCOL)
        self._host = Host(self._netlink)  # removes what a crash left: whoever has the device is the only node here
        self._inlet = raw_socket(IPV6)
        self._outlet = raw_socket(socket.IPPROTO_RAW)
        self._outlet.setsockopt(socket.SOL_SOCKET, SO_MARK, MARK)
        self._index = self._host.index(DEVICE)
        self._tunnels = Tunnels()
        self._paths = Paths(self._on_narrow, without, served=self._tunnels.care_of_address)
        self._home_addresses: set[IPv6Address] = set()
        self._recalled: list[InstallTunnel] | None = None
        """While bindings are recalled: tunnels into which nothing is led yet."""
        self._counters: Counter[str] = Counter()
        sysctl.set_interface(DEVICE, addr_gen_mode=1, accept_ra=0)
        self._netlink.set_link(self._index, up=True, mtu=self._mtu)
        self._leave_groups_to_links()
        self._groups = Groups(watch, self._spread)
        self._defence = defence.begin(watch, self._netlink) if sysctl.forwarding() else None
        """Of routers alone, which home agents are: what it tries takes its time."""
        watch(self._tun.fileno(), self._carry_out)
        watch(self._inlet.fileno(), self._take_in)

    def apply(self, effect: PlaneEffect) -> None:
        """Carry out one effect; raises `PlaneError`."""
        match effect:
            case AddAddress():
                self._host.add_address(effect)
            case RemoveAddress():
                self._host.remove_address(effect)
            case UseRouter():
                self._host.use_router(effect)
            case ForgetRouter():
                self._host.forget_router(effect)
            case SetLinkMtu():
                self._host.set_link_mtu(effect)
            case DefendAddress(address=address):
                if self._defence is None:
                    raise PlaneError(f"answer for {address}: this node forwards nothing")
                self._defence.defend(effect)
            case StopDefending() if self._defence is not None:
                self._defence.stop(effect)
            case InstallTunnel():
                self._install(effect)
            case RemoveTunnel(home_address=home_address):
                self._remove(home_address)
            case OwnHomeAddress(home_address=home_address):
                self.own_home_address(home_address)
            case DisownHomeAddress(home_address=home_address):
                self._disown(home_address)
            case InstallReverseTunnel():
                self._install_reverse(effect)
            case RemoveReverseTunnel(home_address=home_address):
                self._remove_reverse(home_address)
            case InstallBinding(home_address=home_address, care_of_address=care_of_address):
                mtu = TWO_HEADERS_MTU if self._home_addresses else TUNNEL_MTU
                self._host.divert(home_address, self._index, min(mtu, self._mtu))
                self._paths.bind(home_address, care_of_address)
            case RemoveBinding(home_address=home_address):
                self._paths.unbind(home_address)
                self._host.undivert(home_address)
            case InstallRouteOptimisation(home_address=home_address, peer=peer, care_of_address=care_of_address):
                self._paths.route(home_address, peer, care_of_address)
            case RemoveRouteOptimisation(home_address=home_address, peer=peer):
                self._paths.unroute(home_address, peer)
            case ForwardGroup(interface=interface, home_address=home_address, group=group):
                self._groups.add(interface, home_address, group)
            case EndForwarding(home_address=home_address, group=group):
                self._groups.remove(home_address, group)
            case ListenFor(home_address=home_address, peer=peer):
                self._paths.listen(home_address, peer)
            case SendIntoTunnel(home_address=home_address, packet=packet):
                self._send_into(home_address, build(packet))

    def restore(self, interface: str) -> None:
        """Do anew what the kernel undid when an interface was taken down; raises `PlaneError`."""
        self._host.restore(interface)
        if self._defence is not None:
            self._defence.restore(interface)

    def used(self, home_address: IPv6Address, peer: IPv6Address | None) -> bool:
        """Tell whether a direct path carried packets since this was last asked."""
        return self._paths.used(home_address, peer)

    def begin_recall(self) -> None:
        """Lead packets into tunnels at the end of a recall, into all of them with few requests."""
        self._recalled = []

    def end_recall(self) -> list[Refused]:
        """Lead packets into what was recalled, and give what the kernel refuses; raises `PlaneError`.

        Home addresses that an earlier run served and this one does not are let go of.
        """
        recalled, self._recalled = self._recalled or [], None
        portions = (recalled[at : at + LED_AT_ONCE] for at in range(0, len(recalled), LED_AT_ONCE))
        refused = [each for portion in portions for each in self._lead_into_tunnels(portion)]
        for home_address in self._host.held:
            if home_address.packed not in self._tunnels.towards:
                self._host.release(home_address)
        return refused

    def take(self, packet: bytes, *, tunnelled: bool = False) -> bool:
        """Deal with a packet that arrived with headers of RFC 6275; False leaves it to the engine."""
        match self._paths.inwards(packet):
            case Restored(packet=restored):
                if tunnelled:  # by a peer that is mobile too, and does not know where this node is (§11.3.3)
                    self._hear(restored, restored[_DESTINATION], restored[_SOURCE])
                self._count_delivery("direct-in", restored)
                return True
            case Dropped(reason=reason):
                self._drop(reason, packet)
                return True
            case Unclaimed():
                return False

    def explain(self, error: Packet) -> None:
        """Pass an ICMPv6 error about a packet on a direct path, or in a tunnel, on to who sent it."""
        translated = self._paths.error(error)
        if translated is not None:
            self._count_delivery("errors-explained", build(translated))
        found = tunnelled(error)
        if found is None:
            return
        tunnel = self._tunnels.of_error(found)
        if tunnel is None:
            return
        report = relayed(error, found.packet, tunnel.home_agent)
        if report is not None:
            self._count_delivery("errors-relayed", build(report))

    def counters(self) -> dict[str, int]:
        """Packets by what became of them."""
        return dict(self._counters)

    def close(self) -> None:
        """Take back every route, address and device."""
        self._tunnels.close()
        self._groups.close()
        if self._defence is not None:
            self._defence.close()
        self._host.close()
        self._inlet.close()
        self._outlet.close()
        self._tun.close()
        self._netlink.close()

    # A home agent's tunnels, §10.4.2 and §10.4.5

    def _install(self, effect: InstallTunnel) -> None:
        home_address, octets = effect.home_address, effect.home_address.packed  # these are kept, once for all
        policy = self._ipsec.tunnel(home_address, effect.home_agent_address)
        with self._tunnels.serving(octets, effect.home_agent_address, effect.care_of_address, policy):
            if self._recalled is not None:
                self._recalled.append(effect)
            elif octets not in self._tunnels.towards:
                self._lead_into_tunnel(home_address)

    def _remove(self, home_address: IPv6Address) -> None:
        if self._tunnels.end_service(home_address.packed):
            self._lead_elsewhere(home_address)

    def _lead_into_tunnels(self, installed: list[InstallTunnel]) -> list[Refused]:
        """Do so for many at once; give those for which it cannot be."""
        try:
            with self._netlink.batch():
                for effect in installed:
                    self._route_into_tunnel(effect.home_address)
        except PlaneError:
            return [refused for effect in installed if (refused := self._lead_anew(effect)) is not None]
        return []

    def _lead_anew(self, effect: InstallTunnel) -> Refused | None:
        """Find out whether it is this one that cannot be."""
        self._lead_elsewhere(effect.home_address)
        try:
            self._lead_into_tunnel(effect.home_address)
        except PlaneError as error:
            return Refused(effect=effect, reason=str(error))
        return None

    def _lead_into_tunnel(self, home_address: IPv6Address) -> None:
        """Route packets for a home address to the tunnel device, or nowhere; raises `PlaneError`, then neither."""
        try:
            with self._netlink.batch():
                self._route_into_tunnel(home_address)
        except PlaneError:
            self._lead_elsewhere(home_address)
            raise

    def _route_into_tunnel(self, home_address: IPv6Address) -> None:
        self._netlink.add_route(home_address, interface=self._index, metric=TUNNEL_METRIC)
        self._host.hold(home_address)

    def _lead_elsewhere(self, home_address: IPv6Address) -> None:
        """Undo `_lead_into_tunnel`."""
        with self._netlink.batch():
            self._netlink.remove_route(home_address, interface=self._index, metric=TUNNEL_METRIC)
            self._host.release(home_address)

    # A mobile node's reverse tunnel, §11.3.1

    def _install_reverse(self, effect: InstallReverseTunnel) -> None:
        home_address = effect.home_address
        policy = self._ipsec.tunnel(home_address, effect.home_agent_address)
        with self._tunnels.visiting(home_address.packed, effect.home_agent_address, effect.care_of_address, policy):
            if home_address.packed not in self._tunnels.backwards:
                self.own_home_address(home_address)
                self._host.route_source(home_address, self._index)
                try:
                    if not self._tunnels.backwards:
                        self._prefer_tunnel(home_address)
                except PlaneError:
                    self._prefer_none()
                    self._host.unroute_source(home_address, self._index)
                    raise

    def own_home_address(self, home_address: IPv6Address) -> None:
        """Keep a home address on the tunnel device for good, so that sockets hold on to it wherever the node is."""
        if home_address not in self._home_addresses:
            for address in (home_address, _listening_address(home_address)):
                self._host.add_address(AddAddress(interface=DEVICE, address=address, prefix_length=128))
            self._leave_groups_to_links()
            self._home_addresses.add(home_address)
            self._paths.own(home_address)

    def _disown(self, home_address: IPv6Address) -> None:
        if home_address in self._home_addresses:
            self._home_addresses.remove(home_address)
            self._paths.disown(home_address)
            shared = {_listening_address(other) for other in self._home_addresses}
            for address in {home_address, _listening_address(home_address)} - shared:
                self._host.remove_address(RemoveAddress(interface=DEVICE, address=address, prefix_length=128))
            sessions.end(home_address)

    def _leave_groups_to_links(self) -> None:
        """Let whoever sends to a group, or joins it, and names no link mean a real one; the kernel would offer this."""
        self._netlink.remove_route(
            EVERY_GROUP, interface=self._index, table=LOCAL_TABLE, metric=KERNEL_METRIC, protocol=RTPROT_KERNEL
        )

    def _prefer_tunnel(self, home_address: IPv6Address) -> None:
        """Have what chooses no source itself leave from a home address, by its tunnel."""
        self._host.prefer_source(home_address)
        self._netlink.add_route(
            EVERY_GROUP,
            interface=self._index,
            table=LOCAL_TABLE,  # the kernel's own are there, and it is the first of all tables
            metric=TUNNEL_METRIC,
            source=home_address,
        )

    def _prefer_none(self) -> None:
        """Undo `_prefer_tunnel`."""
        self._host.prefer_none()
        self._netlink.remove_route(EVERY_GROUP, interface=self._index, table=LOCAL_TABLE, metric=TUNNEL_METRIC)

    def _remove_reverse(self, home_address: IPv6Address) -> None:
        if self._tunnels.end_visit(home_address.packed):
            self._host.unroute_source(home_address, self._index)
            if self._tunnels.backwards:
                self._prefer_tunnel(IPv6Address(next(iter(self._tunnels.backwards))))
            else:
                self._prefer_none()

    # Packets

    def _carry_out(self) -> None:
        """Take packets from the kernel onto their direct paths and into their tunnels."""
        for _ in range(PACKETS_PER_WAKE):
            packet = self._tun.read()
            if packet is None:
                return
            if self._is_dhcpv6(packet):
                self._carry_out_dhcpv6(packet)
                continue
            if is_multicast(packet) and not is_wider_than_link(packet[_DESTINATION]):
                self._carry_out_of_link(packet)
                continue
            straight = self._paths.outwards(packet)
            tunnel = self._tunnels.outwards(packet)
            if straight is not None and (tunnel is None or straight[_SOURCE] != packet[_SOURCE]):
                self._send_straight(packet, straight)
            elif tunnel is not None:  # also to a home address whose care-of address is known (§11.3.1)
                self._send_tunnelled(packet, straight or packet, tunnel)
            else:
                self._drop(PlaneReason.NO_TUNNEL, packet)

    def _carry_out_of_link(self, packet: bytes) -> None:
        """Take what the kernel says on the tunnel device as on a link: what is listened to there, and nothing else."""
        if not self._home_addresses or not concerns_more_than_link(packet):
            self._counters["no-tunnel"] += 1
            return
        self._deliver(packet, False)
        for tunnel in self._tunnels.backwards.values():
            self._send_tunnelled(packet, packet, tunnel)  # §10.4.3

    def _carry_out_dhcpv6(self, packet: bytes) -> None:
        """Take what a client says on the tunnel device to the home agent of the home address that it goes by."""
        tunnel = self._tunnels.of_client(packet[_SOURCE])
        if tunnel is None:  # at home the link itself has servers or relay agents
            self._drop(PlaneReason.NO_TUNNEL, packet)
        else:
            self._send_tunnelled(packet, packet, tunnel)  # §10.4.4

    def _send_into(self, home_address: IPv6Address, packet: bytes) -> None:
        tunnel = self._tunnels.towards.get(home_address.packed)
        if tunnel is None:
            raise PlaneError(f"no tunnel of {home_address}")
        self._send_tunnelled(packet, packet, tunnel)

    def _is_dhcpv6(self, packet: bytes) -> bool:
        return self._carries_dhcpv6 and is_dhcpv6_of_link(packet)

    def _send_straight(self, packet: bytes, straight: bytes) -> None:
        told = straight[_SOURCE] + bytes(4)  # for the rules by source, which choose the route (§11.3.1)
        ancillary = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, told)]
        remote = socket.inet_ntop(socket.AF_INET6, straight[_DESTINATION])  # an IPv6Address takes its time for that
        try:
            for piece in self._paths.pieces(packet, straight):
                self._outlet.sendmsg([piece], ancillary, 0, (remote, 0))
            self._counters["direct-out"] += 1
        except OSError as error:
            self._count_failure(error, packet)
            if error.errno == errno.EMSGSIZE:
                with contextlib.suppress(OSError):  # the path may be gone by now
                    path_mtu = _path_mtu(IPv6Address(straight[_SOURCE]), IPv6Address(remote))
                    mtu = self._paths.room(packet, len(straight) - len(packet), path_mtu)
                    if len(packet) > mtu:
                        self._report_too_big(packet, IPv6Address(remote), mtu)

    def _send_tunnelled(self, packet: bytes, inner: bytes, tunnel: Tunnel) -> None:
        options = b""
        counts = inner[_NEXT_HEADER] in PERHAPS_NESTED and Safeguard.ENCAPSULATION_LIMIT not in self._without  # §15.1
        nested = nesting(inner) if counts else None
        if nested is not None:
            if nested.limit == 0:
                self._report_limit(packet, tunnel.local, nested.pointer)
                return
            options = encapsulation_limit(self._encapsulation_limit if nested.limit is None else nested.limit - 1)
        try:
            tunnel.send(inner, options, self._ipsec, in_pieces=len(packet) <= MINIMUM_MTU)
            self._counters["tunnelled"] += 1
        except OSError as error:
            self._count_failure(error, packet)
            if error.errno == errno.EMSGSIZE:
                with contextlib.suppress(OSError):  # the path may be gone by now
                    mtu = tunnel.mtu(options, self._ipsec) - (len(inner) - len(packet))
                    self._report_too_big(packet, tunnel.home_agent, mtu)
        self._hear(packet, packet[_SOURCE], packet[_DESTINATION])

    def _on_narrow(self, home_address: bytes, peer: bytes, mtu: int) -> None:
        """Take note of a path that needs fragments: `Paths` makes them."""

    def _hear(self, packet: bytes, home_address: bytes, peer: bytes) -> None:
        kind = packet[_NEXT_HEADER]
        if peer[0] == MULTICAST:
            return  # no node, and nobody for a direct path
        if kind in _WITH_MOBILITY or (kind == ICMPV6 and packet[HEADER_OCTETS : HEADER_OCTETS + 1] < _INFORMATION):
            return  # that somebody tells of an error is no conversation (§11.3.3)
        if self._paths.hear(home_address, peer):
            self._heard(IPv6Address(home_address), IPv6Address(peer))

    def _drop(self, reason: PlaneReason, packet: bytes, detail: str = "") -> None:
        """Count a packet that goes no further, and tell of it."""
        self._counters[reason] += 1
        self._tell_drop(reason, packet, detail)

    def _tell_drop(self, reason: PlaneReason, packet: bytes, detail: str) -> None:
        ends = [IPv6Address(packet[_SOURCE]), IPv6Address(packet[_DESTINATION])] if len(packet) >= HEADER_OCTETS else []
        source, destination = ends or (None, None)
        self._dropped(PacketDropped(reason=reason, source=source, destination=destination, detail=detail))

    def _count_failure(self, error: OSError, packet: bytes) -> None:
        name = errno.errorcode.get(error.errno or 0, "unknown")
        self._counters[f"not-sent-{name}"] += 1
        if error.errno != errno.EMSGSIZE:  # of that the sender is told
            self._tell_drop(PlaneReason.NOT_SENT, packet, name)

    def _count_delivery(self, name: str, packet: bytes) -> None:
        if self._tun.write(packet):
            self._counters[name] += 1
        else:
            self._drop(PlaneReason.NOT_DELIVERED, packet)

    def _take_in(self) -> None:
        """Take packets out of tunnels, those alone that need no IPsec."""
        for _ in range(PACKETS_PER_WAKE):
            try:
                packet, address = self._inlet.recvfrom(1 << 16)
            except BlockingIOError:
                return
            self._take_out(packet, _address(address[0].partition("%")[0]), is_plain=True)

    def take_opened(self, packet: bytes, outer_source: IPv6Address) -> None:
        """Take a packet out of a tunnel that IPsec has opened."""
        self._take_out(packet, outer_source, is_plain=False)

    def _take_out(self, packet: bytes, outer_source: IPv6Address, *, is_plain: bool) -> None:
        """Deliver a packet if it comes from where it must."""
        if len(packet) < HEADER_OCTETS:
            self._drop(PlaneReason.TRUNCATED, packet)
            return
        if self._is_dhcpv6(packet) or (is_multicast(packet) and is_listener_discovery(packet)):
            self._take_out_of_link(packet, outer_source, is_plain=is_plain)
            return
        if is_multicast(packet):
            self._take_out_multicast(packet, outer_source, is_plain=is_plain)
            return
        tunnel = self._admitted(packet, self._tunnels.inwards(packet), outer_source, is_plain=is_plain)
        if tunnel is None:
            return
        if packet[_DESTINATION] not in self._tunnels.backwards:
            self._count_delivery("detunnelled", packet)
            return
        self._hear(packet, packet[_DESTINATION], packet[_SOURCE])
        if packet[_NEXT_HEADER] not in _BEFORE_MOBILITY or not self._paths.concerns(packet):
            self._count_delivery("detunnelled", packet)
        elif not self.take(packet, tunnelled=True):
            self._counters["detunnelled"] += 1
            self._deliver(packet, True)

    def _take_out_of_link(self, packet: bytes, outer_source: IPv6Address, *, is_plain: bool) -> None:
        """Take what is said on the link that a tunnel is: a home agent for its engine, a mobile node for itself."""
        on_link = self._tunnels.inwards_on_link(packet, outer_source)
        tunnel = self._admitted(packet, on_link, outer_source, is_plain=is_plain)
        if tunnel is None:
            return
        if tunnel.leads_to_home_agent:
            self._count_delivery("detunnelled", packet)
            return
        self._counters["detunnelled"] += 1
        payload = OpaquePayload(next_header=IPV6, data=packet)
        self._deliver(build(Packet(source=outer_source, destination=tunnel.local, payload=payload)), True)

    def _take_out_multicast(self, packet: bytes, outer_source: IPv6Address, *, is_plain: bool) -> None:
        """Take multicast out of tunnels: at a home agent for the home link (§11.3.4), at a mobile node for itself."""
        to_group = self._tunnels.inwards_to_group(packet, outer_source)
        tunnel = self._admitted(packet, to_group, outer_source, is_plain=is_plain)
        if tunnel is None:
            return
        if not is_wider_than_link(packet[_DESTINATION]):
            self._drop(PlaneReason.LINK_SCOPE, packet)
        elif tunnel.leads_to_home_agent:
            self._count_delivery("detunnelled", packet)
        else:
            self._counters["detunnelled"] += 1
            self._send_to_home_link(packet)

    def _admitted(
        self, packet: bytes, tunnel: Tunnel | None, outer_source: IPv6Address, *, is_plain: bool
    ) -> Tunnel | None:
        """Give the tunnel of a packet if it came out of that one, as protected as it must be; else None, and count it.

        The other end is the registered care-of address (§10.4.5), or the home agent (§5.5).
        """
        if tunnel is None:
            self._drop(PlaneReason.UNKNOWN_INNER_SOURCE, packet, f"from {outer_source}")
        elif outer_source != tunnel.remote and Safeguard.OUTER_SOURCE_CHECK not in self._without:  # §10.4.5, §5.5
            self._drop(PlaneReason.WRONG_OUTER_SOURCE, packet, f"from {outer_source}")
        elif is_plain and not self._ipsec.admits_tunnelled(tunnel.policy, packet):
            self._counters["unprotected"] += 1
        else:
            return tunnel
        return None

    def _send_to_home_link(self, packet: bytes) -> None:
        """Forward a mobile node's multicast as if it had sent it at home (§11.3.4), and to all who listen from afar."""
        index = None if self._defence is None else self._defence.link_of(IPv6Address(packet[_SOURCE]))
        forwarded = onward(packet)
        if index is None or forwarded is None:
            self._drop(PlaneReason.LINK_SCOPE, packet)
            return
        try:
            self._outlet.sendto(forwarded, (str(IPv6Address(packet[_DESTINATION])), 0, 0, index))
        except OSError as error:
            self._count_failure(error, packet)
        self._spread(packet)

    def _spread(self, packet: bytes) -> None:
        """Tunnel a multicast packet of the home link to all who listen to it (§10.4.2)."""
        forwarded = onward(packet)
        if forwarded is None:
            self._drop(PlaneReason.LINK_SCOPE, packet)
            return
        for home_address in self._groups.listeners(packet):
            tunnel = self._tunnels.towards.get(home_address)
            if tunnel is not None:
                self._send_tunnelled(forwarded, forwarded, tunnel)

    def _report_too_big(self, packet: bytes, reporter: IPv6Address, mtu: int) -> None:
        """Tell the sender of a packet what fits its way (RFC 2473 §7.1)."""
        self._report(packet, reporter, PacketTooBig(mtu=max(mtu, MINIMUM_MTU), invoking=packet[:INVOKING_OCTETS]))
        self._counters["too-big"] += 1

    def _report_limit(self, packet: bytes, reporter: IPv6Address, pointer: int) -> None:
        """Tell the entry of the tunnel before that no other may follow (RFC 2473 §4.1.1)."""
        code, invoking = ERRONEOUS_HEADER_FIELD, packet[:INVOKING_OCTETS]
        self._report(packet, reporter, ParameterProblem(code=code, pointer=pointer, invoking=invoking))
        self._counters["encapsulation-limit"] += 1

    def _report(self, packet: bytes, reporter: IPv6Address, error: PacketTooBig | ParameterProblem) -> None:
        self._tun.write(build(Packet(source=reporter, destination=IPv6Address(packet[_SOURCE]), payload=error)))


def _listening_address(home_address: IPv6Address) -> IPv6Address:
    """Give the address from which the kernel says what applications listen to on the device (RFC 3810 §5.2.13)."""
    return address_like(home_address, LINK_LOCAL_PREFIX)


def _path_mtu(source: IPv6Address, remote: IPv6Address) -> int:
    """Ask the kernel for the path MTU from an address, since that chooses the route (§11.3.1)."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, SO_MARK, MARK)
        probe.bind((str(source), 0))
        probe.connect((str(remote), 9))
        return probe.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU)
