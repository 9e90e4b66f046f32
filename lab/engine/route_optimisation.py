"""Route optimisation of a mobile node: with which peers, and which message belongs to which (RFC 6275 §11.3, §11.6)."""

from ipaddress import IPv6Address, IPv6Network
from typing import Any, TypeAlias

from lab.auth.secrets import Secrets
from lab.constants import BindingErrorStatus
from lab.engine.config import MobileNodeConfig
from lab.engine.correspondent_registration import CorrespondentRegistration
from lab.engine.correspondent_states import EndReason
from lab.engine.io import Effect, Instant, ListenFor, Received
from lab.engine.mobility_header import drop
from lab.engine.sending_limit import SendingLimit
from lab.engine.sequence import is_newer
from lab.engine.whereabouts import Abroad, Nowhere, OnHomeLink, Whereabouts
from lab.safeguards import NOTHING, Without
from lab.wire.addresses import is_unicast_routable
from lab.wire.icmpv6 import UNRECOGNIZED_NEXT_HEADER, UNRECOGNIZED_OPTION, ParameterProblem
from lab.wire.invoking import Invoking, read_invoking
from lab.wire.mobility import (
    MOBILITY_HEADER,
    BindingAcknowledgement,
    BindingError,
    BindingRefreshRequest,
    CareOfTest,
    HomeTest,
)
from lab.wire.packet import Packet

MAX_PEERS = 256
"""Peers that are known at once: whoever sends from many addresses shall not take all memory."""

FromPeer: TypeAlias = HomeTest | CareOfTest | BindingAcknowledgement | BindingRefreshRequest | BindingError
"""What answers a mobile node: its home agent or a correspondent."""


