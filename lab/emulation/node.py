"""Nodes, links and bridges as Mininet knows them, made by netlink in namespaces of our own without a fork."""

import atexit
import signal
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mininet.link import Intf, Link
from mininet.node import Node, Switch

from lab.daemon.config import Role
from lab.daemon.control import CommandError, ask
from lab.emulation import offloads
from lab.emulation.associations import as_tables
from lab.emulation.context import Context
from lab.emulation.impairment import UNIMPAIRED, Impairment, impair
from lab.emulation.leftovers import environment
from lab.emulation.namespace import Namespace
from lab.emulation.process import Process, Used, end, hasten, used_by, wait_until
from lab.emulation.settings import Settings
from lab.emulation.spec import ETHERNET_MTU, ROUTER_LIFETIME, Declaration, Kind, LinkSpec, NodeSpec, Plug, PrefixSpec
from lab.errors import MissingError, ScenarioError
from lab.events import LinkImpaired, NodeFailed, NodeKilled
from lab.plane import sysctl
from lab.templating import render
from lab.wire.addresses import address_like

LOOPBACK, FIRST_BRIDGE_INDEX = 1, 100
READY_WITHIN = 60.0
SETTLED_WITHIN = 30.0
LEASES_FROM, LEASES_TO, DNS_SERVER = 0x1000, 0x1FFF, 0x53
"""What a DHCPv6 server gives: addresses of its link, by their last two octets, and that of a name server."""


