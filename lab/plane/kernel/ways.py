"""What fits the way to a care-of address, told to the kernel in words that it understands.

The kernel looks for who sent what a Packet Too Big is about by the addresses in it. On a direct path those are care-of
addresses, by which it finds nobody, and it would lose packet after packet. So it is told the same of a socket of this
plane, as if that had sent by the same way; what it learns so is for all packets that go there.
"""

import socket
from dataclasses import replace
from ipaddress import IPv6Address

from lab.errors import PlaneError
from lab.plane import packet_filter
from lab.wire.chain import destination, source
from lab.wire.icmpv6 import PacketTooBig
from lab.wire.packet import Datagram, Packet, build

_DISCARD = 9
"""A port that nobody answers from."""


class Ways:
    """A socket that the kernel takes for the sender of what did not fit; it receives nothing."""

    def __init__(self) -> None:
        """Take a port; raises `PlaneError`."""
        self._socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            packet_filter.attach(self._socket, packet_filter.TAKE_NOTHING)
            self._socket.bind(("::", 0))
        except OSError as error:
            self._socket.close()
            raise PlaneError(f"take a port: {error.strerror}") from error

    def in_own_words(self, error: Packet, too_big: PacketTooBig) -> Packet:
        """Give what a router says about a packet on a direct path as if a datagram of the socket had been too big."""
        near, far = IPv6Address(source(too_big.invoking)), IPv6Address(destination(too_big.invoking))
        sent = Datagram(source_port=self._socket.getsockname()[1], destination_port=_DISCARD, data=b"")
        invoking = build(Packet(source=near, destination=far, payload=sent))
        return Packet(source=error.source, destination=near, payload=replace(too_big, invoking=invoking))

    def close(self) -> None:
        """Give the port back; may be called twice."""
        self._socket.close()
