"""What bindings cost a home agent by their number: each registration, memory, and the time to come back after a crash.

The baseline is a home agent with ten bindings, in turns with the one whose bindings grow to a hundred thousand; that of
memory is the size of a binding in the file that survives.
"""

import contextlib
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from lab.bench.crowd.home_agent import HomeAgentDaemon
from lab.bench.crowd.mobile_nodes import Crowd
from lab.bench.crowd.place import ROUTER, Wire, place
from lab.bench.crowd.questions import Round
from lab.bench.crowd.waits import waits
from lab.bench.measure import Benchmark, Curves, Row, Unit, row
from lab.emulation.network import Network
from lab.emulation.settings import Settings
from lab.errors import ScenarioError

FEW, MANY = "few", "many"
SIZES, QUICK_SIZES = (10, 100, 1000, 10_000, 100_000), (10, 100, 1000)
TURNS, QUICK_TURNS = 5, 2
SAMPLE = 200
"""Registrations in one turn."""
TESTED_AT_ONCE = 4000
"""First registrations under way: each waits a second for Duplicate Address Detection (§10.3.1)."""
FOLLOW_UPS = 2.5
"""Seconds in which a home agent repeats what it says of a new binding (§10.4.1)."""
ENOUGH = 10_000
"""Bindings whose memory in the kernel stands out."""
STORM, STORMS = 5000, 2
"""Mobile nodes that refresh at once, and how often."""
QUESTIONS = 20
"""Questions that are timed one by one."""
REQUESTS_APART = 0.2
"""Seconds: a home agent answers so many requests of discovery, and no more."""