class _LazyShell:
    """For Mininet's nodes: in a namespace of ours, with a shell that starts when a command first needs it."""

    namespace: Namespace
    _started = False

    def startShell(self, mnopts: str | None = None) -> None:  # noqa: N802 - Mininet's name
        """Start nothing yet."""

    def _ensure_shell(self) -> None:
        if not self._started:
            self._started = True
            self.inNamespace = False  # the thread that starts the shell is inside already
            super().startShell()  # type: ignore[misc] # of the Mininet class beside this one
            self.inNamespace = True

    def _popen(self, cmd: list[str], **params: Any) -> Any:
        return self.namespace.run(lambda: subprocess.Popen(cmd, env=environment(), **params))

    def cmd(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command in the node's shell and give what it printed."""
        self._ensure_shell()
        return super().cmd(*args, **kwargs)  # type: ignore[misc]

    def sendCmd(self, *args: Any, **kwargs: Any) -> None:  # noqa: N802 - Mininet's name
        """Run a command in the node's shell."""
        self._ensure_shell()
        super().sendCmd(*args, **kwargs)  # type: ignore[misc]

    def popen(self, *args: Any, **kwargs: Any) -> Any:
        """Start a process in the node."""
        self._ensure_shell()
        return super().popen(*args, **kwargs)  # type: ignore[misc]

    def end_shell(self) -> None:
        """End the shell if there is one."""
        if self._started:
            super().terminate()  # type: ignore[misc]
            self._started = False


class LabInterface(Intf):  # type: ignore[misc] # Mininet has no types
    """An interface that netlink has configured already."""

    def config(self, **_params: Any) -> dict[str, Any]:
        """Leave everything as it is."""
        return {}

    def updateIP(self) -> str | None:  # noqa: N802 - Mininet's name
        """Give what stands for the node's name at Mininet's prompt."""
        return self.node.IP() if isinstance(self.node, LabNode) else None


class LabBridge(_LazyShell, Switch):  # type: ignore[misc] # Mininet has no types
    """A link of the topology: a bridge in the namespace of all links."""

    def __init__(self, name: str, *, spec: LinkSpec, topology: Declaration, **params: Any) -> None:
        self.spec = spec
        self.context: Context = context_of(topology)
        self.index = FIRST_BRIDGE_INDEX + spec.number
        self.impairment = spec.impairment
        netlink = self.context.links.netlink
        with netlink.batch():
            netlink.create_bridge(name, index=self.index)
            netlink.set_link(self.index, up=True)
        self.namespace = self.context.links
        self._made = False
        super().__init__(name, **params)
        self._made = True

    def impair(self, impairment: Impairment, nodes: Iterable["LabNode"]) -> None:
        """Treat so what nodes send on the link from now on; raises `MissingError` where the kernel cannot."""
        for node in nodes:
            for plug in node.plugs_on(self.name):
                impair(node.namespace.netlink, plug.index, impairment)
        self.impairment = impairment
        self.context.collector.report(LinkImpaired(link=self.name, **asdict(impairment)))

    def cmd(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command where the bridges are; what Mininet runs for every switch it makes is not needed."""
        return super().cmd(*args, **kwargs) if self._made else ""

    def start(self, controllers: Any) -> None:
        """Bridges forward from the start, without a controller."""

    def terminate(self) -> None:
        """End the shell; the bridge ends with the namespace of the links."""
        self.end_shell()


class LabLink(Link):  # type: ignore[misc] # Mininet has no types
    """A veth between a node and the bridge that its link is."""

    def __init__(self, node: "LabNode", bridge: LabBridge, *, plug: Plug, **params: Any) -> None:
        self.plug = plug
        netlink = bridge.context.links.netlink
        with netlink.batch():
            netlink.create_veth(
                plug.interface,
                plug.interface,
                index=plug.index,
                peer_index=plug.peer_index,
                namespace=node.namespace.descriptor,
                address=plug.link_layer_address,
            )
            netlink.set_link(plug.peer_index, up=True, master=bridge.index, mtu=plug.link.mtu)
        params |= {"intf": LabInterface, "intfName1": plug.interface, "intfName2": plug.interface}
        super().__init__(node, bridge, **params)

    @classmethod
    def makeIntfPair(cls, *args: Any, **kwargs: Any) -> None:  # noqa: N802 - Mininet's name
        """Make nothing: the pair exists already."""

    def delete(self) -> None:
        """Leave the pair: it ends with its namespaces."""


class LabNode(_LazyShell, Node):  # type: ignore[misc] # Mininet has no types
    """A node of the topology with its addresses, routes and services."""

    def __init__(self, name: str, *, spec: NodeSpec, topology: Declaration, **params: Any) -> None:
        self.spec = spec
        self.topology = topology
        self.link_name = spec.plugs[0].link.name
        """Where its first interface is plugged in; moving a mobile node changes it."""
        self.context: Context = context_of(topology)
        self._services: list[subprocess.Popen[bytes]] = []
        self._radvd: subprocess.Popen[bytes] | None = None
        self._prefixes: dict[str, Sequence[PrefixSpec]] = {}
        """What it advertises on a link in place of the link's one prefix."""
        self.daemon: Process | None = None
        self.namespace = Namespace()
        super().__init__(name, inNamespace=True, **params)

    def IP(self, intf: Any = None) -> str:  # noqa: N802 - Mininet's name
        """Give the address that others reach the node by: what a node's name means at the prompt."""
        return str(self.spec.address)

    def config(self, **_params: Any) -> dict[str, Any]:
        """Bring the node up: Mininet calls this for each host."""
        self.configure()
        self.start_services()
        return {}

    def configure(self) -> None:
        """Set links, addresses and routes, all in one request."""
        if self.spec.kind is not Kind.HOST:
            self.namespace.run(self._set_sysctls)
        if not self.context.settings.offloads:
            self.namespace.run(self._switch_offloads_off)
        netlink = self.namespace.netlink
        with netlink.batch():
            netlink.set_link(LOOPBACK, up=True)
            for plug in self.spec.plugs:
                if self.spec.kind is not Kind.MOBILE_NODE:  # which is told, wherever it is
                    netlink.set_link(plug.index, up=True, mtu=plug.link.mtu)
                if plug.address is not None:
                    netlink.add_address(plug.index, plug.address, plug.link.prefix.prefixlen)
            for destination, hop in self.spec.routes.items():
                netlink.add_route(destination, via=hop)
        for plug in self.spec.plugs:
            if plug.link.impairment != UNIMPAIRED:
                impair(netlink, plug.index, plug.link.impairment)

    def plugs_on(self, link: str) -> list[Plug]:
        """Give the interfaces that are on a link now."""
        first, *others = self.spec.plugs
        return [*([first] if self.link_name == link else []), *(plug for plug in others if plug.link.name == link)]

    def _set_sysctls(self) -> None:
        if self.spec.kind.forwards:
            sysctl.set_interface("all", forwarding=1)
        for plug in self.spec.plugs:
            # Link-local addresses are unique by declaration; routers that test them answer seconds later.
            sysctl.set_interface(plug.interface, accept_ra=0, autoconf=0, router_solicitations=0, accept_dad=0)

    def _switch_offloads_off(self) -> None:
        for plug in self.spec.plugs:
            offloads.switch_off(plug.interface)

    def start_services(self) -> None:
        """Start what runs on the node: radvd, a DHCPv6 server, the daemon of its role."""
        if self.spec.advertises:
            self._write_radvd_config()
            self._start_radvd()
        if self.spec.serves_dhcpv6 is not None:
            self._start_dnsmasq(self.spec.serves_dhcpv6)
        if self.serves:
            self.start_daemon()
        if self.spec.kind is Kind.MOBILE_NODE:
            with self.namespace.netlink.batch():
                for plug in self.spec.plugs:
                    self.namespace.netlink.set_link(plug.index, up=True)

    def advertise(self, link: LinkSpec, prefixes: Sequence[PrefixSpec]) -> None:
        """Advertise other prefixes of a link, or others of their lifetimes, from now on."""
        self._prefixes[link.name] = prefixes
        self._write_radvd_config()
        assert self._radvd is not None
        self._radvd.send_signal(signal.SIGHUP)

    def _write_radvd_config(self) -> None:
        settings = self.context.settings
        links = [
            {
                "interface": plug.interface,
                "prefixes": [self._prefix_on(plug, prefix) for prefix in self._prefixes_of(plug.link)],
                "min_interval": settings.min_ra_interval,
                "max_interval": settings.max_ra_interval,
                "mtu": None if plug.link.mtu == ETHERNET_MTU else plug.link.mtu,
                "lifetime": 0 if self._leaves_routing_to_others(plug.link) else ROUTER_LIFETIME,
                "preference": self.spec.preference,
                "home_agent_lifetime": self.spec.home_agent_lifetime,
                "unicast": settings.ra_unicast,
                "home_agent": self.spec.home == plug.link,
                "dhcpv6": self.topology.has_dhcpv6_server(plug.link),
            }
            for plug in self.spec.plugs
            if plug.link in self.spec.advertises
        ]
        self._radvd_config.write_text(render("radvd.conf.j2", links=links), encoding="utf-8")

    def _prefixes_of(self, link: LinkSpec) -> Sequence[PrefixSpec]:
        return self._prefixes.get(link.name) or (PrefixSpec(network=link.prefix),)

    @staticmethod
    def _prefix_on(plug: Plug, prefix: PrefixSpec) -> dict[str, Any]:
        assert plug.address is not None
        return {
            "address": address_like(plug.address, prefix.network),
            "length": prefix.network.prefixlen,
            "valid": prefix.valid,
            "preferred": prefix.preferred,
        }

    @property
    def _radvd_config(self) -> Path:
        return Path(self.context.run / f"{self.name}.radvd.conf")

    def _start_radvd(self) -> None:
        config = self._radvd_config
        command = ["radvd", "-n", "-C", str(config), "-p", str(config.with_suffix(".pid")), "-m", "stderr"]
        self._radvd = self._spawn(command, f"{self.name}.radvd")
        hasten(self._radvd)
        self._services.append(self._radvd)

    def _start_dnsmasq(self, link: LinkSpec) -> None:
        plug = self.spec.plug_on(link)
        assert plug is not None
        config = Path(self.context.run / f"{self.name}.dnsmasq.conf")
        prefix = link.prefix.network_address
        text = render(
            "dnsmasq.conf.j2",
            interface=plug.interface,
            first=prefix + LEASES_FROM,
            last=prefix + LEASES_TO,
            dns_server=prefix + DNS_SERVER,
            leases=config.with_suffix(".leases"),
        )
        config.write_text(text, encoding="utf-8")
        command = ["dnsmasq", "--keep-in-foreground", f"--conf-file={config}", "--pid-file="]
        self._services.append(self._spawn(command, f"{self.name}.dnsmasq"))

    def _leaves_routing_to_others(self, link: LinkSpec) -> bool:
        """Tell whether it is a home agent beside the router of its link, and no default router (RFC 4861 §6.2.1)."""
        return self.spec.home == link and bool(self.topology.has_router(link))

    @property
    def serves(self) -> bool:
        """Whether it has a daemon, be it killed at the moment."""
        return self.context.starter is not None and self.spec.kind not in (Kind.HOST, Kind.ROUTER)

    def start_daemon(self) -> None:
        """Start the daemon of the node's role; see `wait_ready`."""
        role = Role(self.spec.kind.value)
        config = self.context.run / f"{self.name}.toml"
        text = render(
            "node.toml.j2",
            name=self.name,
            role=role.value,
            plane=self.context.plane.name.value,
            journal="-",
            control=str(self.control_path),
            state=str(self.state_path) if role is Role.HOME_AGENT else "",
            encapsulation_limit=self.context.settings.encapsulation_limit,
            without=sorted(self.context.without),
            table=role.table,
            options=self._daemon_options() | self.spec.options,
            ipsec=self._associations(),
        )
        config.write_text(text, encoding="utf-8")
        assert self.context.starter is not None
        with self.context.journals.pipe() as journal, self._log(self.name).open("ab") as log:
            self.daemon = self.context.starter.start(
                self.name, config, namespace=self.namespace, output=journal, log=log.fileno()
            )

    def _daemon_options(self) -> dict[str, Any]:
        spec, settings = self.spec, self.context.settings
        match spec.kind:
            case Kind.HOME_AGENT:
                assert spec.home is not None
                plug = spec.plug_on(spec.home)
                assert plug is not None
                return {
                    "interface": plug.interface,
                    "address": str(plug.address),
                    "home_prefixes": [str(spec.home.prefix)],
                    "preference": spec.preference,
                }
            case Kind.MOBILE_NODE:
                assert spec.home is not None
                agent = None if spec.home_agent is None else self.topology.node_specs[spec.home_agent]
                return {
                    "interface": spec.plugs[0].interface,
                    "home_address": str(spec.home_address),
                    "home_prefix": str(spec.home.prefix),
                    "further_home_addresses": [str(address) for address in spec.further_home_addresses],
                    "lifetime": settings.lifetime,
                    "dad": settings.dad.value,
                    "route_optimisation": settings.ro,
                    "binding_lifetime": settings.ro_lifetime,
                } | ({} if agent is None else {"home_agent": str(agent.address)})
            case Kind.CORRESPONDENT:
                return {"nonce_lifetime": settings.nonce_lifetime}
            case _:
                return {}

    def _associations(self) -> list[dict[str, dict[str, Any]]]:
        own = {self.spec.address, *self.spec.home_addresses, *self.spec.expected_home_addresses}
        return [
            as_tables(pair)
            for pair in self.topology.protections
            if not own.isdisjoint((pair.home_address, pair.home_agent))
        ]

    @property
    def control_path(self) -> Path:
        """The control socket of the node's daemon."""
        return Path(self.context.run / f"{self.name}.sock")

    @property
    def state_path(self) -> Path:
        """What the node's daemon keeps for its next start; of a network, not of its results."""
        return Path(self.context.run / f"{self.name}.sqlite")

    def control(self, command: str, **arguments: Any) -> Any:
        """Ask the node's daemon; raises `CommandError`."""
        return ask(self.control_path, command, **arguments)

    def wait_ready(self) -> None:
        """Wait until the daemon answers; raises `ScenarioError` if it ends or takes too long."""
        if self.daemon is not None:
            log = self._log(self.name)
            wait_until(self._answers, self.daemon, self.name, log, within=READY_WITHIN, fault="does not answer")
            hasten(self.daemon)  # not before: its start is work for seconds, which must not hold up everybody

    def _answers(self) -> bool:
        try:
            self.control("ping")
        except CommandError:
            return False
        return True

    def wait_settled(self) -> None:
        """Wait until a mobile node is at home or registered, by all home addresses; raises `ScenarioError`."""
        if self.daemon is not None and self.spec.kind is Kind.MOBILE_NODE:
            log, fault = self._log(self.name), "found no place (do the routers advertise?)"
            wait_until(self._is_settled, self.daemon, self.name, log, within=SETTLED_WITHIN, fault=fault)

    def _is_settled(self) -> bool:
        homes = [entry for entry in self.control("bindings") if "place" in entry]
        return all("athome" in entry["place"] or "registered" in entry["state"] for entry in homes)

    def stop_daemon(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the daemon: in order, or with SIGKILL as a crash would; nobody misses it then."""
        end([self.daemon], how)
        self.daemon = None

    def used(self) -> Used:
        """Tell what the daemon has used of processor and memory; raises `ScenarioError` if none runs."""
        if self.daemon is None:
            raise ScenarioError(f"{self.name} has no daemon that runs")
        return used_by(self.daemon.pid)

    def kill(self) -> None:
        """End the daemon as a crash would; raises `ScenarioError` if none runs."""
        if self.daemon is None:
            raise ScenarioError(f"{self.name} has no daemon that runs")
        self.context.collector.report(NodeKilled(name=self.name))
        self.stop_daemon(signal.SIGKILL)

    def restart(self) -> None:
        """Start the daemon anew, after it was killed or in place of one that runs, and wait until it serves."""
        if not self.serves:
            raise ScenarioError(f"{self.name} is a {self.spec.kind.value}: it has no daemon")
        self.stop_daemon()
        self.start_daemon()
        self.wait_ready()

    def fail(self) -> None:
        """Let the node die at once, as one does whose power is cut: nothing is said, and nothing answers any more."""
        self.context.collector.report(NodeFailed(name=self.name))
        netlink = self.namespace.netlink
        with netlink.batch():
            for plug in self.spec.plugs:
                netlink.set_link(plug.index, up=False)
        end(self.running(), signal.SIGKILL)
        self._services.clear()
        self.daemon = None

    def spawn(self, command: list[str], **options: Any) -> "subprocess.Popen[bytes]":
        """Start a process that ends with the node."""
        process = self.namespace.spawn(command, **options)
        self._services.append(process)
        return process

    def running(self) -> list[Process]:
        """Give the processes of the node."""
        return [*self._services, *([] if self.daemon is None else [self.daemon])]

    def terminate(self) -> None:
        """End all that runs in the node, then the node."""
        end(self.running())
        self._services.clear()
        self.daemon = None
        self.end_shell()
        self.namespace.close()

    def _spawn(self, command: list[str], name: str, **options: Any) -> "subprocess.Popen[bytes]":
        with self._log(name).open("ab") as log:  # a daemon that is started again goes on in its log
            options.setdefault("stdout", log)
            try:
                process = self.namespace.spawn(command, stderr=log, **options)
            except FileNotFoundError as error:
                raise MissingError(f"{command[0]} is missing") from error
        return process

    def _log(self, name: str) -> Path:
        return Path(self.context.logs / f"{name}.log")


def context_of(topology: Declaration) -> Context:
    """Give the context of a topology; one that was brought up by plain Mininet gets its own."""
    context = getattr(topology, "context", None)
    if context is None:
        context = Context(Settings())
        topology.context = context
        atexit.register(context.close)
    return context
