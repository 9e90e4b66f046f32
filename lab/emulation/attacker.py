"""A host whose owner means no good."""

import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, TypeAlias

from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from lab.constants import INITIAL_BINDACK_TIMEOUT
from lab.emulation.node import LabNode
from lab.emulation.playback import SEEN_WITHIN, frames_so_far, send_again, wait_for_frame
from lab.errors import MissingError, ScenarioError
from lab.verify.frame import Frame

SILENT = """
table ip6 attacker {
    chain output {
        type filter hook output priority 0
        icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } drop
    }
}
"""
"""Packet filter of a host that does not betray itself by errors about packets that were meant for somebody else."""
NUMBER, BALANCE = bytes.fromhex("1234567890abcdef"), bytes.fromhex("edcba9876f543210")
"""Interface identifier, and its complement, of what `Attacker.flood` is given."""
_ETHERNET_OCTETS = 14
Flood: TypeAlias = "subprocess.Popen[bytes]"
"""A flood that goes on until it has sent all."""
_FLOOD = str(Path(__file__).with_name("flood_process.py"))


class Attacker:
    """Sends what he likes, hears what his link carries, and knows nothing else.

    On a link of the lab everybody hears everybody, as by radio: what is heard is the capture of the attacker's own
    link, and no ESP of it is opened for him.
    """

    def __init__(self, node: LabNode, captures: dict[str, Path]) -> None:
        self._node = node
        self._plug = node.spec.plugs[0]
        self._capture = captures[self.link]
        self.sent: list[bytes] = []
        """All packets so far, but for floods."""
        try:
            node.namespace.run(lambda: subprocess.run(["nft", "-f", "-"], input=SILENT, text=True, check=True))
        except FileNotFoundError as error:
            raise MissingError("nft is missing: install the package nftables") from error

    @property
    def name(self) -> str:
        """The node."""
        return str(self._node.name)

    @property
    def link(self) -> str:
        """Where he is."""
        return self._plug.link.name

    @property
    def link_layer_address(self) -> bytes:
        """Of his interface."""
        return self._plug.link_layer_address

    @property
    def address(self) -> IPv6Address:
        """His own."""
        assert self._plug.address is not None
        return self._plug.address

    def send(self, packet: Any) -> None:
        """Send a packet by the routers of his link, or a frame onto his link, whatever source it names."""
        self.sent.append(octets_of(packet))
        if not isinstance(packet, bytes) and Ether in packet:
            self._node.namespace.run(partial(_send_frame, self._plug.interface, bytes(packet)))
        else:
            send_again(self._node, octets_of(packet))

    def flood(self, packet: Any, *, count: int, rate: float, seed: int) -> Flood:
        """Begin to send a packet so many times, and no faster than that, each from another address; see `Flooding`."""
        flooding = Flooding.of(bytes(self.framed(packet)))
        words = [self._plug.interface, count, rate, seed, flooding.frame.hex(), flooding.varied, flooding.balanced]
        return self._node.spawn([sys.executable, "-I", "-S", _FLOOD, *map(str, words)])

    def framed(self, packet: Any) -> Any:
        """Give a packet as a frame for the router of his link, which goes past his own packet filter."""
        nodes = self._node.topology.node_specs.values()
        plugs = [plug for node in nodes if node.kind.forwards for plug in node.plugs if plug.link is self._plug.link]
        return Ether(src=self.link_layer_address.hex(":"), dst=plugs[0].link_layer_address.hex(":")) / packet

    def take(self, address: IPv6Address) -> None:
        """Have another address on his link, as nobody can forbid him to."""
        prefix_length = self._plug.link.prefix.prefixlen
        self._node.namespace.netlink.add_address(self._plug.index, address, prefix_length)

    def heard(self, matches: Callable[[Frame], bool]) -> list[Frame]:
        """Give what his link has carried so far."""
        return [frame for frame in frames_so_far([self._capture], keys=False) if matches(frame)]

    def hear(self, what: str, matches: Callable[[Frame], bool]) -> Frame:
        """Wait for a packet on his link; raises `ScenarioError` that names what did not come."""
        found = wait_for_frame([self._capture], matches, keys=False)
        if found is None:
            raise ScenarioError(f"{self.name} heard no {what} on {self.link} within {SEEN_WITHIN:g} s")
        return found

    def ask(self, what: str, ask: Callable[[], Any], matches: Callable[[Frame], bool]) -> Frame:
        """Send what `ask` makes, again as §11.8 has it, until his link carries an answer; raises `ScenarioError`."""
        for timeout in (INITIAL_BINDACK_TIMEOUT, 2 * INITIAL_BINDACK_TIMEOUT):
            self.send(ask())
            found = wait_for_frame([self._capture], matches, keys=False, within=timeout)
            if found is not None:
                return found
        self.send(ask())
        return self.hear(what, matches)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flooding:
    """A frame whose addresses are new each time it is sent.

    Its source, and a Home Address option if there is one, end in NUMBER; somewhere in its mobility message stand as
    many octets of BALANCE, which take away from the checksum what the addresses add to it.
    """

    frame: bytes
    varied: str
    balanced: int

    @classmethod
    def of(cls, frame: bytes) -> "Flooding":
        """Find the places."""
        source = _ETHERNET_OCTETS + 8 + len(NUMBER)
        option = frame.find(NUMBER, source + 1)
        varied = [source] if option < 0 else [source, option]
        return cls(frame=frame, varied=",".join(map(str, varied)), balanced=frame.index(BALANCE))


def octets_of(packet: Any) -> bytes:
    """Give the octets of an IPv6 packet: one of Scapy's, whatever is before it, or one that was heard."""
    return packet if isinstance(packet, bytes) else bytes(packet[IPv6])


def _send_frame(interface: str, frame: bytes) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as outlet:
        outlet.bind((interface, 0))
        outlet.send(frame)
