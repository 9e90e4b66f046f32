"""Sorting of what an engine answers."""

from typing import TypeVar

from lab.engine.io import Effect, Report, Send
from lab.wire.packet import Packet

T = TypeVar("T")


def of_kind(effects: list[Effect], kind: type[T]) -> list[T]:
    """Pick effects of one kind."""
    return [effect for effect in effects if isinstance(effect, kind)]


def sent(effects: list[Effect]) -> list[Packet]:
    """Pick the packets that are sent."""
    return [effect.packet for effect in of_kind(effects, Send)]


def events(effects: list[Effect], kind: type[T]) -> list[T]:
    """Pick the events of one kind."""
    return [e.event for e in effects if isinstance(e, Report) and isinstance(e.event, kind)]


def names(effects: list[Effect]) -> list[str]:
    """Name the effects in their order, without reports; packets by what they carry."""
    listed = [e for e in effects if not isinstance(e, Report)]
    return [type(e.packet.payload if isinstance(e, Send) else e).__name__ for e in listed]
