"""What a lesson is: criteria that a student's work has to meet, each with what is wanted and where to look."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lab.verify.check import Evidence
from lab.verify.frame import Frame

PREFIX = "lesson/"
SHOWN = 3
"""So many frames are named as evidence."""


class Kind(StrEnum):
    """What a student hands in."""

    CAPTURES = "captures"
    RUN = "run"
    TOPOLOGY = "topology"

    @property
    def wanted(self) -> str:
        """Say what is to be named on the command line."""
        return {
            Kind.CAPTURES: "captures, or a folder with captures",
            Kind.RUN: "the folder of a run, as `mip6lab run` leaves it",
            Kind.TOPOLOGY: "a file of Python with a topology in it",
        }[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one criterion found in a student's work."""

    holds: bool
    found: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One thing that a student's work has to show."""

    name: str
    wanted: str
    look_at: str
    """Where in the work it shows, for whoever did not meet it."""
    examine: Callable[[Any], Finding]
    """Given what `lab.lessons.work.open_work` makes of the work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """A lesson: its page is `docs/lessons/NAME.md`."""

    name: str
    summary: str
    kind: Kind
    topology: str | None
    """The one that its page is about; None if that is the student's."""
    criteria: tuple[Criterion, ...]
    asks: Mapping[str, str]
    """Figures that the student has to tell: by what name, and what is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grade:
    """A criterion, judged."""

    name: str
    wanted: str
    holds: bool
    found: str
    look_at: str
    evidence: tuple[Evidence, ...] = ()


def grade(lesson: Lesson, work: Any) -> list[Grade]:
    """Judge a work, as `lab.lessons.work.open_work` read it, by all criteria of a lesson."""
    found = [(criterion, criterion.examine(work)) for criterion in lesson.criteria]
    return [
        Grade(
            name=criterion.name,
            wanted=criterion.wanted,
            holds=finding.holds,
            found=finding.found,
            look_at=criterion.look_at,
            evidence=finding.evidence,
        )
        for criterion, finding in found
    ]


def seen(frames: Iterable[Frame], what: str) -> Finding:
    """Find that frames of a kind are there; `what` names them."""
    return _counted([*frames], what, wanted=True)


def unseen(frames: Iterable[Frame], what: str) -> Finding:
    """Find that there are no frames of a kind."""
    return _counted([*frames], what, wanted=False)


def _counted(frames: Sequence[Frame], what: str, *, wanted: bool) -> Finding:
    evidence = tuple(frame.evidence() for frame in frames[:SHOWN])
    return Finding(holds=bool(frames) is wanted, found=f"{what}: {len(frames) or 'none'}", evidence=evidence)


def told(answers: Mapping[str, float], key: str, right: float | None, *, within: float, unit: str) -> Finding:
    """Compare a figure that a student tells with the right one; None if the work has none."""
    if right is None:
        return Finding(holds=False, found="the work has nothing to measure")
    if key not in answers:
        return Finding(holds=False, found=f"not told: give --answer {key}=NUMBER")
    holds = abs(answers[key] - right) <= within
    verdict = "as the work has it" if holds else "not what the work has"  # and not what that is
    return Finding(holds=holds, found=f"{answers[key]:g} {unit}: {verdict}")
