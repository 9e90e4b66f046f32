"""How a rule is written: a function that sorts evidence into what agrees with the RFC and what does not."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lab.verify.check import Check, Evidence, Verdict
from lab.verify.frame import Frame
from lab.verify.session import Session

SHOWN = 8
"""So many frames are named as evidence of each kind."""


@dataclass(slots=True)
class Findings:
    """What a rule saw."""

    good: list[Evidence] = field(default_factory=list)
    bad: list[Evidence] = field(default_factory=list)

    def judge(self, frame: Frame, holds: bool, wrong: str) -> None:
        """Sort one frame; `wrong` says what is the matter if it does not hold."""
        if holds:
            self.good.append(frame.evidence())
        else:
            self.bad.append(frame.evidence(wrong))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule with the requirements that it checks."""

    id: str
    title: str
    requirements: tuple[str, ...]
    examine: Callable[[Session, Findings], None]

    def check(self, session: Session) -> Check:
        """Judge a session."""
        findings = Findings()
        self.examine(session, findings)
        if findings.bad:
            verdict, shown = Verdict.FAILED, findings.bad
            detail = f"{len(findings.bad)} of {len(findings.bad) + len(findings.good)}: {findings.bad[0].note}"
        elif findings.good:
            verdict, shown, detail = Verdict.PASSED, findings.good, f"{len(findings.good)} seen"
        else:
            verdict, shown, detail = Verdict.NOT_APPLICABLE, [], "the captures hold nothing to judge"
        return Check(
            id=self.id,
            title=self.title,
            requirements=self.requirements,
            verdict=verdict,
            detail=detail,
            evidence=tuple(shown[:SHOWN]),
        )


RULES: list[Rule] = []


def rule(
    name: str, title: str, *requirements: str
) -> Callable[[Callable[[Session, Findings], None]], Callable[[Session, Findings], None]]:
    """Register a rule."""

    def register(examine: Callable[[Session, Findings], None]) -> Callable[[Session, Findings], None]:
        RULES.append(Rule(id=name, title=title, requirements=requirements, examine=examine))
        return examine

    return register
