"""A correspondent node, RFC 6275 §9: it answers test inits, keeps bindings, and talks straight to mobile nodes."""

from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from typing import Any

from lab.auth.nonces import NODE_KEY_LIFETIME, Nonce, Nonces
from lab.auth.return_routability import binding_management_key, care_of_keygen_token, home_keygen_token
from lab.auth.secrets import Secrets
from lab.constants import LIFETIME_UNIT, MAX_RR_BINDING_LIFETIME, Status
from lab.engine.authorization import authorization_data, is_signed, sign
from lab.engine.binding_cache import BindingCache
from lab.engine.config import CorrespondentConfig
from lab.engine.correspondent_binding import Bound, Ended, State
from lab.engine.io import (
    AskUse,
    DeadlineReached,
    Effect,
    Input,
    InstallBinding,
    Instant,
    Malformed,
    Received,
    Refused,
    RemoveBinding,
    Report,
    Send,
    Used,
)
from lab.engine.mobility_header import (
    ErrorLimit,
    answer_malformed,
    answer_unbound_home_address,
    answer_unknown_type,
    drop,
)
from lab.engine.sequence import is_newer
from lab.engine.token_bucket import TokenBucket
from lab.events import (
    BindingDeregistered,
    BindingRefreshRequested,
    BindingRegistered,
    BindingRejected,
    BindingRemoved,
    RegistrationKind,
)
from lab.safeguards import NOTHING, Safeguard, Without
from lab.wire.addresses import is_unicast_routable
from lab.wire.icmpv6 import DestinationUnreachable, Icmpv6Message
from lab.wire.invoking import read_invoking
from lab.wire.mobility import (
    BindingAcknowledgement,
    BindingRefreshRequest,
    BindingUpdate,
    BindingUpdateFlag,
    CareOfTest,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
    MobilityMessage,
    UnknownMobilityMessage,
)
from lab.wire.options import AlternateCareOfAddress, NonceIndices
from lab.wire.packet import OpaquePayload, Packet, mobility_packet

