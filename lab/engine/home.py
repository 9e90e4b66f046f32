"""One home address of a mobile node, RFC 6275 §11: its registrations, and what is done about it on the home link.

While away the packets of upper layers go into the reverse tunnel as soon as a care-of address is usable, even
before the home agent acknowledged it: the home agent takes them from the instant at which it does (§10.4.5).
"""

from ipaddress import IPv6Address, IPv6Network
from typing import Any

from lab.auth.secrets import Secrets
from lab.constants import BindingErrorStatus, Status
from lab.engine.address_on_link import AddressOnLink
from lab.engine.announcements import Announcements
from lab.engine.binding_update_list import Outcome, Request
from lab.engine.config import DadMode, MobileNodeConfig
from lab.engine.correspondent_states import EndReason
from lab.engine.home_agent_in_use import HomeAgentInUse
from lab.engine.home_agents_list import HomeAgentsList
from lab.engine.io import (
    DisownHomeAddress,
    Effect,
    InstallReverseTunnel,
    Instant,
    OwnHomeAddress,
    Received,
    RemoveReverseTunnel,
    Report,
    Send,
)
from lab.engine.movement import Movement, Router
from lab.engine.neighbor_discovery import HOP_LIMIT, announcement, answer
from lab.engine.neighbor_lookup import NeighborLookup
from lab.engine.place import AtHome, Away, Place, Returning, Settling, Unattached
from lab.engine.prefix_discovery import Asker, PrefixDiscovery
from lab.engine.route_optimisation import FromPeer, RouteOptimisation
from lab.engine.sending_limit import SendingLimit
from lab.engine.whereabouts import Abroad, Nowhere, OnHomeLink, Whereabouts
from lab.events import CareOfAddressLost, HomeAddressEnded, ReturnedHome
from lab.safeguards import NOTHING, Without
from lab.wire.addresses import interface_identifier
from lab.wire.icmpv6 import ParameterProblem
from lab.wire.mobility import BindingAcknowledgement, BindingError
from lab.wire.packet import Packet

INTERFACE_IDENTIFIER = (1 << 64) - 1


