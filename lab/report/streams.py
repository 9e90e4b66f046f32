"""A stream of numbered packets, as its two ends logged it."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One packet; `received` is None if it was lost. Seconds since the epoch."""

    sequence: int
    sent: float
    received: float | None


def write(path: Path, arrivals: Iterable[Arrival]) -> None:
    """Write `streams/NAME.csv`."""
    with path.open("w", encoding="ascii", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sequence", "sent", "received"])
        for arrival in arrivals:
            received = "" if arrival.received is None else f"{arrival.received:.6f}"
            writer.writerow([arrival.sequence, f"{arrival.sent:.6f}", received])


def read(path: Path) -> list[Arrival]:
    """Read what `write` wrote; raises `ConfigError`."""
    try:
        with path.open(encoding="ascii", newline="") as file:
            return [
                Arrival(
                    sequence=int(row["sequence"]),
                    sent=float(row["sent"]),
                    received=float(row["received"]) if row["received"] else None,
                )
                for row in csv.DictReader(file)
            ]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: not a stream's log: {error}") from error
