"""The groups in which neighbours ask for mobile nodes that are away (RFC 4861 §7.2.8), told by MLD (RFC 3810 §6).

Routers do not care for them, but switches that forward to listeners only do. One report tells of many groups.
"""

from collections import Counter, deque
from collections.abc import Iterator
from ipaddress import IPv6Address

from lab.constants import UNSOLICITED_REPORT_INTERVAL
from lab.engine.io import Effect, Instant, LinkUp, Received, Send
from lab.engine.multicast import ROUTER_ALERT
from lab.wire.addresses import ALL_MLDV2_ROUTERS, LINK_LOCAL_PREFIX, UNSPECIFIED, solicited_node
from lab.wire.multicast_listener import (
    MulticastAddressRecord,
    MulticastListenerQuery,
    MulticastListenerReport,
    RecordType,
)
from lab.wire.packet import Packet

RECORDS = 60
"""In one report: as many as fit a packet that every link carries."""
_SUFFIX = 0xFF_FFFF
"""What such a group has of an address; it names the group here."""


class SolicitedNodeGroups:
    """What a home agent listens to on the home link on behalf of others."""

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._source = UNSPECIFIED
        self._members: Counter[int] = Counter()
        """How many addresses belong to each group."""
        self._changed: deque[tuple[Instant, int]] = deque()
        self._changed_again: deque[tuple[Instant, int]] = deque()
        """When what is to be told: ROBUSTNESS_VARIABLE is two (RFC 3810 §6.1)."""
        self._asked: deque[tuple[Instant, int]] = deque()

    def link_up(self, link: LinkUp) -> None:
        """Send from the address of the link (RFC 3590 §4)."""
        if link.interface == self._interface:
            self._source = link.link_local_address

    def begin(self, address: IPv6Address, now: Instant) -> None:
        """Listen to where an address is asked for."""
        group = int(address) & _SUFFIX
        self._members[group] += 1
        if self._members[group] == 1:
            self._changed.append((now, group))

    def end(self, address: IPv6Address, now: Instant) -> None:
        """Undo `begin`."""
        group = int(address) & _SUFFIX
        self._members[group] -= 1
        if not self._members[group]:
            del self._members[group]
            self._changed.append((now, group))

    def queried(self, received: Received, query: MulticastListenerQuery, now: Instant) -> None:
        """Take note of a query: of one group, or of all.

        A random delay would keep many listeners from answering at the same time (RFC 3810 §6.2); here one answers for
        all of them.
        """
        packet = received.packet
        if received.interface != self._interface or packet.source not in LINK_LOCAL_PREFIX or packet.hop_limit != 1:
            return
        if query.group.is_unspecified:
            self._asked = deque((now, group) for group in self._members)
        elif query.group == solicited_node(query.group):
            self._asked.append((now, int(query.group) & _SUFFIX))

    def deadline(self) -> Instant | None:
        """When the next report is due."""
        queues = (self._changed, self._changed_again, self._asked)
        return min((queue[0][0] for queue in queues if queue), default=None)

    def advance(self, now: Instant) -> list[Effect]:
        """Send the next report of each kind that is due; others have their turn between two."""
        changed = [*_due(self._changed, now)]
        self._changed_again.extend((now + UNSOLICITED_REPORT_INTERVAL, group) for group in changed)
        if not changed:
            changed = [*_due(self._changed_again, now)]
        asked = [group for group in _due(self._asked, now) if group in self._members]
        return [
            *self._report(RecordType.CHANGE_TO_EXCLUDE_MODE, [group for group in changed if group in self._members]),
            *self._report(
                RecordType.CHANGE_TO_INCLUDE_MODE, [group for group in changed if group not in self._members]
            ),
            *self._report(RecordType.MODE_IS_EXCLUDE, asked),
        ]

    def _report(self, kind: RecordType, groups: list[int]) -> list[Effect]:
        if not groups:
            return []
        records = tuple(
            MulticastAddressRecord(record_type=kind, group=solicited_node(IPv6Address(group))) for group in groups
        )
        packet = Packet(
            source=self._source,
            destination=ALL_MLDV2_ROUTERS,
            hop_limit=1,
            headers=(ROUTER_ALERT,),
            payload=MulticastListenerReport(records=records),
        )
        return [Send(packet=packet, interface=self._interface)]


def _due(queue: deque[tuple[Instant, int]], now: Instant) -> Iterator[int]:
    """Take what is due, as much as fits a report."""
    for _ in range(RECORDS):
        if not queue or queue[0][0] > now:
            return
        yield queue.popleft()[1]
