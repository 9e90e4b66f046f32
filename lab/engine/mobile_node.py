"""A mobile node, RFC 6275 §11: where it is, and what it does about that.

While away the packets of upper layers go into the reverse tunnel as soon as a care-of address is usable, even
before the home agent acknowledged it: the home agent takes them from the instant at which it does (§10.4.5).
"""

from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from typing import Any, TypeAlias

from lab.auth.secrets import Secrets
from lab.constants import BindingErrorStatus, Status
from lab.engine.announcements import Announcements
from lab.engine.binding_update_list import HomeRegistration, Outcome, Request
from lab.engine.care_of_address import CareOfAddress, form, valid_until
from lab.engine.config import DadMode, MobileNodeConfig
from lab.engine.correspondent import Correspondent
from lab.engine.correspondent_states import EndReason
from lab.engine.home_agent_choice import NO_LONGER_WANTED, HomeAgentChoice
from lab.engine.home_agents_list import HomeAgentEntry
from lab.engine.io import (
    AddAddress,
    DadFailed,
    DadSucceeded,
    DeadlineReached,
    Effect,
    ForgetRouter,
    Input,
    InstallBinding,
    InstallReverseTunnel,
    InstallRouteOptimisation,
    Instant,
    JoinGroup,
    LeaveGroup,
    LinkDown,
    LinkHint,
    LinkUp,
    Malformed,
    PeerHeard,
    Received,
    Refused,
    RemoveAddress,
    RemoveReverseTunnel,
    Report,
    Send,
    StartDad,
    StopDad,
    Used,
    UseRouter,
)
from lab.engine.mobility_header import ErrorLimit, answer_malformed, answer_unknown_type, drop
from lab.engine.movement import Movement, Router, router_of
from lab.engine.neighbor_discovery import HOP_LIMIT, announcement, answer
from lab.engine.prefix_discovery import Asker, PrefixDiscovery
from lab.engine.route_optimisation import RouteOptimisation
from lab.engine.whereabouts import Abroad, Nowhere, OnHomeLink, Whereabouts
from lab.events import CareOfAddressFormed, CareOfAddressLost, MovementDetected, ReturnedHome
from lab.wire.addresses import interface_identifier, solicited_node
from lab.wire.icmpv6 import (
    DestinationUnreachable,
    HomeAgentAddressDiscoveryReply,
    Icmpv6Message,
    MobilePrefixAdvertisement,
    NeighborAdvertisement,
    NeighborSolicitation,
    ParameterProblem,
    RouterAdvertisement,
)
from lab.wire.mobility import (
    BindingAcknowledgement,
    BindingError,
    BindingRefreshRequest,
    CareOfTest,
    HomeTest,
    MobilityMessage,
    UnknownMobilityMessage,
)