class Home:
    """A home address; `config` names it, and the node tells where it is.

    `movement` is the node's, to be asked alone; so are `home_agents` and `prefixes`. `limit` counts what goes out for
    all of them; `without`: see `lab.safeguards`.
    """

    def __init__(
        self,
        config: MobileNodeConfig,
        secrets: Secrets,
        *,
        movement: Movement,
        home_agents: HomeAgentsList,
        prefixes: PrefixDiscovery,
        limit: SendingLimit,
        without: Without = NOTHING,
    ) -> None:
        self._config = config
        self._movement = movement
        self._prefixes = prefixes
        self._on_link = AddressOnLink(interface=config.interface, address=config.home_address)
        self._place: Place = Unattached()
        self._agent = HomeAgentInUse(config, secrets, home_agents, limit)
        self._registration = self._agent.registration
        self.choice = self._agent.choice
        self.route_optimisation = RouteOptimisation(config, secrets, limit, without)
        self._announcements = Announcements()
        self._lookup = NeighborLookup(config.interface)
        self._answered = False
        self._ending = False

    @property
    def address(self) -> IPv6Address:
        """The home address."""
        return self._config.home_address

    @property
    def prefix(self) -> IPv6Network:
        """The prefix of the home link that it is from."""
        return self._config.home_prefix

    @property
    def is_at_home(self) -> bool:
        """Whether it is in use on the home link."""
        return isinstance(self._place, AtHome)

    @property
    def is_answered(self) -> bool:
        """Whether the home agent has said yes or no where the node is now, or needs not be asked."""
        return self._answered

    @property
    def is_ending(self) -> bool:
        """Whether it is given up."""
        return self._ending

    def is_over(self, now: Instant) -> bool:
        """Tell whether it was to end, and no home agent can have a binding of it any more."""
        return self._ending and not self._registration.may_exist(now)

    def snapshot(self, now: Instant) -> list[dict[str, Any]]:
        """List its part of the Binding Update List, the home agent's entry first: that has the place too."""
        care_of, home_agent = self._registration.care_of_address, self._agent.address
        return [
            {
                "peer": None if home_agent is None else str(home_agent),
                "home_address": str(self.address),
                "care_of_address": None if care_of is None else str(care_of),
                "state": self._registration.state,
                "sequence": self._registration.sequence,
                "remaining": round(self._registration.remaining(now), 3),
                "place": type(self._place).__name__.lower(),
            },
            *self.route_optimisation.snapshot(now),
        ]

    # Beginning and end

    def own(self) -> list[Effect]:
        """Have it for good, wherever the node is."""
        return [OwnHomeAddress(home_address=self.address)]

    def end(self, now: Instant) -> list[Effect]:
        """Give the home address up: peers and the home agent are told, in this order; see `is_over`."""
        if self._ending:
            return []
        self._ending = True
        return self.route_optimisation.suspend(EndReason.HOME_ADDRESS_ENDED, now)

    def disown(self) -> list[Effect]:
        """Leave nothing of it: the kernel ends what upper layers still have."""
        place, self._place = self._place, Unattached()
        return [
            *self._take_back(place),
            RemoveReverseTunnel(home_address=self.address),
            DisownHomeAddress(home_address=self.address),
            Report(event=HomeAddressEnded(home_address=self.address)),
        ]

    # Where the node is

    def leave(self, now: Instant) -> list[Effect]:
        """Take back what belonged to the link that the node left."""
        suspended = self.route_optimisation.suspend(EndReason.MOVED, now)
        place, self._place = self._place, Unattached()
        self._answered = False
        return [*suspended, *self._take_back(place)]

    def _take_back(self, place: Place) -> list[Effect]:
        match place:
            case Returning():
                self._lookup.stop()
                self._registration.abandon()
                return [self._on_link.listen_no_more(), self._on_link.forget_router()]
            case AtHome() | Settling():
                self._announcements.stop(self.address)
                return self._on_link.release()
            case Away() | Unattached():
                return []

    def visit(self, away: Away, now: Instant) -> list[Effect]:
        """Be away by a care-of address; it is registered once it may be used, unless it is already. See `tunnel`."""
        before, self._place = self._place, away
        if not away.usable or (isinstance(before, Away) and before.usable):
            return []
        return self._register(away, now)

    def tunnel(self) -> list[Effect]:
        """Lead what leaves from the home address through the home agent; nothing while there is no way to it."""
        match self._place, self._agent.address:
            case Away(care_of=care_of, usable=True), IPv6Address() as home_agent:
                return [
                    InstallReverseTunnel(
                        home_agent_address=home_agent, home_address=self.address, care_of_address=care_of.address
                    )
                ]
            case _:
                return []

    def lose_care_of_address(self, now: Instant) -> list[Effect]:
        """Go on without a care-of address."""
        self._place = Unattached()
        self._registration.abandon()
        return self.route_optimisation.suspend(EndReason.CARE_OF_ADDRESS_LOST, now)

    def _register(self, away: Away, now: Instant) -> list[Effect]:
        if self._agent.address is None:  # as soon as one is found
            return []
        until, ends = self._valid_until(away, now), self._is_to_end(now)
        return self._registration.request(self._request(away.care_of.address, until, ends=ends), now)

    def _valid_until(self, away: Away, now: Instant) -> Instant:
        """Tell when the first of two addresses ends: no binding may outlive it (§11.7.1, §11.4.2)."""
        return min(away.care_of.valid_until, self._prefixes.valid_until(self.address, now))

    def _request(self, care_of_address: IPv6Address, until: Instant, *, ends: bool) -> Request:
        link = self._movement.link
        own = None if link is None else interface_identifier(link.link_layer_address)
        return Request(
            care_of_address=care_of_address,
            valid_until=until,
            link_local_compatible=int(self.address) & INTERFACE_IDENTIFIER == own,  # §11.7.1
            ends=ends,
        )

    def asker(self, now: Instant) -> Asker | None:
        """Tell as whom the home agent can be asked for the prefixes of home; None while there is no binding."""
        match self._whereabouts(now), self._agent.address:
            case Abroad() as where, IPv6Address() as home_agent if where.is_registered(now) and self._movement.settled:
                return Asker(home_address=self.address, care_of_address=where.care_of_address, home_agent=home_agent)
            case _:
                return None

    def _whereabouts(self, now: Instant) -> Whereabouts:
        """Tell where correspondents can be dealt with from."""
        match self._place:
            case Away(usable=True) if self._ending:
                return OnHomeLink(tunnelled=True)
            case Away(care_of=care_of, usable=True) as away:
                return Abroad(
                    care_of_address=care_of.address,
                    valid_until=self._valid_until(away, now),
                    registered_until=self._registration.acknowledged_until,
                    renewal=self._registration.deadline(),
                )
            case AtHome():
                return OnHomeLink()
            case _:
                return Nowhere()

    # Home, §11.5.5

    def arrive_home(self, router: Router, now: Instant) -> list[Effect]:
        """Use the home address on the home link, after the home agent has let it go where it may have it."""
        if self._registration.may_exist(now):
            return self._return(Returning(router=router), now)
        self._registration.abandon()
        return self._settle(router)

    def _return(self, place: Returning, now: Instant) -> list[Effect]:
        self._place = place
        neighbor = self._agent.neighbor(place.router, now)
        if neighbor is None or neighbor.link_layer_address is None:
            assert self._agent.address is not None  # it may have a binding
            self._registration.abandon()
            return [*self._lookup.start(self._agent.address, now), self._on_link.listen()]
        return [*self._deregister(neighbor.address, neighbor.link_layer_address, now), self._on_link.listen()]

    def neighbor_advertised(self, packet: Packet, now: Instant) -> list[Effect]:
        """Go on once the home agent's link-layer address is known."""
        link_layer_address = self._lookup.answer(packet)
        return [] if link_layer_address is None else self._deregister(None, link_layer_address, now)

    def _deregister(self, router: IPv6Address | None, link_layer_address: bytes, now: Instant) -> list[Effect]:
        # Upper layers keep to the tunnel until the home agent has let the home address go: only the
        # Binding Update leaves from it, straight to the home agent (§11.5.5).
        return [
            self._on_link.reach(self._agent.address, router, link_layer_address),
            *self._registration.request(self._request(self.address, now, ends=True), now),
        ]

    def _return_unbound(self, place: Returning) -> list[Effect]:
        """Go on as one that was never away: no home agent has a binding, or can have one any more."""
        self._lookup.stop()
        self._registration.abandon()
        return [self._on_link.listen_no_more(), *self._settle(place.router)]

    def _settle(self, router: Router) -> list[Effect]:
        """Start on the home link as any node does: test the home address, then use it (RFC 4862)."""
        self._place = Settling(router=router)
        used = self._use(router) if self._config.dad is DadMode.OPTIMISTIC else []
        return [*used, self._on_link.test()]

    def _use(self, router: Router) -> list[Effect]:
        self._place = AtHome(router=router)
        self._answered = True
        return self._on_link.use(router)

    def on_unique(self) -> list[Effect]:
        """Use the home address that nobody claimed on the home link."""
        match self._place:
            case Settling(router=router):
                return self._use(router)
            case _:
                return []

    def on_duplicate(self, link_layer_address: bytes | None, now: Instant) -> list[Effect]:
        """Give the home address up on the home link, where somebody has it.

        If that is the home agent, it may have a binding from before a restart of this node: that is ended.
        """
        match self._place:
            case Settling(router=router) | AtHome(router=router):
                pass
            case _:
                return []
        self._place = Settling(router=router)
        effects: list[Effect] = [
            Report(event=CareOfAddressLost(address=self.address, reason="duplicate")),
            *self.route_optimisation.suspend(EndReason.CARE_OF_ADDRESS_LOST, now),
            self._on_link.remove(),
        ]
        home_agent = None if self._agent.address is None else self._agent.neighbor(router, now)
        if home_agent is None or link_layer_address is None or home_agent.link_layer_address != link_layer_address:
            return effects
        self._registration.suspect(now)
        returning = Returning(router=router, suspected=True)
        return [*effects, self._on_link.forget_router(), *self._return(returning, now)]

    def _give_way(self, place: Returning) -> list[Effect]:
        """Leave the home address to whoever has it: the home agent knows of no binding."""
        self._place = Settling(router=place.router)
        return [self._on_link.listen_no_more(), self._on_link.forget_router()]

    def solicited(self, received: Received, now: Instant) -> list[Effect]:
        """Answer the home agent, and it alone, while it still defends the home address (§11.5.5)."""
        link, place, packet = self._movement.link, self._place, received.packet
        if not isinstance(place, Returning) or link is None or packet.hop_limit != HOP_LIMIT:
            return []
        neighbor = self._agent.neighbor(place.router, now)
        if packet.source not in (self._agent.address, neighbor and neighbor.address):
            return []
        reply = answer(self.address, link.link_layer_address, packet.source)
        return [Send(packet=reply, interface=self._config.interface)]

    def _finish_returning(self, place: Returning, now: Instant) -> list[Effect]:
        effects = [*self._use(place.router), self._on_link.listen_no_more()]
        if (link := self._movement.link) is not None:
            packet = announcement(self.address, link.link_layer_address)
            effects += self._announcements.start(self.address, packet, self._config.interface, now)
        return [*effects, Report(event=ReturnedHome(home_address=self.address))]

    # What peers say, §11.7.3

    def advertised(self, source: IPv6Address, now: Instant) -> list[Effect]:
        """Look at the home agents of the home link anew: one of them has advertised itself."""
        return self.choice.advertised(source, bound=self._registration.may_exist(now), now=now)

    def received(self, received: Received, message: FromPeer, now: Instant) -> list[Effect] | None:
        """Take a message of the home agent or of a correspondent; None if it is nothing that was waited for here."""
        packet = received.packet
        match message:
            case BindingAcknowledgement() if packet.source == self._agent.address:
                addressed = packet.routed_home_address or packet.destination  # §11.7.3, §6.4
                return self._on_acknowledgement(message, now) if addressed == self.address else None
            case BindingError() if packet.source == self._agent.address:
                return self._on_error_of_home_agent(message, now)
            case _:
                return self.route_optimisation.received(received, message, now)

    def parameter_problem(self, packet: Packet, problem: ParameterProblem, now: Instant) -> list[Effect]:
        """Take the complaint of the home agent or of a correspondent (§11.3.5)."""
        if packet.source != self._agent.address:
            return self.route_optimisation.parameter_problem(packet, problem, now)
        return self._agent.parameter_problem(problem, away=isinstance(self._place, Away), now=now)

    def _on_acknowledgement(self, acknowledgement: BindingAcknowledgement, now: Instant) -> list[Effect] | None:
        away = isinstance(self._place, Away)
        effects, outcome = self._agent.acknowledged(acknowledgement, away=away, now=now)
        if outcome is Outcome.ACCEPTED and acknowledgement.status == Status.ACCEPTED_PREFIX_DISCOVERY_NECESSARY:
            self._prefixes.solicit(now)  # §11.7.3
        self._answered |= outcome in (Outcome.ACCEPTED, Outcome.REFUSED)
        match outcome, self._place:
            case Outcome.IGNORED, _:
                return None
            case Outcome.ACCEPTED, Returning() as place:
                return effects + self._finish_returning(place, now)
            case Outcome.NOT_BOUND, Returning(suspected=True) as place:
                return effects + self._give_way(place)
            case Outcome.NOT_BOUND, Returning() as place:
                return effects + self._return_unbound(place)
            case _:
                return effects

    def _on_error_of_home_agent(self, error: BindingError, now: Instant) -> list[Effect] | None:
        """Register again where the home agent says that it has no binding (§11.3.6)."""
        unknown = error.status == BindingErrorStatus.UNKNOWN_BINDING_FOR_HOME_ADDRESS_OPTION
        if unknown and error.home_address == self.address and isinstance(self._place, Away):
            return self._registration.renew(now)
        return None

    # Time

    def deadline(self) -> Instant | None:
        """When anything is due."""
        due = [self._announcements.deadline(), self._lookup.deadline()]
        if self._movement.settled:
            due += [self._agent.deadline(), self.route_optimisation.deadline()]
        if self._ending or isinstance(self._place, Returning):
            due.append(self._registration.may_exist_until)
        return min((instant for instant in due if instant is not None), default=None)

    def advance(self, now: Instant) -> list[Effect]:
        """Do what is due."""
        effects: list[Effect] = []
        if isinstance(self._place, Returning) and not self._registration.may_exist(now):
            effects += self._return_unbound(self._place)
        if self._movement.settled:  # else nobody knows by which router, and from which address, to register
            effects += self._agent.advance(away=isinstance(self._place, Away), now=now)
            effects += self.route_optimisation.advance(now)
        return effects + self._announcements.advance(now) + self._lookup.advance(now)

    def follow(self, now: Instant) -> list[Effect]:
        """Go on with the home agent that is chosen, and with correspondents, after whatever happened."""
        before, source = self._agent.address, self._source_at_hand()
        away = source is not None and isinstance(self._place, Away)
        effects = self._agent.follow(source, away=away, now=now)
        self.route_optimisation.home_agent = self._agent.address
        match self._place:
            case Away(usable=True) as place if not self._ending:
                if self._agent.address != before:
                    effects += [*self._register(place, now), *self.tunnel()]
                effects += self._registration.limit(self._valid_until(place, now), now)
            case _:
                pass
        effects += self.route_optimisation.follow(self._whereabouts(now), now)
        return effects + self._follow_end(now)

    def _source_at_hand(self) -> IPv6Address | None:
        """Give the address that a request can be sent from: on a foreign link the care-of address."""
        match self._place:
            case Away(care_of=care_of, usable=True) if self._movement.settled:
                return care_of.address
            case AtHome() if self._movement.settled:
                return self.address
            case _:
                return None

    def _follow_end(self, now: Instant) -> list[Effect]:
        """Have the binding of a home address that is given up ended."""
        match self._place:
            case Away(care_of=care_of, usable=True) if self._registration.lasts and self._is_to_end(now):
                return self._registration.request(self._request(care_of.address, now, ends=True), now)
            case _:
                return []

    def _is_to_end(self, now: Instant) -> bool:
        """Tell whether the home address is given up, and correspondents need the tunnel no more to hear of it."""
        return self._ending and not self.route_optimisation.may_be_bound(now)
