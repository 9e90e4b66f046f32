"""Which multicast groups a mobile node listens to at its home address, wherever it is (RFC 6275 §11.3.4).

Applications join them on the tunnel device. While the node is away its kernel reports them through the tunnel, as on
any link with an MLD querier. At home there is no tunnel: then the same groups are joined on the home link.
"""

from collections.abc import Iterator
from ipaddress import IPv6Address

from lab.engine.io import Effect, JoinGroup, LeaveGroup
from lab.wire.addresses import is_wider_than_link
from lab.wire.icmpv6 import Icmpv6Message
from lab.wire.multicast_listener import (
    MulticastListenerDone,
    MulticastListenerReport,
    MulticastListenerReportV1,
    RecordType,
)

_LISTENING = (
    RecordType.MODE_IS_EXCLUDE,
    RecordType.CHANGE_TO_EXCLUDE_MODE,
    RecordType.ALLOW_NEW_SOURCES,
)
_ENDING = (RecordType.MODE_IS_INCLUDE, RecordType.CHANGE_TO_INCLUDE_MODE)


class Subscriptions:
    """The groups of the tunnel device, as the node's own kernel reports them there."""

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._wanted: set[IPv6Address] = set()
        self._joined: set[IPv6Address] = set()
        """On the home link."""

    def reported(self, message: Icmpv6Message) -> None:
        """Take what the kernel says in MLD on the tunnel device."""
        for group, listens in _groups(message):
            if not listens:
                self._wanted.discard(group)
            elif is_wider_than_link(group.packed):
                self._wanted.add(group)

    def follow(self, *, at_home: bool) -> list[Effect]:
        """Join at home what applications want, and leave that when the node leaves."""
        wanted = self._wanted if at_home else set[IPv6Address]()
        joined, left = sorted(wanted - self._joined), sorted(self._joined - wanted)
        self._joined = set(wanted)
        return [
            *(JoinGroup(interface=self._interface, group=group) for group in joined),
            *(LeaveGroup(interface=self._interface, group=group) for group in left),
        ]


def _groups(message: Icmpv6Message) -> Iterator[tuple[IPv6Address, bool]]:
    """Give each group that a message tells of, and whether it is listened to, from all or some sources."""
    match message:
        case MulticastListenerReportV1(group=group):
            yield group, True
        case MulticastListenerDone(group=group):
            yield group, False
        case MulticastListenerReport(records=records):
            for record in records:
                if record.record_type in _LISTENING or (record.record_type in _ENDING and record.sources):
                    yield record.group, True
                elif record.record_type in _ENDING:
                    yield record.group, False
        case _:
            return
