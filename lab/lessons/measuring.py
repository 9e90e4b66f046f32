"""Lesson: measure your own handover."""

from statistics import median

from lab.lessons.lesson import Criterion, Finding, Kind, Lesson, told
from lab.lessons.work import Played
from lab.report.handovers import Handover, handovers

LEAST_MOVES = 3
FINEST, FEWEST = 0.02, 100
"""Seconds between packets of a stream that can measure a handover, at most; packets that it has, at least."""
AGREE, ROUNDING = 1.0, 0.01
"""Milliseconds within which figures agree: a student's, and those that are computed again."""
INTERRUPTION = "interruption"


def _came_to_its_end(work: Played) -> Finding:
    failed = ", ".join(check.id for check in work.result.failed())
    why = work.result.error or failed or ("all checks hold" if work.result.ok else "not all is as it ought to be")
    return Finding(holds=work.result.ok, found=f"{work.result.scenario}: {why}")


def _fine_stream(work: Played) -> Finding:
    packets = work.arrivals
    if len(packets) < FEWEST:
        return Finding(holds=False, found=f"a stream of {len(packets)} packets")
    every = (packets[-1].sent - packets[0].sent) / (len(packets) - 1)
    return Finding(holds=every <= FINEST, found=f"{len(packets)} packets, one in {every * 1000:.1f} ms")


def _measured(work: Played) -> list[Handover]:
    return handovers(work.records, work.arrivals)


def _moves(work: Played) -> Finding:
    moved = _measured(work)
    found = ", ".join(f"{move.from_link} to {move.to_link}" for move in moved) or "none"
    return Finding(holds=len(moved) >= LEAST_MOVES, found=f"{len(moved)} moves: {found}")


def _as_measured(work: Played) -> Finding:
    """Compute again what `result.json` says, from the stream and the events."""
    said = [move.interruption_ms for move in work.result.handovers]
    again = [move.interruption_ms for move in _measured(work)]
    agree = len(said) == len(again) and all(abs(a - b) <= ROUNDING for a, b in zip(said, again, strict=True))
    return Finding(
        holds=bool(again) and agree, found=f"{_figures(said)} in result.json, {_figures(again)} by the stream"
    )


def _figures(milliseconds: list[float]) -> str:
    return ", ".join(f"{figure:.1f}" for figure in milliseconds) + " ms" if milliseconds else "nothing"


def _tells(work: Played) -> Finding:
    figures = [move.interruption_ms for move in _measured(work)]
    right = median(figures) if figures else None
    return told(work.answers, INTERRUPTION, right, within=AGREE, unit="ms")


LESSON = Lesson(
    name="measuring",
    summary="Measure your own handover: how long the stream was interrupted, and where the time went.",
    kind=Kind.RUN,
    topology="two_visited_links",
    asks={INTERRUPTION: "the median of the interruptions of your moves, in milliseconds"},
    criteria=(
        Criterion(
            name="came-to-its-end",
            wanted="your run came to its end, and all its checks hold",
            look_at="report.html of the run, and its part on checks",
            examine=_came_to_its_end,
        ),
        Criterion(
            name="fine-stream",
            wanted=f"the first stream has {FEWEST} packets or more, one in {FINEST * 1000:g} ms or less",
            look_at="`every` of the first stage.stream(…) of the scenario",
            examine=_fine_stream,
        ),
        Criterion(
            name="moves",
            wanted=f"{LEAST_MOVES} moves or more were measured",
            look_at="calls of stage.move(…) in the scenario, while the stream runs",
            examine=_moves,
        ),
        Criterion(
            name="as-measured",
            wanted="the figures of result.json follow from the stream and the events of the run",
            look_at="streams/ and events.jsonl: are they of this run, and unchanged?",
            examine=_as_measured,
        ),
        Criterion(
            name="interruption",
            wanted="you tell the median of the interruptions in ms (--answer interruption=…)",
            look_at="the column `interruption` of the run, or the gaps between arrivals in streams/",
            examine=_tells,
        ),
    ),
)
