"""How captures are doctored: each doctoring spoils the good story so that one rule has to fail.

A new rule needs nothing but a function in a file of doctorings:

    @doctoring("bu-flags")
    def acknowledgement_not_asked(story: Story) -> str:
        return story.alter("bu-2", inet6.MIP6MH_BU, flags="H")

It gives the name of the packet that the evidence has to show.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.verify.story import Story

Spoil = Callable[[Story], str]


@dataclass(frozen=True)
class Doctoring:
    """One way to break one rule."""

    rule: str
    also: frozenset[str]
    """Rules that cannot but fail with it."""
    spoil: Spoil
    protected: bool
    """It spoils the story with ESP; the others are put into ESP after they were spoilt."""

    def __str__(self) -> str:
        return f"{self.rule}-{self.spoil.__name__}"


DOCTORINGS: list[Doctoring] = []


def doctoring(rule: str, *, also: tuple[str, ...] = (), protected: bool = False) -> Callable[[Spoil], Spoil]:
    """Enter a doctoring into the table."""

    def enter(spoil: Spoil) -> Spoil:
        DOCTORINGS.append(Doctoring(rule, frozenset(also), spoil, protected))
        return spoil

    return enter
