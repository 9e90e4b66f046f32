"""Who watches: each gets all that is new, or a snapshot when it could not keep up."""

import asyncio
from collections.abc import Sequence
from typing import Any

from lab.web.observer import Part

MOST_VIEWERS = 200
MOST_WAITING = 200
"""So many parts may wait for a viewer; one that takes longer is given a snapshot instead."""


class Viewer:
    """One of them; nothing that is offered waits for it."""

    def __init__(self) -> None:
        self._waiting: list[Part] = []
        self._answers: list[dict[str, Any]] = []
        self._behind = True
        """It needs a snapshot, as at its beginning."""
        self._something = asyncio.Event()
        self._something.set()

    def offer(self, parts: Sequence[Part]) -> None:
        """Have it told what is new."""
        if not self._behind:
            self._waiting += parts
            self._behind = len(self._waiting) > MOST_WAITING
        if self._behind:
            self._waiting.clear()
        self._something.set()

    def answer(self, answer: dict[str, Any]) -> None:
        """Have it told what became of a command of its own."""
        self._answers.append(answer)
        self._something.set()

    async def next(self, snapshots: "Snapshots") -> list[Part]:
        """Wait for what it is to be told."""
        await self._something.wait()
        self._something.clear()
        if self._behind:
            self._behind = False
            told = [{"kind": "snapshot", "parts": snapshots.latest}]
        else:
            told = self._waiting
        self._waiting = []
        told, self._answers = [*told, *self._answers], []
        return told


class Snapshots:
    """The latest snapshot, and the viewers that are told what has become new since."""

    def __init__(self) -> None:
        self.latest: list[Part] = []
        self.viewers: set[Viewer] = set()

    @property
    def full(self) -> bool:
        """Whether there is no room for more viewers."""
        return len(self.viewers) >= MOST_VIEWERS

    def publish(self, parts: Sequence[Part], snapshot: list[Part]) -> None:
        """Tell what is new, and keep what is to be seen now."""
        self.latest = snapshot
        if parts:
            for viewer in self.viewers:
                viewer.offer(parts)
