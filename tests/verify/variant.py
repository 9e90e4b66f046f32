"""Variants of the good story that the RFC allows too: rules must let them pass."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.verify.story import Story

Vary = Callable[[Story], None]


@dataclass(frozen=True)
class Variant:
    """Another good story."""

    vary: Vary
    silent: frozenset[str]
    """Rules that find nothing to judge in it, even where there is ESP."""
    protected: bool
    """It varies the story with ESP; the others are put into ESP after they were varied."""

    def __str__(self) -> str:
        return self.vary.__name__


VARIANTS: list[Variant] = []


def variant(*, silent: tuple[str, ...] = (), protected: bool = False) -> Callable[[Vary], Vary]:
    """Enter a variant into the table."""

    def enter(vary: Vary) -> Vary:
        VARIANTS.append(Variant(vary, frozenset(silent), protected))
        return vary

    return enter
