"""A stream of numbered packets, as its two ends logged it."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.errors import ConfigError

HEADER = ["sequence", "sent", "received"]


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
        writer.writerow(HEADER)
        for arrival in arrivals:
            received = "" if arrival.received is None else f"{arrival.received:.6f}"
            writer.writerow([arrival.sequence, f"{arrival.sent:.6f}", received])


def read(path: Path) -> list[Arrival]:
    """Read what `write` wrote; raises `ConfigError`."""
    try:
        with path.open(encoding="ascii", newline="") as file:
            header, *rows = csv.reader(file)
            if header != HEADER:
                raise ValueError(f"it begins with {header} instead of {HEADER}")
            return [
                Arrival(sequence=int(sequence), sent=float(sent), received=float(received) if received else None)
                for sequence, sent, received in rows
            ]
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(f"{path}: not a stream's log: {error}") from error
