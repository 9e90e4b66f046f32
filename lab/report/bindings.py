"""Which bindings each node held when, as it reported."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv6Address

from lab.events import (
    BindingDeregistered,
    BindingRecalled,
    BindingRegistered,
    BindingRemoved,
    HomeAddressCutOff,
    NodeFailed,
    NodeKilled,
    NodeStopped,
    Record,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An entry of a binding cache (§9.1, §10.1), from registration or move to the next, or to its end."""

    node: str
    home_address: IPv6Address
    care_of_address: IPv6Address
    begin: float
    end: float
    """Seconds since the epoch; what nobody ended lasts as long as it was granted, or the run."""


def bindings(records: Sequence[Record]) -> list[Held]:
    """Give all entries in the order of their ends."""
    held: dict[tuple[str, IPv6Address], Held] = {}
    ended: list[Held] = []

    def end(node: str, home_address: IPv6Address, time: float) -> None:
        entry = held.pop((node, home_address), None)
        if entry is not None:
            ended.append(replace(entry, end=min(entry.end, time)))

    def hold(record: Record, home_address: IPv6Address, care_of_address: IPv6Address, lifetime: float) -> None:
        key, until = (record.node, home_address), record.time + lifetime
        entry = held.get(key)
        if entry is not None and entry.care_of_address == care_of_address and record.time <= entry.end:
            held[key] = replace(entry, end=until)
            return
        end(*key, record.time)
        held[key] = Held(
            node=record.node,
            home_address=home_address,
            care_of_address=care_of_address,
            begin=record.time,
            end=until,
        )

    for record in records:
        match record.event:
            case BindingRegistered(home_address=home, care_of_address=care_of, lifetime=lifetime):
                hold(record, home, care_of, lifetime)
            case BindingRecalled(home_address=home, care_of_address=IPv6Address() as care_of, remaining=remaining):
                hold(record, home, care_of, remaining)
            case (
                BindingDeregistered(home_address=home)
                | BindingRemoved(home_address=home)
                | HomeAddressCutOff(home_address=home)
            ):
                end(record.node, home, record.time)
            case NodeFailed(name=name) | NodeKilled(name=name):
                for node, home in [key for key in held if key[0] == name]:
                    end(node, home, record.time)
            case NodeStopped():
                for node, home in [key for key in held if key[0] == record.node]:
                    end(node, home, record.time)
            case _:
                pass
    for node, home in [*held]:
        end(node, home, records[-1].time)
    return ended