INTERFACE_IDENTIFIER = (1 << 64) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Unattached:
    """No router has been found yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """On the home link without a binding: the home address is being tested before it is used (RFC 4862)."""

    router: Router


@dataclass(frozen=True, slots=True, kw_only=True)
class AtHome:
    """On the home link, the home address in use."""

    router: Router


@dataclass(frozen=True, slots=True, kw_only=True)
class Returning:
    """On the home link while the home agent may still defend the home address (§11.5.5)."""

    router: Router


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """On a foreign link; `usable` once the care-of address may be a source (RFC 4429 or RFC 4862)."""

    care_of: CareOfAddress
    usable: bool


Place: TypeAlias = Unattached | Settling | AtHome | Returning | Away


class MobileNode:
    """One interface, one home address."""

    def __init__(self, config: MobileNodeConfig, secrets: Secrets) -> None:
        self._config = config
        self._place: Place = Unattached()
        self._movement = Movement(config.interface)
        self._registration = HomeRegistration(config)
        self._choice = HomeAgentChoice(config, secrets)
        self._prefixes = PrefixDiscovery(config, secrets)
        self._route_optimisation = RouteOptimisation(config, secrets)
        self._correspondent = Correspondent(config.correspondent, secrets, home_address=config.home_address)
        """What it is to other mobile nodes, at its home address (§8.2)."""
        self._announcements = Announcements()
        self._errors = ErrorLimit()
        self._left_behind: list[CareOfAddress] = []

    def handle(self, happened: Input, now: Instant) -> list[Effect]:
        """Take one input; see `lab.engine.io.Engine`."""
        effects = self._handle(happened, now)
        effects += self._follow_home_agent(now)
        effects += self._follow_prefixes(now)
        return effects + self._route_optimisation.follow(self._whereabouts(now), now)

    def _handle(self, happened: Input, now: Instant) -> list[Effect]:
        match happened:
            case LinkUp(interface=interface) if interface == self._config.interface:
                return self._movement.link_up(happened, now)
            case LinkDown(interface=interface) if interface == self._config.interface:
                return self._movement.link_down()
            case LinkHint(interface=interface) if interface == self._config.interface:
                return self._movement.link_hint(now)
            case Received():
                return self._received(happened, now)
            case Malformed():
                return answer_malformed(happened, self._errors, now)
            case DadSucceeded(address=address):
                return self._on_unique(address, now)
            case DadFailed(address=address):
                return self._on_duplicate(address, now)
            case PeerHeard(home_address=home_address, peer=peer):
                return self._route_optimisation.heard(home_address, peer, now)
            case Used(peer=None) | Refused(effect=InstallBinding()):
                return self._correspondent.handle(happened, now)
            case Used(home_address=home_address, peer=peer, used=used):
                return self._route_optimisation.used(home_address, peer, used, now)
            case Refused(effect=InstallRouteOptimisation(peer=peer)):
                return self._route_optimisation.refused(peer, now)
            case DeadlineReached():
                return self._advance(now)
            case _:
                return []

    def _whereabouts(self, now: Instant) -> Whereabouts:
        """Tell where correspondents can be dealt with from."""
        match self._place:
            case Away(care_of=care_of, usable=True):
                return Abroad(
                    care_of_address=care_of.address,
                    valid_until=self._valid_until(care_of, now),
                    registered_until=self._registration.acknowledged_until,
                    renewal=self._registration.deadline(),
                )
            case AtHome():
                return OnHomeLink()
            case _:
                return Nowhere()

    def deadline(self) -> Instant | None:
        """When anything of this node is due."""
        due = [self._movement.deadline(), self._announcements.deadline(), self._correspondent.deadline()]
        due.append(self._prefixes.deadline())
        if self._movement.settled:
            due += [self._choice.deadline(), self._route_optimisation.deadline()]
            due.append(None if self._choice.turning else self._registration.deadline())
        match self._place:
            case Away(care_of=care_of) if care_of.valid_until != float("inf"):
                due.append(care_of.valid_until)
            case Returning():
                due.append(self._registration.may_exist_until)
            case _:
                pass
        return min((instant for instant in due if instant is not None), default=None)

    def snapshot(self, now: Instant) -> list[dict[str, Any]]:
        """List the Binding Update List, the home agent's entry first, and the binding cache.

        The first entry has the place too: unattached, settling, athome, returning, away.
        """
        care_of, home_agent = self._registration.care_of_address, self._registration.home_agent
        return [
            {
                "peer": None if home_agent is None else str(home_agent),
                "home_address": str(self._config.home_address),
                "care_of_address": None if care_of is None else str(care_of),
                "state": self._registration.state,
                "sequence": self._registration.sequence,
                "remaining": round(self._registration.remaining(now), 3),
                "place": type(self._place).__name__.lower(),
            },
            *self._route_optimisation.snapshot(now),
            *self._correspondent.snapshot(now),
        ]

    # What arrives

    def _received(self, received: Received, now: Instant) -> list[Effect]:
        packet = received.packet
        match packet.payload:
            case UnknownMobilityMessage():
                return answer_unknown_type(received, self._errors, now)
            case MobilePrefixAdvertisement() as advertisement:
                return self._prefixes.advertised(packet, advertisement, now)
            case _ if packet.home_address is not None:
                return self._for_correspondent(received, now)
            case BindingAcknowledgement() as acknowledgement if packet.source == self._registration.home_agent:
                return self._on_acknowledgement(received, acknowledgement, now)
            case BindingError() as error if packet.source == self._registration.home_agent:
                return self._on_error_of_home_agent(received, error, now)
            case (
                HomeTest() | CareOfTest() | BindingAcknowledgement() | BindingRefreshRequest() | BindingError()
            ) as message:
                return self._route_optimisation.received(received, message, now)
            case message if isinstance(message, MobilityMessage):
                return self._for_correspondent(received, now)
            case _ if packet.routed_home_address is not None:
                # What reaches the engine is what the plane did not take: it comes by no binding of ours.
                return [drop(packet, "unsupported-packet", "type 2 routing header")]
            case message if isinstance(message, Icmpv6Message):
                return self._on_icmpv6(received, message, now)
            case _:
                return [drop(packet, "unsupported-packet")]

    def _for_correspondent(self, received: Received, now: Instant) -> list[Effect]:
        """Take what other mobile nodes ask of this one, and what comes by their Home Address options (§9)."""
        packet = received.packet
        is_message = isinstance(packet.payload, MobilityMessage)
        if is_message and (packet.routed_home_address or packet.destination) != self._config.home_address:
            return [drop(packet, "not-for-home-address", type(packet.payload).__name__)]
        return self._correspondent.handle(received, now)

    def _on_icmpv6(self, received: Received, message: Icmpv6Message, now: Instant) -> list[Effect]:
        if isinstance(message, ParameterProblem):  # on any interface: perhaps through the tunnel
            return self._route_optimisation.parameter_problem(received.packet, message, now)
        if isinstance(message, DestinationUnreachable):
            return self._correspondent.handle(received, now)
        if received.interface != self._config.interface:
            return []
        match message:
            case RouterAdvertisement():
                return self._on_advertisement(received, now)
            case HomeAgentAddressDiscoveryReply() as reply:
                return self._choice.replied(received.packet, reply, now)
            case NeighborAdvertisement():
                self._movement.neighbor_advertised(received.packet, now)
                return []
            case NeighborSolicitation(target=target) if target == self._config.home_address:
                return self._on_solicitation_of_home_address(received, now)
            case _:
                return []

    # Movement, §11.5.1 to §11.5.4

    def _on_advertisement(self, received: Received, now: Instant) -> list[Effect]:
        if self._movement.link is None:  # read after the link was lost
            return []
        self._prefixes.heard(received.packet, now)
        heard = self._choice.heard(received.packet, bound=self._registration.may_exist(now), now=now)
        router = router_of(received.packet)
        if router is None:
            return heard
        self._refresh_lifetimes(router, now)
        effects, new = self._movement.advertised(router, now)
        effects = heard + effects
        return effects if new is None else effects + self._attach(new, now)

    def _refresh_lifetimes(self, router: Router, now: Instant) -> None:
        for prefix, network in zip(router.prefixes, router.networks, strict=True):
            until = valid_until(prefix.valid_lifetime, now)
            match self._place:
                case Away(care_of=care_of) as away if care_of.network == network and care_of.router.is_same(router):
                    self._place = replace(away, care_of=replace(care_of, valid_until=until))
                case _:
                    pass

    def _attach(self, router: Router, now: Instant) -> list[Effect]:
        """Settle on the link of a router that was not the current one."""
        at_home = self._config.home_prefix in router.networks  # §11.5.2
        before = self._place
        moved = MovementDetected(
            from_prefix=self._prefix_of(before),
            to_prefix=self._config.home_prefix if at_home else router.networks[0],
            at_home=at_home,
        )
        effects: list[Effect] = [Report(event=moved), *self._leave(before, now)]
        return effects + (self._arrive_home(router, now) if at_home else self._arrive_away(router, 0, now))

    def _prefix_of(self, place: Place) -> Any:
        match place:
            case Unattached():
                return None
            case Away(care_of=care_of):
                return care_of.network
            case _:
                return self._config.home_prefix

    def _leave(self, place: Place, now: Instant) -> list[Effect]:
        """Take back what belonged to the link that was left.

        A care-of address stays until the next one is acknowledged, for packets that are under way (§11.5.4).
        """
        suspended = self._route_optimisation.suspend(EndReason.MOVED, now)
        return [*suspended, *self._take_back(place)]

    def _take_back(self, place: Place) -> list[Effect]:
        home_address, interface = self._config.home_address, self._config.interface
        match place:
            case Away(care_of=care_of):
                self._left_behind.append(care_of)
                return [StopDad(address=care_of.address)]
            case Returning():
                self._registration.abandon()
                group = solicited_node(home_address)
                return [
                    LeaveGroup(interface=interface, group=group),
                    ForgetRouter(interface=interface, source=home_address),
                ]
            case AtHome() | Settling():
                self._announcements.stop(home_address)
                return [
                    StopDad(address=home_address),
                    RemoveAddress(interface=interface, address=home_address, prefix_length=64),
                    ForgetRouter(interface=interface, source=home_address),
                ]
            case Unattached():
                return []

    def _arrive_away(self, router: Router, collisions: int, now: Instant) -> list[Effect]:
        """Form a care-of address and, if it may be used before its test ends, register it at once."""
        link = self._movement.link
        assert link is not None  # an advertisement came in on it
        care_of = form(router, link.link_layer_address, collisions, now)
        self._left_behind = [left for left in self._left_behind if left.address != care_of.address]
        optimistic = self._config.dad is DadMode.OPTIMISTIC
        self._place = Away(care_of=care_of, usable=optimistic)
        interface = self._config.interface
        effects: list[Effect] = [
            AddAddress(interface=interface, address=care_of.address, prefix_length=64),
            UseRouter(
                interface=interface,
                router=router.address,
                source=care_of.address,
                link_layer_address=router.link_layer_address,
            ),
        ]
        if optimistic:
            effects += self._register(care_of, now)
        return [
            *effects,
            Report(event=CareOfAddressFormed(address=care_of.address, optimistic=optimistic)),
            StartDad(interface=interface, address=care_of.address),
        ]

    def _register(self, care_of: CareOfAddress, now: Instant) -> list[Effect]:
        home_agent = self._registration.home_agent
        if home_agent is None:  # as soon as one is found
            return []
        tunnel = InstallReverseTunnel(
            home_agent_address=home_agent,
            home_address=self._config.home_address,
            care_of_address=care_of.address,
        )
        request = self._request(care_of.address, self._valid_until(care_of, now))
        return [tunnel, *self._registration.request(request, now)]

    def _valid_until(self, care_of: CareOfAddress, now: Instant) -> Instant:
        """Tell when the first of two addresses ends: no binding may outlive it (§11.7.1, §11.4.2)."""
        return min(care_of.valid_until, self._prefixes.valid_until(self._config.home_address, now))

    def _request(self, care_of_address: IPv6Address, until: Instant) -> Request:
        link = self._movement.link
        own = None if link is None else interface_identifier(link.link_layer_address)
        return Request(
            care_of_address=care_of_address,
            valid_until=until,
            link_local_compatible=int(self._config.home_address) & INTERFACE_IDENTIFIER == own,  # §11.7.1
        )

    def _on_unique(self, address: IPv6Address, now: Instant) -> list[Effect]:
        match self._place:
            case Away(care_of=care_of, usable=False) as away if care_of.address == address:
                self._place = replace(away, usable=True)
                return self._register(care_of, now)
            case Settling(router=router) if address == self._config.home_address:
                return self._use_home_address(router)
            case _:
                return []

    def _on_duplicate(self, address: IPv6Address, now: Instant) -> list[Effect]:
        lost = Report(event=CareOfAddressLost(address=address, reason="duplicate"))
        interface = self._config.interface
        match self._place:
            case Away(care_of=care_of) if care_of.address == address and self._movement.link is None:
                return self._lose(care_of, "duplicate", now)
            case Away(care_of=care_of) if care_of.address == address:
                suspended = self._route_optimisation.suspend(EndReason.CARE_OF_ADDRESS_LOST, now)
                another = self._arrive_away(care_of.router, care_of.collisions + 1, now)
                return [lost, *suspended, *self._drop(care_of), *another]
            case Settling(router=router) | AtHome(router=router) if address == self._config.home_address:
                # Somebody on the home link has our home address; without it there is nothing to be done here.
                self._place = Settling(router=router)
                suspended = self._route_optimisation.suspend(EndReason.CARE_OF_ADDRESS_LOST, now)
                return [lost, *suspended, RemoveAddress(interface=interface, address=address, prefix_length=64)]
            case _:
                return []

    def _lose(self, care_of: CareOfAddress, reason: str, now: Instant) -> list[Effect]:
        """Go on without a care-of address until a router is found again."""
        self._place = Unattached()
        self._registration.abandon()
        lost = Report(event=CareOfAddressLost(address=care_of.address, reason=reason))
        suspended = self._route_optimisation.suspend(EndReason.CARE_OF_ADDRESS_LOST, now)
        return [lost, *suspended, *self._drop(care_of), *self._movement.forget(now)]

    def _drop(self, care_of: CareOfAddress) -> list[Effect]:
        interface = self._config.interface
        return [
            ForgetRouter(interface=interface, source=care_of.address),
            RemoveAddress(interface=interface, address=care_of.address, prefix_length=64),
        ]

    def _drop_left_behind(self) -> list[Effect]:
        left, self._left_behind = self._left_behind, []
        return [effect for care_of in left for effect in self._drop(care_of)]

    # Home, §11.5.5

    def _arrive_home(self, router: Router, now: Instant) -> list[Effect]:
        home_address = self._config.home_address
        if not self._registration.may_exist(now):
            self._registration.abandon()
            return self._settle(router)
        self._place = Returning(router=router)
        group = solicited_node(home_address)
        neighbor = self._home_agent_on_link(router, now)
        # Upper layers keep to the tunnel until the home agent has let the home address go: only the
        # Binding Update leaves from it, straight to the home agent (§11.5.5).
        return [
            UseRouter(
                interface=self._config.interface,
                router=None if neighbor is None else neighbor.address,
                source=home_address,
                destination=self._registration.home_agent,
                link_layer_address=None if neighbor is None else neighbor.link_layer_address,
            ),
            *self._registration.request(self._request(home_address, now), now),
            JoinGroup(interface=self._config.interface, group=group),
        ]

    def _home_agent_on_link(self, router: Router, now: Instant) -> Router | HomeAgentEntry | None:
        """Give what the home agent told of itself: it may be another than the router of the home link."""
        if self._registration.home_agent in router.global_addresses or not router.global_addresses:
            return router
        return self._choice.neighbor(now)

    def _return_unbound(self, router: Router) -> list[Effect]:
        """Go on as one that was never away: no home agent has a binding, or can have one any more."""
        self._registration.abandon()
        group = solicited_node(self._config.home_address)
        return [LeaveGroup(interface=self._config.interface, group=group), *self._settle(router)]

    def _settle(self, router: Router) -> list[Effect]:
        """Start on the home link as any node does: test the home address, then use it (RFC 4862)."""
        self._place = Settling(router=router)
        test = StartDad(interface=self._config.interface, address=self._config.home_address)
        if self._config.dad is DadMode.OPTIMISTIC:
            return [*self._use_home_address(router), test]
        return [test]

    def _use_home_address(self, router: Router) -> list[Effect]:
        self._place = AtHome(router=router)
        interface, home_address = self._config.interface, self._config.home_address
        return [
            AddAddress(interface=interface, address=home_address, prefix_length=64),
            UseRouter(
                interface=interface,
                router=router.address,
                source=home_address,
                default=True,
                link_layer_address=router.link_layer_address,
            ),
            RemoveReverseTunnel(home_address=home_address),
            *self._drop_left_behind(),
        ]

    def _on_solicitation_of_home_address(self, received: Received, now: Instant) -> list[Effect]:
        """Answer the home agent, and it alone, while it still defends the home address (§11.5.5)."""
        link, place, packet = self._movement.link, self._place, received.packet
        if not isinstance(place, Returning) or link is None or packet.hop_limit != HOP_LIMIT:
            return []
        neighbor = self._home_agent_on_link(place.router, now)
        if packet.source not in (self._registration.home_agent, neighbor and neighbor.address):
            return []
        reply = answer(self._config.home_address, link.link_layer_address, packet.source)
        return [Send(packet=reply, interface=self._config.interface)]

    def _finish_returning(self, place: Returning, now: Instant) -> list[Effect]:
        interface, home_address = self._config.interface, self._config.home_address
        link = self._movement.link
        effects: list[Effect] = [
            *self._use_home_address(place.router),
            LeaveGroup(interface=interface, group=solicited_node(home_address)),
        ]
        if link is not None:
            packet = announcement(home_address, link.link_layer_address)
            effects += self._announcements.start(home_address, packet, interface, now)
        return [*effects, Report(event=ReturnedHome(home_address=home_address))]

    # The home agent's answers, §11.7.3

    def _on_acknowledgement(
        self, received: Received, acknowledgement: BindingAcknowledgement, now: Instant
    ) -> list[Effect]:
        packet = received.packet
        addressed = packet.routed_home_address or packet.destination  # §11.7.3, §6.4
        if addressed != self._config.home_address:
            return [drop(packet, "unexpected-acknowledgement", f"#{acknowledgement.sequence}")]
        effects, outcome = self._registration.acknowledged(acknowledgement, now)
        if outcome is Outcome.ACCEPTED and acknowledgement.status == Status.ACCEPTED_PREFIX_DISCOVERY_NECESSARY:
            self._prefixes.solicit(now)  # §11.7.3
        match outcome, self._place:
            case Outcome.IGNORED, _:
                return [drop(packet, "unexpected-acknowledgement", f"#{acknowledgement.sequence}")]
            case Outcome.REFUSED, Away() if acknowledgement.status in NO_LONGER_WANTED:
                self._choice.failed(f"status {acknowledgement.status}", now)
                return effects
            case Outcome.ACCEPTED, Returning() as place:
                self._choice.succeeded()
                return effects + self._finish_returning(place, now)
            case Outcome.NOT_BOUND, Returning(router=router):
                return [*effects, *self._return_unbound(router)]
            case Outcome.ACCEPTED, _:
                self._choice.succeeded()
                return effects + self._drop_left_behind()
            case _:
                return effects

    def _on_error_of_home_agent(self, received: Received, error: BindingError, now: Instant) -> list[Effect]:
        """Register again where the home agent says that it has no binding (§11.3.6)."""
        unknown = error.status == BindingErrorStatus.UNKNOWN_BINDING_FOR_HOME_ADDRESS_OPTION
        if unknown and error.home_address == self._config.home_address and isinstance(self._place, Away):
            return self._registration.renew(now)
        return [drop(received.packet, "unexpected-binding-error", f"status {error.status}")]

    def _advance(self, now: Instant) -> list[Effect]:
        effects, new = self._movement.advance(now)
        if new is not None:
            effects += self._attach(new, now)
        match self._place:
            case Away(care_of=care_of) if care_of.valid_until <= now:
                effects += [StopDad(address=care_of.address), *self._lose(care_of, "prefix expired", now)]
            case Returning(router=router) if not self._registration.may_exist(now):
                effects += self._return_unbound(router)
            case _:
                pass
        if self._movement.settled:  # else nobody knows by which router, and from which address, to register
            effects += self._advance_registration(now) + self._route_optimisation.advance(now)
        effects += self._announcements.advance(now)
        return effects + self._correspondent.handle(DeadlineReached(), now)

    # Which home agent, §11.4.1

    def _advance_registration(self, now: Instant) -> list[Effect]:
        if isinstance(self._place, Away) and self._registration.is_unanswered(now):
            self._choice.failed("no acknowledgement", now)
        effects = self._choice.advance(now)
        return effects if self._choice.turning else effects + self._registration.advance(now)

    def _follow_home_agent(self, now: Instant) -> list[Effect]:
        """Ask for home agents where that is needed, and register with the one that is chosen."""
        source, registration = self._source_at_hand(), self._registration
        away = source is not None and isinstance(self._place, Away)
        effects = self._choice.follow(source, away=away, last_sent=registration.last_sent, now=now)
        if self._choice.current == registration.home_agent:
            return effects
        registration.turn_to(self._choice.current)
        self._route_optimisation.home_agent = self._choice.current
        match self._place:
            case Away(care_of=care_of, usable=True):
                return effects + self._register(care_of, now)
            case _:
                return effects

    # The prefixes of home, §11.4.2 and §11.4.3

    def _follow_prefixes(self, now: Instant) -> list[Effect]:
        """Keep the binding within the lifetimes of its addresses, and ask for those of home where it is in force."""
        effects: list[Effect] = []
        match self._place:
            case Away(care_of=care_of, usable=True):
                effects = self._registration.limit(self._valid_until(care_of, now), now)
            case _:
                pass
        return effects + self._prefixes.follow(self._asker(now), now)

    def _asker(self, now: Instant) -> Asker | None:
        match self._whereabouts(now), self._registration.home_agent:
            case Abroad() as where, IPv6Address() as home_agent if where.is_registered(now) and self._movement.settled:
                return Asker(
                    home_address=self._config.home_address,
                    care_of_address=where.care_of_address,
                    home_agent=home_agent,
                )
            case _:
                return None

    def _source_at_hand(self) -> IPv6Address | None:
        """Give the address that a request can be sent from: on a foreign link the care-of address."""
        match self._place:
            case Away(care_of=care_of, usable=True) if self._movement.settled:
                return care_of.address
            case AtHome() if self._movement.settled:
                return self._config.home_address
            case _:
                return None
