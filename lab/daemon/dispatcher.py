"""The loop between an engine and the world: inputs in, effects carried out in order, one timer."""

import dataclasses
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Protocol

from lab.engine.duplicate_address_detection import Answer, DuplicateAddressDetection
from lab.engine.io import (
    AskUse,
    DadFailed,
    DadSucceeded,
    DeadlineReached,
    Engine,
    Forget,
    ForgetCutOff,
    Input,
    Instant,
    JoinAnycast,
    JoinGroup,
    LeaveGroup,
    Received,
    Refused,
    Remember,
    RememberCutOff,
    Report,
    Send,
    StartDad,
    StopDad,
    StoreEffect,
    Used,
)
from lab.errors import IpsecError, PlaneError, StoreError
from lab.events import EffectRefused, Event, MessageReceived, MessageSent, PacketDropped
from lab.plane.base import Plane
from lab.wire.icmpv6 import NeighborAdvertisement, NeighborSolicitation
from lab.wire.mobility import MobilityMessage
from lab.wire.packet import Packet
from lab.wire.summary import name, summary

_log = logging.getLogger(__name__)

FAULT_PAUSE = 1.0
"""Seconds after a fault of ours in which no timer ends: a fault at a deadline would otherwise repeat at once."""


DROPS_TOLD = 10
"""So many dropped packets for a reason are written down in a second; `count` of the next one tells of the others."""


class Outlet(Protocol):
    """What a node sends by."""

    def send(self, packet: Packet, interface: str | None) -> None:
        """Send a packet; raises OSError or `IpsecError`."""

    def join(self, interface: str, group: IPv6Address) -> None:
        """Receive what is sent to a group; raises OSError."""

    def leave(self, interface: str, group: IPv6Address) -> None:
        """Undo `join`; raises OSError."""

    def join_anycast(self, interface: str, address: IPv6Address) -> None:
        """Receive what is sent to an anycast address, even if that was asked before; raises OSError."""


