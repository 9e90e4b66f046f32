"""A run of a small network, as its captures, its events and its streams tell it; Scapy builds the packets.

cn ─── core ─── ha ═══ home
         └───── ar ═══ away
"""

import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv6Address, IPv6Network
from typing import Any

from scapy.layers import inet6

from lab.events import (
    BindingDeregistered,
    BindingRegistered,
    CareOfAddressFormed,
    Event,
    MoveBegan,
    MovementDetected,
    Record,
    RegistrationKind,
    ReturnedHome,
    ScenarioStep,
    StreamEnded,
    StreamStarted,
)
from lab.report.model import Interface, Link, Node, Result
from lab.report.streams import Arrival
from lab.verify.frame import Frame
from tests.report.results import result

BEGAN = 1_795_563_081.5
"""When the scenario takes its first step."""
HOME, CARE_OF, AGENT, CN = "2001:db8:1::100", "2001:db8:a::5", "2001:db8:1::1", "2001:db8:c::2"
LINKS = {"home": "1", "away": "a", "cn-core": "c", "core-ha": "f0", "core-ar": "f1"}
NODES: dict[str, tuple[str, dict[str, str | None]]] = {
    "core": ("router", {"cn-core": "2001:db8:c::1", "core-ha": "2001:db8:f0::1", "core-ar": "2001:db8:f1::1"}),
    "ha": ("home-agent", {"home": AGENT, "core-ha": "2001:db8:f0::2"}),
    "ar": ("router", {"away": "2001:db8:a::1", "core-ar": "2001:db8:f1::2"}),
    "cn": ("correspondent", {"cn-core": CN}),
    "mn": ("mobile-node", {"home": None}),
}
DOWN = ("cn", "cn-core", "core", "core-ha", "ha", "home", "mn")
TRIANGLE = ("cn", "cn-core", "core", "core-ha", "ha")
TUNNEL = ("ha", "core-ha", "core", "core-ar", "ar", "away", "mn")
DIRECT = ("cn", "cn-core", "core", "core-ar", "ar", "away", "mn")


def mac(node: str, link: str) -> str:
    """Give the link-layer address of a node on a link; a mobile node has one wherever it is."""
    number = 0 if NODES[node][0] == "mobile-node" else [*LINKS].index(link)
    return f"02:00:00:00:{[*NODES].index(node):02x}:{number:02x}"


def network(of: Result | None = None) -> Result:
    """Add the network to a result."""
    return replace(
        of or result(),
        links=[Link(name=name, prefix=f"2001:db8:{part}::/64") for name, part in LINKS.items()],
        nodes=[
            Node(
                name=name,
                kind=kind,
                home="home" if name in ("ha", "mn") else None,
                home_addresses=[HOME] if name == "mn" else [],
                interfaces=[
                    Interface(link=link, address=address, link_layer_address=mac(name, link))
                    for link, address in at.items()
                ],
            )
            for name, (kind, at) in NODES.items()
        ],
    )


@dataclass
class Captures:
    """Frames, numbered on each link."""

    frames: list[Frame] = field(default_factory=list)
    numbers: Counter[str] = field(default_factory=Counter)

    def carry(self, time: float, packet: Any, way: Sequence[str]) -> None:
        """Have a packet go a way: nodes and links in turns, a link at the end where it is lost; routers count hops."""
        for hop, (sender, link) in enumerate(zip(way[::2], way[1::2], strict=False)):
            receiver = way[2 * hop + 2] if 2 * hop + 2 < len(way) else "mn"
            self.numbers[link] += 1
            sent = packet.copy()
            sent.hlim -= hop
            self.frames.append(
                Frame(
                    link=link,
                    number=self.numbers[link],
                    time=BEGAN + time + hop * 0.0001,
                    source_mac=bytes.fromhex(mac(sender, link).replace(":", "")),
                    destination_mac=bytes.fromhex(mac(receiver, link).replace(":", "")),
                    octets=bytes(sent),
                )
            )


def numbered(sequence: int, sent: float) -> Any:
    """Make a packet of the stream."""
    return inet6.IPv6(src=CN, dst=HOME) / inet6.UDP(sport=9, dport=6275) / struct.pack("!Qd", sequence, BEGAN + sent)


