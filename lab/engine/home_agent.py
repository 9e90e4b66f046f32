"""A home agent, RFC 6275 §10: home registrations, their proxies and tunnels."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv6Address
from typing import Any

from lab.auth.secrets import Secrets
from lab.constants import Status
from lab.engine.admission import Admission
from lab.engine.announcements import Announcements
from lab.engine.config import HomeAgentConfig
from lab.engine.correspondent import Correspondent
from lab.engine.dhcpv6_relay import Dhcpv6Relay
from lab.engine.discovery_service import DiscoveryService
from lab.engine.home_binding import (
    Deregistered,
    HomeBindingCache,
    Probing,
    Registered,
    State,
    describe,
    last_sequence,
    record_of,
    state_of,
)
from lab.engine.home_registration import Registration, acknowledge, read_registration
from lab.engine.io import (
    BindingRecord,
    CutOff,
    DadFailed,
    DadSucceeded,
    DeadlineReached,
    DefendAddress,
    Effect,
    Forget,
    ForgetCutOff,
    ForwardGroup,
    Input,
    InstallBinding,
    InstallTunnel,
    Instant,
    LinkUp,
    Malformed,
    Readmitted,
    Recalled,
    Received,
    Refused,
    Remember,
    RememberCutOff,
    RemoveTunnel,
    Report,
    Send,
    StartDad,
    StopDad,
    StopDefending,
    Used,
)
from lab.engine.mobility_header import ErrorLimit, answer_malformed, drop
from lab.engine.multicast import Memberships
from lab.engine.neighbor_discovery import announcement_by_proxy
from lab.engine.prefix_service import PrefixService
from lab.engine.solicited_node_groups import SolicitedNodeGroups
from lab.engine.timetable import AT_ONCE
from lab.events import (
    BindingDeregistered,
    BindingRecalled,
    BindingRegistered,
    BindingRejected,
    BindingRemoved,
    HomeAddressCutOff,
    HomeAddressReadmitted,
    ProxyStarted,
    ProxyStopped,
    RegistrationKind,
)
from lab.safeguards import NOTHING, Without
from lab.wire import dhcpv6
from lab.wire.addresses import is_unicast_routable
from lab.wire.icmpv6 import HomeAgentAddressDiscoveryRequest, MobilePrefixSolicitation, RouterAdvertisement
from lab.wire.mobility import (
    BindingUpdate,
    BindingUpdateFlag,
    MobilityMessage,
)
from lab.wire.multicast_listener import MulticastListenerQuery
from lab.wire.options import NonceIndices
from lab.wire.packet import Datagram, Packet


class HomeAgent:
    """Serves the mobile nodes of one home link; `without`: see `lab.safeguards`."""

    def __init__(self, config: HomeAgentConfig, secrets: Secrets, *, without: Without = NOTHING) -> None:
        self._config = config
        self._correspondent = Correspondent(
            config.correspondent, secrets, has_home_registration=self._has_home_registration, without=without
        )
        """What every node is beside its role (§8.2)."""
        self._discovery = DiscoveryService(config, secrets)
        self._prefixes = PrefixService(config, secrets)
        self._cache = HomeBindingCache()
        self._admission = Admission(config, self._cache, self._prefixes, without)
        self._memberships = Memberships(config.interface)
        self._relay = Dhcpv6Relay(config, self._cache)
        self._announcements = Announcements()
        self._groups = SolicitedNodeGroups(config.interface)
        self._errors = ErrorLimit()
        self._link: LinkUp | None = None
        self._recalled: deque[tuple[Instant, IPv6Address]] = deque()
        """Home addresses that are served again, and since when; neighbours are still to be told."""

    def handle(self, happened: Input, now: Instant) -> Iterable[Effect]:
        """Take one input; see `lab.engine.io.Engine`."""
        match happened:
            case Received():
                return self._received(happened, now)
            case Malformed():
                return answer_malformed(happened, self._errors, now)
            case DadSucceeded(address=address):
                return self._on_unique(address, now)
            case DadFailed(address=address):
                return self._on_duplicate(address)
            case DeadlineReached():
                effects = self._announcements.advance(now) + self._take_up(now)
                effects += self._expire(now) + self._discovery.advance(now)
                effects += self._memberships.advance(now) + self._groups.advance(now)
                effects += self._prefixes.advance(now) + self._end_with_prefixes(now)
                return effects + self._correspondent.handle(happened, now)
            case Used() | Refused(effect=InstallBinding()):
                return self._correspondent.handle(happened, now)
            case Refused(effect=ForwardGroup(home_address=home_address, group=group)):
                return self._memberships.refused(home_address, group)
            case Refused():
                return self._on_refused(happened, now)
            case Recalled(record=record):
                return self._recall(record, now)
            case CutOff(home_address=home_address):
                return self._cut_off(home_address, now)
            case Readmitted(home_address=home_address):
                return self._readmit(home_address)
            case LinkUp(interface=interface) if interface == self._config.interface:
                self._link = happened
                self._prefixes.link_up(happened)
                self._groups.link_up(happened)
                return self._discovery.link_up(happened)
            case _:
                return []

    def deadline(self) -> Instant | None:
        """When the next binding ends or the next announcement is due."""
        due = (
            self._cache.deadline(),
            self._recalled[0][0] if self._recalled else None,
            self._announcements.deadline(),
            self._groups.deadline(),
            self._discovery.deadline(),
            self._memberships.deadline(),
            self._prefixes.deadline(),
            self._correspondent.deadline(),
        )
        return min((instant for instant in due if instant is not None), default=None)

    def snapshot(self, now: Instant) -> list[dict[str, Any]]:
        """List the binding cache."""
        cut_off = self._admission.cut_off
        own = [describe(home_address, state, now) for home_address, state in self._cache if home_address not in cut_off]
        own += [{"home_address": str(home_address), "state": "cut-off"} for home_address in sorted(cut_off)]
        return own + self._correspondent.snapshot(now)

    def _received(self, received: Received, now: Instant) -> Iterable[Effect]:
        packet = received.packet
        match packet.payload:
            case BindingUpdate(flags=flags) as update if flags & BindingUpdateFlag.HOME_REGISTRATION:
                return self._on_update(received, update, now)
            case HomeAgentAddressDiscoveryRequest():
                return self._discovery.received(received, now)
            case RouterAdvertisement():
                return self._discovery.received(received, now) + self._on_advertisement(received, now)
            case Packet(payload=Datagram() as datagram) as inner if received.tunnelled:
                return self._relay.from_tunnel(packet, inner, datagram)
            case Datagram(destination_port=dhcpv6.SERVER_PORT) as datagram if not packet.headers:
                return self._relay.from_server(packet, datagram)
            case MulticastListenerQuery() as query:
                self._groups.queried(received, query, now)
                return []
            case Packet() if received.tunnelled:
                return self._memberships.received(packet, self._cache.homes_at(packet.source), now)
            case MobilePrefixSolicitation() as solicitation if packet.home_address is None or self._is_served(packet):
                return self._prefixes.solicited(packet, solicitation, now)
            case payload if not isinstance(payload, MobilityMessage) and self._is_served(packet):
                # The data plane takes what is bound; this one came while the binding was made.
                return [drop(packet, "early-packet", f"home address {packet.home_address}")]
            case _:
                return self._correspondent.handle(received, now)

    def _is_served(self, packet: Packet) -> bool:
        """Tell whether a Home Address option and the source of a packet are those of a binding (§9.3.1)."""
        state = None if packet.home_address is None else self._cache.get(packet.home_address)
        return isinstance(state, Registered) and state.registration.care_of_address == packet.source

    def _has_home_registration(self, home_address: IPv6Address) -> bool:
        return isinstance(self._cache.get(home_address), Registered | Probing)

    def _on_advertisement(self, received: Received, now: Instant) -> list[Effect]:
        """Learn what prefixes there are, and which are over."""
        return self._prefixes.heard(received, now) + self._end_with_prefixes(now)

    def _end_with_prefixes(self, now: Instant) -> list[Effect]:
        """End the bindings whose prefix is over before them, since it was shortened meanwhile (§10.6.4)."""
        effects: list[Effect] = []
        for home_address, state in self._cache if self._prefixes.have_ended() else ():
            if isinstance(state, Registered) and not self._prefixes.serves(home_address, now):
                effects += self._remove(home_address, state, now)
        return effects

    # Binding Updates, §10.3

    def _on_update(self, received: Received, update: BindingUpdate, now: Instant) -> Iterable[Effect]:
        packet = received.packet
        home_address = packet.home_address or packet.source
        if not is_unicast_routable(home_address) or not is_unicast_routable(packet.source):
            return [drop(packet, "invalid-home-address", str(home_address))]  # §9.5.1
        if any(isinstance(option, NonceIndices) for option in update.options):
            return [drop(packet, "nonce-indices-in-home-registration", f"#{update.sequence}")]  # §6.2.6
        registration = read_registration(packet, update, self._config)
        ends = update.lifetime == 0 or registration.care_of_address == home_address  # §6.1.7
        state = self._cache.get(home_address)
        status = self._admission.objection(
            registration, ends=ends, corresponds=self._correspondent.has_binding(home_address), now=now
        )
        if status is not None:
            return self._reject(registration, status, state)
        if ends:
            return self._deregister(registration, state, now)
        return self._register(registration, state, now)

    def _register(self, registration: Registration, state: State | None, now: Instant) -> Iterable[Effect]:
        match state:
            case None | Deregistered():
                tested = registration.defended
                self._cache.put(
                    registration.home_address, Probing(registration=registration, untested=frozenset(tested))
                )
                # §10.3.1: no answer before Duplicate Address Detection
                return [StartDad(interface=self._config.interface, address=address) for address in tested]
            case Probing(untested=untested):
                self._cache.put(registration.home_address, Probing(registration=registration, untested=untested))
                return []
            case Registered(registration=earlier):
                moved = earlier.care_of_address != registration.care_of_address
                kind = RegistrationKind.MOVED if moved else RegistrationKind.REFRESHED
                return self._accept(registration, earlier.defended, kind, now)

    def _accept(
        self,
        registration: Registration,
        defended: tuple[IPv6Address, ...],
        kind: RegistrationKind,
        now: Instant,
    ) -> Iterator[Effect]:
        """Serve a binding, then acknowledge it (§10.3.1); `defended` names what is answered for already."""
        home_address = registration.home_address
        lifetime, status = self._prefixes.grant(home_address, registration.lifetime, now)
        if lifetime != registration.lifetime:
            registration = replace(registration, lifetime=lifetime)
        state = Registered(registration=registration, deadline=now + registration.lifetime)
        self._cache.put(home_address, state)
        if kind is not RegistrationKind.REFRESHED:  # first of all: what is intercepted must have a way to go
            yield from self._tunnel(registration, now)  # and packets wait for it while the rest is found
        for address in registration.defended:
            if address not in defended:
                yield from self._defend(address, now) + self._announce(address, now)
        for address in defended:
            if address not in registration.defended:
                yield from self._stop_defending(address, now)
        yield Remember(record=record_of(state))  # §15.3: what is acknowledged survives a restart
        registered = BindingRegistered(
            home_address=home_address,
            care_of_address=registration.care_of_address,
            lifetime=registration.lifetime,
            sequence=registration.sequence,
            kind=kind,
        )
        yield from (self._acknowledge(registration, status), Report(event=registered))
        yield from self._prefixes.registered(registration, now)

    def _deregister(self, registration: Registration, state: State | None, now: Instant) -> list[Effect]:
        home_address = registration.home_address
        return [
            *self._end(registration, state, now),
            self._acknowledge(registration, Status.ACCEPTED),
            Report(event=BindingDeregistered(home_address=home_address, sequence=registration.sequence)),
        ]

    def _end(self, registration: Registration, state: State | None, now: Instant) -> list[Effect]:
        """Serve a home address no more; the sequence number of `registration` is kept for a while (§10.3.2)."""
        keep = Deregistered(registration=registration, deadline=now + self._config.delete_timeout)
        self._cache.put(registration.home_address, keep)
        effects: list[Effect] = []
        match state:
            case Registered(registration=served):
                effects = self._stop_serving(served, now)
            case Probing(untested=untested):
                effects = [StopDad(address=address) for address in sorted(untested)]
            case _:
                pass
        return [*effects, Remember(record=record_of(keep))]

    def _reject(self, registration: Registration, status: Status, state: State | None) -> list[Effect]:
        sequence = registration.sequence
        if status is Status.SEQUENCE_NUMBER_OUT_OF_WINDOW and state is not None:
            sequence = last_sequence(state)  # §9.5.1: the acknowledgement tells the last one accepted
        rejected = BindingRejected(
            home_address=registration.home_address,
            care_of_address=registration.care_of_address,
            status=status,
            sequence=registration.sequence,
        )
        return [self._acknowledge(registration, status, sequence), Report(event=rejected)]

    def _acknowledge(self, registration: Registration, status: Status, sequence: int | None = None) -> Send:
        told = registration.sequence if sequence is None else sequence
        return Send(packet=acknowledge(registration, status, told, self._config.refresh_advice))

    # Duplicate Address Detection, §10.3.1

    def _probing(self, address: IPv6Address) -> list[tuple[IPv6Address, Probing]]:
        """Find whose registration waits for the test of an address."""
        return [
            (home_address, state)
            for home_address, state in self._cache.with_address(address)
            if isinstance(state, Probing) and address in state.untested
        ]

    def _on_unique(self, address: IPv6Address, now: Instant) -> list[Effect]:
        effects: list[Effect] = []
        for home_address, state in self._probing(address):
            if untested := state.untested - {address}:
                self._cache.put(home_address, Probing(registration=state.registration, untested=untested))
            else:
                effects += self._accept(state.registration, (), RegistrationKind.NEW, now)
        return effects

    def _on_duplicate(self, address: IPv6Address) -> list[Effect]:
        effects: list[Effect] = []
        for home_address, state in self._probing(address):
            self._cache.remove(home_address)
            effects += [StopDad(address=other) for other in state.untested - {address}]
            effects += self._reject(state.registration, Status.DUPLICATE_ADDRESS_DETECTION_FAILED, state)
            effects.append(Forget(home_address=home_address))
        return effects

    # After a restart, §15.3

    def _recall(self, record: BindingRecord, now: Instant) -> list[Effect]:
        """Take a binding up again: without Duplicate Address Detection, since it was tested when it was accepted."""
        home_address = record.home_address
        if self._cache.get(home_address) is not None:
            return []  # what is there is younger
        served = self._admission.serves(home_address, now)  # the configuration may be another one
        if not served or record.deadline <= now:
            removed = BindingRemoved(home_address=home_address, reason="expired" if served else "refused")
            return [Report(event=removed), Forget(home_address=home_address)]
        state = state_of(record, self._config.address)
        self._cache.put(home_address, state)
        effects: list[Effect] = []
        if isinstance(state, Registered):
            effects += self._tunnel(state.registration, now)  # first: what is intercepted must have a way to go
            for address in state.registration.defended:
                effects += self._defend(address, now)
            self._recalled.append((now, home_address))
            effects += self._prefixes.registered(state.registration, now)
        recalled = BindingRecalled(
            home_address=home_address,
            care_of_address=record.care_of_address,
            sequence=record.sequence,
            remaining=round(record.deadline - now, 3),
        )
        return [*effects, Report(event=recalled)]

    def _take_up(self, now: Instant) -> list[Effect]:
        """Tell neighbours who is served again: of some, so that others have their turn as well."""
        effects: list[Effect] = []
        for _ in range(min(len(self._recalled), AT_ONCE)):
            _, home_address = self._recalled.popleft()
            state = self._cache.get(home_address)
            if isinstance(state, Registered):
                effects += [effect for each in state.registration.defended for effect in self._announce(each, now)]
        return effects

    # An administrator's hand, §15.3

    def _cut_off(self, home_address: IPv6Address, now: Instant) -> list[Effect]:
        """End a binding at once, and refuse further ones with status 129."""
        if home_address in self._admission.cut_off:
            return []
        self._admission.cut_off.add(home_address)
        effects: list[Effect] = [
            RememberCutOff(home_address=home_address),
            Report(event=HomeAddressCutOff(home_address=home_address)),
        ]
        match self._cache.get(home_address):
            case Registered(registration=served) as state:
                return effects + self._end(served, state, now)
            case Probing(registration=asked) as state:  # it waits for an answer
                refused = self._reject(asked, Status.ADMINISTRATIVELY_PROHIBITED, state)
                return effects + refused + self._end(asked, state, now)
            case _:
                return effects

    def _readmit(self, home_address: IPv6Address) -> list[Effect]:
        if home_address not in self._admission.cut_off:
            return []
        self._admission.cut_off.remove(home_address)
        return [
            ForgetCutOff(home_address=home_address),
            Report(event=HomeAddressReadmitted(home_address=home_address)),
        ]

    # Serving and no longer serving, §10.4

    def _tunnel(self, registration: Registration, now: Instant) -> list[Effect]:
        own, home_address = self._config.address, registration.home_address
        care_of_address = registration.care_of_address
        self._memberships.begin(home_address, own, care_of_address, now)
        return [InstallTunnel(home_agent_address=own, home_address=home_address, care_of_address=care_of_address)]

    def _defend(self, address: IPv6Address, now: Instant) -> list[Effect]:
        self._groups.begin(address, now)
        return [
            DefendAddress(interface=self._config.interface, address=address),
            Report(event=ProxyStarted(address=address)),
        ]

    def _announce(self, address: IPv6Address, now: Instant) -> list[Effect]:
        if self._link is None:
            return []
        packet = announcement_by_proxy(self._link.link_local_address, address, self._link.link_layer_address)
        return self._announcements.start(address, packet, self._config.interface, now)

    def _stop_defending(self, address: IPv6Address, now: Instant) -> list[Effect]:
        self._announcements.stop(address)
        self._groups.end(address, now)
        return [
            StopDefending(interface=self._config.interface, address=address),
            Report(event=ProxyStopped(address=address)),
        ]

    def _stop_serving(self, registration: Registration, now: Instant) -> list[Effect]:
        self._prefixes.ended(registration.home_address)
        effects = self._memberships.end(registration.home_address)
        effects.append(RemoveTunnel(home_address=registration.home_address))
        for address in registration.defended:
            effects += self._stop_defending(address, now)
        return effects

    def _expire(self, now: Instant) -> list[Effect]:
        effects: list[Effect] = []
        for home_address, state in self._cache.due(now):
            effects += self._remove(home_address, state, now)
        return effects

    def _remove(self, home_address: IPv6Address, state: State, now: Instant) -> list[Effect]:
        self._cache.remove(home_address)
        effects = self._stop_serving(state.registration, now) if isinstance(state, Registered) else []
        reason = "expired" if isinstance(state, Registered) else "deregistered"
        removed = BindingRemoved(home_address=home_address, reason=reason)
        return [*effects, Report(event=removed), Forget(home_address=home_address)]

    def _on_refused(self, refused: Refused, now: Instant) -> list[Effect]:
        """Undo a registration that cannot be served, or not be kept, and say so: status 130 (§9.5.1).

        An older binding of the same home address ends with it: what the plane still does for it is unknown.
        """
        match refused.effect:
            case InstallTunnel(home_address=address) | DefendAddress(address=address):
                pass
            case Remember(record=record):
                address = record.home_address
            case _:
                return []
        for home_address, state in self._cache.with_address(address):
            if isinstance(state, Probing):
                continue
            rejected = self._reject(state.registration, Status.INSUFFICIENT_RESOURCES, None)
            if isinstance(state, Deregistered):  # not served any more; the mobile node asks again until that is kept
                asked = isinstance(refused.effect, Remember) and home_address not in self._admission.cut_off
                return rejected if asked else []
            effects = self._stop_serving(state.registration, now)
            removed = Report(event=BindingRemoved(home_address=home_address, reason="refused"))
            if state.recalled:  # nobody asked; its sequence number counts as long as the record does
                self._cache.put(home_address, Deregistered(registration=state.registration, deadline=state.deadline))
                return [*effects, removed]
            self._cache.remove(home_address)
            return [*effects, *rejected, removed, Forget(home_address=home_address)]
        return []
