"""A correspondent node, RFC 6275 §9: it answers rightly what it does not offer."""

from typing import Any

from lab.constants import Status
from lab.engine.config import CorrespondentConfig
from lab.engine.io import Effect, Input, Instant, Malformed, Received, Report, Send
from lab.engine.mobility_header import (
    ErrorLimit,
    answer_malformed,
    answer_unbound_home_address,
    answer_unknown_type,
    drop,
)
from lab.events import BindingRejected
from lab.wire.addresses import is_unicast_routable
from lab.wire.icmpv6 import Icmpv6Message
from lab.wire.mobility import (
    BindingAcknowledgement,
    BindingUpdate,
    BindingUpdateFlag,
    MobilityMessage,
    UnknownMobilityMessage,
)
from lab.wire.packet import Packet, mobility_packet


class Correspondent:
    """A correspondent node without route optimisation: mobile nodes are reached through their home agents."""

    def __init__(self, config: CorrespondentConfig) -> None:
        self._config = config
        self._errors = ErrorLimit()

    def handle(self, happened: Input, now: Instant) -> list[Effect]:
        """Take one input; see `lab.engine.io.Engine`."""
        match happened:
            case Malformed():
                return answer_malformed(happened, self._errors, now)
            case Received(packet=packet):
                return self._received(happened, packet, now)
            case _:
                return []

    def deadline(self) -> Instant | None:
        """Nothing is ever due."""
        return None

    def snapshot(self, now: Instant) -> list[dict[str, Any]]:
        """There are no bindings."""
        return []

    def _received(self, received: Received, packet: Packet, now: Instant) -> list[Effect]:
        match packet.payload:
            case UnknownMobilityMessage():
                return answer_unknown_type(received, self._errors, now)
            case BindingUpdate() as update:
                return self._on_update(received, update)
            case message if isinstance(message, MobilityMessage):
                return [drop(packet, "unsupported-message", type(message).__name__)]
            case _ if packet.home_address is not None:
                return answer_unbound_home_address(received, self._errors, now)
            case message if isinstance(message, Icmpv6Message):
                return []  # Neighbor Discovery and errors are the kernel's
            case _:
                return [drop(packet, "unsupported-packet")]

    def _on_update(self, received: Received, update: BindingUpdate) -> list[Effect]:
        packet = received.packet
        home_address = packet.home_address or packet.source
        if not is_unicast_routable(home_address) or not is_unicast_routable(packet.source):
            return [drop(packet, "invalid-home-address", str(home_address))]  # §9.5.1
        if not update.flags & BindingUpdateFlag.HOME_REGISTRATION:
            # §9.5.1: without a nonce of ours no authenticator can be right; such an update is silently dropped.
            return [drop(packet, "unauthorized-binding-update", f"#{update.sequence}")]
        status = Status.HOME_REGISTRATION_NOT_SUPPORTED  # §9.5.1
        acknowledgement = BindingAcknowledgement(status=status, sequence=update.sequence, lifetime=0)
        answer = mobility_packet(
            packet.destination, packet.source, acknowledgement, routed_home_address=packet.home_address
        )
        rejected = BindingRejected(
            home_address=home_address, care_of_address=packet.source, status=status, sequence=update.sequence
        )
        return [Send(packet=answer, tunnelled=received.tunnelled), Report(event=rejected)]
