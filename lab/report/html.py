"""The report of a run as one self-contained page."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lab.errors import ConfigError
from lab.events import MessageSent, Record
from lab.report.model import Result
from lab.report.timeline import Choice, timeline
from lab.safeguards import Safeguard
from lab.templating import render

REPORT = "report.html"


def write(directory: Path, result: Result, records: Sequence[Record]) -> Path:
    """Write `report.html` into the folder of a run."""
    start = next((r.time for r in records if type(r.event).__name__ == "ScenarioStep"), result.started)
    longest = max((handover.interruption_ms for handover in result.handovers), default=1.0) or 1.0
    records = [*filter(Choice().takes, records)]
    told = {safeguard.value: safeguard.sentence for safeguard in Safeguard}
    page = render(
        "report.html.j2",
        result=result,
        started=datetime.fromtimestamp(result.started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        lines=list(timeline(records, start)),
        messages=[(r.time - start, r.node, r.event) for r in records if isinstance(r.event, MessageSent)],
        longest=longest,
        failed=result.failed(),
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
