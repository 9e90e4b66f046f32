"""Policies, states, and what the kernel tells of them."""

from dataclasses import dataclass, field
from enum import IntEnum
from ipaddress import IPv6Address, IPv6Network
from typing import ClassVar, NamedTuple, TypeAlias

ROUTING, ESP, DESTINATION_OPTIONS = 43, 50, 60
"""Protocols of states: a type 2 routing header, ESP, a Home Address option."""
ANYTHING, UNSPECIFIED = IPv6Network("::/0"), IPv6Address("::")


class Mode(IntEnum):
    """What a transformation does with the addresses of a packet."""

    TRANSPORT = 0
    TUNNEL = 1
    ROUTE_OPTIMISATION = 2
    """Headers of RFC 6275."""
    IN_TRIGGER = 3
    """None yet: that one is wanted is told by an `Acquire`."""


class Direction(IntEnum):
    """Which packets a policy is for."""

    IN = 0
    OUT = 1
    FORWARD = 2


class PolicyKind(IntEnum):
    """A packet needs the best policy of each kind."""

    MAIN = 0
    """For IPsec."""
    SUB = 1
    """For Mobile IPv6."""


class Action(IntEnum):
    """What becomes of packets that a policy is for."""

    ALLOW = 0
    BLOCK = 1


class Group(IntEnum):
    """What the kernel tells of by itself."""

    ACQUIRE = 1
    EXPIRE = 2
    MIGRATE = 5
    REPORT = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Which packets are meant; ports are also types and codes of ICMPv6, types of mobility messages."""

    source: IPv6Network = ANYTHING
    destination: IPv6Network = ANYTHING
    protocol: int = 0
    """0: any."""
    source_port: int | None = None
    destination_port: int | None = None


EVERYTHING = Selector()


class Mark(NamedTuple):
    """Only packets whose mark has these bits where the mask has ones."""

    value: int
    mask: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cipher:
    """An algorithm by the kernel's name, and its key, which is never shown."""

    name: str
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrity:
    """An algorithm by the kernel's name, how many octets of its result are sent, and its key, which is never shown."""

    name: str
    octets: int
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One transformation: what it is for is told by its addresses and its protocol, and its SPI if it has one."""

    source: IPv6Address
    destination: IPv6Address
    protocol: int
    mode: Mode = Mode.ROUTE_OPTIMISATION
    spi: int = 0
    request: int = 0
    """A number by which templates ask for it (reqid)."""
    care_of_address: IPv6Address | None = None
    wildcard: bool = False
    """Whether it takes what arrives at or from any address (the flag wildrecv)."""
    selector: Selector | None = None
    encryption: Cipher | None = None
    integrity: Integrity | None = None

    def __str__(self) -> str:
        return f"state of protocol {self.protocol} from {self.source} to {self.destination}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a state has transformed; `last` is a time of day in seconds, None where the kernel does not say."""

    octets: int
    packets: int
    last: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A transformation that a policy wants; an optional one is done where there is a state for it."""

    protocol: int
    mode: Mode = Mode.ROUTE_OPTIMISATION
    source: IPv6Address = UNSPECIFIED
    destination: IPv6Address = UNSPECIFIED
    """Ends of a tunnel."""
    spi: int = 0
    request: int = 0
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What becomes of some packets; of several of one kind the one with the lowest priority counts."""

    direction: Direction
    selector: Selector
    templates: tuple[Template, ...] = ()
    priority: int = 0
    kind: PolicyKind = PolicyKind.MAIN
    action: Action = Action.ALLOW
    mark: Mark | None = None

    def __str__(self) -> str:
        return f"policy {self.direction.name} from {self.selector.source} to {self.selector.destination}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """New ends for templates and states of a tunnel (RFC 6275 §11.3.2: the care-of address is one)."""

    source: IPv6Address
    destination: IPv6Address
    new_source: IPv6Address
    new_destination: IPv6Address
    protocol: int = ESP
    mode: Mode = Mode.TUNNEL
    request: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquire:
    """A packet, as the selector tells, has no state that its policy wants."""

    GROUP: ClassVar = Group.ACQUIRE
    selector: Selector
    protocol: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A packet, as the selector tells, came with a header that no policy wants, from a care-of address."""

    GROUP: ClassVar = Group.REPORT
    selector: Selector
    protocol: int
    care_of_address: IPv6Address | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """A state came to its end; a soft one may be renewed."""

    GROUP: ClassVar = Group.EXPIRE
    state: State
    hard: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """A policy got new ends."""

    GROUP: ClassVar = Group.MIGRATE
    selector: Selector
    migrations: tuple[Migration, ...]


Told: TypeAlias = Acquire | Report | Expired | Migrated
