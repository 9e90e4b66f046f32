"""Everything that a node reports, as records; the journal writes them, scenarios and reports read them.

An event says what happened in RFC 6275's nouns and in the past tense. Its node and its time are not its
own affair: the journal adds them and so makes a `Record`.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network
from types import NoneType, UnionType
from typing import Any, ClassVar, Self, get_args, get_type_hints

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Root of all events; `SECTION` is the section of RFC 6275 that the event comes from."""

    SECTION: ClassVar[str] = ""


class RegistrationKind(StrEnum):
    """What an accepted registration changed."""

    NEW = "new"
    MOVED = "moved"
    REFRESHED = "refreshed"


# Any node


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStarted(Event):
    """The daemon serves."""

    role: str
    plane: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStopped(Event):
    """The daemon ended in order."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SafeguardSwitchedOff(Event):
    """The daemon serves without a protection, since its laboratory shows by an attack what that is for."""

    SECTION = "15"
    safeguard: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSent(Event):
    """A mobility message left this node."""

    SECTION = "6.1"
    message: str
    source: IPv6Address
    destination: IPv6Address
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageReceived(Event):
    """A mobility message reached this node."""

    SECTION = "6.1"
    message: str
    source: IPv6Address
    destination: IPv6Address
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketDropped(Event):
    """A packet was refused; `reason` is one of a fixed set of words, `count` how many so far for that reason."""

    SECTION = "9.2"
    reason: str
    source: IPv6Address | None = None
    destination: IPv6Address | None = None
    detail: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRefused(Event):
    """The data plane, or the disk, could not do what the protocol asked for."""

    effect: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DadStarted(Event):
    """Duplicate Address Detection began for an address (RFC 4862 §5.4)."""

    SECTION = "10.3.1"
    address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class DadFinished(Event):
    """Duplicate Address Detection ended: the address is `unique`, or somebody else has it."""

    SECTION = "10.3.1"
    address: IPv6Address
    unique: bool


# Home agent


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRegistered(Event):
    """A home agent or a correspondent accepted a binding; `lifetime` granted, in seconds."""

    SECTION = "10.3.1"
    home_address: IPv6Address
    care_of_address: IPv6Address
    lifetime: int
    sequence: int
    kind: RegistrationKind


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRejected(Event):
    """A Binding Update was refused with a status."""

    SECTION = "10.3.1"
    home_address: IPv6Address
    care_of_address: IPv6Address
    status: int
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingDeregistered(Event):
    """The mobile node ended its binding; it is kept for its sequence number until removed (§10.3.2)."""

    SECTION = "10.3.2"
    home_address: IPv6Address
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRecalled(Event):
    """A home agent knows a binding, or (care-of address None) a sequence number, again after its restart."""

    SECTION = "15.3"
    home_address: IPv6Address
    care_of_address: IPv6Address | None
    sequence: int
    remaining: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRemoved(Event):
    """Nothing is left of a binding; `reason`: deregistered, expired, refused (by the plane), unreachable, evicted."""

    SECTION = "10.3.2"
    home_address: IPv6Address
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAddressCutOff(Event):
    """An administrator ended the binding of a home address, if there was one; new ones are refused."""

    SECTION = "15.3"
    home_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAddressReadmitted(Event):
    """An administrator lets a home address register again."""

    SECTION = "15.3"
    home_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyStarted(Event):
    """The home agent defends and intercepts an address on the home link."""

    SECTION = "10.4.1"
    address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyStopped(Event):
    """The home agent no longer answers for an address."""

    SECTION = "10.4.1"
    address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupJoined(Event):
    """A mobile node that is away listens to a multicast group, which is tunnelled to it from now on."""

    SECTION = "10.4.3"
    home_address: IPv6Address
    group: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLeft(Event):
    """It does no longer; `reason`: left, no report, binding ended, refused (by the plane)."""

    SECTION = "10.4.3"
    home_address: IPv6Address
    group: IPv6Address
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dhcpv6Forwarded(Event):
    """A DHCPv6 message of a mobile node that is away went to the servers; `message` is its name."""

    SECTION = "10.4.4"
    home_address: IPv6Address
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dhcpv6Answered(Event):
    """What a server answered went into the tunnel of the mobile node."""

    SECTION = "10.4.4"
    home_address: IPv6Address
    server: IPv6Address
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAgentListed(Event):
    """A router of the home link advertises itself as a home agent, or otherwise than before."""

    SECTION = "10.5.1"
    router: IPv6Address
    addresses: str
    preference: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAgentUnlisted(Event):
    """A router of the home link is no home agent any more; `reason` is withdrawn (by itself) or expired."""

    SECTION = "10.5.1"
    router: IPv6Address
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryAnswered(Event):
    """The home agent told a mobile node the home agents of the home link, the preferred first."""

    SECTION = "10.5"
    to: IPv6Address
    home_agents: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePrefixesChanged(Event):
    """The prefixes of the home link, with their lifetimes in seconds, are others than time alone made them."""

    SECTION = "10.6.1"
    router: IPv6Address
    prefixes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixesAdvertised(Event):
    """A mobile node was told the prefixes of the home link; `attempt` counts those that it did not ask for."""

    SECTION = "10.6.3"
    home_address: IPv6Address
    care_of_address: IPv6Address
    solicited: bool
    attempt: int


# Correspondent node


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRefreshRequested(Event):
    """A binding that is in use nears its end; `attempt` counts the Binding Refresh Requests for it."""

    SECTION = "9.5.5"
    home_address: IPv6Address
    attempt: int


# Mobile node


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkWentUp(Event):
    """The mobile node's interface has carrier."""

    SECTION = "11.5.1"
    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkWentDown(Event):
    """The mobile node's interface lost carrier."""

    SECTION = "11.5.1"
    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkHinted(Event):
    """The link layer says that the point of attachment may have changed."""

    SECTION = "11.5.1"
    interface: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterFound(Event):
    """A Router Advertisement of a router that is not the current one."""

    SECTION = "11.5.1"
    interface: str
    router: IPv6Address
    prefix: IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterLost(Event):
    """The current router is held to be unreachable; `reason` says how that was seen."""

    SECTION = "11.5.1"
    router: IPv6Address
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementDetected(Event):
    """The mobile node is on another link; None stands for no link."""

    SECTION = "11.5.1"
    from_prefix: IPv6Network | None
    to_prefix: IPv6Network
    at_home: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CareOfAddressFormed(Event):
    """A care-of address is configured; `optimistic`: in use while its uniqueness is still being tested."""

    SECTION = "11.5.3"
    address: IPv6Address
    optimistic: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CareOfAddressLost(Event):
    """A care-of address can no longer be used."""

    SECTION = "11.5.3"
    address: IPv6Address
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingUpdateSent(Event):
    """A Binding Update left; `attempt` counts from 1 for the same registration."""

    SECTION = "11.7.1"
    peer: IPv6Address
    home_address: IPv6Address
    care_of_address: IPv6Address
    sequence: int
    lifetime: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingAcknowledged(Event):
    """The peer accepted; `lifetime` is what is left of the granted one, in seconds."""

    SECTION = "11.7.3"
    peer: IPv6Address
    home_address: IPv6Address
    care_of_address: IPv6Address
    sequence: int
    lifetime: int
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingRefused(Event):
    """The peer refused with a status of 128 or more."""

    SECTION = "11.7.3"
    peer: IPv6Address
    home_address: IPv6Address
    sequence: int
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAgentsRequested(Event):
    """The home link was asked for its home agents; `attempt` counts from 1 for the same request."""

    SECTION = "11.4.1"
    source: IPv6Address
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAgentsDiscovered(Event):
    """The home agents that are tried, in this order, as `source` told in a reply or an advertisement."""

    SECTION = "11.4.1"
    source: IPv6Address
    home_agents: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAgentAbandoned(Event):
    """The next home agent is tried instead of one that failed; `reason` says how that was seen."""

    SECTION = "11.4.1"
    home_agent: IPv6Address
    reason: str
    successor: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAddressAdded(Event):
    """The node has another home address."""

    SECTION = "11.4.3"
    home_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAddressEnded(Event):
    """A home address was given up, and nothing of it is left."""

    SECTION = "11.4.3"
    home_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAgentUnable(Event):
    """The home agent said that it does not know Binding Updates: for a while it is sent none."""

    SECTION = "11.3.5"
    home_agent: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixesSolicited(Event):
    """The home agent was asked for the prefixes of the home link; `attempt` counts the repetitions."""

    SECTION = "11.4.2"
    home_agent: IPv6Address
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixesLearned(Event):
    """The home agent told the prefixes of the home link, with their lifetimes in seconds."""

    SECTION = "11.4.3"
    home_agent: IPv6Address
    prefixes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedHome(Event):
    """Deregistered, the home address is used on the home link again and announced."""

    SECTION = "11.5.5"
    home_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class KeygenTokenReceived(Event):
    """A Home Test or Care-of Test answered our init; `kind` is home or care-of."""

    SECTION = "11.6.2"
    peer: IPv6Address
    home_address: IPv6Address
    kind: str
    nonce_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteOptimisationStarted(Event):
    """Packets to a peer go straight from the care-of address."""

    SECTION = "11.3.1"
    peer: IPv6Address
    home_address: IPv6Address
    care_of_address: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteOptimisationEnded(Event):
    """Packets to a peer go through the home agent, or from home, again; `reason` says why."""

    SECTION = "11.3.1"
    peer: IPv6Address
    home_address: IPv6Address
    reason: str


