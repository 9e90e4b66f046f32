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
    """Rules that find nothing to judge in it."""

    def __str__(self) -> str:
        return self.vary.__name__


VARIANTS: list[Variant] = []


def variant(*, silent: tuple[str, ...] = ()) -> Callable[[Vary], Vary]:
    """Enter a variant into the table."""

    def enter(vary: Vary) -> Vary:
        VARIANTS.append(Variant(vary, frozenset(silent)))
        return vary

    return enter
