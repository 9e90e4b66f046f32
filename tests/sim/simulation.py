"""A seeded network with a virtual clock: engines and their address tests on links that lose and delay."""

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network

from lab.auth.secrets import Secrets
from lab.engine.config import HomeAgentConfig, MobileNodeConfig
from lab.engine.duplicate_address_detection import Answer, DuplicateAddressDetection
from lab.engine.home_agent import HomeAgent
from lab.engine.io import (
    AskUse,
    DadFailed,
    DadSucceeded,
    DeadlineReached,
    Effect,
    Engine,
    Forget,
    ForgetCutOff,
    Input,
    JoinAnycast,
    JoinGroup,
    LeaveGroup,
    LinkDown,
    LinkUp,
    Received,
    Refused,
    Remember,
    RememberCutOff,
    Report,
    Send,
    StartDad,
    Started,
    StopDad,
    Used,
)
from lab.engine.mobile_node import MobileNode
from lab.errors import PlaneError
from lab.events import Event
from lab.plane.memory import MemoryPlane
from lab.wire.addresses import link_local
from lab.wire.icmpv6 import NeighborAdvertisement, NeighborSolicitation, RouterAdvertisement, RouterSolicitation
from lab.wire.neighbor import AdvertisementInterval, PrefixInformation, SourceLinkLayerAddress
from lab.wire.packet import Packet, build, parse

HOME_PREFIX = IPv6Network("2001:db8:1::/64")
HOME_ADDRESS = IPv6Address("2001:db8:1::100")
SECOND_HOME_ADDRESS = IPv6Address("2001:db8:1::101")
AGENT = IPv6Address("2001:db8:1::1")
PREFIXES = {
    "home": HOME_PREFIX,
    "visited1": IPv6Network("2001:db8:a1::/64"),
    "visited2": IPv6Network("2001:db8:a2::/64"),
}
ROUTER_MACS = {"home": b"\x02\0\0\0\0\x01", "visited1": b"\x02\0\0\0\0\x02", "visited2": b"\x02\0\0\0\0\x03"}
MOBILE_MAC = b"\x02\0\0\0\0\x10"
DELAY = 0.001


def advertisement(link: str, *, interval: float = 0.5, valid: int = 86400) -> Packet:
    """Make the Router Advertisement of a link's router."""
    mac, prefix = ROUTER_MACS[link], PREFIXES[link]
    options = (
        SourceLinkLayerAddress(address=mac),
        PrefixInformation(
            prefix=prefix.network_address + 1,
            prefix_length=64,
            on_link=True,
            autonomous=True,
            router_address=True,
            valid_lifetime=valid,
            preferred_lifetime=valid,
        ),
        AdvertisementInterval(interval=int(interval * 1000)),
    )
    message = RouterAdvertisement(home_agent=link == "home", router_lifetime=1800, options=options)
    return Packet(source=link_local(mac), destination=IPv6Address("ff02::1"), hop_limit=255, payload=message)


@dataclass
class Node:
    """An engine with its plane and what it reported."""

    engine: Engine
    plane: MemoryPlane = field(default_factory=MemoryPlane)
    dad: DuplicateAddressDetection = field(default_factory=DuplicateAddressDetection)
    events: list[Event] = field(default_factory=list)


