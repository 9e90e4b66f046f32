"""Packets that attackers make, by Scapy: what exercises send must not come from the codec that they try."""

from ipaddress import IPv6Address
from typing import Any

from scapy.layers.inet6 import (
    HAO,
    MIP6MH_BE,
    MIP6MH_BU,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrRouting,
    MIP6MH_CoTI,
    MIP6MH_HoTI,
    MIP6OptAltCoA,
    MIP6OptBindingAuthData,
    MIP6OptNonceIndices,
)
from scapy.layers.ipsec import ESP, SecurityAssociation

from lab.auth.esp import Association
from lab.auth.return_routability import AUTHENTICATOR_OCTETS, authenticator
from lab.constants import LIFETIME_UNIT

NONCE_INDICES_OCTETS = 4
LIFETIME_FOR_EVER = 0xFFFF * LIFETIME_UNIT


def ipv6(source: IPv6Address, destination: IPv6Address, home_address: IPv6Address | None = None) -> Any:
    """Make a header, with a Home Address option behind it if one is given; upper layers are to follow."""
    header = IPv6(src=str(source), dst=str(destination))
    if home_address is None or home_address == source:
        return header
    return header / IPv6ExtHdrDestOpt(options=[HAO(hoa=str(home_address))])


def routed(source: IPv6Address, destination: IPv6Address, then: IPv6Address, *, kind: int = 2) -> Any:
    """Make headers that lead to one address and then to another, by a routing header; upper layers are to follow."""
    return IPv6(src=str(source), dst=str(destination)) / IPv6ExtHdrRouting(type=kind, segleft=1, addresses=[str(then)])


def home_registration(
    home_address: IPv6Address,
    home_agent: IPv6Address,
    care_of_address: IPv6Address,
    *,
    sequence: int,
    lifetime: int,
    source: IPv6Address | None = None,
) -> Any:
    """Make a Binding Update for a home agent, as it is before ESP (§11.7.1), from the care-of address or elsewhere."""
    update = MIP6MH_BU(
        seq=sequence,
        flags="AH",
        mhtime=lifetime // LIFETIME_UNIT,
        options=[MIP6OptAltCoA(acoa=str(care_of_address))],
    )
    return ipv6(source or care_of_address, home_agent, home_address) / update


def sealed(packet: Any, association: Association, *, sequence: int) -> Any:
    """Put what a packet carries into ESP, in transport mode (§5.1)."""
    scapy_association = SecurityAssociation(
        ESP,
        spi=association.spi,
        crypt_algo="AES-CBC",
        crypt_key=association.encryption_key,
        auth_algo="SHA2-256-128",
        auth_key=association.integrity_key,
    )
    return scapy_association.encrypt(packet, seq_num=sequence)


def home_test_init(source: IPv6Address, correspondent: IPv6Address, cookie: bytes) -> Any:
    """Make a Home Test Init from an address, whosever that is (§5.2.5)."""
    return ipv6(source, correspondent) / MIP6MH_HoTI(cookie=cookie)


def care_of_test_init(source: IPv6Address, correspondent: IPv6Address, cookie: bytes) -> Any:
    """Make a Care-of Test Init from an address (§5.2.5)."""
    return ipv6(source, correspondent) / MIP6MH_CoTI(cookie=cookie)


def correspondent_registration(
    home_address: IPv6Address,
    correspondent: IPv6Address,
    care_of_address: IPv6Address,
    *,
    key: bytes,
    indices: tuple[int, int],
    sequence: int,
    lifetime: int = LIFETIME_FOR_EVER,
    source: IPv6Address | None = None,
) -> Any:
    """Make a Binding Update for a correspondent, signed by a key, with the indices of home and care-of nonce (§5.2.6).

    With a `source` that is not the care-of address, that is told by an Alternate Care-of Address option.
    """
    options: list[Any] = [MIP6OptNonceIndices(olen=NONCE_INDICES_OCTETS, hni=indices[0], coni=indices[1])]
    if source not in (None, care_of_address):
        options.insert(0, MIP6OptAltCoA(acoa=str(care_of_address)))
    header = ipv6(source or care_of_address, correspondent, home_address)

    def update(signature: bytes) -> Any:
        signed = MIP6OptBindingAuthData(olen=AUTHENTICATOR_OCTETS, authenticator=int.from_bytes(signature, "big"))
        units = lifetime // LIFETIME_UNIT
        return MIP6MH_BU(seq=sequence, flags="A", mhtime=units, options=[*options, signed])

    blank = bytes(header / update(bytes(AUTHENTICATOR_OCTETS)))[len(header) :]
    authorized = home_address if lifetime == 0 else care_of_address  # §6.2.7
    return header / update(authenticator(key, authorized, correspondent, blank))


def binding_error(correspondent: IPv6Address, care_of_address: IPv6Address, home_address: IPv6Address) -> Any:
    """Make the complaint of a correspondent that it has no binding (§6.1.9)."""
    return ipv6(correspondent, care_of_address) / MIP6MH_BE(status=1, ha=str(home_address))


def tunnelled(local: IPv6Address, remote: IPv6Address, inner: Any) -> Any:
    """Put a packet into a tunnel whose ends are these (RFC 2473)."""
    return ipv6(local, remote) / inner
