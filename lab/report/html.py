"""The report of a run as one self-contained page."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.errors import ConfigError
from lab.events import MoveBegan, Record, ScenarioStep, StreamEnded, StreamStarted
from lab.report import plots, streams
from lab.report.address_book import AddressBook, address_book
from lab.report.bindings import Held, bindings
from lab.report.handovers import PARTS
from lab.report.ladder import Message, lifelines, messages
from lab.report.ladder_rows import rows
from lab.report.model import Result
from lab.report.paths import views
from lab.report.plots import Window
from lab.report.routes import passages, routes
from lab.report.streams import Arrival
from lab.report.timeline import Choice, chapters
from lab.safeguards import Safeguard
from lab.templating import render
from lab.verify.check import Verdict
from lab.verify.frame import Frame

REPORT = "report.html"
SHOWN_MESSAGES = 500
"""More would be read by nobody; the captures have them all."""
SHOWN_BINDINGS = 40
"""So many rows of a figure can be told apart."""


def write(directory: Path, result: Result, records: Sequence[Record], frames: Sequence[Frame] = ()) -> Path:
    """Write `report.html` into the folder of a run, from what is there and the frames of its captures.

    Raises `ConfigError` if a log of a stream is not one; one that is missing is left out.
    """
    start = next((r.time for r in records if isinstance(r.event, ScenarioStep)), result.started)
    book = address_book(result, records)
    sent = _streams(directory, result)
    taken = routes(sent, frames, book)
    found = messages(frames, book)
    shown, lines = found[:SHOWN_MESSAGES], lifelines(result, found[:SHOWN_MESSAGES])
    moves = [record.time for record in records if isinstance(record.event, MoveBegan)]
    window = _window(records, start)
    told = {safeguard.value: safeguard.sentence for safeguard in Safeguard}
    page = render(
        "report.html.j2",
        result=result,
        started=datetime.fromtimestamp(result.started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        start=start,
        checks={verdict.value: [c for c in result.checks if c.verdict is verdict] for verdict in Verdict},
        parts=PARTS,
        longest=max((handover.interruption_ms for handover in result.handovers), default=1.0) or 1.0,
        views=views(result, book, taken, passages(taken, records)),
        streams=[
            {"name": name, "figure": plots.stream(name, packets, moves, window), **_summary(packets)}
            for name, packets in sent.items()
            if packets
        ],
        lifelines=lines,
        ladder=rows(shown, records, lines, book),
        unshown=len(found) - len(shown),
        rungs=_rungs(shown),
        bindings=_bindings(records, book, moves, window),
        chapters=chapters([*filter(Choice().takes, records)], start),
        off={name: told.get(name, "") for name in result.without},
    )
    path = directory / REPORT
    path.write_text(page, encoding="utf-8")
    return path


def read_events(directory: Path) -> list[Record]:
    """Read `events.jsonl`; raises `ConfigError` that names file and line."""
    path = directory / "events.jsonl"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(Record.from_json(line))
        except ValueError as error:
            raise ConfigError(f"{path}:{number}: {error}") from error
    return records


def _streams(directory: Path, result: Result) -> dict[str, list[Arrival]]:
    paths = {name: directory / path for name, path in result.streams.items()}
    return {name: streams.read(path) for name, path in paths.items() if path.is_file()}


def _summary(packets: Sequence[Arrival]) -> dict[str, Any]:
    delays = sorted((packet.received - packet.sent) * 1000 for packet in packets if packet.received is not None)
    return {
        "sent": len(packets),
        "lost": len(packets) - len(delays),
        "median_ms": delays[len(delays) // 2] if delays else None,
        "longest_ms": delays[-1] if delays else None,
    }


def _window(records: Sequence[Record], start: float) -> Window:
    """Show the time in which streams ran; without any, all that was reported."""
    begins = [record.time for record in records if isinstance(record.event, StreamStarted)]
    ends = [record.time for record in records if isinstance(record.event, StreamEnded)]
    last = records[-1].time if records else start
    return Window(zero=start, begin=min(begins, default=start), end=max(ends, default=last))


def _rungs(found: Sequence[Message]) -> Mapping[tuple[str, int], int]:
    """Give the numbers of messages by links and frames, so that what is said of a frame leads to its message."""
    return {
        (frame.link, frame.number): message.number for message in found for leg in message.legs for frame in leg.frames
    }


def _bindings(records: Sequence[Record], book: AddressBook, moves: Sequence[float], window: Window) -> str:
    """Draw the binding caches; empty if there never was a binding."""
    caches: dict[str, list[tuple[Held, str]]] = {}
    for held in bindings(records):
        row = f"{held.node}: {book.bearer(held.home_address)}"
        caches.setdefault(row, []).append((held, book.link_of(held.care_of_address) or str(held.care_of_address)))
    if not caches:
        return ""
    return plots.bindings(dict(sorted(caches.items())[:SHOWN_BINDINGS]), moves, window)