class Keeper(Protocol):
    """What a node keeps by beyond its end."""

    def apply(self, effect: StoreEffect) -> None:
        """Keep something or remove it, durably after `flush`; raises `StoreError`."""

    def flush(self) -> None:
        """Make all changes durable; raises `StoreError`. What raises undoes every change since the last time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    """What is to be done once a record is durable."""

    record: Remember
    effects: Sequence[Answer]


class Dispatcher:
    """Owns the order of things: one input at a time, and all it leads to before the next."""

    def __init__(
        self,
        engine: Engine,
        plane: Plane,
        outlet: Outlet,
        *,
        journal: Callable[[Event], None],
        clock: Callable[[], Instant],
        arm: Callable[[Instant | None], None],
        store: Keeper | None = None,
    ) -> None:
        self._engine = engine
        self._plane = plane
        self._outlet = outlet
        self._journal = journal
        self._clock = clock
        self._arm = arm
        self._store = store
        self._dad = DuplicateAddressDetection()
        self._queue: deque[Input | _Waiting] = deque()
        self._waiting: list[_Waiting] = []
        self._busy = False
        self._quiet_until: Instant = float("-inf")
        self.drops: Counter[str] = Counter()
        self._drops_told: dict[str, tuple[Instant, int]] = {}
        """By reason: since when they are counted, and how many there were."""

    def feed(self, *inputs: Input) -> None:
        """Take inputs that are there at the same time; whatever they hold, the node goes on.

        What they have kept is written to the disk once, before anything that waits for it.
        """
        self._queue.extend(inputs)
        if self._busy:
            return
        self._busy = True
        try:
            while self._queue:
                while self._queue:
                    self._process(self._queue.popleft())
                self._flush()
        finally:
            self._busy = False
        self._arm(self.deadline())

    def deadline(self) -> Instant | None:
        """When the next input must come even if nothing happens."""
        due = (self._engine.deadline(), self._dad.deadline())
        first = min((instant for instant in due if instant is not None), default=None)
        return None if first is None else max(first, self._quiet_until)

    def _process(self, happened: Input | _Waiting) -> None:
        now = self._clock()
        try:
            match happened:
                case _Waiting(effects=effects):
                    self._carry_out(effects, now)
                    return
                case Received(packet=packet):
                    self._note_received(packet)
                    if isinstance(packet.payload, NeighborSolicitation | NeighborAdvertisement):
                        self._carry_out(self._dad.handle(happened, now), now)
                case DeadlineReached():
                    self._carry_out(self._dad.handle(happened, now), now)
                case _:
                    pass
            self._carry_out(self._engine.handle(happened, now), now)
        except Exception:  # a fault of ours must not end the service of everybody else
            _log.exception("while handling %r", happened)
            self._quiet_until = now + FAULT_PAUSE
            self.report(PacketDropped(reason="internal-error", detail=type(happened).__name__))

    def _carry_out(self, effects: Iterable[Answer], now: Instant) -> None:
        rest = iter(effects)
        try:
            self._carry_out_each(rest, now)
        finally:  # dropped after a refusal or a fault, but the engine thinks to the end before it hears of anything
            for _ in rest:
                pass

    def _carry_out_each(self, rest: Iterator[Answer], now: Instant) -> None:
        for effect in rest:
            match effect:
                case Report(event=event):
                    self.report(event)
                case Send(packet=packet, interface=interface):
                    self._send(packet, interface)
                case StartDad() | StopDad():
                    self._carry_out(self._dad.handle(effect, now), now)
                case DadSucceeded() | DadFailed():
                    self._queue.append(effect)
                case JoinGroup(interface=interface, group=group):
                    self._membership(self._outlet.join, interface, group)
                case LeaveGroup(interface=interface, group=group):
                    self._membership(self._outlet.leave, interface, group)
                case JoinAnycast(interface=interface, address=address):
                    self._membership(self._outlet.join_anycast, interface, address)
                case AskUse(home_address=home_address, peer=peer):
                    used = self._plane.used(home_address, peer)
                    self._queue.append(Used(home_address=home_address, peer=peer, used=used))
                case Remember():
                    self._waiting.append(_Waiting(record=effect, effects=[*rest]))
                    self._keep(effect)
                    return  # so no acknowledgement precedes what must be known after a restart
                case Forget() | RememberCutOff() | ForgetCutOff():
                    self._keep(effect)
                case plane_effect:
                    try:
                        self._plane.apply(plane_effect)
                    except PlaneError as error:
                        self.report(EffectRefused(effect=type(plane_effect).__name__, reason=str(error)))
                        self._queue.appendleft(Refused(effect=plane_effect, reason=str(error)))
                        return  # so no acknowledgement precedes its route

    def _keep(self, effect: StoreEffect) -> None:
        """Have something kept or removed."""
        try:
            if self._store is not None:
                self._store.apply(effect)
        except StoreError as error:
            self._lose(type(effect), error)

    def _flush(self) -> None:
        """Have all that was kept made durable, and let what waits for that come next."""
        try:
            if self._store is not None:
                self._store.flush()
        except StoreError as error:
            self._lose(Remember if self._waiting else Forget, error)
        self._queue.extend(self._waiting)
        self._waiting.clear()

    def _lose(self, kind: type[StoreEffect], error: StoreError) -> None:
        """Say that records could not be kept: the one that failed, and all that were to become durable with it."""
        self.report(EffectRefused(effect=kind.__name__, reason=str(error)))
        self._queue.extend(Refused(effect=waiting.record, reason=str(error)) for waiting in self._waiting)
        self._waiting.clear()

    def _send(self, packet: Packet, interface: str | None) -> None:
        try:
            self._outlet.send(packet, interface)
        except (OSError, IpsecError) as error:
            why = error.detail if isinstance(error, IpsecError) else error.strerror or error
            detail = f"{name(packet.payload)}: {why}"
            dropped = PacketDropped(
                reason="not-sent", source=packet.source, destination=packet.destination, detail=detail
            )
            self.report(dropped)
            return
        if isinstance(packet.payload, MobilityMessage):
            self.report(
                MessageSent(
                    message=name(packet.payload),
                    source=packet.source,
                    destination=packet.destination,
                    summary=summary(packet.payload),
                )
            )

    def _note_received(self, packet: Packet) -> None:
        if isinstance(packet.payload, MobilityMessage):
            self.report(
                MessageReceived(
                    message=name(packet.payload),
                    source=packet.source,
                    destination=packet.destination,
                    summary=summary(packet.payload),
                )
            )

    def _membership(self, change: Callable[[str, IPv6Address], None], interface: str, group: IPv6Address) -> None:
        try:
            change(interface, group)
        except OSError as error:
            _log.debug("membership of %s on %s: %s", group, interface, error)

    def report(self, event: Event) -> None:
        """Write an event into the journal; drops are counted by their reasons, and a flood of them is not all told."""
        if isinstance(event, PacketDropped):
            self.drops[event.reason] += 1
            if not self._tells_drop(event.reason):
                return
            event = dataclasses.replace(event, count=self.drops[event.reason])
        self._journal(event)

    def _tells_drop(self, reason: str) -> bool:
        """Tell whether the journal takes one more drop for a reason: DROPS_TOLD in each second."""
        now = self._clock()
        since, told = self._drops_told.get(reason, (now, 0))
        if now - since >= 1.0:
            since, told = now, 0
        self._drops_told[reason] = (since, told + 1)
        return told < DROPS_TOLD
