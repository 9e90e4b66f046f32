"""A node as a running service: sockets, the clock and signals around a dispatcher."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import IPv6Address
from typing import Any

from lab.auth import esp
from lab.auth.ipsec_policy import Policy, Protection
from lab.auth.secrets import Secrets
from lab.daemon.config import NodeConfig, Role
from lab.daemon.control import CommandError, Control
from lab.daemon.dispatcher import Dispatcher
from lab.daemon.journal import Journal
from lab.daemon.links import LinkEvents
from lab.daemon.planes import PLANES, choose
from lab.daemon.sockets import Dhcpv6Receiver, Icmpv6Receiver, MobilityReceiver, Sender
from lab.daemon.store import Store
from lab.engine.correspondent import Correspondent
from lab.engine.home_agent import HomeAgent
from lab.engine.io import (
    CutOff,
    DeadlineReached,
    Engine,
    Instant,
    LinkHint,
    LinkUp,
    Malformed,
    PeerHeard,
    Readmitted,
    Recalled,
    Received,
    Started,
)
from lab.engine.mobile_node import MobileNode
from lab.errors import ConfigError, PlaneError, WireError
from lab.events import NodeStarted, NodeStopped, PacketDropped, SafeguardSwitchedOff
from lab.netlink import Netlink
from lab.plane import sysctl
from lab.plane.ipsec import Ipsec, Message, Plain, Refused, Tunnelled
from lab.plane.user import DEVICE
from lab.safeguards import Safeguard
from lab.wire.chain import is_mobility_message, is_prefix_discovery
from lab.wire.packet import parse

_log = logging.getLogger(__name__)

SEED_OCTETS = 32
JOURNAL_DELAY = 0.005
"""Seconds after which it is written what happened, with the time at which it did: packets go first."""
INPUTS_AT_ONCE = 64
"""So many packets are dealt with before other work has its turn."""


def engine_for(config: NodeConfig) -> Engine:
    """Make the engine of a node's role."""
    secrets = Secrets(os.urandom(SEED_OCTETS))
    match config.role:
        case Role.HOME_AGENT if config.home_agent is not None:
            return HomeAgent(config.home_agent, secrets, without=config.without)
        case Role.MOBILE_NODE if config.mobile_node is not None:
            return MobileNode(config.mobile_node, secrets, without=config.without)
        case Role.CORRESPONDENT if config.correspondent is not None:
            return Correspondent(config.correspondent, secrets, without=config.without)
        case _:
            raise ConfigError(f"role {config.role} has no table")


