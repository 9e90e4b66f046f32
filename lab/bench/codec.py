"""The codec against Scapy: a Binding Update with Home Address option and Alternate Care-of Address.

Both sides build the same packets from the values of their fields, and read every field of them back. The packets
come from many mobile nodes in turn, as at a home agent, each with its own addresses and sequence numbers.
"""

from collections.abc import Callable, Sequence
from ipaddress import IPv6Address
from itertools import cycle
from typing import Any

from scapy import VERSION
from scapy.layers.inet6 import HAO as ScapyHomeAddressOption
from scapy.layers.inet6 import MIP6MH_BU, IPv6, IPv6ExtHdrDestOpt, MIP6OptAltCoA

from lab.bench.measure import Benchmark, Row, Side, interleave
from lab.constants import LIFETIME_UNIT
from lab.wire.mobility import BindingUpdate, BindingUpdateFlag
from lab.wire.options import AlternateCareOfAddress
from lab.wire.packet import build, mobility_packet, parse

HOME_AGENT = "2001:db8:1::1"
MOBILE_NODES = 64
FLAGS = BindingUpdateFlag.ACKNOWLEDGE | BindingUpdateFlag.HOME_REGISTRATION
LIFETIME = 60

_HOME_AGENT = IPv6Address(HOME_AGENT)
_TEXTS = [(f"2001:db8:a1::{number:x}", f"2001:db8:1::{number:x}") for number in range(0x100, 0x100 + MOBILE_NODES)]
_ADDRESSES = [(IPv6Address(care_of), IPv6Address(home)) for care_of, home in _TEXTS]


def ours(number: int = 0) -> bytes:
    """Build the Binding Update of one mobile node with our codec."""
    care_of_address, home_address = _ADDRESSES[number]
    return build(
        mobility_packet(
            care_of_address,
            _HOME_AGENT,
            BindingUpdate(
                sequence=number,
                flags=FLAGS,
                lifetime=LIFETIME,
                options=(AlternateCareOfAddress(address=care_of_address),),
            ),
            home_address=home_address,
        )
    )


def scapys(number: int = 0) -> bytes:
    """Build the same octets with Scapy."""
    care_of_address, home_address = _TEXTS[number]
    return bytes(
        IPv6(src=care_of_address, dst=HOME_AGENT)
        / IPv6ExtHdrDestOpt(options=[ScapyHomeAddressOption(hoa=home_address)])
        / MIP6MH_BU(
            seq=number, flags="AH", mhtime=LIFETIME // LIFETIME_UNIT, options=[MIP6OptAltCoA(acoa=care_of_address)]
        )
    )


def our_fields(octets: bytes) -> tuple[object, ...]:
    """Read every field with our codec, which checks the checksum on the way."""
    packet: Any = parse(octets)
    update = packet.payload
    (home,), (alternate,) = packet.headers[0].options, update.options
    return (
        *(packet.traffic_class, packet.flow_label, packet.hop_limit, packet.source, packet.destination),
        *(home.home_address, update.sequence, update.flags, update.lifetime, alternate.address),
    )


def scapys_fields(octets: bytes) -> tuple[object, ...]:
    """Read the same fields with Scapy, which leaves the checksum alone."""
    packet = IPv6(octets)
    header, update = packet[IPv6ExtHdrDestOpt], packet[MIP6MH_BU]
    home, alternate = header.options[1], update.options[1]  # behind padding
    return (
        *(packet.tc, packet.fl, packet.hlim, packet.src, packet.dst),
        *(home.hoa, update.seq, update.flags, update.mhtime, alternate.acoa),
    )


def measure(quick: bool) -> Benchmark:
    """Time building and reading on both sides, in turns."""
    numbers = range(MOBILE_NODES)
    packets = [ours(number) for number in numbers]
    rounds = 5 if quick else 25

    def compare(
        what: str, baseline: Callable[[Any], object], own: Callable[[Any], object], inputs: Sequence[Any]
    ) -> Row:
        theirs, mine = cycle(inputs), cycle(inputs)
        return interleave(
            what,
            Side(name=f"Scapy {VERSION}", work=lambda: baseline(next(theirs)), calls=MOBILE_NODES),
            Side(name="mip6lab", work=lambda: own(next(mine)), calls=16 * MOBILE_NODES),
            rounds=rounds,
        )

    return Benchmark(
        name="codec",
        rows=[
            compare("build a Binding Update", scapys, ours, numbers),
            compare("parse a Binding Update", scapys_fields, our_fields, packets),
        ],
    )
