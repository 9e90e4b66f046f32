"""Binding Authorization Data in mobility messages between a mobile node and a correspondent (RFC 6275 §6.2.7)."""

from dataclasses import replace
from ipaddress import IPv6Address

from lab.auth.return_routability import AUTHENTICATOR_OCTETS, authenticator, is_authentic
from lab.wire.mobility import BindingAcknowledgement, BindingUpdate
from lab.wire.options import BindingAuthorizationData
from lab.wire.packet import Packet, build, parse

_BLANK = BindingAuthorizationData(authenticator=bytes(AUTHENTICATOR_OCTETS))


def sign(packet: Packet, key: bytes, care_of_address: IPv6Address, correspondent: IPv6Address) -> Packet:
    """Put Binding Authorization Data behind the options of a Binding Update or Acknowledgement.

    `correspondent` is the home address of one that is mobile too.
    """
    message = packet.payload
    assert isinstance(message, BindingUpdate | BindingAcknowledgement)
    options = message.options
    blank = replace(packet, payload=replace(message, options=(*options, _BLANK)))
    octets = parse(build(blank)).payload_octets
    signature = BindingAuthorizationData(authenticator=authenticator(key, care_of_address, correspondent, octets))
    return replace(packet, payload=replace(message, options=(*options, signature)))


def authorization_data(packet: Packet) -> BindingAuthorizationData | None:
    """Give the Binding Authorization Data; None if there is none, or if it is not the last option (§6.2.7)."""
    message = packet.payload
    if not isinstance(message, BindingUpdate | BindingAcknowledgement) or not message.options:
        return None
    last = message.options[-1]
    if not isinstance(last, BindingAuthorizationData) or not _header(packet).endswith(last.authenticator):
        return None
    return last


def is_signed(packet: Packet, key: bytes, care_of_address: IPv6Address, correspondent: IPv6Address) -> bool:
    """Tell whether a received message ends in the right authenticator."""
    data = authorization_data(packet)
    return data is not None and is_authentic(key, care_of_address, correspondent, _header(packet), data.authenticator)


def _header(packet: Packet) -> bytes:
    """Give the Mobility Header as it arrived, without octets that follow it."""
    octets = packet.payload_octets
    return octets[: (octets[1] + 1) * 8] if octets else b""