class Simulation:
    """One home agent, one mobile node, three links."""

    def __init__(
        self, seed: int, loss: float = 0.0, lifetime: int = 60, further_home_addresses: tuple[IPv6Address, ...] = ()
    ) -> None:
        self.random = random.Random(seed)
        self.loss = loss
        self.now = 0.0
        self.where = "home"
        self.valid = dict.fromkeys(PREFIXES, 86400)
        """Seconds that the prefix of a link is advertised to be valid."""
        self.sent: list[tuple[float, str, Packet]] = []
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        agent = HomeAgentConfig(interface="ha-eth0", address=AGENT, home_prefixes=(HOME_PREFIX,))
        mobile = MobileNodeConfig(
            interface="mn-eth0",
            home_address=HOME_ADDRESS,
            home_prefix=HOME_PREFIX,
            further_home_addresses=further_home_addresses,
            home_agent=AGENT,
            lifetime=lifetime,
        )
        secrets = Secrets(b"simulation")
        self.agent, self.mobile = Node(HomeAgent(agent, secrets)), Node(MobileNode(mobile, secrets))
        for node, mac, name in ((self.agent, ROUTER_MACS["home"], "ha-eth0"), (self.mobile, MOBILE_MAC, "mn-eth0")):
            self.feed(node, Started())
            self.feed(node, _link_up(name, mac))
        for link in PREFIXES:
            self.at(0.1, lambda link=link: self._advertise(link))  # type: ignore[misc] # mypy cannot infer defaults

    def at(self, delay: float, action: Callable[[], None]) -> None:
        """Do something later."""
        heapq.heappush(self._queue, (self.now + delay, next(self._order), action))

    def run(self, seconds: float) -> None:
        """Let virtual time pass."""
        end = self.now + seconds
        while True:
            due = [(when, node) for node in (self.agent, self.mobile) if (when := self._deadline(node)) is not None]
            timer = min(due, key=lambda pair: pair[0], default=None)
            event = self._queue[0][0] if self._queue else None
            if timer is not None and timer[0] <= end and (event is None or timer[0] <= event):
                self.now = max(self.now, timer[0])
                self.feed(timer[1], DeadlineReached())
            elif event is not None and event <= end:
                self.now = event
                heapq.heappop(self._queue)[2]()
            else:
                break
        self.now = end

    def move(self, link: str, outage: float = 0.01) -> None:
        """Take the mobile node to another link, or to none ("")."""
        self.feed(self.mobile, LinkDown(interface="mn-eth0"))
        self.where = ""
        self.run(outage)
        self.where = link
        if link:
            self.feed(self.mobile, _link_up("mn-eth0", MOBILE_MAC))

    def feed(self, node: Node, happened: Input) -> None:
        """Hand an input to a node and carry out what follows, as the daemon does."""
        queue = [happened]
        while queue:
            item = queue.pop(0)
            answers: list[Answer | Effect] = []
            if isinstance(item, DeadlineReached) or (
                isinstance(item, Received)
                and isinstance(item.packet.payload, NeighborSolicitation | NeighborAdvertisement)
            ):
                answers += node.dad.handle(item, self.now)
            self._carry_out(node, answers, queue)
            self._carry_out(node, list(node.engine.handle(item, self.now)), queue)

    def _carry_out(self, node: Node, effects: list[Answer | Effect], queue: list[Input]) -> None:
        for effect in effects:
            match effect:
                case Send(packet=packet):
                    self._send(node, packet)
                case StartDad() | StopDad():
                    self._carry_out(node, list(node.dad.handle(effect, self.now)), queue)
                case DadSucceeded() | DadFailed():
                    queue.append(effect)
                case Report(event=event):
                    node.events.append(event)
                case (
                    JoinGroup()
                    | LeaveGroup()
                    | JoinAnycast()
                    | Remember()
                    | Forget()
                    | RememberCutOff()
                    | ForgetCutOff()
                ):
                    pass
                case AskUse(home_address=home_address, peer=peer):
                    used = node.plane.used(home_address, peer)
                    queue.append(Used(home_address=home_address, peer=peer, used=used))
                case other:
                    try:
                        node.plane.apply(other)
                    except PlaneError as error:
                        queue.insert(0, Refused(effect=other, reason=str(error)))
                        return

    def _deadline(self, node: Node) -> float | None:
        due = [d for d in (node.engine.deadline(), node.dad.deadline()) if d is not None]
        return min(due, default=None)

    def _advertise(self, link: str) -> None:
        packet = advertisement(link, valid=self.valid[link])
        self._to_mobile(packet, link)
        if link == "home":
            self.feed(self.agent, Received(packet=packet, interface="ha-eth0"))
        self.at(0.3 + 0.2 * self.random.random(), lambda: self._advertise(link))

    def _send(self, node: Node, packet: Packet) -> None:
        packet = parse(build(packet))
        self.sent.append((self.now, "ha" if node is self.agent else "mn", packet))
        if self.random.random() < self.loss:
            return
        if node is self.mobile and self.where:
            self._from_mobile(packet)
        elif node is self.agent:
            self._from_agent(packet)

    def _from_mobile(self, packet: Packet) -> None:
        link = self.where
        if isinstance(packet.payload, RouterSolicitation):
            self.at(DELAY, lambda: self._to_mobile(advertisement(link, valid=self.valid[link]), link))
        if isinstance(packet.payload, NeighborSolicitation):
            self._probed(packet, packet.payload, link)
        on_home_link = link == "home" and (packet.destination.is_multicast or packet.destination == AGENT)
        if on_home_link or packet.destination == AGENT:
            received = Received(packet=packet, interface="ha-eth0" if link == "home" else "ha-eth1")
            self.at(DELAY, lambda: self.feed(self.agent, received))

    def _probed(self, packet: Packet, message: NeighborSolicitation, link: str) -> None:
        if message.target == PREFIXES[link].network_address + 1:
            answer = NeighborAdvertisement(target=message.target, solicited=True, router=True)
            reply = Packet(source=message.target, destination=packet.source, hop_limit=255, payload=answer)
            self.at(DELAY, lambda: self._to_mobile(reply, link))

    def _from_agent(self, packet: Packet) -> None:
        target = packet.destination
        if target.is_multicast:
            self._to_mobile(packet, "home")
        else:
            link = next((name for name, prefix in PREFIXES.items() if target in prefix), "")
            self._to_mobile(packet, link)

    def _to_mobile(self, packet: Packet, link: str) -> None:
        if self.where == link and self.random.random() >= self.loss:
            received = Received(packet=packet, interface="mn-eth0")
            self.at(DELAY, lambda: self.feed(self.mobile, received) if self.where == link else None)


def _link_up(interface: str, mac: bytes) -> LinkUp:
    return LinkUp(interface=interface, link_layer_address=mac, link_local_address=link_local(mac))
