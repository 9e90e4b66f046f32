"""The outcome of one check, with what proves it."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a check found."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not-applicable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A frame of a capture, counted as Wireshark does."""

    capture: str
    frame: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One rule, judged."""

    id: str
    title: str
    requirements: tuple[str, ...]
    verdict: Verdict
    detail: str
    evidence: tuple[Evidence, ...] = ()
