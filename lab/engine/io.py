"""What goes into an engine and what comes out of it.

The runtime hands an engine one input at a time, together with `now`. The engine answers with effects, to be
carried out in their order. When the data plane refuses one, the runtime drops the rest of that answer and
hands the engine a `Refused` instead: so no acknowledgement precedes its route (RFC 6275 §10.3.1).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any, Protocol, TypeAlias

from lab.errors import WireError
from lab.events import Event
from lab.wire.packet import Packet

Instant: TypeAlias = float
"""Seconds on a monotonic clock that the runtime owns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRecord:
    """What a home agent must know of a home address after a restart (§15.3).

    It is worth as much as the entry of the binding cache, and as long. Where there is no entry, any sequence number
    is accepted (§9.5.1), and a deregistered one is kept for MAX_DELETE_BCE_TIMEOUT at most (§10.3.2): a record that
    outlived its entry would turn a mobile node away that nothing else is held against. So a restart opens no replay
    that was not open before, and the records are never more than the bindings. Replays of what is older than the
    entry are for IPsec with dynamic keys to keep off (§15.3).
    """

    home_address: IPv6Address
    care_of_address: IPv6Address | None
    """None: deregistered; the sequence number alone is kept (§10.3.2)."""
    sequence: int
    lifetime: int
    """As granted."""
    link_local: IPv6Address | None
    """Defended as well (L bit)."""
    deadline: Instant


# Inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The daemon serves; the first input of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A packet for this node arrived, checksum and form in order.

    `tunnelled`: it came out of the bi-directional tunnel, whose outer addresses were checked (§5.5). What is said there
    to a home agent as on a link, by Multicast Listener Discovery or DHCPv6, is in its tunnel packet, whose source tells
    who says it (§10.4.3, §10.4.4).
    """

    packet: Packet
    interface: str
    tunnelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed:
    """A packet for this node arrived that `wire` refused; `invoking` is its octets as far as they came."""

    error: WireError
    source: IPv6Address
    destination: IPv6Address
    invoking: bytes
    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkUp:
    """An interface has carrier (also reported once at the start for each interface that is up)."""

    interface: str
    link_layer_address: bytes
    link_local_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkDown:
    """An interface lost carrier."""

    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkHint:
    """The link layer reports a new point of attachment without a change of carrier (§11.5.1)."""

    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DadSucceeded:
    """Nobody claimed the address that `StartDad` named."""

    address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class DadFailed:
    """Somebody else has the address that `StartDad` named."""

    address: IPv6Address
    link_layer_address: bytes | None = None
    """Whose it is, if that was told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerHeard:
    """Mobile node: packets between a home address and a peer go through the bi-directional tunnel (§11.3.3).

    Told once for a peer, and again after `ListenFor`.
    """

    home_address: IPv6Address
    peer: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """The answer to `AskUse`: whether packets took the direct path since the last answer, or since it exists."""

    home_address: IPv6Address
    peer: IPv6Address | None
    used: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """Home agent: what `Remember` kept before a restart; told for each record before any packet, after `LinkUp`."""

    record: BindingRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOff:
    """Home agent: an administrator wants a home address served no more; told at the start of what is kept (§15.3)."""

    home_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Readmitted:
    """Home agent: an administrator lets a home address register again."""

    home_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineReached:
    """The instant that `deadline()` named has come."""


# Effects that the runtime carries out


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Send a packet; `interface` where the destination alone does not say which (link-local, multicast).

    `tunnelled`: by the reverse tunnel, as the packets of upper layers go.
    """

    packet: Packet
    interface: str | None = None
    tunnelled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StartDad:
    """Test whether an address is unique on a link (RFC 4862 §5.4); answered by `DadSucceeded` or `DadFailed`."""

    interface: str
    address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class StopDad:
    """Give up a test that `StartDad` began; no answer will come."""

    address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinGroup:
    """Receive what is sent to a multicast group on an interface."""

    interface: str
    group: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveGroup:
    """Undo a `JoinGroup`."""

    interface: str
    group: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinAnycast:
    """Receive what is sent to an anycast address of a link, until the end; asked again after each loss of carrier."""

    interface: str
    address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class AskUse:
    """Ask whether a binding is in use; answered by `Used`.

    With a `peer`, the mobile node asks for its route optimisation with that peer (`InstallRouteOptimisation`);
    without one, a correspondent asks for a binding of its cache (`InstallBinding`).
    """

    home_address: IPv6Address
    peer: IPv6Address | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remember:
    """Keep a record durably before anything behind it is done, in place of an earlier one of the home address."""

    record: BindingRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """Undo a `Remember`; nothing waits for it, since a record that has ended means nothing."""

    home_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberCutOff:
    """Keep beyond a restart that a home address is cut off; it is in force whether or not that can be kept."""

    home_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetCutOff:
    """Undo a `RememberCutOff`."""

    home_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Write an event into the journal."""

    event: Event


# Effects that the plane carries out


