"""Questions of a crowd: so many on their way at the same time, each asked again until it is answered."""

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import perf_counter

from lab.bench.crowd.place import Wire
from lab.errors import ScenarioError

BURST = 32
"""Questions between two looks for answers: a link that is no more than memory has little room."""
GIVE_UP = 120.0
"""Seconds without any answer."""
_SHORTEST, _LONGEST = 0.001, 0.01
"""Seconds to wait for an answer until there is something else to do."""


@dataclass(slots=True, kw_only=True)
class Round:
    """How a round of questions and answers went."""

    latencies: list[float] = field(default_factory=list)
    """Seconds from each question, the first time that it was asked, to its answer; in the order of the answers."""
    repeated: int = 0
    """Questions that were asked once more."""
    seconds: float = 0.0


class Questions:
    """Questions of mobile nodes, by their numbers.

    `write` makes the octets of one, a new one each time; `whose` tells from the octets of an answer who is answered.
    At most `window` are on their way, one more every `every` seconds, and each is asked again after `patience`, then
    after twice that.
    """

    def __init__(
        self,
        wire: Wire,
        destination: str,
        write: Callable[[int], bytes],
        whose: Callable[[bytes], int | None],
        *,
        window: int,
        every: float,
        patience: float,
    ) -> None:
        self._wire, self._destination, self._write, self._whose = wire, destination, write, whose
        self._window, self._every, self._patience = window, every, patience
        self._todo: deque[int] = deque()
        self._waiting: dict[int, float] = {}
        """Since when."""
        self._missed: list[tuple[float, float, int]] = []
        """When an answer is missed, how long it was waited for, and whose it is."""
        self._turn = self._heard = 0.0
        """When the next may ask, and when the last was answered."""
        self._round = Round()

    def ask(self, numbers: Iterable[int]) -> Round:
        """Ask for each number, and wait for the answers; raises `ScenarioError` if none come any more."""
        self._round = Round()
        self._todo.extend(numbers)
        began = self._turn = self._heard = perf_counter()
        while self._todo or self._waiting:
            self._send()
            self._send_again()
            self._listen()
        self._round.seconds = perf_counter() - began
        return self._round

    def _may_send(self, now: float) -> bool:
        return bool(self._todo) and len(self._waiting) < self._window and self._turn <= now

    def _send(self) -> None:
        for _ in range(BURST):
            if not self._may_send(perf_counter()):
                return
            number = self._todo[0]
            octets = self._write(number)
            now = perf_counter()  # before it is sent: whoever answers may have the processor first
            if not self._wire.send(octets, self._destination):
                return
            self._todo.popleft()
            self._waiting[number] = now
            heapq.heappush(self._missed, (now + self._patience, self._patience, number))
            self._turn += self._every

    def _send_again(self) -> None:
        now = perf_counter()
        while self._missed and self._missed[0][0] <= now:
            _, waited, number = heapq.heappop(self._missed)
            if number not in self._waiting:
                continue
            sent = self._wire.send(self._write(number), self._destination)
            self._round.repeated += sent
            waited *= 2 if sent else 1
            heapq.heappush(self._missed, (now + waited, waited, number))

    def _listen(self) -> None:
        now = perf_counter()
        if now - self._heard > GIVE_UP:
            raise ScenarioError(f"{len(self._waiting)} mobile nodes got no answer within {GIVE_UP:g} s")
        within = 0.0 if self._may_send(now) else max(min(self._turn - now, _LONGEST), _SHORTEST)
        while (octets := self._wire.receive(within)) is not None:
            within = 0.0
            self._heard = perf_counter()
            number = self._whose(octets)
            if number in self._waiting:
                self._round.latencies.append(self._heard - self._waiting.pop(number))
            if self._todo and self._turn <= self._heard:
                return