def tunnelled(packet: Any) -> Any:
    """Put a packet into the home agent's tunnel."""
    return inet6.IPv6(src=AGENT, dst=CARE_OF) / packet


def straight(packet: Any) -> Any:
    """Give a packet of the stream a type 2 routing header."""
    header = inet6.IPv6ExtHdrRouting(type=2, segleft=1, addresses=[HOME])
    return inet6.IPv6(src=CN, dst=CARE_OF) / header / packet.payload


def update(lifetime: int = 15, *, sequence: int = 1) -> Any:
    """Make a home registration."""
    option = inet6.IPv6ExtHdrDestOpt(options=[inet6.HAO(hoa=HOME)])
    message = inet6.MIP6MH_BU(seq=sequence, mhtime=lifetime, flags="HA", options=[inet6.MIP6OptAltCoA(acoa=CARE_OF)])
    return inet6.IPv6(src=CARE_OF, dst=AGENT) / option / message


def acknowledgement(status: int = 0) -> Any:
    """Answer a home registration."""
    header = inet6.IPv6ExtHdrRouting(type=2, segleft=1, addresses=[HOME])
    return inet6.IPv6(src=AGENT, dst=CARE_OF) / header / inet6.MIP6MH_BA(seq=1, mhtime=15, status=status)


def home_test_init() -> Any:
    """Make a Home Test Init as the mobile node means it, without its tunnel."""
    return inet6.IPv6(src=HOME, dst=CN) / inet6.MIP6MH_HoTI(cookie=bytes(range(8)))


def stream() -> list[Arrival]:
    """Tell of ten packets at home, five lost, three by the tunnel, ten by the direct path; one in ten milliseconds."""
    lost = range(10, 15)
    return [
        Arrival(
            sequence=n,
            sent=BEGAN + n / 100 - 0.095,
            received=None if n in lost else BEGAN + n / 100 - 0.094,
        )
        for n in range(28)
    ]


def captures() -> list[Frame]:
    """Give all frames of the run in the order of time."""
    seen = Captures()
    for packet in stream():
        n, time = packet.sequence, packet.sent - BEGAN
        made = numbered(n, time)
        if n < 10:
            seen.carry(time, made, DOWN)
        elif n < 15:
            seen.carry(time, made, DOWN[:-1])
        elif n < 18:
            seen.carry(time, made, TRIANGLE)
            seen.carry(time + 0.0005, tunnelled(made), TUNNEL)
        else:
            seen.carry(time, straight(made), DIRECT)
    seen.carry(0.03, update(), TUNNEL[::-1])
    seen.carry(0.04, acknowledgement(), TUNNEL)
    init = home_test_init()
    seen.carry(0.05, inet6.IPv6(src=CARE_OF, dst=AGENT) / init, TUNNEL[::-1])
    seen.carry(0.0505, init, TRIANGLE[::-1])
    return sorted(seen.frames, key=lambda frame: frame.time)


def records() -> list[Record]:
    """Tell what nodes reported."""
    home, care_of = IPv6Address(HOME), IPv6Address(CARE_OF)
    registered = BindingRegistered(
        home_address=home, care_of_address=care_of, lifetime=60, sequence=1, kind=RegistrationKind.NEW
    )
    told: list[tuple[float, str, Event]] = [
        (-0.1, "lab", StreamStarted(stream="cn-mn", source="cn", destination="mn", every=0.01)),
        (0.0, "lab", ScenarioStep(text="The mobile node goes away")),
        (0.0, "lab", MoveBegan(mobile_node="mn", from_link="home", to_link="away", outage=0.01)),
        (0.02, "mn", MovementDetected(from_prefix=None, to_prefix=IPv6Network("2001:db8:a::/64"), at_home=False)),
        (0.025, "mn", CareOfAddressFormed(address=care_of, optimistic=True)),
        (0.035, "ha", registered),
        (0.3, "lab", StreamEnded(stream="cn-mn", sent=28, received=23)),
    ]
    return [Record(time=BEGAN + time, node=node, event=event) for time, node, event in told]


def back_home() -> list[Record]:
    """Tell of the end of the binding."""
    home = IPv6Address(HOME)
    return [
        Record(time=BEGAN + 0.28, node="ha", event=BindingDeregistered(home_address=home, sequence=2)),
        Record(time=BEGAN + 0.29, node="mn", event=ReturnedHome(home_address=home)),
    ]
