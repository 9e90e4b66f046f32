"""Which multicast groups mobile nodes listen to while they are away, RFC 6275 §10.4.3.

The home agent is the MLD querier (RFC 3810) of each tunnel, and a listener on the home link for all who listen there.
A tunnel has one listener behind it: so what it leaves is left at once, and nobody needs a random delay before reports.
Sources are not told apart: what a mobile node listens to from some is tunnelled from all, and its own kernel chooses.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from types import MappingProxyType

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
    Report,
    Send,
)
from lab.engine.mobility_header import drop
from lab.engine.timetable import Timetable
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
_NO_GROUPS: Mapping[IPv6Address, Instant] = MappingProxyType({})
"""What nearly all listen to: one for all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listener:
    """A mobile node that is away."""

    home_agent_address: IPv6Address
    care_of_address: IPv6Address
    query_at: Instant
    startup: int
    """Queries that are still to follow soon (RFC 3810 §9.7)."""
    groups: Mapping[IPv6Address, Instant]
    """With the end of each membership."""

    @property
    def deadline(self) -> Instant:
        """When the next query is due or the next membership ends."""
        return min(self.query_at, *self.groups.values()) if self.groups else self.query_at


class Memberships:
    """The groups of all mobile nodes that are served."""

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._listeners: Timetable[_Listener] = Timetable()
        """By home address."""
        self._heard_by: Counter[IPv6Address] = Counter()
        """How many listen to each group."""

    def begin(
        self, home_address: IPv6Address, home_agent_address: IPv6Address, care_of_address: IPv6Address, now: Instant
    ) -> None:
        """Ask a mobile node, at once, what it listens to; what is known of it stays known when it moves."""
        earlier = self._listeners.get(home_address)
        listener = _Listener(
            home_agent_address=home_agent_address,
            care_of_address=care_of_address,
            query_at=now,
            startup=STARTUP_QUERY_COUNT,
            groups=_NO_GROUPS if earlier is None else earlier.groups,
        )
        self._listeners.put(home_address, listener)

    def end(self, home_address: IPv6Address) -> list[Effect]:
        """Forget a mobile node whose binding ended: at home it listens itself."""
        listener = self._listeners.get(home_address)
        if listener is None:
            return []
        effects = [effect for group in listener.groups for effect in self._leave(home_address, group, "binding ended")]
        self._listeners.remove(home_address)
        return effects

    def deadline(self) -> Instant | None:
        """When the next query is due or the next membership ends."""
        return self._listeners.deadline()

    def advance(self, now: Instant) -> list[Effect]:
        """Query, and end memberships that nobody confirmed."""
        effects: list[Effect] = []
        for home_address, listener in self._listeners.due(now):
            if listener.query_at <= now:
                effects += self._ask(home_address, listener, now)
            for group in [group for group, until in listener.groups.items() if until <= now]:
                effects += self._leave(home_address, group, "no report")
        return effects

    def _ask(self, home_address: IPv6Address, listener: _Listener, now: Instant) -> list[Effect]:
        startup = max(listener.startup - 1, 0)
        query_at = now + (STARTUP_QUERY_INTERVAL if startup else QUERY_INTERVAL)
        self._listeners.put(home_address, replace(listener, startup=startup, query_at=query_at))
        return [_query(listener, UNSPECIFIED)]

    def received(self, packet: Packet, homes: Sequence[IPv6Address], now: Instant) -> list[Effect]:
        """Take what came out of a tunnel, whose outer header tells which home addresses may say it (§10.4.3)."""
        inner = packet.payload
        if not homes or not isinstance(inner, Packet):
            return [drop(packet, "unexpected-tunnel-packet")]
        home_address = homes[0]
        match inner.payload:
            case MulticastListenerReportV1(group=group):
                return self._listen(home_address, group, now)
            case MulticastListenerDone(group=group):
                return self._leave(home_address, group, "left")
            case MulticastListenerReport(records=records):
                return [effect for record in records for effect in self._take(home_address, record, now)]
            case _:
                return [drop(packet, "unexpected-tunnel-packet")]

    def refused(self, home_address: IPv6Address, group: IPv6Address) -> list[Effect]:
        """Give up a group that the data plane cannot forward."""
        return self._leave(home_address, group, "refused")

    def _take(self, home_address: IPv6Address, record: MulticastAddressRecord, now: Instant) -> list[Effect]:
        listener = self._listener(home_address)
        match record.record_type:
            case RecordType.MODE_IS_EXCLUDE | RecordType.CHANGE_TO_EXCLUDE_MODE:
                return self._listen(home_address, record.group, now)
            case RecordType.MODE_IS_INCLUDE | RecordType.CHANGE_TO_INCLUDE_MODE if not record.sources:
                return self._leave(home_address, record.group, "left")
            case RecordType.MODE_IS_INCLUDE | RecordType.CHANGE_TO_INCLUDE_MODE | RecordType.ALLOW_NEW_SOURCES:
                return self._listen(home_address, record.group, now)
            case RecordType.BLOCK_OLD_SOURCES if record.group in listener.groups:
                # Perhaps there are others that it listens to: it is asked (RFC 3810 §7.6.3).
                until = min(listener.groups[record.group], now + LAST_LISTENER_QUERY_TIME)
                self._put(home_address, listener, {**listener.groups, record.group: until})
                return [_query(listener, record.group)]
            case _:
                return []  # RFC 3810 §5.2.12: what is not defined is ignored

    def _listen(self, home_address: IPv6Address, group: IPv6Address, now: Instant) -> list[Effect]:
        listener = self._listener(home_address)
        if not is_global_group(group):
            return []  # §10.4.2: groups of a smaller scope are not tunnelled
        known = group in listener.groups
        if not known and len(listener.groups) == MAX_GROUPS:
            return []
        self._put(home_address, listener, {**listener.groups, group: now + LISTENING_TIME})
        if known:
            return []
        self._heard_by[group] += 1
        joined = [JoinGroup(interface=self._interface, group=group)] if self._heard_by[group] == 1 else []
        return [
            ForwardGroup(interface=self._interface, home_address=home_address, group=group),
            *joined,
            Report(event=GroupJoined(home_address=home_address, group=group)),
        ]

    def _leave(self, home_address: IPv6Address, group: IPv6Address, reason: str) -> list[Effect]:
        listener = self._listeners.get(home_address)
        if listener is None or group not in listener.groups:
            return []
        self._put(home_address, listener, {each: until for each, until in listener.groups.items() if each != group})
        self._heard_by[group] -= 1
        last = []
        if not self._heard_by[group]:
            del self._heard_by[group]
            last = [LeaveGroup(interface=self._interface, group=group)]
        return [
            EndForwarding(home_address=home_address, group=group),
            *last,
            Report(event=GroupLeft(home_address=home_address, group=group, reason=reason)),
        ]

    def _listener(self, home_address: IPv6Address) -> _Listener:
        """Give a mobile node that is known to be away."""
        listener = self._listeners.get(home_address)
        assert listener is not None
        return listener

    def _put(self, home_address: IPv6Address, listener: _Listener, groups: Mapping[IPv6Address, Instant]) -> None:
        self._listeners.put(home_address, replace(listener, groups=groups or _NO_GROUPS))


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
