"""The lesson on runs: figures must follow from the stream and the events, and be told."""

from dataclasses import replace
from pathlib import Path

import pytest

from lab.events import MoveBegan, Record
from lab.lessons.course import find_lesson
from lab.lessons.lesson import grade
from lab.lessons.measuring import FEWEST
from lab.lessons.work import Played, open_work
from lab.report import streams
from lab.report.handovers import handovers
from lab.report.model import Result
from lab.report.streams import Arrival
from tests.report.results import result

BEGAN = 1_795_563_081.0
GAPS = (0.030, 0.020, 0.050)
"""Seconds that three moves cost, one in each second."""
MEDIAN = 30.0


def work(*, packets: int = 400, moves: int = 3, every: float = 0.01, **answers: float) -> Played:
    """Make a run, of which some packets were lost in each move."""
    records = [
        Record(
            time=BEGAN + 1 + number,
            node="lab",
            event=MoveBegan(mobile_node="mn", from_link=f"l{number}", to_link=f"l{number + 1}", outage=0.01),
        )
        for number in range(moves)
    ]
    arrivals = [
        Arrival(sequence=number, sent=sent, received=None if _lost(sent, moves) else sent + 0.001)
        for number, sent in ((number, BEGAN + number * every) for number in range(packets))
    ]
    found = replace(result(), handovers=handovers(records, arrivals))
    return Played(result=found, records=records, arrivals=arrivals, answers=answers)


def _lost(sent: float, moves: int) -> bool:
    since = sent - BEGAN - 1
    number = int(since) if since >= 0 else moves
    return number < moves and since - number < GAPS[number] - 0.0105


def failing(played: Played) -> set[str]:
    """Give the criteria that a run does not meet."""
    return {one.name for one in grade(find_lesson("measuring"), played) if not one.holds}


def spoiled(found: Result) -> Result:
    """Write a better figure into a result."""
    first, *others = found.handovers
    return replace(found, handovers=[replace(first, interruption_ms=first.interruption_ms - 5), *others])


def test_a_whole_run_meets_it() -> None:
    played = work(interruption=MEDIAN)
    assert [round(move.interruption_ms) for move in played.result.handovers] == [30, 20, 50]
    assert failing(played) == set()


@pytest.mark.parametrize(
    ("told", "fails"), [(MEDIAN + 0.9, set()), (MEDIAN + 2, {"interruption"}), (20, {"interruption"})]
)
def test_the_median_is_told(told: float, fails: set[str]) -> None:
    assert failing(work(interruption=told)) == fails


def test_nothing_is_told() -> None:
    assert failing(work()) == {"interruption"}


def test_a_figure_that_was_made_better() -> None:
    played = work(interruption=MEDIAN)
    played.result = spoiled(played.result)
    assert failing(played) == {"as-measured"}


def test_a_run_with_too_few_moves() -> None:
    assert failing(work(moves=2, interruption=25.0)) == {"moves"}


def test_a_coarse_stream() -> None:
    assert "fine-stream" in failing(work(packets=FEWEST, every=0.04, interruption=MEDIAN))


def test_no_stream_at_all() -> None:
    assert failing(work(packets=0, interruption=MEDIAN)) == {"fine-stream", "interruption"}


def test_a_run_that_did_not_hold() -> None:
    played = work(interruption=MEDIAN)
    played.result = replace(played.result, ok=False, error="mn did not report")
    assert failing(played) == {"came-to-its-end"}


def test_a_run_is_read(tmp_path: Path) -> None:
    """From the files that a run leaves."""
    played = work()
    (tmp_path / "streams").mkdir()
    (tmp_path / "result.json").write_text(played.result.to_json(), encoding="utf-8")
    (tmp_path / "events.jsonl").write_text("".join(f"{r.to_json()}\n" for r in played.records), encoding="utf-8")
    streams.write(tmp_path / "streams" / "cn-mn.csv", played.arrivals)
    opened = open_work(find_lesson("measuring"), [tmp_path], {"interruption": MEDIAN})
    assert isinstance(opened, Played)
    assert failing(opened) == set()
