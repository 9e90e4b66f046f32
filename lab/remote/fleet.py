"""The same on many machines at once, each by itself: one that fails stops no other."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Generic, TypeVar

from lab.errors import Mip6LabError
from lab.remote.machines import Machine
from lab.remote.session import Access, Session

AT_ONCE = 10
"""How many machines are worked on at a time, unless told otherwise."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[T]):
    """What came of one machine."""

    machine: Machine
    reached: bool
    value: T | None = None
    fault: str | None = None
    """Why there is no value."""
    seconds: float


class Fleet:
    """Machines and the way to them."""

    def __init__(self, machines: Sequence[Machine], access: Access, *, at_once: int = AT_ONCE) -> None:
        self._machines, self._access, self._at_once = machines, access, at_once
        self._lock = threading.Lock()
        self._sessions: set[Session] = set()
        self._interrupted = False

    def each(
        self, work: Callable[[Session], T], done: Callable[[Outcome[T]], object] = lambda _: None
    ) -> list[Outcome[T]]:
        """Do some work on every machine; give what came of each, in their order.

        `done` is told of each as it ends, in the thread of the caller. An interruption ends what runs over there
        before it goes on.
        """
        with ThreadPoolExecutor(self._at_once, thread_name_prefix="machine") as pool:
            futures: list[Future[Outcome[T]]] = [pool.submit(self._attend, it, work) for it in self._machines]
            try:
                for future in as_completed(futures):
                    done(future.result())
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self._interrupt()
                raise
        return [future.result() for future in futures]

    def _attend(self, machine: Machine, work: Callable[[Session], T]) -> Outcome[T]:
        start = time.monotonic()
        reached = False
        value, fault = None, None
        try:
            with Session(machine, self._access) as session:
                reached = True
                self._enlist(session)
                try:
                    value = work(session)
                finally:
                    self._sessions.discard(session)
        except (Mip6LabError, OSError) as error:
            fault = str(error) or type(error).__name__
        return Outcome(machine=machine, reached=reached, value=value, fault=fault, seconds=time.monotonic() - start)

    def _enlist(self, session: Session) -> None:
        with self._lock:
            self._sessions.add(session)
            if self._interrupted:
                session.end()

    def _interrupt(self) -> None:
        with self._lock:
            self._interrupted = True
            for session in [*self._sessions]:
                session.end()
