"""Which multicast groups mobile nodes listen to while they are away, RFC 6275 §10.4.3.

The home agent is the MLD querier (RFC 3810) of each tunnel, and a listener on the home link for all who listen there.
A tunnel has one listener behind it: so what it leaves is left at once, and nobody needs a random delay before reports.
Sources are not told apart: what a mobile node listens to from some is tunnelled from all, and its own kernel chooses.
"""

from dataclasses import dataclass, field
from ipaddress import IPv6Address

from lab.constants import (
    LAST_LISTENER_QUERY_TIME,
    QUERY_INTERVAL,
    ROBUSTNESS_VARIABLE,
    STARTUP_QUERY_COUNT,
    STARTUP_QUERY_INTERVAL,
    TUNNEL_QUERY_RESPONSE_INTERVAL,
)
from lab.engine.io import (
    Effect,
    EndForwarding,
    ForwardGroup,
    Instant,
    JoinGroup,
    LeaveGroup,
    Received,
    Report,
    Send,
)
from lab.engine.mobility_header import drop
from lab.events import GroupJoined, GroupLeft
from lab.wire.addresses import ALL_NODES, UNSPECIFIED, is_global_group
from lab.wire.multicast_listener import (
    MulticastAddressRecord,
    MulticastListenerDone,
    MulticastListenerQuery,
    MulticastListenerReport,
    MulticastListenerReportV1,
    RecordType,
)
from lab.wire.packet import HopByHopOptions, Packet, UnknownHeaderOption

LISTENING_TIME = ROBUSTNESS_VARIABLE * QUERY_INTERVAL + TUNNEL_QUERY_RESPONSE_INTERVAL
"""Seconds for which a report counts, RFC 3810 §9.4."""
MAX_GROUPS = 64
"""Of one mobile node: whoever may bind shall not fill the home agent's tables."""
ROUTER_ALERT = HopByHopOptions(options=(UnknownHeaderOption(option_type=5, data=bytes(2)),))
"""RFC 2711: MLD of routers and listeners bears it."""
QUERIER = IPv6Address("fe80::1")
"""Any link-local address will do: each tunnel is a link of its own, and nothing depends on it (§10.4.3)."""
_MILLISECONDS = 1000


@dataclass(slots=True, kw_only=True)
class _Listener:
    """A mobile node that is away."""

    home_agent_address: IPv6Address
    care_of_address: IPv6Address
    query_at: Instant
    startup: int
    """Queries that are still to follow soon (RFC 3810 §9.7)."""
    groups: dict[IPv6Address, Instant] = field(default_factory=dict)
    """With the end of each membership."""


