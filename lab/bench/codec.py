"""The codec against Scapy: a Binding Update with Home Address option and Alternate Care-of Address."""

from ipaddress import IPv6Address

from scapy import VERSION
from scapy.layers.inet6 import HAO as ScapyHomeAddressOption
from scapy.layers.inet6 import MIP6MH_BU, IPv6, IPv6ExtHdrDestOpt, MIP6OptAltCoA

from lab.bench.measure import Benchmark, Side, interleave
from lab.wire.mobility import BindingUpdate, BindingUpdateFlag
from lab.wire.options import AlternateCareOfAddress
from lab.wire.packet import Packet, build, mobility_packet, parse

CARE_OF_ADDRESS = "2001:db8:a1::2"
HOME_ADDRESS = "2001:db8:1::100"
HOME_AGENT = "2001:db8:1::1"


def ours() -> bytes:
    """Build the Binding Update from its fields to octets with our codec."""
    return build(_packet())


def _packet() -> Packet:
    care_of = IPv6Address(CARE_OF_ADDRESS)
    return mobility_packet(
        care_of,
        IPv6Address(HOME_AGENT),
        BindingUpdate(
            sequence=7,
            flags=BindingUpdateFlag.ACKNOWLEDGE | BindingUpdateFlag.HOME_REGISTRATION,
            lifetime=60,
            options=(AlternateCareOfAddress(address=care_of),),
        ),
        home_address=IPv6Address(HOME_ADDRESS),
    )


def scapys() -> bytes:
    """Build the same octets with Scapy."""
    return bytes(
        IPv6(src=CARE_OF_ADDRESS, dst=HOME_AGENT)
        / IPv6ExtHdrDestOpt(options=[ScapyHomeAddressOption(hoa=HOME_ADDRESS)])
        / MIP6MH_BU(seq=7, flags="AH", mhtime=15, options=[MIP6OptAltCoA(acoa=CARE_OF_ADDRESS)])
    )


def measure(quick: bool) -> Benchmark:
    """Time building and parsing on both sides, in turns."""
    octets = ours()
    baseline, rounds = f"Scapy {VERSION}", 3 if quick else 15
    return Benchmark(
        name="codec",
        rows=[
            interleave(
                "build a Binding Update",
                Side(name=baseline, work=scapys, calls=20),
                Side(name="mip6lab", work=ours, calls=500),
                rounds=rounds,
            ),
            interleave(
                "parse a Binding Update",
                Side(name=baseline, work=lambda: IPv6(octets)[MIP6MH_BU].options, calls=20),
                Side(name="mip6lab", work=lambda: parse(octets), calls=500),
                rounds=rounds,
            ),
        ],
    )
