"""Unsolicited Neighbor Advertisements, repeated in case one is lost (RFC 4861 §7.2.6; RFC 6275 §10.4.1, §11.5.5)."""

from dataclasses import dataclass, replace
from ipaddress import IPv6Address

from lab.constants import MAX_NEIGHBOR_ADVERTISEMENT, RETRANS_TIMER
from lab.engine.io import Effect, Instant, Send
from lab.engine.timetable import Timetable
from lab.wire.packet import Packet


@dataclass(frozen=True, slots=True, kw_only=True)
class _Announcement:
    send: Send
    left: int
    deadline: Instant


class Announcements:
    """Sends each announcement MAX_NEIGHBOR_ADVERTISEMENT times, RETRANS_TIMER apart."""

    def __init__(self) -> None:
        self._pending: Timetable[_Announcement] = Timetable()

    def start(self, address: IPv6Address, packet: Packet, interface: str, now: Instant) -> list[Effect]:
        """Announce an address now and again."""
        send = Send(packet=packet, interface=interface)
        left, deadline = MAX_NEIGHBOR_ADVERTISEMENT - 1, now + RETRANS_TIMER
        self._pending.put(address, _Announcement(send=send, left=left, deadline=deadline))
        return [send]

    def stop(self, address: IPv6Address) -> None:
        """Say no more of an address."""
        self._pending.remove(address)

    def deadline(self) -> Instant | None:
        """When the next repetition is due."""
        return self._pending.deadline()

    def advance(self, now: Instant) -> list[Effect]:
        """Repeat what is due."""
        effects: list[Effect] = []
        for address, announcement in self._pending.due(now):
            effects.append(announcement.send)
            if announcement.left == 1:
                self._pending.remove(address)
            else:
                again = replace(announcement, left=announcement.left - 1, deadline=now + RETRANS_TIMER)
                self._pending.put(address, again)
        return effects