class RouteOptimisation:
    """The Binding Update List of a home address but for the home agent's entry; `without`: see `lab.safeguards`."""

    def __init__(
        self, config: MobileNodeConfig, secrets: Secrets, limit: SendingLimit, without: Without = NOTHING
    ) -> None:
        self._without = without
        self._config = config
        self.home_agent = config.home_agent
        """With it there is no direct path."""
        self._secrets = secrets
        self._limit = limit
        self._where: Whereabouts = Nowhere()
        self._entries: dict[IPv6Address, CorrespondentRegistration] = {}
        self._sequence = config.initial_sequence

    def snapshot(self, now: Instant) -> list[dict[str, Any]]:
        """List the entries."""
        return [entry.snapshot(now) for entry in self._entries.values()]

    def may_be_bound(self, now: Instant) -> bool:
        """Tell whether any peer may hold a binding, acknowledged or not."""
        return any(entry.may_exist(now) for entry in self._entries.values())

    # What the plane tells

    def heard(self, peer: IPv6Address, now: Instant) -> list[Effect]:
        """Begin with a peer whose packets take the tunnel, if that is wanted (§11.3.3, §11.6.1)."""
        if peer in self._entries or not self._is_wanted(peer):
            return []
        if isinstance(self._where, OnHomeLink):  # told while the node came home
            return [] if self._where.tunnelled else [ListenFor(home_address=self._config.home_address, peer=peer)]
        effects = self._make_room(now)
        if len(self._entries) == MAX_PEERS:
            return []
        entry = CorrespondentRegistration(self._config, peer, self._sequence, self._secrets, self._limit, self._without)
        self._entries[peer] = entry
        return effects + entry.proceed(self._where, now)

    def used(self, peer: IPv6Address, used: bool, now: Instant) -> list[Effect]:
        """Take the answer to `AskUse`: renew the binding or let it run out."""
        entry = self._entries.get(peer)
        if entry is None:
            return []
        return entry.renew(self._where, now) if used else entry.unused()

    def refused(self, peer: IPv6Address, now: Instant) -> list[Effect]:
        """Do without the direct path to a peer: the plane could not install it."""
        entry = self._entries.get(peer)
        effects = [] if entry is None else entry.stop(EndReason.NOT_INSTALLED, now)
        self._forget_what_is_over()
        return effects

    # Where the mobile node is

    def suspend(self, reason: EndReason, now: Instant) -> list[Effect]:
        """Let all packets take the tunnel: the care-of address, or the home link, is being left."""
        self._where = Nowhere()
        return [effect for entry in self._entries.values() for effect in entry.leave(reason, now)]

    def follow(self, where: Whereabouts, now: Instant) -> list[Effect]:
        """Go on where the mobile node is now, and with the home registration as it is now."""
        before, self._where = self._where, where
        if where == before:
            return []
        effects: list[Effect] = []
        for entry in self._entries.values():
            if isinstance(where, OnHomeLink) and not isinstance(before, OnHomeLink):
                effects += entry.come_home(now)
            effects += entry.proceed(where, now)
        self._forget_what_is_over()
        return effects

    # What arrives

    def received(self, received: Received, message: FromPeer, now: Instant) -> list[Effect] | None:
        """Take a message of a correspondent; None if it fits no entry."""
        effects = self._on_message(received, message, now)
        self._forget_what_is_over()
        return effects

    def parameter_problem(self, packet: Packet, problem: ParameterProblem, now: Instant) -> list[Effect]:
        """Take a Parameter Problem; only one about what was sent to its source says anything (§11.3.5)."""
        entry, invoking = self._entries.get(packet.source), read_invoking(problem.invoking)
        if entry is None or invoking is None or not self._is_own(invoking, packet.source):
            return []
        if problem.code == UNRECOGNIZED_OPTION and invoking.home_address is not None:
            # Whoever completed return routability must know the option: this is somebody else's word.
            return [drop(packet, "unrecognized-home-address-option")]
        if problem.code != UNRECOGNIZED_NEXT_HEADER or invoking.next_header != MOBILITY_HEADER:
            return []
        effects = entry.unable(now)
        self._forget_what_is_over()
        return effects or []

    def _on_message(self, received: Received, message: FromPeer, now: Instant) -> list[Effect] | None:
        packet, where = received.packet, self._where
        entry = self._entries.get(packet.home_address or packet.source)  # §9.3.1: whoever is mobile too
        if entry is None:
            return None
        match message:
            case HomeTest() if self._came_to_home_address(received):
                return entry.tested(message, packet.destination, where, now)
            case CareOfTest() if self._came_to_care_of_address(received):
                return entry.tested(message, packet.destination, where, now)
            case BindingAcknowledgement() if received.tunnelled == (where == OnHomeLink(tunnelled=True)):
                return entry.acknowledged(packet, message, where, now)
            case BindingRefreshRequest() if self._came_to_home_address(received) or self._came_by_routing(received):
                return entry.renew(where, now)
            case BindingError(status=BindingErrorStatus.UNKNOWN_BINDING_FOR_HOME_ADDRESS_OPTION):
                is_ours = message.home_address == self._config.home_address
                return entry.unknown_to_peer(where, now) if is_ours else None
            case BindingError(status=BindingErrorStatus.UNRECOGNIZED_MH_TYPE):
                return entry.unable(now)
            case _:
                return None

    def _came_to_home_address(self, received: Received) -> bool:
        """Tell whether a packet came through the tunnel, or on the home link (§11.6.2)."""
        packet = received.packet
        if packet.destination != self._config.home_address or packet.routed_home_address is not None:
            return False
        return received.tunnelled or isinstance(self._where, OnHomeLink)

    def _came_to_care_of_address(self, received: Received) -> bool:
        """Tell whether a packet came straight to the care-of address as such."""
        packet, where = received.packet, self._where
        if received.tunnelled or packet.routed_home_address is not None:
            return False
        return isinstance(where, Abroad) and packet.destination == where.care_of_address

    def _came_by_routing(self, received: Received) -> bool:
        """Tell whether a packet came straight to the care-of address for the home address (§6.4)."""
        packet, where = received.packet, self._where
        if received.tunnelled or packet.routed_home_address != self._config.home_address:
            return False
        return isinstance(where, Abroad) and packet.destination == where.care_of_address

    def _is_own(self, invoking: Invoking, peer: IPv6Address) -> bool:
        """Tell whether an error is about a packet that this node may have sent to the peer."""
        sources = {self._config.home_address}
        if isinstance(self._where, Abroad):
            sources.add(self._where.care_of_address)
        is_ours = invoking.home_address in (None, self._config.home_address)
        return is_ours and invoking.destination == peer and invoking.source in sources

    # Time

    def deadline(self) -> Instant | None:
        """When anything is due."""
        due = (entry.deadline() for entry in self._entries.values())
        return min((instant for instant in due if instant is not None), default=None)

    def advance(self, now: Instant) -> list[Effect]:
        """Do what is due."""
        effects = [effect for entry in self._entries.values() for effect in entry.advance(self._where, now)]
        self._forget_what_is_over()
        return effects

    # Peers

    def _is_wanted(self, peer: IPv6Address) -> bool:
        if peer in (self.home_agent, self._config.home_address) or not is_unicast_routable(peer):
            return False
        yes, no = _longest(self._config.optimised, peer), _longest(self._config.not_optimised, peer)
        return self._config.route_optimisation if yes == no == -1 else yes > no

    def _make_room(self, now: Instant) -> list[Effect]:
        """Give up the oldest entry without a binding, if there are too many."""
        if len(self._entries) < MAX_PEERS:
            return []
        for peer, entry in self._entries.items():
            if not entry.may_exist(now):
                del self._entries[peer]
                return [ListenFor(home_address=self._config.home_address, peer=peer)]
        return []

    def _forget_what_is_over(self) -> None:
        for peer, entry in [*self._entries.items()]:
            if entry.is_over:
                # The peer may remember its last sequence number (§5.2.8): the next entry goes on from there.
                if is_newer(entry.sequence, self._sequence):
                    self._sequence = entry.sequence
                del self._entries[peer]


def unexpected(packet: Packet, message: FromPeer) -> Effect:
    """Drop a message that nobody waits for."""
    match message:
        case HomeTest():
            return drop(packet, "unexpected-home-test")
        case CareOfTest():
            return drop(packet, "unexpected-care-of-test")
        case BindingAcknowledgement(sequence=sequence):
            return drop(packet, "unexpected-acknowledgement", f"#{sequence}")
        case BindingRefreshRequest():
            return drop(packet, "unexpected-refresh-request")
        case BindingError(status=status):
            return drop(packet, "unexpected-binding-error", f"status {status}")


def _longest(prefixes: tuple[IPv6Network, ...], address: IPv6Address) -> int:
    """Give the length of the longest prefix that holds an address; -1 if none does."""
    return max((prefix.prefixlen for prefix in prefixes if address in prefix), default=-1)
