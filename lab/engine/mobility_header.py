"""What every node does with a Mobility Header or a Home Address option, whatever its role (RFC 6275 §9.2, §9.3)."""

from ipaddress import IPv6Address

from lab.constants import BindingErrorStatus
from lab.engine.io import Effect, Instant, Malformed, Received, Report, Send
from lab.engine.token_bucket import TokenBucket
from lab.events import PacketDropped
from lab.wire.addresses import UNSPECIFIED
from lab.wire.icmpv6 import ParameterProblem
from lab.wire.mobility import BindingError, UnknownMobilityMessage
from lab.wire.packet import Packet, mobility_packet

ERRORS_PER_SECOND = 10.0
ERRORS_AT_ONCE = 10.0
INVOKING_OCTETS = 1280 - 40 - 8
"""As much of a packet as fits an ICMPv6 error of the minimum MTU (RFC 4443 §3.4)."""
ERRONEOUS_HEADER_FIELD = 0


class ErrorLimit(TokenBucket):
    """How many errors may be sent to others (RFC 4443 §2.4 f; RFC 6275 §9.3.3)."""

    def __init__(self) -> None:
        super().__init__(ERRORS_PER_SECOND, ERRORS_AT_ONCE)


def drop(packet: Packet, reason: str, detail: str = "") -> Report:
    """Report a packet that is not processed."""
    event = PacketDropped(reason=reason, source=packet.source, destination=packet.destination, detail=detail)
    return Report(event=event)


def answer_malformed(malformed: Malformed, limit: ErrorLimit, now: Instant) -> list[Effect]:
    """Answer what could not be read with a Parameter Problem where RFC 6275 §9.2 asks for one."""
    error = malformed.error
    effects: list[Effect] = [
        Report(
            event=PacketDropped(
                reason=error.reason, source=malformed.source, destination=malformed.destination, detail=error.detail
            )
        )
    ]
    if error.pointer is None or not _may_answer(malformed.source, malformed.destination) or not limit.take(now):
        return effects
    problem = ParameterProblem(
        code=ERRONEOUS_HEADER_FIELD, pointer=error.pointer, invoking=malformed.invoking[:INVOKING_OCTETS]
    )
    return [*effects, Send(packet=Packet(source=malformed.destination, destination=malformed.source, payload=problem))]


def answer_unknown_type(received: Received, limit: ErrorLimit, now: Instant) -> list[Effect]:
    """Answer a Mobility Header of unknown type with a Binding Error, §9.2."""
    packet = received.packet
    assert isinstance(packet.payload, UnknownMobilityMessage)
    dropped = drop(packet, "unknown-mh-type", f"type {packet.payload.mh_type}")
    error = _binding_error(packet, BindingErrorStatus.UNRECOGNIZED_MH_TYPE, packet.home_address or UNSPECIFIED)
    return _with_error(received, dropped, error, limit, now)


def answer_unbound_home_address(received: Received, limit: ErrorLimit, now: Instant) -> list[Effect]:
    """Answer a Home Address option without a binding with a Binding Error, §9.3.1 and §9.3.3."""
    packet = received.packet
    assert packet.home_address is not None
    dropped = drop(packet, "unknown-binding", f"home address {packet.home_address}")
    status = BindingErrorStatus.UNKNOWN_BINDING_FOR_HOME_ADDRESS_OPTION
    error = _binding_error(packet, status, packet.home_address)
    return _with_error(received, dropped, error, limit, now)


def _binding_error(packet: Packet, status: BindingErrorStatus, home_address: IPv6Address) -> Packet:
    message = BindingError(status=status, home_address=home_address)
    return mobility_packet(packet.destination, packet.source, message)


def _with_error(received: Received, dropped: Report, error: Packet, limit: ErrorLimit, now: Instant) -> list[Effect]:
    if not _may_answer(received.packet.source, received.packet.destination) or not limit.take(now):
        return [dropped]
    return [dropped, Send(packet=error, tunnelled=received.tunnelled)]


def _may_answer(source: IPv6Address, destination: IPv6Address) -> bool:
    """No error goes to a multicast or unspecified source, nor in answer to multicast (RFC 4443 §2.4 e)."""
    return not (source.is_multicast or source.is_unspecified or destination.is_multicast)
