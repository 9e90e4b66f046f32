"""What registrations cost a home agent: a crowd of mobile nodes, without IPsec and with, in turns.

A rate is of the processor time of the daemon, of one core. The baseline of registrations without IPsec is what reading
and writing the same packets takes; the baseline of those with ESP are those without.
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from ipaddress import IPv6Address
from pathlib import Path
from time import process_time

from lab.bench import codec
from lab.bench.crowd.home_agent import HomeAgentDaemon, protections
from lab.bench.crowd.mobile_nodes import Crowd
from lab.bench.crowd.place import ROUTER, Wire, place
from lab.bench.crowd.questions import Round
from lab.bench.crowd.waits import waits
from lab.bench.measure import Benchmark, Row, Unit, row
from lab.constants import Status
from lab.emulation.network import Network
from lab.emulation.settings import Settings
from lab.wire.mobility import BindingAcknowledgement
from lab.wire.packet import build, mobility_packet, parse

PLAIN, SEALED = "plain", "sealed"
MOBILE_NODES, QUICK_MOBILE_NODES = 5000, 100
TURNS, QUICK_TURNS = 5, 2
TESTED_AT_ONCE = 4000
"""First registrations under way: each waits a second for Duplicate Address Detection (§10.3.1)."""


def measure(quick: bool) -> Benchmark:
    """Register crowds at two home agents, in turns."""
    size, turns = (QUICK_MOBILE_NODES, QUICK_TURNS) if quick else (MOBILE_NODES, TURNS)
    with _crowds(size) as (agents, crowds):
        rows = [*_rates(agents, crowds, size // turns, turns)]
        crowds[PLAIN].register(range(size), window=TESTED_AT_ONCE)
        rows += waits(crowds[PLAIN], range(size), turns)
    return Benchmark(name="registrations", rows=rows)


@contextlib.contextmanager
def _crowds(size: int) -> Iterator[tuple[dict[str, HomeAgentDaemon], dict[str, Crowd]]]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mip6lab-bench-")))
        network = stack.enter_context(
            Network(
                place([PLAIN, SEALED]),
                settings=Settings(ra_interval=10.0),
                directory=folder,
                captures=False,
                daemons=False,
            )
        )
        network.start()
        wire = stack.enter_context(Wire(network.node(ROUTER)))
        agents, crowds = {}, {}
        for name in (PLAIN, SEALED):
            node = network.node(name)
            secured = protections(node, size) if name == SEALED else []
            agents[name] = stack.enter_context(HomeAgentDaemon(node, folder, protections=secured))
            crowds[name] = Crowd(wire, node, size, secured)
        yield agents, crowds


def _rates(agents: dict[str, HomeAgentDaemon], crowds: dict[str, Crowd], part: int, turns: int) -> Iterator[Row]:
    kinds: dict[str, Callable[[Crowd, range], Round]] = {
        "first registrations": lambda crowd, numbers: crowd.register(numbers, window=TESTED_AT_ONCE),
        "refreshes": lambda crowd, numbers: crowd.register(numbers),
        "moves": lambda crowd, numbers: crowd.move(numbers),
        "ends of bindings": lambda crowd, numbers: crowd.deregister(numbers),
    }
    for what, ask in kinds.items():
        found: dict[str, list[float]] = {"codec": [], PLAIN: [], SEALED: []}
        for turn in range(turns):
            numbers = range(turn * part, (turn + 1) * part)
            found["codec"].append(part / codec_time(part))
            for name, agent in agents.items():
                before = agent.cpu()
                ask(crowds[name], numbers)
                found[name].append(part / (agent.cpu() - before))
        yield row(f"{what}, no IPsec", "reading and writing the packets", found["codec"], found[PLAIN], Unit.PER_SECOND)
        yield row(f"{what}, ESP", "the same without IPsec", found[PLAIN], found[SEALED], Unit.PER_SECOND)


def codec_time(count: int) -> float:
    """Give the seconds of a processor in which Binding Updates are read and their acknowledgements written."""
    octets = codec.ours()
    began = process_time()
    for number in range(count):
        asked = parse(octets)
        answer = BindingAcknowledgement(status=Status.ACCEPTED, sequence=number % 0x10000, lifetime=codec.LIFETIME)
        build(mobility_packet(asked.destination, asked.source, answer, routed_home_address=_HOME))
    return process_time() - began


_HOME = IPv6Address("2001:db8:1::100")
