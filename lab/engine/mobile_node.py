"""A mobile node, RFC 6275 §11: where its interface is, and its home addresses.

The node finds routers and forms care-of addresses; what follows for a home address is in `lab.engine.home`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from itertools import chain
from typing import Any

from lab.auth.secrets import Secrets
from lab.engine.care_of_address import CareOfAddress, form, valid_until
from lab.engine.config import DadMode, MobileNodeConfig
from lab.engine.correspondent import Correspondent
from lab.engine.home import Home
from lab.engine.home_agents_list import HomeAgentsList
from lab.engine.io import (
    AddAddress,
    DadFailed,
    DadSucceeded,
    DeadlineReached,
    Effect,
    ForgetRouter,
    Input,
    InstallBinding,
    InstallRouteOptimisation,
    Instant,
    LinkDown,
    LinkHint,
    LinkUp,
    Malformed,
    PeerHeard,
    Received,
    Refused,
    RemoveAddress,
    Report,
    StartDad,
    Started,
    StopDad,
    Used,
    UseRouter,
)
from lab.engine.mobility_header import ErrorLimit, answer_malformed, answer_unknown_type, drop
from lab.engine.movement import SLAAC_PREFIX_LENGTH, Movement, Router, network_of, router_of
from lab.engine.place import Attachment, Away, HomeLink, Unattached
from lab.engine.prefix_discovery import Asker, PrefixDiscovery
from lab.engine.route_optimisation import FromPeer, unexpected
from lab.engine.sending_limit import SendingLimit
from lab.engine.subscriptions import Subscriptions
from lab.events import CareOfAddressFormed, CareOfAddressLost, HomeAddressAdded, MovementDetected
from lab.safeguards import NOTHING, Without
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
from lab.wire.neighbor import PrefixInformation
from lab.wire.packet import Packet


class MobileNode:
    """One interface, and home addresses on one home link, all with the same care-of address (§8.5)."""

    def __init__(self, config: MobileNodeConfig, secrets: Secrets, *, without: Without = NOTHING) -> None:
        self._config = config
        self._without = without
        self._secrets = secrets
        self._movement = Movement(config.interface, without)
        self._subscriptions = Subscriptions(config.interface)
        self._attachment: Attachment = Unattached()
        self._left_behind: list[CareOfAddress] = []
        self._home_agents = HomeAgentsList()
        self._prefixes = PrefixDiscovery(config, secrets, without)
        self._limit = SendingLimit()
        self._errors = ErrorLimit()
        self._homes: dict[IPv6Address, Home] = {}
        self._asks_as = config.home_address
        self._used_prefixes: set[IPv6Network] = set()
        """Those of home from which a home address was made: one that is given up is not made again."""
        self._due_beside: Instant | None = None
        """When anything but movement detection is due, infinite if nothing is; None if that must be found out."""
        self._correspondent = Correspondent(config.correspondent, secrets, home_addresses=self._homes, without=without)
        """What it is to other mobile nodes, at its home addresses (§8.2)."""
        self._make_home(config.home_address, config.home_prefix)
        for address in config.further_home_addresses:
            self._make_home(address, IPv6Network((address, SLAAC_PREFIX_LENGTH), strict=False))

    def _make_home(self, home_address: IPv6Address, home_prefix: IPv6Network) -> Home:
        config = replace(self._config, home_address=home_address, home_prefix=home_prefix, further_home_addresses=())
        home = Home(
            config,
            self._secrets,
            movement=self._movement,
            home_agents=self._home_agents,
            prefixes=self._prefixes,
            limit=self._limit,
            without=self._without,
        )
        self._homes[home_address] = home
        self._used_prefixes.add(home_prefix)
        self._prefixes.have(home_prefix)
        return home

    def handle(self, happened: Input, now: Instant) -> Iterator[Effect]:
        """Take one input; see `lab.engine.io.Engine`."""
        if isinstance(happened, Received) and self._movement.repeated(happened, now):
            return
        self._due_beside = None  # also where what follows is not thought to its end
        yield from self._handle(happened, now)  # what asks and registers is sent before the rest is found
        if not isinstance(happened, LinkUp | LinkHint):  # where it is now is known when a router has answered
            yield from self._follow(now)

    def _handle(self, happened: Input, now: Instant) -> list[Effect]:
        match happened:
            case Started():
                return _all(home.own() for home in self._homes.values())
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
            case DadFailed():
                return self._on_duplicate(happened, now)
            case Used(peer=None) | Refused(effect=InstallBinding()):
                return self._correspondent.handle(happened, now)
            case PeerHeard() | Used() | Refused(effect=InstallRouteOptimisation()):
                return self._on_direct_path(happened, now)
            case DeadlineReached():
                return self._advance(now)
            case _:
                return []

    def _on_direct_path(self, happened: PeerHeard | Used | Refused, now: Instant) -> list[Effect]:
        """Take what the plane tells of the paths to a peer."""
        match happened:
            case PeerHeard(home_address=home_address, peer=peer) if home_address in self._homes:
                return self._homes[home_address].route_optimisation.heard(peer, now)
            case Used(home_address=home_address, peer=IPv6Address() as peer, used=used) if home_address in self._homes:
                return self._homes[home_address].route_optimisation.used(peer, used, now)
            case Refused(effect=InstallRouteOptimisation(home_address=home_address, peer=peer)) if (
                home_address in self._homes
            ):
                return self._homes[home_address].route_optimisation.refused(peer, now)
            case _:
                return []

    def _follow(self, now: Instant) -> list[Effect]:
        """Go on after whatever happened: with home agents and correspondents, and without what is over."""
        self._due_beside = None
        effects = self._follow_prefixes(now)
        if all(home.is_answered for home in self._homes.values()):
            left, self._left_behind = self._left_behind, []
            effects += _all(self._drop(care_of) for care_of in left)
        for home in [*self._homes.values()]:
            effects += home.follow(now)
            if home.is_over(now):
                del self._homes[home.address]
                effects += home.disown()
        effects += self._prefixes.follow(self._asker(now), now)
        return effects + self._subscriptions.follow(at_home=any(home.is_at_home for home in self._homes.values()))

    def deadline(self) -> Instant | None:
        """When anything of this node is due."""
        if self._due_beside is None:
            self._due_beside = self._find_due_beside()
        movement = self._movement.deadline()
        due = self._due_beside if movement is None else min(movement, self._due_beside)
        return due if due < float("inf") else None

    def _find_due_beside(self) -> Instant:
        due = [self._correspondent.deadline(), *(home.deadline() for home in self._homes.values())]
        due += [self._prefixes.deadline(), self._prefixes.next_end()]
        match self._attachment:
            case Away(care_of=care_of):
                due.append(care_of.valid_until)
            case _:
                pass
        return min(instant for instant in due if instant is not None)

    def snapshot(self, now: Instant) -> list[dict[str, Any]]:
        """List the Binding Update List, for each home address the home agent's entry first, and the binding cache.

        The home agents' entries have the place too: unattached, settling, athome, returning, away.
        """
        entries = [entry for home in self._homes.values() for entry in home.snapshot(now)]
        return [*entries, *self._correspondent.snapshot(now)]

    # Home addresses that come and go, §11.4.3

    def add_home_address(self, home_address: IPv6Address, home_prefix: IPv6Network, now: Instant) -> list[Effect]:
        """Have another home address of the home link from now on; nothing happens if it is there already."""
        if home_address in self._homes:
            return []
        return [*self._add(home_address, home_prefix, now), *self._follow(now)]

    def _add(self, home_address: IPv6Address, home_prefix: IPv6Network, now: Instant) -> list[Effect]:
        home = self._make_home(home_address, home_prefix)
        effects = [*home.own(), Report(event=HomeAddressAdded(home_address=home_address))]
        match self._attachment:
            case HomeLink(router=router):
                effects += home.arrive_home(router, now)
            case Away() as away:
                effects += [*home.visit(away, now), *home.tunnel()]
            case Unattached():
                pass
        return effects

    def end_home_address(self, home_address: IPv6Address, now: Instant) -> list[Effect]:
        """Give a home address up: its bindings are deleted first, as far as correspondents and home agent answer."""
        home = self._homes.get(home_address)
        return [] if home is None else [*home.end(now), *self._follow(now)]

    def _follow_prefixes(self, now: Instant) -> list[Effect]:
        """Have a home address of each prefix of home, and none of a prefix that is over but the last one there is."""
        effects: list[Effect] = []
        made = self._prefixes.home_addresses(now)
        self._used_prefixes &= {address.network for address in made}
        for address in made:
            if address.network not in self._used_prefixes:
                effects += self._add(address.address, address.network, now)
        for home in self._lasting_homes():
            if self._prefixes.valid_until(home.address, now) <= now and len(self._lasting_homes()) > 1:
                effects += home.end(now)
        return effects

    def _on_prefix_advertisement(
        self, packet: Packet, message: MobilePrefixAdvertisement, now: Instant
    ) -> list[Effect]:
        """Take it as the home address that it is for: the home agent awaits what is asked thereupon from there."""
        effects: list[Effect] = []
        home = None if packet.routed_home_address is None else self._homes.get(packet.routed_home_address)
        asker = None if home is None else home.asker(now)
        if asker is not None and packet.source == asker.home_agent:
            self._asks_as = asker.home_address
            effects = self._prefixes.follow(asker, now)
        return effects + self._prefixes.advertised(packet, message, now)

    def _asker(self, now: Instant) -> Asker | None:
        """Tell as which home address to ask for prefixes: the one that was last told of them, or any."""
        askers = {home.address: asker for home in self._homes.values() if (asker := home.asker(now)) is not None}
        return askers.get(self._asks_as, next(iter(askers.values()), None))

    def _lasting_homes(self) -> list[Home]:
        return [home for home in self._homes.values() if not home.is_ending]

    # What arrives

    def _received(self, received: Received, now: Instant) -> list[Effect]:
        packet = received.packet
        match packet.payload:
            case UnknownMobilityMessage():
                return answer_unknown_type(received, self._errors, now)
            case MobilePrefixAdvertisement() as advertisement:
                return self._on_prefix_advertisement(packet, advertisement, now)
            case (BindingAcknowledgement() | BindingRefreshRequest() | BindingError()) as message if (
                packet.home_address is not None
            ):  # of a peer that is mobile too (§9.3.1)
                return self._from_peer(received, message, now)
            case _ if packet.home_address is not None:
                return self._for_correspondent(received, now)
            case (
                HomeTest() | CareOfTest() | BindingAcknowledgement() | BindingRefreshRequest() | BindingError()
            ) as message:
                return self._from_peer(received, message, now)
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
        if is_message and (packet.routed_home_address or packet.destination) not in self._homes:
            return [drop(packet, "not-for-home-address", type(packet.payload).__name__)]
        return self._correspondent.handle(received, now)

    def _from_peer(self, received: Received, message: FromPeer, now: Instant) -> list[Effect]:
        """Take an answer for the home address that waits for it; it may have come to the care-of address of all."""
        taken = _first(home.received(received, message, now) for home in self._homes.values())
        return [unexpected(received.packet, message)] if taken is None else taken

    def _on_icmpv6(self, received: Received, message: Icmpv6Message, now: Instant) -> list[Effect]:
        packet = received.packet
        if isinstance(message, ParameterProblem):  # on any interface: perhaps through the tunnel
            return _all(home.parameter_problem(packet, message, now) for home in self._homes.values())
        if isinstance(message, DestinationUnreachable):
            return self._correspondent.handle(received, now)
        if received.interface != self._config.interface:
            self._subscriptions.reported(message)
            return []
        match message:
            case RouterAdvertisement():
                return self._on_advertisement(received, message, now)
            case HomeAgentAddressDiscoveryReply(addresses=addresses):
                taken = _first(home.choice.replied(packet, message, now) for home in self._homes.values())
                dropped = drop(packet, "unexpected-discovery-reply", f"{len(addresses)} home agents")
                return [dropped] if taken is None else taken
            case NeighborAdvertisement():
                self._movement.neighbor_advertised(packet, now)
                return _all(home.neighbor_advertised(packet, now) for home in self._homes.values())
            case NeighborSolicitation(target=target) if target in self._homes:
                return self._homes[target].solicited(received, now)
            case _:
                return []

    # Movement, §11.5.1 to §11.5.4

    def _on_advertisement(self, received: Received, message: RouterAdvertisement, now: Instant) -> list[Effect]:
        if self._movement.link is None:  # read after the link was lost
            return []
        packet = received.packet
        self._prefixes.heard(packet, now)
        effects: list[Effect] = []
        told = [o for o in message.options if isinstance(o, PrefixInformation)]
        networks = {network_of(option) for option in told if option.prefix_length == SLAAC_PREFIX_LENGTH}
        if self._home_prefix(networks) is not None:
            effects = self._home_agents.heard(packet, now)
            effects += _all(home.advertised(packet.source, now) for home in self._homes.values())
        router = router_of(packet)
        if router is None:
            return effects
        self._refresh_lifetimes(router, now)
        seen, new = self._movement.advertised(router, received, now)
        return effects + seen + ([] if new is None else self._attach(new, now))

    def _home_prefix(self, networks: Iterable[IPv6Network]) -> IPv6Network | None:
        """Give the first home prefix that is among those of a link; None if it is a foreign link (§11.5.2)."""
        return next((home.prefix for home in self._homes.values() if home.prefix in networks), None)

    def _refresh_lifetimes(self, router: Router, now: Instant) -> None:
        for prefix, network in zip(router.prefixes, router.networks, strict=True):
            until = valid_until(prefix.valid_lifetime, now)
            match self._attachment:
                case Away(care_of=care_of) as away if care_of.network == network and care_of.router.is_same(router):
                    self._visit(replace(away, care_of=replace(care_of, valid_until=until)), now)
                case _:
                    pass

    def _attach(self, router: Router, now: Instant) -> list[Effect]:
        """Settle on the link of a router that was not the current one."""
        prefix, before = self._home_prefix(router.networks), self._attachment
        moved = MovementDetected(
            from_prefix=_prefix_of(before),
            to_prefix=router.networks[0] if prefix is None else prefix,
            at_home=prefix is not None,
        )
        effects: list[Effect] = [Report(event=moved), *self._leave(before, now)]
        if prefix is None:
            return effects + self._arrive_away(router, 0, now)
        self._attachment = HomeLink(router=router, prefix=prefix)
        effects += _all(home.arrive_home(router, now) for home in self._homes.values())
        return effects + self._end_tests()

    def _leave(self, attachment: Attachment, now: Instant) -> list[Effect]:
        """Take back what belonged to the link that was left.

        A care-of address stays until the next one is acknowledged, for packets that are under way (§11.5.4).
        """
        effects = _all(home.leave(now) for home in self._homes.values())
        match attachment:
            case Away(care_of=care_of):
                self._left_behind.append(care_of)
            case _:
                pass
        return effects

    def _end_tests(self) -> list[Effect]:
        """End the tests of addresses that were left behind."""
        return [StopDad(address=care_of.address) for care_of in self._left_behind]

    def _arrive_away(self, router: Router, collisions: int, now: Instant) -> list[Effect]:
        """Form a care-of address and, if it may be used before its test ends, register it at once."""
        link = self._movement.link
        assert link is not None  # an advertisement came in on it
        care_of = form(router, link.link_layer_address, collisions, now)
        end_tests = self._end_tests()
        self._left_behind = [left for left in self._left_behind if left.address != care_of.address]
        optimistic = self._config.dad is DadMode.OPTIMISTIC
        interface = self._config.interface
        return [
            UseRouter(
                interface=interface,
                router=router.address,
                source=care_of.address,
                link_layer_address=router.link_layer_address,
            ),
            # The Binding Update as soon as it finds its way: whoever sends to the home address waits for it alone.
            *self._visit(Away(care_of=care_of, usable=optimistic), now),
            *end_tests,
            AddAddress(interface=interface, address=care_of.address, prefix_length=SLAAC_PREFIX_LENGTH),
            *self._tunnels(),
            Report(event=CareOfAddressFormed(address=care_of.address, optimistic=optimistic)),
            StartDad(interface=interface, address=care_of.address),
        ]

    def _visit(self, away: Away, now: Instant) -> list[Effect]:
        self._attachment = away
        return _all(home.visit(away, now) for home in self._homes.values())

    def _tunnels(self) -> list[Effect]:
        return _all(home.tunnel() for home in self._homes.values())

    # Duplicate Address Detection

    def _on_unique(self, address: IPv6Address, now: Instant) -> list[Effect]:
        match self._attachment:
            case Away(care_of=care_of, usable=False) as away if care_of.address == address:
                return [*self._visit(replace(away, usable=True), now), *self._tunnels()]
            case HomeLink() if address in self._homes:
                return self._homes[address].on_unique()
            case _:
                return []

    def _on_duplicate(self, failed: DadFailed, now: Instant) -> list[Effect]:
        match self._attachment:
            case Away(care_of=care_of) if care_of.address == failed.address:
                lost = self._lose(care_of, "duplicate", now)
                if self._movement.link is None:
                    return lost + self._movement.forget(now)
                return lost + self._arrive_away(care_of.router, care_of.collisions + 1, now)
            case HomeLink() if failed.address in self._homes:
                return self._homes[failed.address].on_duplicate(failed.link_layer_address, now)
            case _:
                return []

    def _lose(self, care_of: CareOfAddress, reason: str, now: Instant) -> list[Effect]:
        """Go on without a care-of address."""
        self._attachment = Unattached()
        lost = Report(event=CareOfAddressLost(address=care_of.address, reason=reason))
        suspended = _all(home.lose_care_of_address(now) for home in self._homes.values())
        return [lost, *suspended, *self._drop(care_of)]

    def _drop(self, care_of: CareOfAddress) -> list[Effect]:
        interface = self._config.interface
        return [
            ForgetRouter(interface=interface, source=care_of.address),
            RemoveAddress(interface=interface, address=care_of.address, prefix_length=SLAAC_PREFIX_LENGTH),
        ]

    # Time

    def _advance(self, now: Instant) -> list[Effect]:
        effects, new = self._movement.advance(now)
        if new is not None:
            effects += self._attach(new, now)
        match self._attachment:
            case Away(care_of=care_of) if care_of.valid_until <= now:
                effects += [StopDad(address=care_of.address), *self._lose(care_of, "prefix expired", now)]
                effects += self._movement.forget(now)
            case _:
                pass
        effects += _all(home.advance(now) for home in self._homes.values())
        return effects + self._correspondent.handle(DeadlineReached(), now)


def _all(answers: Iterable[list[Effect]]) -> list[Effect]:
    """Give the answers one after the other."""
    return [*chain.from_iterable(answers)]


def _first(answers: Iterable[list[Effect] | None]) -> list[Effect] | None:
    """Give the first answer there is, and ask no further."""
    return next((answer for answer in answers if answer is not None), None)


def _prefix_of(attachment: Attachment) -> IPv6Network | None:
    match attachment:
        case Unattached():
            return None
        case Away(care_of=care_of):
            return care_of.network
        case HomeLink(prefix=prefix):
            return prefix
