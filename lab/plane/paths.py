"""Direct paths between mobile nodes and correspondents: what is done with their packets, without any socket.

A packet that the kernel sends between home addresses gets the headers of RFC 6275 §9.3.2 and §11.3.1 here; one that
arrives with them is judged (§6.4, §9.3.1) and restored to what upper layers mean.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from typing import TypeAlias

from lab.constants import MINIMUM_MTU
from lab.errors import PlaneReason
from lab.safeguards import NOTHING, Safeguard, Without
from lab.wire.addresses import is_unicast_routable
from lab.wire.chain import (
    AH,
    ESP,
    HEADER_OCTETS,
    HOP_BY_HOP,
    Chain,
    destination,
    fragments,
    has_room,
    optimise,
    restore,
    source,
    walk,
)
from lab.wire.icmpv6 import DestinationUnreachable, PacketTooBig, ParameterProblem, TimeExceeded
from lab.wire.mobility import MOBILITY_HEADER
from lab.wire.packet import Packet

_JUDGED_BY_OTHERS = (ESP, AH)
"""Upper layers whose security association is proof enough of a home address (§9.3.1)."""

MAX_HEARD = 1024
"""Pairs that are kept in mind: whoever sends from many addresses shall not take all memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A packet for upper layers, between home addresses."""

    packet: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclaimed:
    """A packet that the engine must answer for: a mobility message, or a Home Address option without a binding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A packet that goes no further; the reason is counted."""

    reason: PlaneReason


Arrival: TypeAlias = Restored | Unclaimed | Dropped


class Paths:
    """Bindings of a correspondent, optimised routes of a mobile node, and who uses them.

    `narrowed` is told of both ends of a path, this node's first, that carries no more than so many octets, if that is
    too little for the headers here and what every link carries. `served` gives the care-of address of a home
    registration: those nodes are reached through tunnels, but may come straight (§9.3.1). `without`: see
    `lab.safeguards`.
    """

    def __init__(
        self,
        narrowed: Callable[[bytes, bytes, int], None] = lambda *_: None,
        without: Without = NOTHING,
        *,
        served: Callable[[bytes], bytes | None] = lambda _: None,
    ) -> None:
        self._without = without
        self._narrowed = narrowed
        self._served = served
        self._bindings: dict[bytes, bytes] = {}
        """Home address to care-of address."""
        self._routes: dict[tuple[bytes, bytes], bytes] = {}
        """Home address and peer to care-of address."""
        self._homes: set[bytes] = set()
        self._used: set[tuple[bytes, bytes]] = set()
        """Both ends of what took a direct path, this node's first."""
        self._heard: dict[tuple[bytes, bytes], None] = {}
        """In the order in which they were heard."""
        self._narrow: dict[tuple[bytes, bytes], int] = {}
        """What the path between both ends carries, this node's first, where headers leave too little of it."""

    # What is in force

    def own(self, home_address: IPv6Address) -> None:
        """Take packets for a home address of this node."""
        self._homes.add(home_address.packed)

    def disown(self, home_address: IPv6Address) -> None:
        """Undo `own`, and hear of its peers anew if it comes back."""
        self._homes.discard(home_address.packed)
        self._heard = {pair: None for pair in self._heard if pair[0] != home_address.packed}

    def bind(self, home_address: IPv6Address, care_of_address: IPv6Address) -> None:
        """Let packets for a home address go to its care-of address."""
        self._widen(home_address)
        self._bindings[home_address.packed] = care_of_address.packed

    def unbind(self, home_address: IPv6Address) -> None:
        """Undo `bind`."""
        self._widen(home_address)
        self._bindings.pop(home_address.packed, None)

    def route(self, home_address: IPv6Address, peer: IPv6Address, care_of_address: IPv6Address) -> None:
        """Let packets from a home address to a peer leave from the care-of address."""
        self._narrow.pop((home_address.packed, peer.packed), None)
        self._routes[home_address.packed, peer.packed] = care_of_address.packed

    def unroute(self, home_address: IPv6Address, peer: IPv6Address) -> None:
        """Undo `route`."""
        self._narrow.pop((home_address.packed, peer.packed), None)
        self._routes.pop((home_address.packed, peer.packed), None)

    def used(self, home_address: IPv6Address, peer: IPv6Address | None) -> bool:
        """Tell whether a direct path carried packets since this was last asked (see `lab.engine.io.AskUse`)."""
        if peer is not None:
            pairs = {(home_address.packed, peer.packed)} & self._used
        else:
            pairs = {pair for pair in self._used if pair[1] == home_address.packed}
        self._used -= pairs
        return bool(pairs)

    # Who talks through the tunnel

    def hear(self, home_address: bytes, peer: bytes) -> bool:
        """Note a packet between a home address and a peer that took the tunnel; tell whether that is news."""
        pair = (home_address, peer)
        if home_address not in self._homes or pair in self._heard or pair in self._routes:
            return False
        if len(self._heard) == MAX_HEARD:
            del self._heard[next(iter(self._heard))]
        self._heard[pair] = None
        return True

    def known(self) -> list[tuple[bytes, bytes]]:
        """Give the pairs whose packets are no news, the newest last."""
        return [*self._heard, *self._routes]

    def listen(self, home_address: IPv6Address, peer: IPv6Address) -> None:
        """Let the next packet of a peer be news again."""
        self._heard.pop((home_address.packed, peer.packed), None)

    # Packets

    def outwards(self, packet: bytes) -> bytes | None:
        """Give a packet as it goes straight; None where no direct path is known.

        Mobility messages are never touched: they bring the headers that they need (§6.1.3, §9.4.3).
        """
        ends = (source(packet), destination(packet))
        care_of_source, care_of_destination = self._routes.get(ends), self._bindings.get(ends[1])
        if care_of_source is None and care_of_destination is None:
            return None
        chain = walk(packet)
        if chain is None or chain.next_header == MOBILITY_HEADER or not has_room(packet):
            return None
        self._note(ends)
        return optimise(packet, care_of_source=care_of_source, care_of_destination=care_of_destination)

    def pieces(self, packet: bytes, straight: bytes) -> Iterable[bytes]:
        """Give what goes on the wire for a packet, and for itself as it goes straight: fragments on a narrow path."""
        mtu = self._narrow.get((source(packet), destination(packet))) if self._narrow else None
        if mtu is None or len(straight) <= mtu or len(packet) > MINIMUM_MTU:  # of those the sender is told
            return (straight,)
        room = mtu - (len(straight) - len(packet))
        return (self.outwards(fragment) or fragment for fragment in fragments(packet, room))

    def room(self, packet: bytes, added: int, mtu: int) -> int:
        """Give the largest packet that fits the path of one, whose headers here add so many octets to it.

        No sender can be told of less than every link carries (RFC 8200 §5). What is larger than its path only by the
        headers of this node is cut by this node, from now on until the binding is renewed.
        """
        if mtu - added < MINIMUM_MTU:
            ends = source(packet), destination(packet)
            self._narrow[ends] = max(mtu, MINIMUM_MTU)
            self._narrowed(*ends, self._narrow[ends])
        return max(mtu - added, MINIMUM_MTU)

    def _widen(self, home_address: IPv6Address) -> None:
        """Try again what the paths to a home address carry."""
        self._narrow = {ends: mtu for ends, mtu in self._narrow.items() if ends[1] != home_address.packed}

    @staticmethod
    def concerns(packet: bytes) -> bool:
        """Tell whether a packet has something of RFC 6275, which a kernel without it must not see."""
        chain = walk(packet)
        if chain is None or chain.next_header == MOBILITY_HEADER:
            return True
        return chain.home_address is not None or chain.routed_home_address is not None

    def inwards(self, packet: bytes) -> Arrival:
        """Judge and restore a packet that arrived with headers of RFC 6275."""
        chain = walk(packet)
        if chain is None:
            return Dropped(reason=PlaneReason.MALFORMED)
        home, routed = chain.home_address, chain.routed_home_address
        foreign = routed is not None and routed not in self._homes
        if foreign and Safeguard.ROUTING_HEADER_CHECK not in self._without:
            return Dropped(reason=PlaneReason.FOREIGN_ROUTING_HEADER)  # §6.4: never sent on, whatever is in it
        if chain.next_header == MOBILITY_HEADER or (home is None and routed is None):
            return Unclaimed()
        if chain.next_header == HOP_BY_HOP:
            # Out of its place (RFC 8200 §4.1), from which restoring would move it.
            return Dropped(reason=PlaneReason.MALFORMED)
        if home is not None and not self._is_good(home, source(packet), chain.next_header):
            return Unclaimed()  # §9.3.1
        restored = restore(packet, chain)
        self._note((destination(restored), source(restored)))
        return Restored(packet=restored)

    def error(self, packet: Packet) -> Packet | None:
        """Give an ICMPv6 error about a packet on a direct path as upper layers understand it (§9.3.4).

        None for errors about other packets, and about what this node put into the packet itself.
        """
        message = packet.payload
        if not isinstance(message, DestinationUnreachable | PacketTooBig | TimeExceeded | ParameterProblem):
            return None
        chain = walk(message.invoking)
        if chain is None or not chain.whole or chain.next_header == MOBILITY_HEADER:  # those are the engine's own
            return None
        invoking = restore(message.invoking, chain)
        if not self._is_ours(message.invoking, invoking, chain):
            return None
        if isinstance(message, ParameterProblem) and message.pointer < chain.end:
            return None  # about a header that upper layers know nothing of (§11.3.5)
        added = len(message.invoking) - len(invoking)
        translated = replace(message, invoking=invoking)
        if isinstance(translated, PacketTooBig):
            mtu = self.room(invoking, added, translated.mtu)
            if mtu == MINIMUM_MTU and HEADER_OCTETS + int.from_bytes(invoking[4:6], "big") <= MINIMUM_MTU:
                return None  # any sender may send as much: it is for this node to cut
            translated = replace(translated, mtu=mtu)
        elif isinstance(translated, ParameterProblem):
            translated = replace(translated, pointer=translated.pointer - added)
        return Packet(source=packet.source, destination=IPv6Address(source(invoking)), payload=translated)

    def _note(self, ends: tuple[bytes, bytes]) -> None:
        """Note a packet of a path that may be asked for; of others there may be any number."""
        if ends in self._routes or ends[1] in self._bindings:
            self._used.add(ends)

    def _is_good(self, home_address: bytes, care_of_address: bytes, next_header: int) -> bool:
        """Tell whether a Home Address option stands for itself, or is for others to judge (§9.3.1)."""
        if care_of_address in (self._bindings.get(home_address), self._served(home_address)):
            return True
        if Safeguard.HOME_ADDRESS_CHECK in self._without:  # §9.3.1, §15.8
            return True
        return next_header in _JUDGED_BY_OTHERS and is_unicast_routable(IPv6Address(home_address))

    def _is_ours(self, invoking: bytes, restored: bytes, chain: Chain) -> bool:
        """Tell whether a packet took a direct path of this node: an error about another is nobody's here."""
        ends = source(restored), destination(restored)
        care_of_source = None if chain.home_address is None else self._routes.get(ends, b"")
        care_of_destination = None if chain.routed_home_address is None else self._bindings.get(ends[1], b"")
        if care_of_source is None and care_of_destination is None:
            return False
        return care_of_source in (None, source(invoking)) and care_of_destination in (None, destination(invoking))