class Memberships:
    """The groups of all mobile nodes that are served."""

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._listeners: dict[IPv6Address, _Listener] = {}
        """By home address."""

    def begin(
        self, home_address: IPv6Address, home_agent_address: IPv6Address, care_of_address: IPv6Address, now: Instant
    ) -> None:
        """Ask a mobile node, at once, what it listens to; what is known of it stays known when it moves."""
        earlier = self._listeners.get(home_address)
        self._listeners[home_address] = _Listener(
            home_agent_address=home_agent_address,
            care_of_address=care_of_address,
            query_at=now,
            startup=STARTUP_QUERY_COUNT,
            groups={} if earlier is None else earlier.groups,
        )

    def end(self, home_address: IPv6Address) -> list[Effect]:
        """Forget a mobile node whose binding ended: at home it listens itself."""
        listener = self._listeners.get(home_address)
        groups = [] if listener is None else [*listener.groups]
        effects = [effect for group in groups for effect in self._leave(home_address, group, "binding ended")]
        self._listeners.pop(home_address, None)
        return effects

    def deadline(self) -> Instant | None:
        """When the next query is due or the next membership ends."""
        due = [at for each in self._listeners.values() for at in (each.query_at, *each.groups.values())]
        return min(due, default=None)

    def advance(self, now: Instant) -> list[Effect]:
        """Query, and end memberships that nobody confirmed."""
        effects: list[Effect] = []
        for home_address, listener in self._listeners.items():
            for group in [group for group, until in listener.groups.items() if until <= now]:
                effects += self._leave(home_address, group, "no report")
            if listener.query_at <= now:
                listener.startup = max(listener.startup - 1, 0)
                listener.query_at = now + (STARTUP_QUERY_INTERVAL if listener.startup else QUERY_INTERVAL)
                effects.append(_query(listener, UNSPECIFIED))
        return effects

    def received(self, received: Received, now: Instant) -> list[Effect]:
        """Take what came out of a tunnel with its outer header, which tells who says it (§10.4.3)."""
        packet = received.packet
        inner = packet.payload
        found = [(home, each) for home, each in self._listeners.items() if each.care_of_address == packet.source]
        if not found or not isinstance(inner, Packet):
            return [drop(packet, "unexpected-tunnel-packet")]
        home_address, listener = found[0]
        match inner.payload:
            case MulticastListenerReportV1(group=group):
                return self._listen(home_address, listener, group, now)
            case MulticastListenerDone(group=group):
                return self._leave(home_address, group, "left")
            case MulticastListenerReport(records=records):
                return [effect for record in records for effect in self._take(home_address, listener, record, now)]
            case _:
                return [drop(packet, "unexpected-tunnel-packet")]

    def refused(self, home_address: IPv6Address, group: IPv6Address) -> list[Effect]:
        """Give up a group that the data plane cannot forward."""
        return self._leave(home_address, group, "refused")

    def _take(
        self, home_address: IPv6Address, listener: _Listener, record: MulticastAddressRecord, now: Instant
    ) -> list[Effect]:
        match record.record_type:
            case RecordType.MODE_IS_EXCLUDE | RecordType.CHANGE_TO_EXCLUDE_MODE:
                return self._listen(home_address, listener, record.group, now)
            case RecordType.MODE_IS_INCLUDE | RecordType.CHANGE_TO_INCLUDE_MODE if not record.sources:
                return self._leave(home_address, record.group, "left")
            case RecordType.MODE_IS_INCLUDE | RecordType.CHANGE_TO_INCLUDE_MODE | RecordType.ALLOW_NEW_SOURCES:
                return self._listen(home_address, listener, record.group, now)
            case RecordType.BLOCK_OLD_SOURCES if record.group in listener.groups:
                # Perhaps there are others that it listens to: it is asked (RFC 3810 §7.6.3).
                listener.groups[record.group] = min(listener.groups[record.group], now + LAST_LISTENER_QUERY_TIME)
                return [_query(listener, record.group)]
            case _:
                return []  # RFC 3810 §5.2.12: what is not defined is ignored

    def _listen(self, home_address: IPv6Address, listener: _Listener, group: IPv6Address, now: Instant) -> list[Effect]:
        if not is_global_group(group):
            return []  # §10.4.2: groups of a smaller scope are not tunnelled
        known = group in listener.groups
        if not known and len(listener.groups) == MAX_GROUPS:
            return []
        first = not self._anybody(group)
        listener.groups[group] = now + LISTENING_TIME
        if known:
            return []
        joined = [JoinGroup(interface=self._interface, group=group)] if first else []
        return [
            ForwardGroup(interface=self._interface, home_address=home_address, group=group),
            *joined,
            Report(event=GroupJoined(home_address=home_address, group=group)),
        ]

    def _leave(self, home_address: IPv6Address, group: IPv6Address, reason: str) -> list[Effect]:
        listener = self._listeners.get(home_address)
        if listener is None or listener.groups.pop(group, None) is None:
            return []
        last = [] if self._anybody(group) else [LeaveGroup(interface=self._interface, group=group)]
        return [
            EndForwarding(home_address=home_address, group=group),
            *last,
            Report(event=GroupLeft(home_address=home_address, group=group, reason=reason)),
        ]

    def _anybody(self, group: IPv6Address) -> bool:
        return any(group in listener.groups for listener in self._listeners.values())


def _query(listener: _Listener, group: IPv6Address) -> Send:
    """Ask a mobile node in its tunnel: of one group, or of all."""
    message = MulticastListenerQuery(
        max_response_code=int(TUNNEL_QUERY_RESPONSE_INTERVAL * _MILLISECONDS),
        group=group,
        robustness=ROBUSTNESS_VARIABLE,
        interval_code=QUERY_INTERVAL,
    )
    inner = Packet(
        source=QUERIER,
        destination=ALL_NODES if group.is_unspecified else group,
        hop_limit=1,
        headers=(ROUTER_ALERT,),
        payload=message,
    )
    return Send(packet=Packet(source=listener.home_agent_address, destination=listener.care_of_address, payload=inner))
