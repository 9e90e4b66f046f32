"""A mobile node on a bench: advertisements and acknowledgements go in, what comes out is sorted."""

from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network
from typing import Any

from lab.auth.secrets import Secrets
from lab.constants import Status
from lab.engine.config import MobileNodeConfig
from lab.engine.io import DeadlineReached, Effect, Input, LinkDown, LinkUp, Received, Send
from lab.engine.mobile_node import MobileNode
from lab.engine.neighbor_discovery import HOP_LIMIT
from lab.safeguards import NOTHING, Without
from lab.wire.addresses import address_from, interface_identifier, link_local
from lab.wire.icmpv6 import NeighborAdvertisement, RouterAdvertisement
from lab.wire.mobility import BindingAcknowledgement, BindingUpdate
from lab.wire.neighbor import (
    AdvertisementInterval,
    LinkMtu,
    NeighborOption,
    PrefixInformation,
    SourceLinkLayerAddress,
    TargetLinkLayerAddress,
)
from lab.wire.packet import Packet, mobility_packet

AGENT = IPv6Address("2001:db8:1::1")
HOME = IPv6Address("2001:db8:1::100")
MAC = bytes.fromhex("020000000010")
INTERFACE = "mn-eth0"
ALL_NODES = IPv6Address("ff02::1")
DAY = 86400


@dataclass(frozen=True)
class Access:
    """A router of a link, as its advertisements describe it."""

    mac: bytes
    prefix: IPv6Network
    interval: int | None = None
    """Its Advertisement Interval in milliseconds; None leaves the option out, so that silence means nothing."""
    link_layer: bool = True
    router_address: bool = True
    valid: int = DAY
    mtu: int | None = None

    @property
    def address(self) -> IPv6Address:
        """Its link-local address."""
        return link_local(self.mac)

    @property
    def global_address(self) -> IPv6Address:
        """What its R bit tells."""
        return self.prefix.network_address + 1

    def advertisement(self, **fields: Any) -> Received:
        """Make a received Router Advertisement."""
        options: list[NeighborOption] = []
        if self.link_layer:
            options.append(SourceLinkLayerAddress(address=self.mac))
        options.append(
            PrefixInformation(
                prefix=self.global_address if self.router_address else self.prefix.network_address,
                prefix_length=64,
                on_link=True,
                autonomous=fields.get("autonomous", True),
                router_address=self.router_address,
                valid_lifetime=fields.get("valid", self.valid),
                preferred_lifetime=fields.get("valid", self.valid),
            )
        )
        if self.interval is not None:
            options.append(AdvertisementInterval(interval=self.interval))
        if self.mtu is not None:
            options.append(LinkMtu(mtu=self.mtu))
        message = RouterAdvertisement(router_lifetime=1800, options=tuple(options))
        packet = Packet(
            source=fields.get("source", self.address),
            destination=ALL_NODES,
            hop_limit=fields.get("hop_limit", 255),
            payload=message,
        )
        return Received(packet=packet, interface=INTERFACE)

    def answer(self, target: IPv6Address | None = None) -> Received:
        """Make the Neighbor Advertisement that answers a probe."""
        target = self.global_address if target is None else target
        message = NeighborAdvertisement(target=target, solicited=True, router=True)
        packet = Packet(source=target, destination=link_local(MAC), hop_limit=255, payload=message)
        return Received(packet=packet, interface=INTERFACE)

    def care_of(self) -> IPv6Address:
        """Give the address that the mobile node forms here."""
        return address_from(self.prefix, interface_identifier(MAC))


HOME_LINK = Access(bytes.fromhex("020000000001"), IPv6Network("2001:db8:1::/64"))
VISITED1 = Access(bytes.fromhex("020000000002"), IPv6Network("2001:db8:a1::/64"))
VISITED2 = Access(bytes.fromhex("020000000003"), IPv6Network("2001:db8:a2::/64"))


