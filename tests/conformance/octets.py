"""Packets written octet by octet after RFC 6275 §6, with nothing of `lab`: so that one bug cannot confirm itself."""

from ipaddress import IPv6Address

from tests.unit.wire_octets import summed

ROUTING, ICMPV6, ESP, DESTINATION_OPTIONS, MOBILITY_HEADER = 43, 58, 50, 60, 135
HOME_TEST_INIT, CARE_OF_TEST_INIT, HOME_TEST, CARE_OF_TEST, BINDING_UPDATE, BINDING_ACKNOWLEDGEMENT = 1, 2, 3, 4, 5, 6
REFRESH_ADVICE, ALTERNATE_CARE_OF_ADDRESS, NONCE_INDICES, AUTHORIZATION_DATA = 2, 3, 4, 5
A, H, L, K = 0x8000, 0x4000, 0x2000, 0x1000
RESERVED_FLAGS = 0x0FFF
AUTHENTICATOR_OCTETS = 12


def ipv6(source: IPv6Address, destination: IPv6Address, kind: int, payload: bytes) -> bytes:
    fixed = bytes((0x60, 0, 0, 0)) + len(payload).to_bytes(2, "big") + bytes((kind, 64))
    return fixed + source.packed + destination.packed + payload


def upper(
    kind: int,
    message: bytes,
    *,
    source: IPv6Address,
    destination: IPv6Address,
    home: IPv6Address | None = None,
    routed: IPv6Address | None = None,
    summed_source: IPv6Address | None = None,
    checksum: bytes | None = None,
) -> bytes:
    """Make a packet with a message whose checksum is to be filled in.

    `home` goes into a Home Address option, `routed` into a type 2 routing header; `summed_source` and `checksum` make
    the checksum wrong.
    """
    at = 4 if kind == MOBILITY_HEADER else 2
    if kind in (MOBILITY_HEADER, ICMPV6):
        ends = (summed_source or home or source, routed or destination)
        message = summed(kind, message, at=at, source=ends[0].packed, destination=ends[1].packed)
    if checksum is not None:
        message = message[:at] + checksum + message[at + 2 :]
    if home is not None:
        message = bytes((kind, 2, 1, 2, 0, 0, 0xC9, 16)) + home.packed + message
        kind = DESTINATION_OPTIONS
    if routed is not None:
        message = bytes((kind, 2, 2, 1, 0, 0, 0, 0)) + routed.packed + message
        kind = ROUTING
    return ipv6(source, destination, kind, message)


def mobility(kind: int, data: bytes, *, payload_proto: int = 59, reserved: int = 0, length: int | None = None) -> bytes:
    """Make a Mobility Header with zeros for its checksum; what lacks to 8 octets is padded."""
    data += padding(-(6 + len(data)) % 8)
    return bytes((payload_proto, (6 + len(data)) // 8 - 1 if length is None else length, kind, reserved, 0, 0)) + data


def padding(size: int) -> bytes:
    return bytes(1) if size == 1 else bytes((1, size - 2)) + bytes(size - 2) if size else b""


def aligned(data: bytes, option: bytes, multiple: int, remainder: int) -> bytes:
    """Put an option behind the data of a message, whose header takes 6 octets before them."""
    return data + padding((remainder - 6 - len(data)) % multiple) + option


def with_nonce_indices(data: bytes, home: int, care_of: int) -> bytes:
    option = bytes((NONCE_INDICES, 4)) + home.to_bytes(2, "big") + care_of.to_bytes(2, "big")
    return aligned(data, option, 2, 0)


def with_alternate(data: bytes, address: IPv6Address) -> bytes:
    return aligned(data, bytes((ALTERNATE_CARE_OF_ADDRESS, 16)) + address.packed, 8, 6)


def with_refresh_advice(data: bytes) -> bytes:
    return aligned(data, bytes((REFRESH_ADVICE, 2, 0, 1)), 2, 0)


def with_authenticator(data: bytes, authenticator: bytes = bytes(AUTHENTICATOR_OCTETS)) -> bytes:
    return aligned(data, bytes((AUTHORIZATION_DATA, AUTHENTICATOR_OCTETS)) + authenticator, 8, 2)


def echo_request(**ends: IPv6Address | None) -> bytes:
    """Make an Echo Request; see `upper`."""
    return upper(ICMPV6, bytes((128, 0, 0, 0)) + bytes.fromhex("0bad cafe") + b"ping", **ends)  # type: ignore[arg-type]


def unreachable(source: IPv6Address, destination: IPv6Address, invoking: bytes) -> bytes:
    return upper(ICMPV6, bytes((1, 3, 0, 0)) + bytes(4) + invoking[:1232], source=source, destination=destination)