@dataclass(frozen=True, slots=True, kw_only=True)
class AddAddress:
    """Configure an address on an interface, usable at once (the engine sees to its uniqueness)."""

    interface: str
    address: IPv6Address
    prefix_length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveAddress:
    """Undo an `AddAddress`."""

    interface: str
    address: IPv6Address
    prefix_length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UseRouter:
    """Send what leaves from `source` (and, with `default`, everything) by a router on an interface.

    With a `destination`, only what goes there; without a router it is on the link itself. `link_layer_address` spares
    the address resolution where an advertisement told it.
    """

    interface: str
    router: IPv6Address | None
    source: IPv6Address
    destination: IPv6Address | None = None
    default: bool = False
    link_layer_address: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetRouter:
    """Undo every `UseRouter` of a source address."""

    interface: str
    source: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLinkMtu:
    """Send no packet of more octets on an interface (RFC 4861 §6.3.4); None: as many as it can.

    The kernel forgets this when the interface loses its carrier.
    """

    interface: str
    mtu: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DefendAddress:
    """Answer Neighbor Solicitations for an address of a mobile node on the home link (§10.4.1)."""

    interface: str
    address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class StopDefending:
    """Undo a `DefendAddress`."""

    interface: str
    address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallTunnel:
    """Home agent: tunnel packets for the home address to the care-of address (§10.4.2).

    The reverse tunnel takes only what comes from there (§10.4.5). A tunnel of this home address is changed.
    """

    home_agent_address: IPv6Address
    home_address: IPv6Address
    care_of_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveTunnel:
    """Undo an `InstallTunnel`."""

    home_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnHomeAddress:
    """Mobile node: have a home address wherever the node is, so that sockets hold on to it."""

    home_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class DisownHomeAddress:
    """Undo an `OwnHomeAddress`; those who still use it are told."""

    home_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallReverseTunnel:
    """Mobile node: send packets from the home address through the home agent (§11.3.1).

    Tunnelled packets are taken from it alone (§5.5). A reverse tunnel of this home address is changed.
    """

    home_agent_address: IPv6Address
    home_address: IPv6Address
    care_of_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveReverseTunnel:
    """Undo an `InstallReverseTunnel`."""

    home_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallBinding:
    """Correspondent: send packets for the home address straight to the care-of address (§9.3.2).

    A Home Address option is taken from there alone (§9.3.1). A binding of this home address is changed.
    """

    home_address: IPv6Address
    care_of_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveBinding:
    """Undo an `InstallBinding`; nothing happens where there is none."""

    home_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallRouteOptimisation:
    """Mobile node: send packets from the home address to a peer straight from the care-of address (§11.3.1).

    They carry a Home Address option. Mobility messages are not touched. An earlier one of this pair is changed.
    """

    home_address: IPv6Address
    peer: IPv6Address
    care_of_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveRouteOptimisation:
    """Undo an `InstallRouteOptimisation`: packets take the tunnel; nothing happens where there is none."""

    home_address: IPv6Address
    peer: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenFor:
    """Mobile node: tell by `PeerHeard` when packets of this peer next go through the tunnel."""

    home_address: IPv6Address
    peer: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class ForwardGroup:
    """Home agent: tunnel what is sent to a multicast group on an interface to the home address too (§10.4.2)."""

    interface: str
    home_address: IPv6Address
    group: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class EndForwarding:
    """Undo a `ForwardGroup`."""

    home_address: IPv6Address
    group: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class SendIntoTunnel:
    """Home agent: send a packet into the tunnel of a home address, whatever its destination (§10.4.4)."""

    home_address: IPv6Address
    packet: Packet


PlaneEffect: TypeAlias = (
    AddAddress
    | RemoveAddress
    | UseRouter
    | ForgetRouter
    | SetLinkMtu
    | DefendAddress
    | StopDefending
    | InstallTunnel
    | RemoveTunnel
    | OwnHomeAddress
    | DisownHomeAddress
    | InstallReverseTunnel
    | RemoveReverseTunnel
    | InstallBinding
    | RemoveBinding
    | InstallRouteOptimisation
    | RemoveRouteOptimisation
    | ListenFor
    | ForwardGroup
    | EndForwarding
    | SendIntoTunnel
)

StoreEffect: TypeAlias = Remember | Forget | RememberCutOff | ForgetCutOff

Effect: TypeAlias = (
    Send | StartDad | StopDad | JoinGroup | LeaveGroup | JoinAnycast | AskUse | StoreEffect | Report | PlaneEffect
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Input: the plane, or the store, could not carry out an effect; the effects behind it were dropped."""

    effect: PlaneEffect | Remember
    reason: str


Input: TypeAlias = (
    Started
    | Received
    | Malformed
    | LinkUp
    | LinkDown
    | LinkHint
    | DadSucceeded
    | DadFailed
    | PeerHeard
    | Used
    | Recalled
    | CutOff
    | Readmitted
    | DeadlineReached
    | Refused
)


class Engine(Protocol):
    """One role of a node."""

    def handle(self, happened: Input, now: Instant) -> Iterable[Effect]:
        """Take one input; never raises on anything a peer can cause.

        It is over when the last effect was taken. Each may be carried out before the next is thought of.
        """
        ...

    def deadline(self) -> Instant | None:
        """When `DeadlineReached` is due, if ever."""
        ...

    def snapshot(self, now: Instant) -> list[dict[str, Any]]:
        """Bindings as plain data for the control socket: strings and numbers under RFC nouns."""
        ...