def mobile_config(**fields: Any) -> MobileNodeConfig:
    """Make a configuration."""
    return MobileNodeConfig(
        **{
            "interface": INTERFACE,
            "home_address": HOME,
            "home_prefix": HOME_LINK.prefix,
            "home_agent": AGENT,
            **fields,
        }
    )


def found(address: IPv6Address, mac: bytes, **fields: Any) -> Received:
    """Make the Neighbor Advertisement to all nodes that answers whoever asked without an address."""
    options = (TargetLinkLayerAddress(address=mac),) if fields.get("told", True) else ()
    message = NeighborAdvertisement(target=address, router=True, override=True, options=options)
    packet = Packet(
        source=address, destination=ALL_NODES, hop_limit=fields.get("hop_limit", HOP_LIMIT), payload=message
    )
    return Received(packet=packet, interface=INTERFACE)


def carrier(mac: bytes = MAC) -> LinkUp:
    """Make the input that an interface has carrier."""
    return LinkUp(interface=INTERFACE, link_layer_address=mac, link_local_address=link_local(mac))


@dataclass
class MobileBench:
    """A mobile node with its clock."""

    config: MobileNodeConfig = field(default_factory=mobile_config)
    now: float = 1000.0
    without: Without = NOTHING

    def __post_init__(self) -> None:
        self.node = MobileNode(self.config, Secrets(b"bench"), without=self.without)

    def take(self, happened: Input) -> list[Effect]:
        """Hand one input over."""
        return [*self.node.handle(happened, self.now)]

    def pass_time(self, seconds: float) -> list[Effect]:
        """Let time pass, stopping at every deadline on the way."""
        return [effect for _, effects in self.timeline(seconds) for effect in effects]

    def timeline(self, seconds: float) -> list[tuple[float, list[Effect]]]:
        """Let time pass; give what came out, and when."""
        end, seen = self.now + seconds, []
        while (due := self.node.deadline()) is not None and due <= end:
            self.now = max(due, self.now)
            seen.append((self.now, self.take(DeadlineReached())))
        self.now = end
        return seen

    def arrive(self, access: Access) -> list[Effect]:
        """Come to a link and hear its router."""
        effects = self.take(LinkDown(interface=INTERFACE)) + self.take(carrier())
        return effects + self.take(access.advertisement())

    def acknowledge(self, update: BindingUpdate, **fields: Any) -> list[Effect]:
        """Hand the home agent's answer to a Binding Update over."""
        message = BindingAcknowledgement(
            status=fields.get("status", Status.ACCEPTED),
            sequence=fields.get("sequence", update.sequence),
            lifetime=fields.get("lifetime", update.lifetime),
            options=fields.get("options", ()),
        )
        return self.take(acknowledgement(message, **{k: v for k, v in fields.items() if k in ("source", "home")}))

    def register(self, access: Access = VISITED1, **fields: Any) -> list[Effect]:
        """Come to a foreign link and register."""
        effects = self.arrive(access)
        return effects + self.acknowledge(updates(effects)[-1], **fields)

    @property
    def entry(self) -> dict[str, Any]:
        """The home agent's entry in the Binding Update List."""
        return self.node.snapshot(self.now)[0]


def acknowledgement(
    message: BindingAcknowledgement, source: IPv6Address = AGENT, home: IPv6Address | None = HOME
) -> Received:
    """Make a received Binding Acknowledgement; without `home` it comes to the home address itself."""
    destination = VISITED1.care_of() if home is not None else HOME
    packet = mobility_packet(source, destination, message, routed_home_address=home)
    return Received(packet=packet, interface=INTERFACE)


def update_packets(effects: list[Effect]) -> list[tuple[Packet, BindingUpdate]]:
    """Pick the Binding Updates with their packets."""
    packets = [effect.packet for effect in effects if isinstance(effect, Send)]
    return [(packet, packet.payload) for packet in packets if isinstance(packet.payload, BindingUpdate)]


def updates(effects: list[Effect]) -> list[BindingUpdate]:
    """Pick the Binding Updates."""
    return [update for _, update in update_packets(effects)]
