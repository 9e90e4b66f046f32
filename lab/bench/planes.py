"""What each data plane costs against plain routing: packets to the home address, in turns with some to the care-of one.

Both go from the correspondent to the mobile node and back by the same links and routers: on a direct path by nature,
and through the home agent because routes make the plain ones pass it too.
"""

import contextlib
import errno
import itertools
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import IPv6Address
from pathlib import Path
from typing import Self

from lab.bench.measure import Benchmark, Row, Side, interleave
from lab.daemon.config import PlaneName
from lab.emulation import kernels, probes
from lab.emulation.network import Network
from lab.emulation.node import LabNode
from lab.emulation.scenario import find_topology
from lab.emulation.settings import Settings
from lab.errors import ScenarioError
from lab.events import BindingAcknowledged, Event, RouteOptimisationStarted
from lab.wire.addresses import address_from, interface_identifier

ROUNDS, QUICK_ROUNDS = 15, 3
LINK = "visited1"
WITHIN = 10.0
PORT = 6275
STREAM_OCTETS = 8 << 20
BURST = 32
"""Datagrams that are under way at once."""
CALLS = 10
LARGE, SMALL = 1352, 64
"""Octets of a datagram: as large as every path takes, and small."""
_TABLE = 100


def measure(quick: bool) -> Benchmark:
    """Measure every plane that works here, by the tunnel and on a direct path."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    rows: list[Row] = []
    for plane, direct, offloads in itertools.product(_planes(), (False, True), (True, False)):
        rows += _rows(plane, direct=direct, offloads=offloads, rounds=rounds)
    return Benchmark(name="planes", rows=rows)


def _planes() -> Iterator[PlaneName]:
    """Give the planes; one that this kernel does not allow is told of, and left out."""
    for plane in (PlaneName.BPF, PlaneName.KERNEL, PlaneName.USER):
        obstacle = kernels.missing([probes.OF_PLANES[plane]]) if plane in probes.OF_PLANES else None
        if obstacle is None:
            yield plane
        else:
            print(f"mip6lab: not measured: {obstacle}", file=sys.stderr)


def _rows(plane: PlaneName, *, direct: bool, offloads: bool, rounds: int) -> Iterator[Row]:
    path = "direct path" if direct else "tunnel"
    stream = f"TCP, {STREAM_OCTETS >> 20} MiB"
    works: list[tuple[str, Callable[[_Ends], None], int]] = [
        (stream, _Ends.stream, 1),
        (f"UDP, {BURST} of {LARGE} octets", partial(_Ends.datagrams, octets=LARGE, number=BURST), CALLS),
        (f"UDP, {BURST} of {SMALL} octets", partial(_Ends.datagrams, octets=SMALL, number=BURST), CALLS),
        ("round trip", partial(_Ends.datagrams, octets=SMALL, number=1), BURST * CALLS),
    ]
    if not offloads:  # which change nothing for what is sent one by one
        works = [(f"{stream}, without offloads", _Ends.stream, 1)]
    with (
        tempfile.TemporaryDirectory(prefix="mip6lab-bench-") as folder,
        Network(
            find_topology("two_visited_links"),
            settings=Settings(plane=plane, ro=direct, offloads=offloads),
            directory=Path(folder),
            captures=False,
        ) as network,
    ):
        network.start()
        client, server = network.node("cn"), network.node("mn")
        home_address, care_of_address = _away(network, server)
        began = time.time()
        if not direct:
            _lead_through_home_agent(network)
        with _Ends(client, server, care_of_address) as plain, _Ends(client, server, home_address) as ours:
            if direct:
                _expect(network, RouteOptimisationStarted, began)  # since a connection was opened
            for what, work, calls in works:
                baseline = Side(name="plain routing", work=partial(work, plain), calls=calls)
                own = Side(name=plane, work=partial(work, ours), calls=calls)
                interleave(what, baseline, own, rounds=1)  # neighbours are known then, and windows open
                yield interleave(f"{plane}, {path}: {what}", baseline, own, rounds=rounds)


class _Ends:
    """Both ends of what goes to one address of the mobile node."""

    def __init__(self, client: LabNode, server: LabNode, address: IPv6Address) -> None:
        with contextlib.ExitStack() as closing:
            listener = closing.enter_context(_socket(server, socket.SOCK_STREAM))
            listener.bind((str(address), PORT))
            listener.listen()
            self._stream_out = closing.enter_context(_connected(client, address))
            self._stream_in = closing.enter_context(listener.accept()[0])
            self._datagrams_in = closing.enter_context(_socket(server, socket.SOCK_DGRAM))
            self._datagrams_in.bind((str(address), PORT))
            self._datagrams_out = closing.enter_context(_socket(client, socket.SOCK_DGRAM))
            self._datagrams_out.connect((str(address), PORT))
            self._closing = closing.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def stream(self) -> None:
        """Send octets and take them."""
        sending = threading.Thread(target=self._stream_out.sendall, args=(bytes(STREAM_OCTETS),))
        sending.start()
        buffer, left = bytearray(1 << 18), STREAM_OCTETS
        while left:
            left -= self._stream_in.recv_into(buffer, min(left, len(buffer)))
        sending.join()

    def datagrams(self, octets: int, number: int) -> None:
        """Send datagrams, take them, and answer the last."""
        datagram = bytes(octets)
        for _ in range(number):
            self._datagrams_out.send(datagram)
        for _ in range(number):
            _, sender = self._datagrams_in.recvfrom(octets)
        self._datagrams_in.sendto(datagram, sender)
        self._datagrams_out.recv(octets)


def _socket(node: LabNode, kind: int) -> socket.socket:
    made = node.namespace.run(lambda: socket.socket(socket.AF_INET6, kind))
    made.settimeout(WITHIN)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return made


def _connected(client: LabNode, address: IPv6Address) -> socket.socket:
    """Connect, again and again as long as there is no route: the way was made just now."""
    deadline = time.monotonic() + WITHIN
    while True:
        made = _socket(client, socket.SOCK_STREAM)
        try:
            made.connect((str(address), PORT))
        except OSError as error:
            made.close()
            if error.errno != errno.EHOSTUNREACH or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return made


def _away(network: Network, mobile_node: LabNode) -> tuple[IPv6Address, IPv6Address]:
    """Move the mobile node away; give its home address and its care-of address."""
    mobile_node.wait_settled()
    began = time.time()
    network.move(mobile_node.name, LINK)
    _expect(network, BindingAcknowledged, began)
    prefix = network.topology.link_specs[LINK].prefix
    home_address = mobile_node.spec.home_address
    assert home_address is not None
    return home_address, address_from(prefix, interface_identifier(mobile_node.spec.plugs[0].link_layer_address))


def _lead_through_home_agent(network: Network) -> None:
    """Have plain packets between the correspondent and the visited link pass the home agent, as those in the tunnel."""
    links, agent = network.topology.link_specs, network.topology.node_specs["ha"]
    plug = agent.plug_on(links["core-ha"])
    assert plug is not None
    core = network.node("core")
    for link, destination in (("cn-core", links[LINK].prefix), ("core-ar1", links["cn-core"].prefix)):
        entrance = core.spec.plug_on(links[link])
        assert entrance is not None
        _ip(core, "rule", "add", "iif", entrance.interface, "to", str(destination), "lookup", str(_TABLE))
        _ip(core, "route", "add", str(destination), "via", str(plug.address), "table", str(_TABLE))


def _ip(node: LabNode, *words: str) -> None:
    if node.namespace.spawn(["ip", "-6", *words]).wait(WITHIN):
        raise ScenarioError(f"ip {' '.join(words)} failed at {node.name}")


def _expect(network: Network, kind: type[Event], began: float) -> None:
    """Wait until the mobile node has reported an event; raises `ScenarioError`."""
    found = network.context.collector.wait(
        lambda record: record.node == "mn" and isinstance(record.event, kind), since=began, within=WITHIN
    )
    if found is None:
        raise ScenarioError(f"mn did not report {kind.__name__} within {WITHIN:g} s")
