"""The states of route optimisation with one correspondent, as a mobile node knows them (RFC 6275 §11.1)."""

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address
from typing import TypeAlias

from lab.engine.io import Instant
from lab.wire.options import NonceIndices


class EndReason(StrEnum):
    """Why packets to a peer go through the home agent again, or from home."""

    MOVED = "moved"
    CARE_OF_ADDRESS_LOST = "care-of address lost"
    UNUSED = "unused"
    EXPIRED = "expired"
    NO_ANSWER = "no answer"
    REFUSED = "refused"
    UNKNOWN_BINDING = "unknown binding"
    UNABLE = "peer unable"
    NOT_INSTALLED = "not installed"
    HOME_ADDRESS_ENDED = "home address ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What the peer acknowledged, or need not acknowledge: packets take the direct path."""

    care_of_address: IPv6Address
    expires: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """A Binding Update that awaits its acknowledgement."""

    sequence: int
    care_of_address: IPv6Address
    lifetime: int
    key: bytes
    indices: NonceIndices
    sent: Instant
    attempt: int
    timeout: float

    @property
    def deadline(self) -> Instant:
        """When it is to be sent again, or given up."""
        return self.sent + self.timeout


@dataclass(frozen=True, slots=True, kw_only=True)
class Testing:
    """A binding is wanted; something is missing: a token, an address, the home registration, or leave to send."""

    binding: Binding | None = None
    """The one to be renewed."""
    resume: Instant | None = None
    """When MAX_UPDATE_RATE lets the Binding Update go (§11.8)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Updating:
    """A Binding Update is on its way."""

    binding: Binding | None
    update: Update


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The peer has the binding; at `refresh` its use is asked for."""

    binding: Binding
    refresh: Instant
    unacknowledged: Update | None = None
    """What no answer was asked for: a refusal comes even so (§9.5.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiring:
    """Unless it turns out to be in use, the binding runs out."""

    binding: Binding
    unused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleting:
    """At home; the peer may still hold a binding, which is to be deleted."""

    update: Update | None = None
    resume: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resting:
    """Nothing is tried with the peer for a while."""

    until: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """Nothing is left to be known."""


State: TypeAlias = Testing | Updating | Bound | Expiring | Deleting | Resting | Over


def binding_of(state: State) -> Binding | None:
    """Give the binding by which packets take the direct path."""
    match state:
        case Testing(binding=binding) | Updating(binding=binding):
            return binding
        case Bound(binding=binding) | Expiring(binding=binding):
            return binding
        case _:
            return None


def answerable(state: State) -> Update | None:
    """Give the Binding Update that an acknowledgement can be about."""
    return state.unacknowledged if isinstance(state, Bound) else update_of(state)


def update_of(state: State) -> Update | None:
    """Give the Binding Update that awaits its acknowledgement."""
    match state:
        case Updating(update=update):
            return update
        case Deleting(update=update):
            return update
        case _:
            return None