# The lab itself (its records carry the node name "lab")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioStep(Event):
    """What the scenario is about to do, in a reader's words."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveBegan(Event):
    """A mobile node is being unplugged from a link; `outage` in seconds without carrier, None without any loss."""

    mobile_node: str
    from_link: str
    to_link: str
    outage: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveDone(Event):
    """A mobile node is plugged into a link."""

    mobile_node: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkImpaired(Event):
    """A link delays packets from now on (in seconds), loses a fraction of them, or limits its bits in a second."""

    link: str
    delay: float
    jitter: float
    loss: float
    rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeKilled(Event):
    """The daemon of a node is ended as by a crash: it can clear nothing away."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFailed(Event):
    """A node dies at once, as if its power were cut: its links go down with it."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStarted(Event):
    """A stream of numbered packets began; `every` in seconds."""

    stream: str
    source: str
    destination: str
    every: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamEnded(Event):
    """A stream of numbered packets ended."""

    stream: str
    sent: int
    received: int


# What a journal keeps


@lru_cache(maxsize=4096)
def text(address: IPv6Address | IPv6Network) -> str:
    """Write an address as journals have it: what one message brings comes in several events, and is remembered."""
    return str(address)


_JSON = json.JSONEncoder(default=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An event with its node and its time (seconds since the epoch, the clock of the captures)."""

    time: float
    node: str
    event: Event

    def to_json(self) -> str:
        """One line of `events.jsonl`, without its line end."""
        event, kind = self.event, type(self.event)
        line: dict[str, object] = {"v": SCHEMA_VERSION, "time": round(self.time, 6), "node": self.node}
        line |= {"event": kind.__name__, "section": event.SECTION}
        for name in _NAMES[kind]:
            line[name] = getattr(event, name)
        return _JSON.encode(line)

    @classmethod
    def from_json(cls, line: str) -> Self:
        """Read a line that `to_json` wrote; raises ValueError on any other."""
        try:
            data = json.loads(line)
            if data["v"] != SCHEMA_VERSION:
                raise ValueError(f"version {data['v']!r} instead of {SCHEMA_VERSION}")
            kind = EVENTS[data["event"]]
            hints = get_type_hints(kind)
            fields = {f.name: _restore(hints[f.name], data[f.name]) for f in dataclasses.fields(kind)}
            return cls(time=float(data["time"]), node=str(data["node"]), event=kind(**fields))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError(f"not a journal record: {line[:120]!r} ({error!r})") from error


def _restore(kind: Any, value: Any) -> Any:
    """Bring back from JSON what `str` made of an address, a prefix or an enumeration."""
    if isinstance(kind, UnionType):
        if value is None:
            return None
        kind = next(option for option in get_args(kind) if option is not NoneType)
    as_text = kind in (IPv6Address, IPv6Network) or issubclass(kind, StrEnum)
    written = (int, float) if kind is float else str if as_text else kind
    if not isinstance(value, written) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    return kind(value) if as_text else value


EVENTS: dict[str, type[Event]] = {kind.__name__: kind for kind in Event.__subclasses__()}
_NAMES = {kind: tuple(field.name for field in dataclasses.fields(kind)) for kind in EVENTS.values()}
"""Of the fields of each event."""
