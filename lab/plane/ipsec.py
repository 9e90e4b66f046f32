"""IPsec in user space: packets are sealed on their way out, and opened and judged on their way in.

Engines know nothing of it, as with IPsec in a kernel.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import TypeAlias

from lab.auth import esp
from lab.auth.esp import Association
from lab.auth.ipsec_policy import Policy, Protection, Protects, TunnelPolicy
from lab.auth.secrets import Secrets
from lab.errors import IpsecError, IpsecReason, WireError
from lab.events import PacketDropped
from lab.wire.chain import ESP, Chain, destination, source, walk, with_payload
from lab.wire.packet import IPV6, Packet, build, parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A packet that was not sealed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A packet for the engine, opened in transport mode, with what protected it."""

    packet: bytes
    protection: Protection


@dataclass(frozen=True, slots=True, kw_only=True)
class Tunnelled:
    """A packet out of the tunnel, opened in tunnel mode and as it must be, with where it came from."""

    packet: bytes
    outer_source: IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A packet that goes no further; that has been reported."""


Arrival: TypeAlias = Plain | Message | Tunnelled | Refused


class Ipsec:
    """The security associations of a node at work; `report` is told of what they refuse."""

    def __init__(self, policy: Policy, secrets: Secrets, report: Callable[[PacketDropped], None]) -> None:
        self._policy = policy
        self._secrets = secrets
        self._report = report
        self._sequences: Counter[Association] = Counter()
        """No receiver looks at them: associations keyed by hand have no anti-replay (RFC 4303 §3.3.3)."""

    # Transport mode

    def write(self, packet: Packet) -> bytes:
        """Build a packet that goes out, sealed where the policy wants it; raises `IpsecError`."""
        octets = build(packet)
        protection = self._policy.outgoing(packet)
        if protection is None:
            return octets
        chain = walk(octets)
        assert chain is not None  # it is our own
        sealed = self._seal(protection, chain.next_header, octets[chain.at :])
        return with_payload(octets, chain, ESP, sealed)

    def open(self, octets: bytes) -> Arrival:
        """Open a packet that came in."""
        chain = walk(octets) if self._policy else None
        if chain is None or chain.next_header != ESP:
            return Plain()
        try:
            packet = parse(octets)
        except WireError:
            return Plain()  # whoever reads it next tells what is wrong with it
        try:
            return self._open(packet, octets, chain)
        except IpsecError as error:
            self._refuse(error, packet.source, packet.destination)
            return Refused()

    def _open(self, packet: Packet, octets: bytes, chain: Chain) -> Message | Tunnelled:
        sealed = packet.payload_octets
        protection, association = self._policy.inbound(esp.spi(sealed))
        next_header, payload = esp.open_sealed(association, sealed)
        if protection.protects.tunnels:
            if next_header != IPV6 or protection.home_agent not in (packet.source, packet.destination):
                raise IpsecError(IpsecReason.MISUSED_ASSOCIATION, f"of the tunnel of {protection.home_address}")
            self.tunnel(protection.home_address, protection.home_agent).judge(payload, protection)
            return Tunnelled(packet=payload, outer_source=packet.source)
        return Message(packet=with_payload(octets, chain, next_header, payload), protection=protection)

    def admits(self, packet: Packet, protection: Protection | None = None) -> bool:
        """Tell whether a packet for the engine came by the association that it must come by."""
        try:
            self._policy.judge(packet, protection)
        except IpsecError as error:
            self._refuse(error, packet.source, packet.destination)
            return False
        return True

    # Tunnel mode

    def tunnel(self, home_address: IPv6Address, home_agent: IPv6Address) -> TunnelPolicy:
        """Give what is protected in a tunnel."""
        return self._policy.tunnel(home_address, home_agent)

    def seal_tunnelled(self, tunnel: TunnelPolicy, inner: bytes) -> bytes | None:
        """Give what takes the place of a packet in a tunnel; None if that is to be the packet itself."""
        protection = tunnel.outgoing(inner)
        return None if protection is None else self._seal(protection, IPV6, inner)

    def admits_tunnelled(self, tunnel: TunnelPolicy, inner: bytes) -> bool:
        """Tell whether a packet may come out of a tunnel plainly."""
        try:
            tunnel.judge(inner, None)
        except IpsecError as error:
            self._refuse(error, IPv6Address(source(inner)), IPv6Address(destination(inner)))
            return False
        return True

    def room(self, octets: int, tunnel: TunnelPolicy | None = None) -> int:
        """Give the largest packet of upper layers that fits where a tunnel, or any of this node, has so many octets."""
        protections = self._policy if tunnel is None else (tunnel.payload,)
        rooms = [
            esp.capacity(self._policy.outbound(protection), octets)
            for protection in protections
            if protection is not None and protection.protects is Protects.PAYLOAD
        ]
        return min(rooms, default=octets)

    def _seal(self, protection: Protection, next_header: int, payload: bytes) -> bytes:
        association = self._policy.outbound(protection)
        self._sequences[association] += 1
        iv = self._secrets.octets(esp.IV_OCTETS)
        return esp.seal(association, self._sequences[association], iv, next_header, payload)

    def _refuse(self, error: IpsecError, source: IPv6Address, destination: IPv6Address) -> None:
        dropped = PacketDropped(reason=error.reason, source=source, destination=destination, detail=error.detail)
        self._report(dropped)
