"""A host whose owner means no good."""

import socket
import subprocess
from collections.abc import Callable
from functools import partial
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any

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


class Attacker:
    """Sends what he likes, hears what his link carries, and knows nothing else.

    On a link of the lab everybody hears everybody, as by radio: what is heard is the capture of the attacker's own
    link, and no ESP of it is opened for him.
    """

    def __init__(self, node: LabNode, captures: dict[str, Path]) -> None:
        self._node = node
        self._plug = node.spec.plugs[0]
        self._capture = captures[self.link]
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
        if not isinstance(packet, bytes) and Ether in packet:
            self._node.namespace.run(partial(_send_frame, self._plug.interface, bytes(packet)))
        else:
            send_again(self._node, octets_of(packet))

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


def octets_of(packet: Any) -> bytes:
    """Give the octets of an IPv6 packet: one of Scapy's, whatever is before it, or one that was heard."""
    return packet if isinstance(packet, bytes) else bytes(packet[IPv6])


def _send_frame(interface: str, frame: bytes) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as outlet:
        outlet.bind((interface, 0))
        outlet.send(frame)
