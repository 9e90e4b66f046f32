"""Messages as fields that a student can read; Scapy decodes them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any

from scapy.layers import inet6

from lab.report.address_book import AddressBook
from lab.verify.frame import ICMPV6, MOBILITY, Frame

ICMPV6_MESSAGES: dict[int, tuple[str, Any]] = {
    4: ("Parameter Problem", inet6.ICMPv6ParamProblem),
    144: ("Home Agent Address Discovery Request", inet6.ICMPv6HAADRequest),
    145: ("Home Agent Address Discovery Reply", inet6.ICMPv6HAADReply),
    146: ("Mobile Prefix Solicitation", inet6.ICMPv6MPSol),
    147: ("Mobile Prefix Advertisement", inet6.ICMPv6MPAdv),
}
"""Messages of ICMPv6 that are of Mobile IPv6 (§6.5 to §6.8), and how nodes say that they know nothing of it."""
MOBILITY_MESSAGES = (
    *("Binding Refresh Request", "Home Test Init", "Care-of Test Init", "Home Test", "Care-of Test"),
    *("Binding Update", "Binding Acknowledgement", "Binding Error"),
)
"""By Mobility Header type (§6.1)."""
LIFETIME_UNIT = 4
"""Seconds (§6.1.7)."""
FIRST_REFUSAL = 128
"""Statuses from here on refuse (§6.1.8)."""
NAMES = {
    "seq": "sequence number",
    "mhtime": "lifetime",
    "flags": "flags",
    "cookie": "init cookie",
    "token": "keygen token",
    "nonce": "nonce index",
    "status": "status",
    "id": "identifier",
    "ha": "address",
    "addr": "address",
    "haaddr": "home address",
    "acoa": "alternate care-of address",
    "hni": "home nonce index",
    "coni": "care-of nonce index",
    "authenticator": "authenticator",
    "prefix": "prefix",
    "prefixlen": "prefix length",
    "validlifetime": "valid lifetime",
    "preferredlifetime": "preferred lifetime",
    "rinter": "refresh interval",
    "addresses": "home agents",
    "code": "code",
    "ptr": "pointer",
}
"""Scapy's names of fields in the words of RFC 6275; what is not here is of no interest to a reader."""
OPTIONS = {
    "MIP6OptBRAdvice": "Binding Refresh Advice",
    "MIP6OptAltCoA": "Alternate Care-of Address",
    "MIP6OptNonceIndices": "Nonce Indices",
    "MIP6OptBindingAuthData": "Binding Authorization Data",
    "ICMPv6NDOptPrefixInfo": "Prefix Information",
}
PADDING = ("Pad1", "PadN")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A header, a message or an option, with its fields by name."""

    title: str
    fields: Sequence[tuple[str, str]]


def is_signalling(frame: Frame) -> bool:
    """Tell whether a packet is a message of Mobile IPv6."""
    if frame.upper == ICMPV6:
        return frame.message_type in ICMPV6_MESSAGES
    return frame.upper == MOBILITY


def headline(frame: Frame) -> tuple[str, str]:
    """Give the name of a message, and what is to be known of it at a glance."""
    kind = frame.message_type
    if frame.upper == ICMPV6:
        return ICMPV6_MESSAGES[kind or 0][0], ""
    if kind is None or kind >= len(MOBILITY_MESSAGES):
        return f"Mobility Header {kind}", ""
    return MOBILITY_MESSAGES[kind], _remark(frame)


def _remark(frame: Frame) -> str:
    message = frame.message
    match None if message is None else frame.message_type:
        case 5 if message.mhtime == 0:
            return f"#{message.seq}, ends the binding"
        case 5:
            return f"#{message.seq}, {message.mhtime * LIFETIME_UNIT} s"
        case 6 if message.status >= FIRST_REFUSAL:
            return f"#{message.seq}, refused: status {message.status}"
        case 6 if message.mhtime == 0:
            return f"#{message.seq}, accepted"
        case 6:
            return f"#{message.seq}, accepted for {message.mhtime * LIFETIME_UNIT} s"
        case 7:
            return f"status {message.status}"
        case _:
            return ""


def decode(frame: Frame, book: AddressBook) -> list[Layer]:
    """Take a packet apart, from its outermost header to the options of its message."""
    layers: list[Layer] = []
    packet: Frame | None = frame
    while packet is not None:
        layers += _headers(packet, book)
        inmost, packet = packet, packet.inner
    return [*layers, *_contents(inmost, book)]


def _headers(frame: Frame, book: AddressBook) -> Iterator[Layer]:
    title = "IPv6" if frame.inner is None else "IPv6 of the tunnel"
    addresses = [("source", _address(frame.source, book)), ("destination", _address(frame.destination, book))]
    yield Layer(title=title, fields=[*addresses, ("hop limit", str(frame.hop_limit))])
    if frame.home_address is not None:
        yield Layer(title="Home Address option", fields=[("home address", _address(frame.home_address, book))])
    if frame.routed_home_address is not None:
        fields = [("home address", _address(frame.routed_home_address, book))]
        yield Layer(title="Type 2 routing header", fields=fields)
    if frame.protection is not None:
        spi, sequence = frame.protection.association.spi, frame.protection.sequence
        yield Layer(title="ESP", fields=[("SPI", f"0x{spi:08x}"), ("sequence number", str(sequence))])


def _contents(frame: Frame, book: AddressBook) -> list[Layer]:
    name, _ = headline(frame)
    message = frame.message
    if message is None and frame.upper == ICMPV6 and frame.whole:
        message = _scapy(ICMPV6_MESSAGES[frame.message_type or 0][1], frame.payload)
    if message is None:
        return [Layer(title=name, fields=[("octets", frame.payload.hex())])]
    options = [*getattr(message, "options", []), *message.payload.iterpayloads()]
    return [
        Layer(title=name, fields=_fields(message, book)),
        *(
            Layer(title=OPTIONS.get(kind, kind), fields=_fields(option, book))
            for option in options
            for kind in [type(option).__name__]
            if kind not in (*PADDING, "NoPayload", "Raw")
        ),
    ]


def _scapy(layer: Callable[[bytes], Any], octets: bytes) -> Any:
    try:
        return layer(octets)
    except Exception:  # whatever Scapy says of a message that is too short, or worse
        return None


def _fields(packet: Any, book: AddressBook) -> list[tuple[str, str]]:
    fields = [(field.name, packet.getfieldval(field.name)) for field in packet.fields_desc]
    return [(NAMES[name], _value(name, value, book)) for name, value in fields if name in NAMES]


def _value(name: str, value: Any, book: AddressBook) -> str:
    if name == "mhtime":
        return f"{value} × {LIFETIME_UNIT} s = {value * LIFETIME_UNIT} s"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return ", ".join(_value(name, each, book) for each in value)
    if isinstance(value, str):
        try:
            return _address(IPv6Address(value), book)
        except ValueError:
            return value
    return str(value)


def _address(address: IPv6Address, book: AddressBook) -> str:
    words = book.explain(address)
    return f"{address} ({words})" if words else str(address)