class Service:
    """Runs one node until it is told to stop, and leaves nothing of it behind."""

    def __init__(self, config: NodeConfig) -> None:
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        self._reason = ""
        self._timer: asyncio.TimerHandle | None = None
        self._closing = contextlib.ExitStack()
        self._journal = Journal(config.name, config.journal, partial(self._loop.call_later, JOURNAL_DELAY))
        self._closing.callback(self._end_journal)  # the last of all, whatever cannot be closed
        _prepare(config)
        keeps = Safeguard.STATE_STORE not in config.without  # §15.3
        self._store = Store(config.state) if config.state is not None and keeps else None
        if self._store is not None:
            self._closing.callback(self._store.close)
        elif config.role is Role.HOME_AGENT:
            _log.warning("no key state: bindings and sequence numbers end with this process (RFC 6275 §15.3)")
        at_home_agent = config.role is Role.HOME_AGENT
        policy = Policy(config.ipsec, at_home_agent=at_home_agent, without=config.without)
        if config.without:
            _log.warning("switched off, to show what they are for: %s", ", ".join(sorted(config.without)))
        if not policy and config.role is not Role.CORRESPONDENT:
            _log.warning("no key ipsec: home registrations are not protected (RFC 6275 §5.1)")
        if policy:
            esp.warm_up()  # here nobody waits for it
        self._ipsec = Ipsec(policy, Secrets(os.urandom(SEED_OCTETS)), self._on_dropped)
        netlink = self._closing.enter_context(Netlink())
        choice = choose(config.plane, config.without)
        _log.info("%s", choice)
        self._plane = PLANES[choice.name](
            self._watch,
            self._on_delivered,
            self._on_heard,
            self._ipsec,
            config.encapsulation_limit,
            dhcpv6=config.tunnels_dhcpv6,
            dropped=self._on_dropped,
            without=config.without,
        )
        self._closing.callback(self._plane.close)
        self._sender = Sender(self._ipsec.write)
        self._closing.callback(self._sender.close)
        self._mobility = MobilityReceiver(netlink, esp=bool(policy), kernel_knows=self._plane.knows_mobility)
        self._closing.callback(self._mobility.close)
        self._icmpv6 = Icmpv6Receiver()
        self._closing.callback(self._icmpv6.close)
        self._dhcpv6: Dhcpv6Receiver | None = None
        if config.home_agent is not None and config.home_agent.dhcpv6_servers:
            self._dhcpv6 = Dhcpv6Receiver(config.home_agent.address)
            self._closing.callback(self._dhcpv6.close)
        self._links = LinkEvents(netlink, config.interfaces)
        self._closing.callback(self._links.close)
        self._engine = engine_for(config)
        self._dispatcher = Dispatcher(
            self._engine,
            self._plane,
            self._sender,
            journal=self._journal.write,
            clock=time.monotonic,
            arm=self._arm,
            store=self._store,
        )

    async def run(self) -> None:
        """Serve until SIGTERM, SIGINT or the command `stop`."""
        control = None if self._config.control is None else Control(self._config.control, self._commands())
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                self._loop.add_signal_handler(number, self.stop, signal.Signals(number).name)
            self._watch(self._mobility.fileno(), self._on_mobility)
            self._watch(self._icmpv6.fileno(), self._on_icmpv6)
            self._watch(self._links.fileno(), self._on_links)
            if self._dhcpv6 is not None:
                self._watch(self._dhcpv6.fileno(), partial(self._on_dhcpv6, self._dhcpv6))
            self._journal.write(NodeStarted(role=self._config.role, plane=self._plane.name))
            for safeguard in sorted(self._config.without):
                self._journal.write(SafeguardSwitchedOff(safeguard=safeguard))
            self._dispatcher.feed(Started())
            for change in self._links.present():
                self._dispatcher.feed(change)
            self._plane.begin_recall()
            if self._store is not None:
                self._dispatcher.feed(*(CutOff(home_address=home_address) for home_address in self._store.cut_off))
                self._dispatcher.feed(*(Recalled(record=record) for record in self._store.recalled))
                self._store.recalled = ()
            self._dispatcher.feed(*self._plane.end_recall())
            gc.freeze()  # what was recalled stays as well
            gc.enable()
            if control is not None:
                await control.start()
            await self._stopping.wait()
        finally:
            if control is not None:
                await control.close()
            self._arm(None)
            self._closing.close()

    def _end_journal(self) -> None:
        self._journal.write(NodeStopped(reason=self._reason or "error"))
        self._journal.flush()

    def stop(self, reason: str) -> None:
        """End the service in order."""
        self._reason = reason
        self._stopping.set()

    def _watch(self, descriptor: int, callback: Callable[[], None]) -> Callable[[], object]:
        self._loop.add_reader(descriptor, callback)
        ended = partial(self._loop.remove_reader, descriptor)
        self._closing.callback(ended)
        return ended

    def _arm(self, deadline: Instant | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadline is not None and not self._stopping.is_set():
            # The event loop's clock is time.monotonic, the one that the engines are given.
            self._timer = self._loop.call_at(deadline, self._dispatcher.feed, DeadlineReached())

    def _on_links(self) -> None:
        changes, addresses_changed = self._links.receive()
        if addresses_changed:
            self._mobility.forget_addresses()
        if changes:
            self._sender.forget_interfaces()
        for change in changes:
            if isinstance(change, LinkUp) and self._links.was_taken_down(change.interface):
                self._restore(change.interface)
            self._dispatcher.feed(change)

    def _restore(self, interface: str) -> None:
        try:
            self._plane.restore(interface)
        except PlaneError as error:
            _log.warning("after %s was taken down: %s", interface, error)

    def _on_mobility(self) -> None:
        messages: list[Received | Malformed] = []
        while len(messages) < INPUTS_AT_ONCE and (received := self._mobility.receive()) is not None:
            octets, interface = received
            match self._ipsec.open(octets):
                case Plain():
                    if messages and not is_mobility_message(octets):  # it may go by a binding that one of them asks for
                        self._dispatcher.feed(*messages)
                        messages.clear()
                    if is_prefix_discovery(octets) or not self._plane.take(octets):
                        messages += self._read(octets, interface)
                case Message(packet=opened, protection=protection):
                    messages += self._read(opened, interface, protection=protection)
                case Tunnelled(packet=inner, outer_source=outer_source):
                    self._plane.take_opened(inner, outer_source)
                case Refused():
                    pass
        self._dispatcher.feed(*messages)  # at once: what they have kept is written to the disk in one go

    def _on_dropped(self, dropped: PacketDropped) -> None:
        self._dispatcher.report(dropped)

    def _on_delivered(self, octets: bytes, tunnelled: bool) -> None:
        self._dispatcher.feed(*self._read(octets, DEVICE, tunnelled=tunnelled))

    def _on_heard(self, home_address: IPv6Address, peer: IPv6Address) -> None:
        # Not while the plane is at work on a packet of that very peer.
        self._loop.call_soon(self._dispatcher.feed, PeerHeard(home_address=home_address, peer=peer))

    def _read(
        self, octets: bytes, interface: str, *, tunnelled: bool = False, protection: Protection | None = None
    ) -> list[Received | Malformed]:
        """Give a packet as the engine takes it; nothing if it did not come as it must."""
        try:
            packet = parse(octets)
        except WireError as error:
            source, destination = IPv6Address(octets[8:24]), IPv6Address(octets[24:40])
            return [
                Malformed(error=error, source=source, destination=destination, invoking=octets, interface=interface)
            ]
        if not self._ipsec.admits(packet, protection):
            return []
        return [Received(packet=packet, interface=interface, tunnelled=tunnelled)]

    def _on_icmpv6(self) -> None:
        while True:
            try:
                received = self._icmpv6.receive()
            except WireError as error:
                self._dispatcher.report(PacketDropped(reason=error.reason, detail=error.detail))
                continue
            except OSError as error:  # the interface went away between the packet and its name
                _log.debug("ICMPv6: %s", error)
                continue
            if received is None:
                return
            packet, interface = received
            self._plane.explain(packet)
            if self._ipsec.admits(packet):
                self._dispatcher.feed(Received(packet=packet, interface=interface))

    def _on_dhcpv6(self, receiver: Dhcpv6Receiver) -> None:
        while (received := receiver.receive()) is not None:
            packet, interface = received
            self._dispatcher.feed(Received(packet=packet, interface=interface))

    def _commands(self) -> Mapping[str, Callable[[Mapping[str, Any]], Any]]:
        return {
            "ping": lambda _: {"name": self._config.name, "role": self._config.role, "plane": self._plane.name},
            "bindings": lambda _: self._engine.snapshot(time.monotonic()),
            "counters": lambda _: {"plane": self._plane.counters(), "drops": dict(self._dispatcher.drops)},
            "hint": self._hint,
            "stop": lambda _: self.stop("command"),
        } | ({} if self._config.home_agent is None else {"cutoff": self._cut_off, "readmit": self._readmit})

    def _hint(self, request: Mapping[str, Any]) -> None:
        interface = request.get("interface")
        if interface not in self._config.interfaces:
            known = ", ".join(self._config.interfaces) or "none"
            raise CommandError(f"interface {interface!r} is not watched by this node; watched: {known}")
        self._dispatcher.feed(LinkHint(interface=str(interface)))

    def _cut_off(self, request: Mapping[str, Any]) -> None:
        home_address = self._home_address(request)
        self._dispatcher.feed(CutOff(home_address=home_address))

    def _readmit(self, request: Mapping[str, Any]) -> None:
        home_address = self._home_address(request)
        self._dispatcher.feed(Readmitted(home_address=home_address))

    def _home_address(self, request: Mapping[str, Any]) -> IPv6Address:
        """Read which home address a command is about; raises `CommandError` for one of another prefix."""
        assert self._config.home_agent is not None
        given, prefixes = request.get("home_address"), self._config.home_agent.home_prefixes
        with contextlib.suppress(ValueError):
            address = IPv6Address(str(given))
            if any(address in prefix for prefix in prefixes):
                return address
        raise CommandError(f"home_address {given!r} is not an address of {', '.join(map(str, prefixes))}")


def _prepare(config: NodeConfig) -> None:
    """Set the kernel's own behaviour aside where the node sees to it itself."""
    if (node := config.mobile_node) is not None:
        sysctl.set_interface(
            node.interface, accept_ra=0, autoconf=0, router_solicitations=0, dad_transmits=0, accept_dad=0
        )
    if config.home_agent is not None and not sysctl.forwarding():
        raise ConfigError("a home agent forwards packets: set net.ipv6.conf.all.forwarding to 1 first")


async def serve(config: NodeConfig) -> None:
    """Run a node to its end."""
    service = Service(config)
    gc.collect()
    gc.freeze()  # what is loaded stays; no collection amid a handover needs to look at all of it
    gc.disable()  # until what is recalled is there: none of it is garbage
    await service.run()