REFRESH_AT = 0.75
"""The part of a lifetime after which a binding in use is asked to be refreshed (§9.5.5)."""
REFRESH_REQUESTS = 3
UNREACHABLE_LIMIT = 3
"""So many ICMPv6 errors in a row about a care-of address end its binding (§9.3.4)."""
FORGERIES_PER_SECOND = 10.0
FORGERIES_AT_ONCE = 100.0
"""So many Binding Updates may turn out to be bogus; while there are more, their like is not looked at (§15.4.5)."""
_JUDGED_BY_IPSEC = (50, 51)
"""ESP and AH: whether they come from the home address is for IPsec to tell (§9.3.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Update:
    """A Binding Update with what its packet says about it."""

    packet: Packet
    own_address: IPv6Address
    home_address: IPv6Address
    care_of_address: IPv6Address
    sequence: int
    lifetime: int
    wants_answer: bool
    tunnelled: bool
    """It came through the reverse tunnel of this node, by which what leaves from the home address goes."""
    key: bytes = b""
    """Kbm; empty before the nonces are known."""

    @property
    def ends(self) -> bool:
        """It deletes a binding (§6.1.7)."""
        return self.lifetime == 0 or self.care_of_address == self.home_address

    @property
    def authorized_address(self) -> IPv6Address:
        """The address that counts in authenticators: the home address where a binding is deleted (§6.2.7)."""
        return self.home_address if self.ends else self.care_of_address


def _serves_nobody(_home_address: IPv6Address) -> bool:
    return False


class Correspondent:
    """Serves any number of mobile nodes; no state is kept for one before its first valid Binding Update (§5.2.5).

    `home_addresses` are those of a correspondent that is mobile itself, as they come and go: only then type 2 routing
    headers are its business.
    `has_home_registration` tells which home addresses it serves as a home agent; `without`: see `lab.safeguards`.
    """

    def __init__(
        self,
        config: CorrespondentConfig,
        secrets: Secrets,
        *,
        home_addresses: Container[IPv6Address] = (),
        has_home_registration: Callable[[IPv6Address], bool] = _serves_nobody,
        without: Without = NOTHING,
    ) -> None:
        self._config = config
        self._without = without
        self._home_addresses = home_addresses
        self._has_home_registration = has_home_registration
        # §5.2.7: the end of a nonce is that of its tokens
        kept = NODE_KEY_LIFETIME if Safeguard.NONCE_LIFETIME in without else config.nonce_lifetime
        self._nonces = Nonces(secrets, kept)
        self._cache: BindingCache[State] = BindingCache()
        self._asked: dict[IPv6Address, tuple[Packet, Packet]] = {}
        """Test inits with their tests, by who asked; empty unless the protection that forbids that is off."""
        self._errors = ErrorLimit()
        self._forgeries = TokenBucket(FORGERIES_PER_SECOND, FORGERIES_AT_ONCE)

    def handle(self, happened: Input, now: Instant) -> list[Effect]:
        """Take one input; see `lab.engine.io.Engine`."""
        match happened:
            case Malformed():
                return answer_malformed(happened, self._errors, now)
            case Received(packet=packet):
                return self._received(happened, packet, now)
            case Used(home_address=home_address, peer=None, used=used):
                return self._on_use(home_address, used, now)
            case DeadlineReached():
                return self._advance(now)
            case Refused(effect=InstallBinding(home_address=home_address)):
                return self._on_refused(home_address)
            case _:
                return []

    def deadline(self) -> Instant | None:
        """When a binding ends or is to be refreshed."""
        return self._cache.deadline()

    def snapshot(self, now: Instant) -> list[dict[str, Any]]:
        """List the binding cache."""
        return [_describe(home_address, state, now) for home_address, state in self._cache]

    def has_binding(self, home_address: IPv6Address) -> bool:
        """Tell whether a home address is bound."""
        return isinstance(self._cache.get(home_address), Bound)

    def _received(self, received: Received, packet: Packet, now: Instant) -> list[Effect]:
        routed = packet.routed_home_address
        if routed is not None and routed not in self._home_addresses:
            return [drop(packet, "foreign-routing-header", str(packet.routed_home_address))]  # §6.4
        if packet.home_address is not None and not is_unicast_routable(packet.home_address):
            return [drop(packet, "invalid-home-address", str(packet.home_address))]  # §6.3
        match packet.payload:
            case UnknownMobilityMessage():
                return answer_unknown_type(received, self._errors, now)
            case HomeTestInit() | CareOfTestInit() | BindingUpdate() if not self._config.route_optimisation:
                return [drop(packet, "route-optimisation-off", type(packet.payload).__name__)]  # §8.2
            case HomeTestInit() | CareOfTestInit() as init:
                return self._on_test_init(received, init, now)
            case BindingUpdate() as update:
                return self._on_update(received, update, now)
            case message if isinstance(message, MobilityMessage):
                return [drop(packet, "unexpected-message", type(message).__name__)]
            case OpaquePayload(next_header=next_header) if next_header in _JUDGED_BY_IPSEC:
                return [drop(packet, "unsupported-packet", f"next header {next_header}")]  # §9.3.1: no error
            case _ if packet.home_address is not None:
                return self._on_home_address_option(received, packet.home_address, now)
            case DestinationUnreachable(invoking=invoking):
                return self._on_unreachable(invoking)
            case message if isinstance(message, Icmpv6Message):
                return []  # Neighbor Discovery and other errors are the kernel's
            case _:
                return [drop(packet, "unsupported-packet")]

    def _on_home_address_option(self, received: Received, home_address: IPv6Address, now: Instant) -> list[Effect]:
        packet = received.packet
        state = self._cache.get(home_address)
        if isinstance(state, Bound) and state.care_of_address == packet.source:
            # The data plane takes what is bound; this one came while the binding was made.
            return [drop(packet, "early-packet", f"home address {home_address}")]
        return answer_unbound_home_address(received, self._errors, now)  # §9.3.1

    # Return routability, §9.4

    def _on_test_init(self, received: Received, init: HomeTestInit | CareOfTestInit, now: Instant) -> list[Effect]:
        packet = received.packet
        if packet.home_address is not None:
            return [drop(packet, "home-address-option", type(init).__name__)]  # §9.4.1, §9.4.2
        if not is_unicast_routable(packet.source):
            return [drop(packet, "invalid-source", str(packet.source))]
        nonce = self._nonces.current(now)
        answer: HomeTest | CareOfTest
        if isinstance(init, HomeTestInit):
            token = home_keygen_token(nonce.node_key, packet.source, nonce.value)
            answer = HomeTest(nonce_index=nonce.index, cookie=init.cookie, keygen_token=token)
        else:
            token = care_of_keygen_token(nonce.node_key, packet.source, nonce.value)
            answer = CareOfTest(nonce_index=nonce.index, cookie=init.cookie, keygen_token=token)
        test = mobility_packet(_own_address(packet), packet.source, answer)  # §5.2.5: to the asker
        if Safeguard.STATELESS_TESTS in self._without:  # §5.2.5, §15.4.5
            self._asked[packet.source] = packet, test
        return [Send(packet=test, tunnelled=received.tunnelled)]

    # Binding Updates, §9.5.1

    def _on_update(self, received: Received, message: BindingUpdate, now: Instant) -> list[Effect]:
        packet, update = received.packet, _read(received, message)
        if not is_unicast_routable(update.home_address) or not is_unicast_routable(packet.source):
            return [drop(packet, "invalid-home-address", str(update.home_address))]
        if not is_unicast_routable(update.care_of_address):
            return [drop(packet, "invalid-care-of-address", str(update.care_of_address))]  # §6.1.7
        indices = [option for option in message.options if isinstance(option, NonceIndices)]
        if message.flags & BindingUpdateFlag.HOME_REGISTRATION:
            return self._on_home_registration(update, bool(indices))
        if len(indices) != 1 or authorization_data(packet) is None:
            return [drop(packet, "unauthorized-binding-update", f"#{update.sequence}")]
        if self._has_seen_too_many(now) and not self.has_binding(update.home_address):
            return [drop(packet, "too-many-forgeries", f"#{update.sequence}")]  # §15.4.5: before any cryptography
        home, care_of = self._nonces.find(indices[0].home, now), None
        if not update.ends:
            care_of = self._nonces.find(indices[0].care_of, now)
        elif home is None:  # §5.2.6: the home token alone deletes
            return self._reject(update, Status.EXPIRED_HOME_NONCE_INDEX)
        if home is None or (care_of is None and not update.ends):
            return self._reject(update, _expired(home, care_of))
        update = replace(update, key=self._key(update, home, care_of))
        signed = is_signed(packet, update.key, update.authorized_address, update.own_address)
        if not signed and Safeguard.AUTHENTICATOR not in self._without:  # §5.2.6
            self._forgeries.take(now)
            return [drop(packet, "wrong-authenticator", f"#{update.sequence}")]  # no answer: it may be forged
        return self._on_authentic(update, home, care_of, now)

    def _has_seen_too_many(self, now: Instant) -> bool:
        return self._forgeries.is_empty(now) and Safeguard.FORGERY_BUDGET not in self._without  # §15.4.5

    def _on_home_registration(self, update: _Update, has_indices: bool) -> list[Effect]:
        """Refuse what a home agent alone can do; Nonce Indices do not go with it."""
        if has_indices:
            return [drop(update.packet, "nonce-indices-in-home-registration", f"#{update.sequence}")]
        if self.has_binding(update.home_address):
            return self._reject(update, Status.REGISTRATION_TYPE_CHANGE_DISALLOWED)
        return self._reject(update, Status.HOME_REGISTRATION_NOT_SUPPORTED)

    def _on_authentic(self, update: _Update, home: Nonce, care_of: Nonce | None, now: Instant) -> list[Effect]:
        state = self._cache.get(update.home_address)
        if state is not None and self._is_old(update.sequence, state.sequence):
            return self._reject(update, Status.SEQUENCE_NUMBER_OUT_OF_WINDOW, state.sequence)
        replayable_until = home.valid_until if care_of is None else min(home.valid_until, care_of.valid_until)
        if isinstance(state, Bound):
            replayable_until = max(replayable_until, state.replayable_until)
        elif state is not None:
            replayable_until = max(replayable_until, state.deadline)
        if self._has_home_registration(update.home_address):
            return self._reject(update, Status.REGISTRATION_TYPE_CHANGE_DISALLOWED)
        if care_of is None:
            return self._delete(update, replayable_until)
        if self._is_circular(update):
            return [drop(update.packet, "circular-binding", str(update.care_of_address))]  # §6.1.7
        if any(update.home_address in network for network in self._config.refused):
            return self._reject(update, Status.ADMINISTRATIVELY_PROHIBITED)
        room = [] if isinstance(state, Bound) else self._make_room()
        if room is None:
            return self._reject(update, Status.INSUFFICIENT_RESOURCES)
        return room + self._bind(update, state, self._grant(update, home, care_of, now), replayable_until, now)

    def _is_old(self, sequence: int, last: int) -> bool:
        return not is_newer(sequence, last) and Safeguard.SEQUENCE_CHECK not in self._without  # §9.5.1

    def _key(self, update: _Update, home: Nonce, care_of: Nonce | None) -> bytes:
        home_token = home_keygen_token(home.node_key, update.home_address, home.value)
        if care_of is None:
            return binding_management_key(home_token)
        # §5.2.5: the care-of address itself must have answered, not whoever tells of it
        off = Safeguard.CARE_OF_TEST in self._without
        tested = update.packet.source if off else update.care_of_address
        return binding_management_key(home_token, care_of_keygen_token(care_of.node_key, tested, care_of.value))

    def _is_circular(self, update: _Update) -> bool:
        """Tell whether the care-of address is a home address too, and leads back by its binding, or by further ones."""
        passed = set()
        state = self._cache.get(update.care_of_address)
        while isinstance(state, Bound) and state.care_of_address not in passed:
            if state.care_of_address == update.home_address:
                return True
            passed.add(state.care_of_address)
            state = self._cache.get(state.care_of_address)
        return False

    def _make_room(self) -> list[Effect] | None:
        """See to a place for one more binding; None if there is none (§9.6)."""
        limit = self._config.max_bindings
        bound = [(state.expires, home) for home, state in self._cache if isinstance(state, Bound)]
        if limit is None or len(bound) < limit:
            return []
        if not self._config.evict or not bound:
            return None
        return self._end(min(bound)[1], "evicted")

    def _grant(self, update: _Update, home: Nonce, care_of: Nonce, now: Instant) -> int:
        """Give the lifetime, counted from when return routability can have ended at the earliest (§9.5.2)."""
        if Safeguard.BINDING_LIFETIME in self._without:  # §9.5.2
            return update.lifetime
        tested = max(home.made, care_of.made)
        longest = MAX_RR_BINDING_LIFETIME - (now - tested)
        seconds = int(min(update.lifetime, self._config.max_binding_lifetime, longest))
        return max(seconds // LIFETIME_UNIT, 1) * LIFETIME_UNIT

    def _bind(
        self, update: _Update, state: State | None, lifetime: int, replayable_until: Instant, now: Instant
    ) -> list[Effect]:
        kind = RegistrationKind.NEW
        if isinstance(state, Bound):
            same = state.care_of_address == update.care_of_address
            kind = RegistrationKind.REFRESHED if same else RegistrationKind.MOVED
        bound = Bound(
            care_of_address=update.care_of_address,
            own_address=update.own_address,
            sequence=update.sequence,
            lifetime=lifetime,
            expires=now + lifetime,
            replayable_until=replayable_until,
            deadline=now + lifetime * REFRESH_AT,
        )
        self._cache.put(update.home_address, bound)
        registered = BindingRegistered(
            home_address=update.home_address,
            care_of_address=update.care_of_address,
            lifetime=lifetime,
            sequence=update.sequence,
            kind=kind,
        )
        effects: list[Effect] = []
        if kind is not RegistrationKind.REFRESHED:
            install = InstallBinding(home_address=update.home_address, care_of_address=update.care_of_address)
            effects.append(install)
        return [*effects, *self._accept(update, lifetime), Report(event=registered)]

    def _delete(self, update: _Update, replayable_until: Instant) -> list[Effect]:
        """End a binding, or confirm that there is none; its sequence number is kept (§5.2.8, §9.5.3)."""
        self._keep_sequence(update.home_address, update.sequence, replayable_until)
        ended = BindingDeregistered(home_address=update.home_address, sequence=update.sequence)
        return [RemoveBinding(home_address=update.home_address), *self._accept(update, 0), Report(event=ended)]

    def _keep_sequence(self, home_address: IPv6Address, sequence: int, replayable_until: Instant) -> None:
        """Keep nothing else, as long as an old Binding Update could be replayed (§5.2.8)."""
        if Safeguard.KEPT_SEQUENCE in self._without:  # §5.2.8
            self._cache.remove(home_address)
        else:
            self._cache.put(home_address, Ended(sequence=sequence, deadline=replayable_until))

    # Binding Acknowledgements, §9.5.4

    def _accept(self, update: _Update, lifetime: int) -> list[Effect]:
        if not update.wants_answer:
            return []
        return [self._acknowledge(update, Status.ACCEPTED, update.sequence, lifetime)]

    def _reject(self, update: _Update, status: Status, sequence: int | None = None) -> list[Effect]:
        """Refuse; a refusal is told whether or not an answer was asked for."""
        rejected = BindingRejected(
            home_address=update.home_address,
            care_of_address=update.care_of_address,
            status=status,
            sequence=update.sequence,
        )
        told = update.sequence if sequence is None else sequence
        return [self._acknowledge(update, status, told, 0), Report(event=rejected)]

    def _acknowledge(self, update: _Update, status: Status, sequence: int, lifetime: int) -> Send:
        packet = update.packet
        message = BindingAcknowledgement(status=status, sequence=sequence, lifetime=lifetime)
        away = packet.home_address is not None and packet.home_address != packet.source
        answer = mobility_packet(
            update.own_address, packet.source, message, routed_home_address=update.home_address if away else None
        )
        if update.key:  # without the tokens there is no key, and nothing to sign with
            answer = sign(answer, update.key, update.authorized_address, update.own_address)
        return Send(packet=answer, tunnelled=update.tunnelled)

    # The life of a binding, §9.3.4, §9.5.5

    def _advance(self, now: Instant) -> list[Effect]:
        effects: list[Effect] = []
        for home_address, state in self._cache.due(now):
            match state:
                case Bound(expires=expires) if expires <= now:
                    effects += self._end(home_address, "expired", now)
                case Bound():
                    self._cache.put(home_address, replace(state, deadline=state.expires))
                    effects.append(AskUse(home_address=home_address))
                case Ended():
                    self._cache.remove(home_address)
        return effects

    def _on_use(self, home_address: IPv6Address, used: bool, now: Instant) -> list[Effect]:
        state = self._cache.get(home_address)
        if not isinstance(state, Bound) or now >= state.expires or not used:
            return []  # an unused binding is left to end
        requests = state.requests + 1
        wait = (state.expires - now) / (REFRESH_REQUESTS + 1 - state.requests)
        deadline = now + wait if requests < REFRESH_REQUESTS else state.expires
        self._cache.put(home_address, replace(state, requests=requests, deadline=deadline))
        request = mobility_packet(state.own_address, home_address, BindingRefreshRequest())
        requested = BindingRefreshRequested(home_address=home_address, attempt=requests)
        return [Send(packet=request), Report(event=requested)]

    def _on_unreachable(self, invoking: bytes) -> list[Effect]:
        about = read_invoking(invoking)
        home_address = None if about is None else about.routed_home_address
        if about is None or home_address is None:
            return []
        state = self._cache.get(home_address)
        if not isinstance(state, Bound) or state.care_of_address != about.destination:
            return []
        if state.unreachable + 1 >= UNREACHABLE_LIMIT:
            return self._end(home_address, "unreachable")
        self._cache.put(home_address, replace(state, unreachable=state.unreachable + 1))
        return []

    def _end(self, home_address: IPv6Address, reason: str, now: Instant | None = None) -> list[Effect]:
        """End a binding on this side alone."""
        state = self._cache.get(home_address)
        assert isinstance(state, Bound)
        if now is not None and state.replayable_until <= now:
            self._cache.remove(home_address)
        else:
            self._keep_sequence(home_address, state.sequence, state.replayable_until)
        removed = BindingRemoved(home_address=home_address, reason=reason)
        return [RemoveBinding(home_address=home_address), Report(event=removed)]

    def _on_refused(self, home_address: IPv6Address) -> list[Effect]:
        """Take back a binding that the data plane cannot serve; its mobile node hears nothing and asks again."""
        return self._end(home_address, "refused") if self.has_binding(home_address) else []


def _own_address(packet: Packet) -> IPv6Address:
    """Give the address that a packet means: the home address of a correspondent that is mobile itself."""
    return packet.routed_home_address or packet.destination


def _read(received: Received, message: BindingUpdate) -> _Update:
    packet = received.packet
    alternates = [option.address for option in message.options if isinstance(option, AlternateCareOfAddress)]
    return _Update(
        packet=packet,
        own_address=_own_address(packet),
        home_address=packet.home_address or packet.source,
        care_of_address=alternates[0] if alternates else packet.source,
        sequence=message.sequence,
        lifetime=message.lifetime,
        wants_answer=bool(message.flags & BindingUpdateFlag.ACKNOWLEDGE),
        tunnelled=received.tunnelled,
    )


def _expired(home: Nonce | None, care_of: Nonce | None) -> Status:
    """Find the status for nonces that are too old or were never given."""
    if home is None:
        return Status.EXPIRED_NONCES if care_of is None else Status.EXPIRED_HOME_NONCE_INDEX
    return Status.EXPIRED_CARE_OF_NONCE_INDEX


def _describe(home_address: IPv6Address, state: State, now: Instant) -> dict[str, Any]:
    described: dict[str, Any] = {
        "home_address": str(home_address),
        "state": type(state).__name__.lower(),
        "sequence": state.sequence,
        "remaining": round(max(state.deadline - now, 0.0), 3),
    }
    if isinstance(state, Bound):
        described |= {
            "care_of_address": str(state.care_of_address),
            "lifetime": state.lifetime,
            "remaining": round(max(state.expires - now, 0.0), 3),
        }
    return described
