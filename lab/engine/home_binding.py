"""The states of a binding at a home agent (RFC 6275 §9.1, §10.3)."""

from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any, TypeAlias

from lab.engine.binding_cache import BindingCache
from lab.engine.home_registration import Registration
from lab.engine.index import Index
from lab.engine.io import BindingRecord, Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Probing:
    """A first registration waits for Duplicate Address Detection (§10.3.1)."""

    registration: Registration
    untested: frozenset[IPv6Address]
    deadline: None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A binding in force until its deadline."""

    registration: Registration
    deadline: Instant
    recalled: bool = False
    """It was accepted before a restart: no Binding Update waits for an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deregistered:
    """Nothing is served any more; the sequence number alone is kept until the deadline (§10.3.2)."""

    registration: Registration
    """The Binding Update that ended the binding."""
    deadline: Instant


State: TypeAlias = Probing | Registered | Deregistered


class HomeBindingCache(BindingCache[State]):
    """The bindings of a home agent, which are also found by what they defend."""

    def __init__(self) -> None:
        super().__init__()
        self._homes: Index[IPv6Address, IPv6Address] = Index()
        """Home addresses by the link-local address that belongs to them: more than one if they end alike."""
        self._away: Index[IPv6Address, IPv6Address] = Index()
        """Home addresses by the care-of address at which their tunnel ends."""

    def put(self, address: IPv6Address, state: State) -> None:
        """Replace the state of a home address."""
        self._lose(address)
        super().put(address, state)
        registration = state.registration
        if registration.link_local is not None:
            self._homes.add(registration.link_local, address)
        if isinstance(state, Registered):
            self._away.add(registration.care_of_address, address)

    def remove(self, address: IPv6Address) -> None:
        """Forget a home address."""
        self._lose(address)
        super().remove(address)

    def with_address(self, address: IPv6Address) -> list[tuple[IPv6Address, State]]:
        """Find the bindings of an address: a home address, or a link-local address that belongs to some."""
        homes = self._homes.find(address) or (address,)
        return [(home, state) for home in homes if (state := self.get(home)) is not None]

    def homes_at(self, care_of_address: IPv6Address) -> tuple[IPv6Address, ...]:
        """Find the home addresses whose tunnels end at a care-of address: those of one mobile node share it."""
        return self._away.find(care_of_address)

    def _lose(self, address: IPv6Address) -> None:
        state = self.get(address)
        if state is None:
            return
        if state.registration.link_local is not None:
            self._homes.remove(state.registration.link_local, address)
        self._away.remove(state.registration.care_of_address, address)


def last_sequence(state: State) -> int:
    """Give the sequence number that a later Binding Update must exceed, §9.5.1."""
    return state.registration.sequence


def record_of(state: Registered | Deregistered) -> BindingRecord:
    """Say what must be known of a state after a restart."""
    registration, ended = state.registration, isinstance(state, Deregistered)
    return BindingRecord(
        home_address=registration.home_address,
        care_of_address=None if ended else registration.care_of_address,
        sequence=registration.sequence,
        lifetime=registration.lifetime,
        link_local=registration.link_local,
        deadline=state.deadline,
    )


def state_of(record: BindingRecord, home_agent_address: IPv6Address) -> Registered | Deregistered:
    """Make the state that a record tells of."""
    care_of_address = record.care_of_address or record.home_address
    registration = Registration(
        home_address=record.home_address,
        care_of_address=care_of_address,
        sequence=record.sequence,
        lifetime=record.lifetime,
        link_local=record.link_local,
        source=care_of_address,
        home_agent_address=home_agent_address,
    )
    if record.care_of_address is None:
        return Deregistered(registration=registration, deadline=record.deadline)
    return Registered(registration=registration, deadline=record.deadline, recalled=True)


def describe(home_address: IPv6Address, state: State, now: Instant) -> dict[str, Any]:
    """Say as plain data what a state is, for the control socket."""
    described: dict[str, Any] = {
        "home_address": str(home_address),
        "state": type(state).__name__.lower(),
        "sequence": last_sequence(state),
    }
    if isinstance(state, Probing | Registered):
        described |= {
            "care_of_address": str(state.registration.care_of_address),
            "lifetime": state.registration.lifetime,
        }
    if state.deadline is not None:
        described["remaining"] = round(max(state.deadline - now, 0.0), 3)
    return described
