"""Every error that mip6lab raises on purpose has this root; the text says what to do."""

from enum import StrEnum


class Mip6LabError(Exception):
    """Root of all errors of mip6lab; `str(error)` is fit to be shown to the user."""


class MalformedReason(StrEnum):
    """Why octets from the wire are not a packet that we can read."""

    TRUNCATED = "truncated"
    NOT_IPV6 = "not-ipv6"
    BAD_LENGTH = "bad-length"
    BAD_CHECKSUM = "bad-checksum"
    BAD_OPTION = "bad-option"
    UNRECOGNIZED_OPTION = "unrecognized-option"
    BAD_PAYLOAD_PROTO = "bad-payload-proto"
    MESSAGE_TOO_SHORT = "message-too-short"
    BAD_ROUTING_HEADER = "bad-routing-header"
    BAD_FRAGMENT = "bad-fragment"


class WireError(Mip6LabError):
    """Octets that are not a packet; the only error that parsing raises.

    `pointer` is the offset, from the start of the packet, of the field at fault when RFC 6275 §9.2
    (or RFC 8200) lets the receiver answer with an ICMPv6 Parameter Problem code 0; None asks for silence.
    """

    def __init__(self, reason: MalformedReason, detail: str, pointer: int | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.pointer = pointer


class PlaneReason(StrEnum):
    """Why a data plane lets a packet go no further."""

    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    FOREIGN_ROUTING_HEADER = "foreign-routing-header"
    UNKNOWN_INNER_SOURCE = "unknown-inner-source"
    WRONG_OUTER_SOURCE = "wrong-outer-source"
    LINK_SCOPE = "link-scope"
    NO_TUNNEL = "no-tunnel"
    NOT_DELIVERED = "not-delivered"
    NOT_SENT = "not-sent"


class IpsecReason(StrEnum):
    """Why a packet is refused by IPsec, or for the lack of it."""

    UNPROTECTED = "unprotected"
    UNKNOWN_SPI = "unknown-spi"
    MALFORMED_ESP = "malformed-esp"
    WRONG_ICV = "wrong-icv"
    MISUSED_ASSOCIATION = "misused-association"


class IpsecError(Mip6LabError):
    """A packet that security associations do not let pass, RFC 4301 §5; no text of it tells a key."""

    def __init__(self, reason: IpsecReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class PlaneError(Mip6LabError):
    """The data plane could not carry out an effect."""


class StoreError(Mip6LabError):
    """What must survive a restart could not be kept."""


class ConfigError(Mip6LabError):
    """A configuration is wrong; the text names file, key and reason."""


class TopologyError(Mip6LabError):
    """A topology declaration cannot be built."""


class ScenarioError(Mip6LabError):
    """A scenario could not be played to its end: an expectation was not met in time."""


class MissingError(Mip6LabError):
    """This machine lacks something; the text says what and how to get it."""


class GuestError(Mip6LabError):
    """A guest kernel ended before its command did."""


class RemoteError(Mip6LabError):
    """Another machine cannot be reached, or does not do what it is asked for; the text does not name the machine."""