class Side:
    """A home agent with its crowd, of which some are registered."""

    def __init__(self, agent: HomeAgentDaemon, crowd: Crowd) -> None:
        self.agent, self.crowd = agent, crowd
        self.size = 0
        self._chance = random.Random(6275)

    def grow(self, size: int) -> float:
        """Register those that are not yet; give the microseconds of a processor for each."""
        new = range(self.size, size)
        self.size = size

        def register() -> None:
            self.crowd.register(new, window=TESTED_AT_ONCE)
            time.sleep(FOLLOW_UPS)

        return self._cost(register, len(new))

    def renew(self) -> float:
        """End all bindings and register them as if for the first time; give the microseconds for each of that."""
        self.crowd.deregister(range(self.size))
        size, self.size = self.size, 0
        return self.grow(size)

    def ask(self, question: Callable[[list[int]], Round]) -> float:
        """Have as many as a sample holds ask; give the microseconds of a processor for each."""
        rounds = [self.sample(SAMPLE) for _ in range(-(-SAMPLE // min(self.size, SAMPLE)))]
        return self._cost(lambda: [question(numbers) for numbers in rounds], sum(map(len, rounds)))

    def sample(self, count: int) -> list[int]:
        """Choose some that are registered."""
        return self._chance.sample(range(self.size), min(count, self.size))

    def restart(self) -> float:
        """Kill the daemon and start it again; give the microseconds until it serves. Raises `ScenarioError`."""
        self.agent.kill()
        seconds = self.agent.start()
        known = sum(binding["state"] == "registered" for binding in self.agent.bindings())
        if known != self.size:
            raise ScenarioError(f"after a restart {known} of {self.size} bindings are there")
        self.crowd.register(self.sample(QUESTIONS))  # who asks is answered, by the sequence numbers of before
        return seconds * 1e6

    def _cost(self, work: Callable[[], object], count: int) -> float:
        before = self.agent.cpu()
        work()
        return (self.agent.cpu() - before) / count * 1e6


def measure(quick: bool) -> Benchmark:
    """Let the bindings of one home agent grow, those of another not."""
    sizes, turns = (QUICK_SIZES, QUICK_TURNS) if quick else (SIZES, TURNS)
    rows: list[Row] = []
    growth: dict[str, list[tuple[float, float]]] = {}
    with _sides(sizes[-1]) as (few, many):
        memory, slab = many.agent.memory(), _slab()
        for side in (few, many):  # what is done once for a home link is no cost of a registration
            side.grow(sizes[0])
        for size in sizes:
            new = many.renew if size == many.size else partial(many.grow, size)
            found = {"first registration": ([few.renew()], [new()])}
            found["refresh"] = _turns(turns, lambda side: side.ask(side.crowd.register), few, many)
            found["move"] = _turns(turns, lambda side: side.ask(side.crowd.move), few, many)
            for what, pair in found.items():
                rows.append(row(f"{what} with {size:,} bindings", f"with {sizes[0]}", *pair))
                growth.setdefault(what, []).append((float(size), rows[-1]["ours"]["median"]))
            many.agent.empty_journal()
        resident, objects = many.agent.memory() - memory, _slab() - slab
        rows += waits(many.crowd, many.sample(STORM), STORMS, f" with {many.size:,} bindings")
        rows += _questions(few, many)
        restarts = _turns(turns, Side.restart, few, many)
        rows.append(row(f"restart with {many.size:,} bindings", f"with {sizes[0]}", *restarts))
        rows += _memory(many, resident, objects)
    cost = Curves(title="A home agent's processor time for each", x="bindings", y="microseconds", series=growth)
    return Benchmark(name="bindings", rows=rows, curves=[cost])


@contextlib.contextmanager
def _sides(size: int) -> Iterator[tuple[Side, Side]]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mip6lab-bench-")))
        settings = Settings(ra_interval=10.0)  # less often than in scenarios: they are not what is measured
        network = stack.enter_context(
            Network(place([FEW, MANY]), settings=settings, directory=folder, captures=False, daemons=False)
        )
        network.start()
        wire = stack.enter_context(Wire(network.node(ROUTER)))

        def side(name: str, size: int) -> Side:
            node = network.node(name)
            return Side(stack.enter_context(HomeAgentDaemon(node, folder)), Crowd(wire, node, size))

        yield side(FEW, min(SIZES)), side(MANY, size)


def _turns(turns: int, figure: Callable[[Side], float], few: Side, many: Side) -> tuple[list[float], list[float]]:
    found = [(figure(few), figure(many)) for _ in range(turns)]
    return [theirs for theirs, _ in found], [ours for _, ours in found]


def _memory(side: Side, resident: int, objects: int) -> Iterator[Row]:
    """Give the memory of a binding: in the daemon, and what the kernel has of it, routes and maps of programs.

    What the kernel has is told by the whole machine's objects: a few bindings cannot be told from the rest.
    """
    kept = side.agent.stop() / side.size
    found = {"daemon": resident} | ({"kernel": objects} if side.size >= ENOUGH else {})
    for where, octets in found.items():
        what = f"memory of a binding in the {where}, of {side.size:,}"
        yield row(what, "in the file that survives", [kept], [octets / side.size], Unit.OCTETS)


def _questions(few: Side, many: Side) -> Iterator[Row]:
    """Time other questions one by one: for the prefixes of home, and for home agents of the home link."""
    questions: dict[str, Callable[[Side], Round]] = {
        "Mobile Prefix Solicitation": lambda side: side.crowd.solicit_prefixes(side.sample(QUESTIONS), window=1),
        "Home Agent Address Discovery Request": lambda side: side.crowd.discover(
            side.sample(QUESTIONS), every=REQUESTS_APART
        ),
    }
    for what, ask in questions.items():
        theirs, ours = ask(few).latencies, ask(many).latencies
        both = min(len(theirs), len(ours))
        yield row(
            f"{what} with {many.size:,} bindings, answered",
            f"with {few.size}",
            [seconds * 1e6 for seconds in theirs[:both]],
            [seconds * 1e6 for seconds in ours[:both]],
        )


def _slab() -> int:
    """Give the octets that the kernel has for its objects."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("Slab:"))
