"""A story with ESP between mobile nodes and their home agent, made by Scapy out of one without.

Binding Updates and Acknowledgements, Mobile Prefix Solicitations and Advertisements go in transport mode, Home Test
Inits and Home Tests in tunnel mode, all else in tunnels if asked for.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from ipaddress import IPv6Address, IPv6Network

from scapy.layers import inet6
from scapy.layers.ipsec import ESP, SecurityAssociation
from scapy.packet import Raw

from tests.verify.handover import HOME_ADDRESS, HOME_AGENT, HOME_PREFIX
from tests.verify.story import Scapy, Story

RULES = (
    "esp-accepted",
    "esp-care-of-address",
    "esp-home-address",
    "esp-home-test",
    "esp-prefix",
    "esp-registration",
    "esp-sequence",
)
"""Those that have nothing to judge in a story without ESP."""
HEADER_OCTETS = 40
EXTENSION_HEADERS = (inet6.IPv6ExtHdrDestOpt, inet6.IPv6ExtHdrRouting)
TRANSPORT = (inet6.MIP6MH_BU, inet6.MIP6MH_BA, inet6.ICMPv6MPSol, inet6.ICMPv6MPAdv)
TESTS = (inet6.MIP6MH_HoTI, inet6.MIP6MH_HoT)


@dataclass(frozen=True)
class Association:
    """One direction between a home address and its home agent."""

    home_address: str
    tunnel: bool
    outgoing: bool

    @property
    def spi(self) -> int:
        """A number of its own."""
        last = int(IPv6Address(self.home_address)) & 0xFFFF
        return 0x10000 + last * 4 + 2 * self.tunnel + self.outgoing

    def key(self, purpose: str, octets: int) -> bytes:
        """Draw a key."""
        return hashlib.sha256(f"{self.spi} {purpose}".encode()).digest()[:octets]

    @property
    def line(self) -> str:
        """Its line in Wireshark's table."""
        encryption, integrity = self.key("encryption", 16).hex(), self.key("integrity", 32).hex()
        columns = ["IPv6", "*", "*", f"{self.spi:#010x}", "AES-CBC [RFC3602]", f"0x{encryption}"]
        return ",".join(f'"{column}"' for column in [*columns, "HMAC-SHA-256-128 [RFC4868]", f"0x{integrity}"])

    def seal(self, packet: Scapy | bytes, sequence: int) -> Scapy:
        """Put a packet's upper layer, or the packet in a tunnel, into ESP."""
        return _sealed(self, bytes(packet), sequence)


@cache
def _sealed(association: Association, octets: bytes, sequence: int) -> Scapy:
    upper, named_at, at = inet6.IPv6(octets).payload, 6, HEADER_OCTETS
    while isinstance(upper, EXTENSION_HEADERS):
        named_at, at, upper = at, at + (octets[at + 1] + 1) * 8, upper.payload
    esp = SecurityAssociation(
        ESP,
        spi=association.spi,
        crypt_algo="AES-CBC",
        crypt_key=association.key("encryption", 16),
        auth_algo="SHA2-256-128",
        auth_key=association.key("integrity", 32),
    )
    sealed = esp.encrypt(inet6.IPv6(nh=octets[named_at]) / Raw(octets[at:]), seq_num=sequence)
    header = bytearray(octets[:at])
    header[named_at] = sealed.nh
    header[4:6] = (at - HEADER_OCTETS + sealed.plen).to_bytes(2, "big")
    return inet6.IPv6(bytes(header) + bytes(sealed)[HEADER_OCTETS:])


def registers(*, outgoing: bool = True, home_address: str = HOME_ADDRESS) -> Association:
    """Give the association for Binding Updates, or their acknowledgements, and for prefixes."""
    return Association(home_address, tunnel=False, outgoing=outgoing)


def association_of(packet: Scapy, *, payload: bool = False) -> Association | None:
    """Give the association that has to protect a packet; what somebody forges from elsewhere has one as well."""
    if not isinstance(packet, inet6.IPv6) or HOME_AGENT not in (packet.src, packet.dst):
        return None
    outgoing = packet.dst == HOME_AGENT
    if isinstance(packet.payload, inet6.IPv6):
        guarded = payload or any(packet.haslayer(layer) for layer in TESTS)
        return Association(HOME_ADDRESS, tunnel=True, outgoing=outgoing) if guarded else None
    if not any(packet.haslayer(layer) for layer in TRANSPORT):
        return None
    return registers(outgoing=outgoing, home_address=_home_address(packet, packet.src if outgoing else packet.dst))


def _home_address(packet: Scapy, otherwise: str) -> str:
    if packet.haslayer(inet6.HAO):
        otherwise = packet[inet6.HAO].hoa
    elif packet.haslayer(inet6.IPv6ExtHdrRouting):
        otherwise = packet[inet6.IPv6ExtHdrRouting].addresses[0]
    home = IPv6Address(otherwise) in IPv6Network(f"{HOME_PREFIX}/64")
    return otherwise if home else HOME_ADDRESS


def protected(story: Story, *, payload: bool = False) -> Story:
    """Give the story with ESP; numbers rise in the order of time, and what another plays back stays as it was."""
    result = story.copy()
    sequences: dict[Association, int] = {}
    sealed: dict[bytes, tuple[str, Scapy]] = {}
    for name, sent in sorted(story.sent.items(), key=lambda item: item[1].time):
        association = association_of(sent.packet, payload=payload)
        if association is None:
            continue
        octets = bytes(sent.packet)
        sender, packet = sealed.get(octets, ("", None))
        if packet is None or sender == sent.hops[0].sender:
            sequences[association] = sequences.get(association, 0) + 1
            packet = association.seal(octets, sequences[association])
            sealed[octets] = (sent.hops[0].sender, packet)
        result.replace(name, packet)
    result.table = [association.line for association in sequences]
    return result
